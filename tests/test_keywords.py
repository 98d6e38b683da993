"""A number is said once: the command line, Python, types, help and checks have it from the field that holds it."""

import dataclasses
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import sertools
from sertools import api
from sertools.classifier_config import ClassifierConfig
from sertools.cli import app
from sertools.config import AutoencoderConfig, FrontEnd, GanConfig, NetConfig
from sertools.errors import UsageError
from sertools.fields import REQUIRED, Bounds, Keyword, Option, keywords_of
from sertools.generator_config import CvaeConfig, DiffusionConfig
from sertools.keywords import VERBS, described, flags, keywords
from sertools.presets import PRESETS, override

ROOT = Path(__file__).parent.parent
COMMANDS = typer.main.get_command(app).commands
ALL = [(verb, keyword) for verb in VERBS for keyword in flags(verb).values()]


def function(verb: str):
    return getattr(api, verb.replace("-", "_"))


def test_type_checkers_read_the_keywords_that_functions_take():
    made = subprocess.run(
        [sys.executable, ROOT / "docs/make_keywords.py"], capture_output=True, text=True, check=True
    ).stdout
    assert made == (ROOT / "sertools/api/typed.pyi").read_text(encoding="utf-8"), "run `make commands`"


@pytest.mark.parametrize("verb", VERBS)
def test_signature_and_help_of_a_function_list_the_options_of_its_verb(verb):
    parameters = inspect.signature(function(verb)).parameters
    of_verb = {param.name: param for param in COMMANDS[verb].params}
    for name, keyword in keywords(verb).items():
        required = keyword.default is REQUIRED
        assert parameters[name].default is (inspect.Parameter.empty if required else keyword.default)
        if name == "front_end":
            assert keywords_of(FrontEnd).keys() <= of_verb.keys()
        else:
            assert keyword.flag in of_verb[name].opts
            assert of_verb[name].required == required
        assert re.search(rf"^    {name} : ", inspect.getdoc(function(verb)).replace("\n", "\n    "), re.MULTILINE)
    assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())


@pytest.mark.parametrize(("verb", "keyword"), ALL, ids=lambda value: getattr(value, "name", value))
def test_an_option_is_described_by_a_sentence(verb, keyword):
    assert re.match(r"[A-Z].*\.$", keyword.option.help), keyword.option.help
    help_text = " ".join(COMMANDS[verb].get_help(typer.Context(COMMANDS[verb])).split())
    assert keyword.option.help.split(".")[0].split()[-1] in help_text


@pytest.mark.parametrize("config", [FrontEnd, NetConfig, AutoencoderConfig, GanConfig, ClassifierConfig])
def test_defaults_are_within_their_bounds(config):
    config()


@pytest.mark.parametrize(
    ("verb", "name", "value", "words"),
    [
        ("train-clf", "lr", 0, "--lr 0: expected above 0"),
        ("train-clf", "lr", 1e39, "--lr 1e+39: expected a number up to 1e+30"),
        ("train-clf", "lr", float("nan"), "--lr nan: expected above 0"),
        ("train-clf", "steps", -1, "--steps -1: expected at least 0"),
        ("train-clf", "batch_size", 1, "--batch-size 1: expected at least 2, for batch normalisation"),
        ("train-clf", "width", 5.0, "--width 5: expected above 0 and up to 4"),
        (
            "train-clf",
            "loss",
            "hinge",
            "--loss 'hinge': expected one of cross-entropy, weighted, focal",
        ),
        ("train-clf", "save_every", -1.0, "--save-every -1: expected 0 to 10000 minutes"),
        ("train-clf", "seed", -1, "--seed -1: expected at least 0"),
        ("train-clf", "preset", "papper", "--preset 'papper': expected one of paper, cpu"),
        ("train-clf", "precision", "half", "--precision 'half': expected one of auto, float32, bf16"),
        ("pretrain-ae", "dropout", 0.95, "--dropout 0.95: expected 0 to 0.9"),
        ("pretrain-ae", "latent_size", 0, "--latent-size 0: expected 1 to 4096"),
        ("finetune-gan", "ema", 1.0, "--ema 1: expected 0 to below 1"),
        ("finetune-gan", "on_collapse", "cry", "--on-collapse 'cry': expected one of warn, stop"),
        ("train-generator", "augment_", None, None),
        ("generate", "strength", 1.5, "--strength 1.5: expected 0 to 1"),
        ("generate", "denoise_steps", 1, "--denoise-steps 1: expected 2 to 1000"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_same_words_everywhere(verb, name, value, words, call, tmp_path):
    files = {"generate": ["gan"], "finetune-gan": ["ae", "latents", "train.h5"]}.get(verb, ["train.h5"])
    kind = {"kind": "cvae"} if verb == "train-generator" else {}
    if words is None:
        with pytest.raises(TypeError, match=rf"train_generator\(\).*'{name}'; did you mean 'augment'"):
            function(verb)(*files, tmp_path / "out", **kind, **{name: value})
        return
    with pytest.raises(UsageError, match=re.escape(words)):
        function(verb)(*files, tmp_path / "out", **kind, **{name: value})
    flag = keywords(verb)[name].flag
    done = call(
        verb, *files, "-o", tmp_path / "out", *([f"--kind={kind['kind']}"] if kind else []), f"{flag}={value}"
    )
    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert words in done.err


def test_a_required_keyword_is_missed_as_python_misses_it(tmp_path):
    with pytest.raises(TypeError, match=r"train_generator\(\) missing 1 required keyword-only argument: 'kind'"):
        sertools.train_generator("train.h5", tmp_path / "out")


@pytest.mark.parametrize(
    ("bounds", "words", "inside", "outside"),
    [
        (Bounds(0), "at least 0", (0, 7), (-1, float("nan"))),
        (Bounds(0, above=True), "above 0", (1e-9,), (0,)),
        (Bounds(0, 1), "0 to 1", (0, 1), (1.01,)),
        (Bounds(0, 1, below=True), "0 to below 1", (0, 0.99), (1,)),
        (Bounds(0, 4, above=True), "above 0 and up to 4", (4,), (0, 5)),
    ],
)
def test_bounds_hold_what_their_words_say(bounds, words, inside, outside):
    assert str(bounds) == words
    assert all(value in bounds for value in inside)
    assert not any(value in bounds for value in outside)


def test_help_says_what_presets_hold():
    steps = keywords("train-generator")["steps"]
    for kind, config in (("cvae", CvaeConfig()), ("diffusion", DiffusionConfig())):
        assert f"{kind} {config.steps}, cpu: {getattr(PRESETS['cpu'], kind).steps}" in described(steps)
    assert described(Keyword("n", int, None, Option("A number.", unset="7"))) == "A number. [7]"


def test_what_a_config_lacks_is_its_nets():
    changed = override(AutoencoderConfig(), lr=1e-3, dropout=0.5, steps=None)
    assert (changed.lr, changed.net.dropout, changed.steps) == (1e-3, 0.5, AutoencoderConfig().steps)
    assert dataclasses.replace(changed, lr=AutoencoderConfig().lr, net=NetConfig()) == AutoencoderConfig()
