"""Recipes that are true: the commands that a history prints make the same bytes again, whatever was given."""

import dataclasses
import html
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sertools.architectures import GAN_ARCHS
from sertools.balance.strategies import STRATEGIES
from sertools.cli import app
from sertools.config import COVARIANCES, FITS, PADS, TAILS, VOTES, FrontEnd, NetConfig
from sertools.errors import UsageError
from sertools.fields import Keyword, keywords_of
from sertools.keywords import configured, flags, keywords, parted
from sertools.presets import PRESETS, override
from sertools.provenance import Input, canonical_json, digest_file, history, line_digest
from sertools.reporting.contents.commands import commands_of
from sertools.reporting.contents.description import file_kind
from sertools.reporting.contents.words import words_of
from sertools.store.reader import open_store

COMMANDS = typer.main.get_command(app).commands
FILES = {
    "pretrain-ae": ("train.h5",),
    "finetune-gan": ("ae", "latents.h5", "train.h5"),
    "train-generator": ("train.h5",),
    "train-clf": ("train.h5",),
}
SMALL = ("--seconds", "1", "--mels", "32", "--frames", "32")
few = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))


# What is printed is read back as the same numbers.


def values(keyword: Keyword) -> st.SearchStrategy:
    """Any value that an option takes."""
    bounds = keyword.option.bounds
    if keyword.option.choices:
        return st.sampled_from(keyword.option.choices)
    if keyword.kind is bool:
        return st.booleans()
    if keyword.kind is int:
        return st.integers(int(bounds.low), int(min(bounds.high, 10**9)))
    return st.floats(bounds.low, min(bounds.high, 1e30), exclude_min=bounds.above, exclude_max=bounds.below)


@st.composite
def given_to(draw: st.DrawFn, verb: str) -> dict:
    """Some of the options that decide what a training learns."""
    known = {name: each for name, each in keywords(verb).items() if each.stages or name in ("kind", "preset", "arch")}
    names = {*draw(st.sets(st.sampled_from(sorted(known)))), *({"kind"} & known.keys())}
    return {name: draw(values(known[name])) for name in sorted(names)}


def config_of(verb: str, options: Mapping, net: NetConfig, *, vectors: bool = False) -> dict:
    """What a verb's history has of its options."""
    how, numbers = parted(verb, options)
    kind, config = configured(verb, how, numbers, vectors=vectors)
    found = dataclasses.asdict(config)
    if verb == "finetune-gan":
        found |= {"batches": config.batches or net.batches, "net": dataclasses.asdict(net)}
    return json.loads(canonical_json({**found, **({"kind": kind} if verb == "train-generator" else {})}))


def read_back(verb: str, words: list) -> dict:
    """What the command line's parser makes of words."""
    line = [*FILES.get(verb, ("x",)), "-o", "out", *(part for word in words for part in word if part)]
    found = COMMANDS[verb].make_context(verb, line).params
    return {name: found[name] for name in flags(verb) if found[name] is not None}


@pytest.mark.parametrize("verb", FILES)
@given(data=st.data())
def test_the_numbers_of_a_training_are_read_back(verb, data):
    net = override(NetConfig(), **GAN_ARCHS[data.draw(st.sampled_from(tuple(GAN_ARCHS)))])
    try:
        drawn = data.draw(given_to(verb))
        latent = drawn.get("latent")
        vectors = latent in ("dense", "identity") or (latent is None and data.draw(st.booleans()))
        if verb == "finetune-gan":
            net = override(net, latent="dense" if vectors else "conv")
        options = config_of(verb, drawn, net, vectors=vectors)
    except UsageError:  # a loss and a sampling that exclude each other
        reject()
    words, remark = words_of(verb, options)
    assert remark == ""
    assert config_of(verb, read_back(verb, words), net, vectors=vectors) == options


@pytest.mark.parametrize("verb", FILES)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_alone_needs_no_other_word(verb, preset):
    kind = {"kind": "cvae"} if verb == "train-generator" else {}
    words, remark = words_of(verb, config_of(verb, {"preset": preset, **kind}, NetConfig()))
    flags = dict(words)
    assert remark == ""
    assert flags.keys() <= {"--preset", "--kind"}
    # An autoencoder of `improved` has the paper's numbers.
    assert config_of(verb, {"preset": flags.get("--preset", "paper"), **kind}, NetConfig()) == config_of(
        verb, {"preset": preset, **kind}, NetConfig()
    )


@given(data=st.data())
def test_a_front_end_is_read_back(data):
    known = keywords_of(FrontEnd)
    own = {"n_mels": st.sampled_from([16, 128, 1024]), "n_frames": st.sampled_from([32, 128, 512])}
    own["min_tail_seconds"] = st.floats(0, 600)
    names = data.draw(st.sets(st.sampled_from(sorted(known))))
    try:
        front_end = FrontEnd(
            **{name: data.draw(own[name] if name in own else values(known[name])) for name in sorted(names)}
        )
    except UsageError:
        reject()
    options = {name: value for name, value in vars(front_end).items() if value != vars(FrontEnd())[name]}
    words, remark = words_of("extract", json.loads(canonical_json(options)))
    assert remark == ""
    given = read_back("extract", words)
    assert FrontEnd(**{name: value for name, value in given.items() if name in known}) == front_end


def test_what_no_option_says_stands_in_a_remark():
    numbers = dataclasses.asdict(PRESETS["cpu"].classifier)
    assert words_of("train-clf", {**numbers, "schedule": "cosine"}) == (
        [("--preset", "cpu")],
        "no option sets: schedule=cosine",
    )
    numbers = dataclasses.asdict(PRESETS["smoke"].autoencoder)
    assert words_of("pretrain-ae", {**numbers, "class_loss": 0.1})[1] == "gone since: class_loss=0.1"
    assert words_of("pretrain-ae", {**numbers, "class_loss": 0.0}) == ([("--preset", "smoke")], "")
    assert words_of("extract", {"fmin": 50.0, "sr": 8000}) == ([("--sr", "8000")], "no option sets: fmin=50.0")
    assert words_of("extract", {"missing": ""}) == ([], "no option sets: missing=")
    assert words_of("generate", {"counts": {"sad": 3}, "best_of": 3}) == (
        [("--count", "sad=3")],
        "gone since: best_of=3",
    )
    assert words_of("wish", {"one_day": True, "other": [1, 2], "off": False, "none": None}) == (
        [("--one-day", ""), ("--other", "1"), ("--other", "2")],
        "",
    )


# What is printed makes the same bytes.


class Repeater:
    """Runs a command line, and again what `info` prints of its output.

    Parameters
    ----------
    known
        Files that a command may read.
    corpus, noise
        What stands for ``CORPUS`` and ``NOISE``.
    """

    def __init__(self, known: list[Path], corpus: Path, noise: Path | None = None) -> None:
        self.files = {_digest(path): str(path) for path in known}
        self.roots = {"$CORPUS": str(corpus), "$NOISE": str(noise)}

    def check(self, *words: object) -> None:
        """Compare the bytes, unless the line is refused."""
        here = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                if run([*map(str, words), "-o", "first"]).exit_code:
                    reject()
                described = json.loads(CliRunner().invoke(app, ["info", "first", "--json"]).stdout)
                line = described["commands"][-1]
                self._again(line, described["names"])
                assert Path("first").read_bytes() == Path("second").read_bytes(), line
            finally:
                os.chdir(here)

    def _again(self, line: str, names: Mapping[str, str]) -> None:
        known = {name: self.files.get(what.rpartition(" ")[2], name) for name, what in names.items()} | self.roots
        printed = shlex.split(line)
        assert (printed[0], printed[-2:]) == ("sertools", ["-o", "first"]), line
        done = run([*(known.get(word, word) for word in printed[1:-1]), "second"])
        assert done.exit_code == 0, f"{line}\n{done.output}"


def run(words: list[str]):
    """Run a command line in this process."""
    done = CliRunner().invoke(app, words, prog_name="sertools")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def _digest(path: Path) -> str:
    is_store = file_kind(path) == "spectrograms"
    return open_store(path).contents.digest() if is_store else digest_file(path)


@pytest.fixture(scope="module")
def noise_folder(tmp_path_factory, tiny_corpus) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    shutil.copy(tiny_corpus / "sad" / "01_1.wav", folder / "rain.wav")
    return folder


@pytest.fixture(scope="module")
def generators(chain, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("generators")
    small = ("--preset", "smoke", "--width", "1/16", "--steps", "1", "--batch-size", "4")
    kinds = ("cvae", "diffusion", "cyclegan", "wavegan")
    for kind in kinds:
        start = ["--start-steps", "1"] if kind == "wavegan" else []
        made = run(["train-generator", str(chain.train), "--kind", kind, *small, *start, "-o", str(folder / kind)])
        assert made.exit_code == 0, made.output
    return {"gan": chain.gan, **{kind: folder / kind for kind in kinds}}


@pytest.fixture(scope="module")
def repeater(chain, generators, tiny_store, tiny_corpus, noise_folder) -> Repeater:
    known = [chain.train, chain.val, chain.test, chain.synth, chain.ae, chain.latents, chain.clf, tiny_store]
    return Repeater([*known, *generators.values()], tiny_corpus / "labels.csv", noise_folder)


# Small enough for a test.
TINY: Mapping[str, st.SearchStrategy] = {
    "steps": st.integers(0, 2),
    "batch_size": st.integers(2, 6),
    "width": st.sampled_from([1 / 32, 1 / 16, 0.1]),
    "latent_size": st.integers(1, 12),
    "latent": st.just("conv"),
    "samples": st.just(16_384),
    "critic_steps": st.integers(1, 2),
    "start_steps": st.integers(0, 2),
    "lr": st.floats(1e-6, 1e-3),
    "lr_g": st.floats(1e-6, 1e-3),
    "lr_d": st.floats(1e-6, 1e-3),
    "r1": st.floats(0, 1),
}


@st.composite
def words_for(draw: st.DrawFn, verb: str, always: tuple[str, ...] = ("steps", "batch_size", "width", "kind")) -> list:
    """Words of a tiny training, by any of its options."""
    known = {name: each for name, each in keywords(verb).items() if each.option.bounds or each.option.choices or
             each.kind is bool}  # fmt: skip
    known = {name: each for name, each in known.items() if name not in ("seed", "save_every", "on_collapse")}
    names = {*draw(st.sets(st.sampled_from(sorted(known)))), *({*always} & known.keys())}
    words: list = []
    for name in sorted(names):
        value = draw(TINY[name] if name in TINY else values(known[name]))
        flag = known[name].flag
        words += [flag if value else f"--no-{flag[2:]}"] if known[name].kind is bool else [flag, value]
    if "wavegan" in words and "--start-steps" not in words:
        words += ["--start-steps", draw(TINY["start_steps"])]
    return [*words, "--seed", draw(st.integers(0, 3))]


@pytest.mark.parametrize("verb", FILES)
@few
@given(data=st.data())
def test_a_training_is_repeated(verb, chain, repeater, data):
    files = {"finetune-gan": (chain.ae, chain.latents, chain.train)}.get(verb, (chain.train,))
    val = ["--val", chain.val] if verb != "finetune-gan" and data.draw(st.booleans()) else []
    repeater.check(verb, *files, *data.draw(words_for(verb)), *val)


@pytest.mark.parametrize("preset", ["paper", "cpu"])
def test_principal_components_are_repeated(preset, chain, repeater):
    repeater.check("pretrain-ae", chain.train, "--latent", "pca", "--latent-size", 7, "--preset", preset)


@few
@given(data=st.data())
def test_rows_are_generated_again(chain, generators, repeater, data):
    kind = data.draw(st.sampled_from(sorted(generators)))
    words = data.draw(
        st.sampled_from([("--count", "sad=2", "--count", "angry=1"), ("--per-class", 2), ("--balance", chain.train)])
    )
    ways = {"gan": ["", "--translate", "--smote"], "cyclegan": ["--translate"], "wavegan": [""]}
    how = data.draw(st.sampled_from(ways.get(kind, ["", "--translate"])))
    flags = [how, chain.train] if how else []
    if how == "--translate":
        flags += ["--paste"] * data.draw(st.booleans())
        flags += ["--within-speaker"] * (kind == "gan" and data.draw(st.booleans()))
    if kind == "diffusion":
        flags += ["--denoise-steps", data.draw(st.integers(2, 4))]
        flags += ["--guidance", data.draw(st.floats(0, 5))] * data.draw(st.booleans())
        flags += ["--strength", data.draw(st.floats(0, 1))] * (bool(how) and data.draw(st.booleans()))
    repeater.check("generate", generators[kind], *words, *flags, "--seed", data.draw(st.integers(0, 3)))


@few
@given(
    where=st.lists(st.sampled_from(["speaker!=01", "emotion=angry,sad", "gender=male", "start=0"]), max_size=2),
    fold=st.sampled_from(["", "1/2", "2/3"]),
    by=st.sampled_from(["speaker", "utterance"]),
    keep=st.dictionaries(st.sampled_from(["angry", "sad"]), st.floats(0, 1), max_size=2),
    invert=st.booleans(),
    copy=st.booleans(),
)
def test_a_selection_is_repeated(tiny_store, repeater, where, fold, by, keep, invert, copy):
    words = [word for condition in where for word in ("--where", condition)]
    words += ["--fold", fold, "--by", by] if fold else []
    words += [word for name, share in keep.items() for word in ("--keep", f"{name}={share}")]
    repeater.check("select", tiny_store, *words, *["-v"] * invert, *["--copy"] * copy)


@few
@given(data=st.data())
def test_an_extraction_is_repeated(tiny_corpus, repeater, data):
    words = ["--sr", data.draw(st.sampled_from([8000, 16000])), "--seconds", data.draw(st.floats(0.7, 1.5))]
    for flag, choices in (("--fit", FITS), ("--tail", TAILS), ("--pad", PADS), ("--on-error", ("fail", "skip"))):
        words += [flag, data.draw(st.sampled_from(choices))]
    words += ["--min-tail", data.draw(st.floats(0, 0.6)), "--trim", data.draw(st.sampled_from([0, 35]))]
    more = (("--shard", "2/5"), ("--corpus", "tiny"), ("--missing", "none,S1"), ("--synonyms", "keep"))
    words += [word for pair in data.draw(st.sets(st.sampled_from(more))) for word in pair]
    repeater.check("extract", tiny_corpus / "labels.csv", *words, "--mels", 16, "--frames", 32)


@settings(few, max_examples=3)
@given(strategy=st.sampled_from(sorted(STRATEGIES)), seed=st.integers(0, 2))
def test_an_augmentation_is_repeated(strategy, seed, chain, repeater, noise_folder):
    repeater.check("augment", chain.train, "--strategy", strategy, "--noise", noise_folder, "--seed", seed)


@pytest.mark.parametrize("cov", COVARIANCES)
def test_class_gaussians_are_fitted_again(cov, chain, repeater):
    repeater.check("fit-latents", chain.ae, chain.train, chain.synth, "--cov", cov)


@few
@given(vote=st.sampled_from(VOTES), val=st.booleans(), seen=st.booleans(), fold=st.integers(1, 5))
def test_a_test_is_repeated(vote, val, seen, fold, chain, repeater):
    tested = [chain.train] if seen else [chain.test]
    words = ["--val", chain.val] if val else []
    words += ["--allow-seen"] if seen else []
    repeater.check(
        "evaluate", chain.clf, *tested, *words, "--vote", vote, "--tag", f"fold={fold}", "--tag", "method=m"
    )


def test_stores_are_merged_again(chain, repeater):
    repeater.check("merge", chain.val, chain.train, chain.synth)


# The whole chain, in an empty folder.

ODD = """
sertools extract "$CORPUS" -o specs.h5 --seconds 1 --mels 32 --frames 32 --tail overlap
sertools select specs.h5 --fold 1/3 -o test.h5
sertools select specs.h5 --fold 1/3 -v --copy -o rest.h5
sertools select rest.h5 --where speaker=03 -o val.h5
sertools select rest.h5 --where speaker!=03 --keep neutral=0.7 --seed 3 -o train.h5
sertools augment train.h5 --strategy SARB --noise "$NOISE" -o aug.h5 --seed 2
sertools pretrain-ae train.h5 --val val.h5 -o ae --arch bagan --up transposed --no-norm --preset cpu --lr 0.0011 \
 --width 1/32 --latent-size 6 --steps 4 --batch-size 8
sertools fit-latents ae train.h5 -o l.h5 --cov pooled
sertools finetune-gan ae l.h5 train.h5 -o gan --preset improved-cpu --no-sn --lr-g 1e-5 --batches separate \
 --steps 3 --batch-size 8
sertools generate gan --balance train.h5 --smote train.h5 -o smote.h5
sertools generate gan --count angry=2 --translate train.h5 --paste --within-speaker -o moved.h5 --seed 5
sertools train-generator train.h5 --val val.h5 --kind diffusion --no-augment --preset cpu -o diffusion \
 --width 1/16 --steps 2 --batch-size 4
sertools generate diffusion --count sad=1 --guidance 2 --denoise-steps 2 -o drawn.h5
sertools merge smote.h5 moved.h5 -o both.h5
sertools train-clf aug.h5 both.h5 drawn.h5 --val val.h5 -o clf --preset smoke --mixup 0.3 --synthetic-share 0.4 \
 --spec-augment strong --width 1/4 --steps 4 --batch-size 8
sertools train-clf aug.h5 -o plain --preset smoke --arch cnn --width 1/4 --steps 3 --batch-size 8 --seed 4
sertools evaluate clf test.h5 --average plain --mean geometric --val val.h5 --vote mean --tag method=odd \
 --tag fold=1 -o result.json
"""


@pytest.fixture
def shell(call, tiny_corpus, noise_folder) -> Callable[[str, Path], None]:
    """Run lines of a shell in this process."""
    roots = {"$CORPUS": str(tiny_corpus / "labels.csv"), "$NOISE": str(noise_folder)}

    def shell(block: str, folder: Path) -> None:
        for line in filter(None, block.replace("\\\n", "").splitlines()):
            sertools_, *words = (roots.get(word, word) for word in shlex.split(line, comments=True))
            assert sertools_ == "sertools"
            done = call(*words, cwd=folder)
            assert done.code == 0, f"{line}\n{done.err}"

    return shell


def files_of(folder: Path) -> list[Path]:
    """Stores, class Gaussians and models in a folder."""
    return [path for path in sorted(folder.iterdir()) if path.suffix not in (".json", ".ndjson", ".html")]


def test_the_commands_on_the_page_make_the_same_result(shell, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    first.mkdir()
    again.mkdir()
    shell(f"{ODD}\nsertools report result.json --html r.html", first)
    page = (first / "r.html").read_text(encoding="utf-8")
    block = html.unescape(re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)[1])
    shell(block, again)
    assert (again / "result.json").read_bytes() == (first / "result.json").read_bytes()
    # Every file in between: models by their bytes, stores by what they hold, for they may say how others are called.
    assert {_digest(path) for path in files_of(first)} == {_digest(path) for path in files_of(again)}
    digests = dict(re.findall(r"<li><code>(\S+)</code>: made by .*, digest (\w+)</li>", page))
    assert digests == {path.name: _digest(path) for path in files_of(again)}
    # What was given is given again, and no more.
    start = "--preset cpu --arch bagan --width 0.03125 --latent-size 6 --up transposed --steps 4 --batch-size 8"
    assert f"{start} --lr 0.0011 --val" in block


# Files and where they come from.


def lines_of(*histories: tuple[str, ...], output: str = "out") -> list[str]:
    joined = history("merge", {}, {"stores": [Input(f"{n}" * 32, each) for n, each in enumerate(histories)]})
    return [step.line() for step in commands_of(joined, output).steps]


def test_two_corpora_are_told_apart():
    first, second = (history("extract", {}, {"corpus": Input(digit * 32)}) for digit in "ab")
    assert lines_of(first, second, output="both.h5") == [
        'sertools extract "$CORPUS_aaaaaaaa" -o store-00000000.h5',
        'sertools extract "$CORPUS_bbbbbbbb" -o store-11111111.h5',
        "sertools merge store-00000000.h5 store-11111111.h5 -o both.h5",
    ]


def test_a_selection_of_all_rows_has_another_name_than_its_source():
    source = history("extract", {}, {"corpus": Input("c" * 32)})
    whole = history("select", {"where": []}, {"store": Input("d" * 32, source)})
    part = history("select", {"where": ["start=0"], "copy": True}, {"store": Input("d" * 32, whole)})
    assert [step.line() for step in commands_of(part, "part.h5").steps] == [
        'sertools extract "$CORPUS" -o store-dddddddd.h5',
        "sertools select store-dddddddd.h5 -o store-dddddddd-2.h5",
        "sertools select store-dddddddd-2.h5 --where start=0 --copy -o part.h5",
    ]


def test_a_line_is_known_by_what_it_says_not_by_its_spelling():
    (line,) = history("extract", {"sr": 8000}, {"corpus": Input("é" * 3)})
    assert line_digest(line) == line_digest(json.dumps(json.loads(line), indent=1))
    assert line_digest(line) != line_digest(line.replace("8000", "8001"))


def test_where_nets_ran_is_said_too():
    store = Input("e" * 32, history("extract", {}, {"corpus": Input("c" * 32)}))
    options = dataclasses.asdict(PRESETS["smoke"].classifier)
    on_gpu = {"device": "cuda", "precision": "bf16", "processes": 2}
    lines = [
        commands_of(history("train-clf", {**options, **more}, {"train": [store]}, 0), "clf").steps[-1].line()
        for more in ({}, on_gpu)
    ]
    assert lines == [
        "sertools train-clf train-eeeeeeee.h5 --preset smoke --seed 0 --device cpu -o clf",
        "torchrun --standalone --nproc-per-node 2 -m sertools train-clf train-eeeeeeee.h5 --preset smoke "
        "--device cuda --precision bf16 --seed 0 -o clf",
    ]


def test_a_value_is_quoted_for_the_shell():
    (line,) = history("select", {"where": ["path=$(rm -rf ~)", "id=a\x1b'b"]}, {"store": Input("aa")})
    made = commands_of([line], "out").steps[0].line()
    assert shlex.split(made.partition(" --where $'")[0])[2:] == ["store-aa.h5", "--where", "path=$(rm -rf ~)"]
    assert made.endswith(r" --where $'id=a\u001b\'b' -o out")
    remark = json.dumps({"verb": "generate", "options": {"x\nrm -rf ~": 1}})
    assert commands_of([remark], "out").steps[0].line() == r"sertools generate -o out  # gone since: x\nrm -rf ~=1"


def test_a_shard_says_so_and_merged_shards_are_one_extraction(call, tiny_corpus, tmp_path):
    labels = tiny_corpus / "labels.csv"
    for k in (1, 2):
        assert call("extract", labels, *SMALL, "--shard", f"{k}/2", "-o", f"{k}.h5").code == 0
    assert call("merge", "2.h5", "1.h5", "-o", "whole.h5").code == 0
    told = [json.loads(call("info", name).out)["commands"] for name in ("1.h5", "whole.h5")]
    line, small = 'sertools extract "$CORPUS"', "--seconds 1.0 --mels 32 --frames 32"
    assert told == [[f"{line} --shard 1/2 {small} -o 1.h5"], [f"{line} {small} -o whole.h5"]]
    with (tmp_path / "other.csv").open("w", encoding="utf-8") as stream:
        stream.write(labels.read_text(encoding="utf-8").replace("sad,", "dull,").replace("\n", f"\n{tiny_corpus}/"))
    other = (tmp_path / "other.csv").read_text(encoding="utf-8")
    (tmp_path / "other.csv").write_text(other.removesuffix(f"{tiny_corpus}/"), encoding="utf-8")
    assert call("extract", "other.csv", *SMALL, "--shard", "2/2", "-o", "other.h5").code == 0
    done = call("merge", "1.h5", "other.h5", "-o", "mixed.h5")
    assert (done.code, "other labels" in done.err) == (1, True)
