"""`from sertools import …`: the reach of the command line, light to import, typed and described."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import process_environment

import sertools
from sertools import api
from sertools.api.running import run_through
from sertools.cli import VERBS
from sertools.config import FrontEnd
from sertools.fields import keywords_of

# Lines of a shell are for a shell: Python calls functions.
VERB = {verb.__name__: verb for verb in VERBS if verb.__name__ != "batch"}
# An option of a verb → where Python has it, if under another name or in another shape.
ELSEWHERE = {
    "out": "output",
    **dict.fromkeys(keywords_of(FrontEnd), "front_end"),
}
# What only a terminal needs.
SHELL_ONLY = {"quiet", "verbose", "debug", "dry_run", "as_json", "list_readers"}
# Python has the rows themselves, where a terminal has lines of text.
AS_TEXT = {"predict": {"out", "form"}}


@pytest.mark.parametrize("name", VERB)
def test_a_function_has_the_reach_of_its_verb(name):
    shell_only = SHELL_ONLY | AS_TEXT.get(name, set())
    options = {o: p for o, p in inspect.signature(VERB[name]).parameters.items() if o not in shell_only}
    function = inspect.signature(getattr(sertools, name)).parameters
    other = {"to_wav": {"out": "folder"}}.get(name, {})
    places = {o: o if o in function else other.get(o, ELSEWHERE.get(o, o)) for o in options}
    assert set(places.values()) <= set(function)
    for option, parameter in options.items():
        plain, there = places[option] == option, function[places[option]]
        if plain and parameter.default not in (None, inspect.Parameter.empty) and there.default is not there.empty:
            assert there.default == parameter.default, option


def test_all_that_is_offered_is_there_and_described():
    for name in sertools.__all__:
        assert name in dir(sertools)
        thing = getattr(sertools, name)
        if inspect.isfunction(thing):
            assert thing.__doc__
            assert "Raises" in thing.__doc__, name
            assert all(p.annotation is not p.empty for p in inspect.signature(thing).parameters.values()), name
            assert "return" in thing.__annotations__, name
    with pytest.raises(AttributeError, match="fly"):
        sertools.fly  # noqa: B018


def test_every_verb_is_a_function_and_is_offered():
    assert set(VERB) | {"rehearse", "LONG_STEPS"} == set(api.__all__)
    assert set(VERB) <= set(sertools.__all__)


def test_importing_loads_nothing_heavy():
    heavy = ["torch", "librosa", "numpy", "h5py", "scipy", "sklearn", "matplotlib"]
    code = f"""
import sys
import sertools
assert not set(sys.modules) & set({heavy})
from sertools import extract, train_clf, report, rehearse, PRESETS, SertoolsError
print(sorted(set(sys.modules) & set({heavy})))
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=process_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_type_checkers_and_the_loader_know_the_same_names():
    source = inspect.getsource(sertools)
    block = source.split("if TYPE_CHECKING:")[1].split("\n\n#")[0]
    named = set(block.replace(",", " ").replace("(", " ").replace(")", " ").split())
    assert set(sertools.__all__) - {"__version__"} <= named


def test_recordings_that_are_listed_can_be_extracted(tiny_corpus: Path, tiny_store: Path, tmp_path: Path):
    front_end = FrontEnd(segment_seconds=1.0, n_mels=32, n_frames=32)
    made = sertools.extract(str(tiny_corpus / "labels.csv"), str(tmp_path / "a.h5"), front_end=front_end)
    assert made.n_rows == len(sertools.open_store(tiny_store))
    listed = sertools.corpus("folders", tiny_corpus)
    progress = sertools.extract(listed, tmp_path / "b.h5", front_end=front_end)
    assert progress.total == len(listed)
    with pytest.raises(sertools.SertoolsError, match="bring their labels"):
        sertools.extract(listed, tmp_path / "c.h5", labels=tiny_corpus / "labels.csv")
    with pytest.raises(sertools.SertoolsError, match=r"on-error 'skpi'.*did you mean 'skip'"):
        sertools.extract(listed, tmp_path / "c.h5", on_error="skpi")
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "b.h5"]


@pytest.mark.filterwarnings("ignore::sertools.errors.SertoolsWarning")
def test_python_makes_the_bytes_of_the_command_line(chain, call, tmp_path: Path):
    by_hand, by_shell = tmp_path / "python", tmp_path / "shell"
    by_hand.mkdir()
    by_shell.mkdir()
    options = dict(preset="smoke", steps=3, width=1 / 32, batch_size=8, device="cpu")
    facts = sertools.pretrain_ae(chain.train, by_hand / "ae", val=chain.val, **options)
    assert facts["mse_rows"] == "validation"
    sertools.fit_latents(by_hand / "ae", chain.train, by_hand / "latents", cov="pooled")
    del options["width"]
    made = sertools.finetune_gan(by_hand / "ae", by_hand / "latents", chain.train, by_hand / "gan", **options)
    assert made.step == 3
    sertools.generate(by_hand / "gan", by_hand / "synth", count={"angry": 3})
    result = sertools.evaluate(chain.clf, chain.test, by_hand / "result", tags={"method": "GAN"}, device="cpu")
    assert 0 <= result.metrics["uar"] <= 1
    sertools.select(chain.train, by_hand / "few", where="speaker!=01", keep={"angry": 0.5})
    training = "--preset smoke --steps 3 --batch-size 8 --device cpu"
    for line in (
        f"pretrain-ae {chain.train} -o ae --val {chain.val} --width 1/32 {training}",
        f"fit-latents ae {chain.train} -o latents --cov pooled",
        f"finetune-gan ae latents {chain.train} -o gan {training}",
        "generate gan --count angry=3 -o synth",
        f"evaluate {chain.clf} {chain.test} -o result --tag method=GAN --device cpu",
    ):
        done = call(*line.split(), cwd=by_shell)
        assert done.code == 0, done.err
    for name in ("ae", "ae.log.ndjson", "latents", "gan", "gan.log.ndjson", "synth", "result"):
        assert (by_hand / name).read_bytes() == (by_shell / name).read_bytes(), name
    assert sertools.report(by_hand / "result") == call("report", "result", cwd=by_shell).out


def test_a_figure_is_drawn_with_or_without_a_file(chain, tmp_path: Path):
    figure = sertools.plot([chain.train, chain.synth], n=1)
    assert len(figure.axes) > 1
    sertools.plot(chain.train, tmp_path / "train.png", n=1, title="Training rows")
    assert (tmp_path / "train.png").read_bytes().startswith(b"\x89PNG")


def test_progress_is_shown_by_any_wrapper_and_everything_is_closed():
    ended = []

    def steps():
        try:
            yield from range(5)
        finally:
            ended.append("steps")

    assert run_through(steps(), iter) == 4
    seen = []

    def watch(records):
        for record in records:
            seen.append(record)
            if record == 2:
                raise KeyError(record)
            yield record

    with pytest.raises(KeyError):
        run_through(steps(), watch)
    assert (seen, ended) == ([0, 1, 2], ["steps", "steps"])


def test_a_training_can_be_stopped_and_goes_on(chain, tmp_path: Path):
    from sertools.errors import Stopped

    options = dict(preset="smoke", steps=4, batch_size=8, arch="cnn", device="cpu")
    asked = iter([False, True])
    with pytest.raises(Stopped):
        sertools.train_clf(chain.train, tmp_path / "clf", stop=lambda: next(asked), **options)
    assert sertools.train_clf(chain.train, tmp_path / "clf", **options).step == 4
    whole = tmp_path / "whole"
    sertools.train_clf(chain.train, whole, **options)
    assert whole.read_bytes() == (tmp_path / "clf").read_bytes()


def test_a_store_opens_as_an_array(chain):
    store = sertools.open_store(str(chain.train))
    assert store.rows([0, 1]).shape == (2, 32, 32)
    assert np.isfinite(store.rows(range(len(store)))).all()
