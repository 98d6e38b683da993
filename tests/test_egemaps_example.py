"""The eGeMAPS rival: arguments, and the SVM and its CSV on made-up functionals; openSMILE if it is there."""

import csv
import importlib.util
import io
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
from conftest import process_environment

from sertools.scoring.results.rivals import read_results
from sertools.store.conditions import Condition
from sertools.store.select import Selection, select_store

SCRIPT = Path(__file__).parents[1] / "examples" / "egemaps_svm.py"
TAGS = ("--tag", "method=SVM", "--tag", "fold=1")

needs_opensmile = pytest.mark.skipif(importlib.util.find_spec("opensmile") is None, reason="needs opensmile")


@dataclass(frozen=True)
class Done:
    """What a run of the script left behind."""

    code: int
    out: str
    err: str


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("egemaps_svm", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["egemaps_svm"] = module
    spec.loader.exec_module(module)
    return module


def rival(*arguments: object) -> Done:
    """Run the script in this process: scikit-learn takes seconds to import."""
    script = sys.modules.get("egemaps_svm") or load_script()
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["egemaps_svm.py", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = script.main()
    except SystemExit as leaving:
        code = leaving.code
    finally:
        sys.argv = before
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def split(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.h5 (speakers 01 to 04) and test.h5 (05 and 06), both selections."""
    folder = tmp_path_factory.mktemp("rival")
    for name, speakers in (("train", ("01", "02", "03", "04")), ("test", ("05", "06"))):
        select_store(tiny_store, folder / f"{name}.h5", Selection(where=(Condition("speaker", speakers),)))
    return folder


@pytest.fixture(scope="module")
def cache(tiny_store: Path, split: Path) -> Path:
    """Functionals that tell the classes apart, with some noise."""
    rng = np.random.default_rng(0)
    with h5py.File(tiny_store) as store:
        keys = store["utterance/digest"].asstr()[:]
        emotions = store["utterance/emotion"].asstr()[:]
    values = rng.standard_normal((len(keys), 88))
    values += 0.4 * rng.standard_normal((4, 88))[np.unique(emotions, return_inverse=True)[1]]
    np.savez(split / "functionals.npz", key=keys.astype(str), functionals=values)
    return split / "functionals.npz"


@pytest.fixture(scope="module")
def predicted(split: Path, cache: Path) -> str:
    done = rival(split / "train.h5", split / "test.h5", *TAGS, "--cache", cache)
    assert done.code == 0, done.err
    assert re.fullmatch(r"egemaps_svm: .*test\.h5: C [\d.]+, UAR [\d.]+ %\n", done.err)
    return done.out


def test_the_csv_holds_the_utterances_of_the_test_store(predicted, split):
    rows = list(csv.DictReader(io.StringIO(predicted)))
    assert list(rows[0]) == [
        *("method", "fold", "id", "emotion", "predicted", "speaker"),
        *("p_angry", "p_happy", "p_neutral", "p_sad"),
    ]
    with h5py.File(split / "test.h5") as store:
        used = np.unique(store["segment/utterance"][:])
        expected = {
            (u, e, s)
            for u, e, s in zip(
                *(store[f"utterance/{name}"].asstr()[:][used] for name in ("id", "emotion", "speaker")), strict=True
            )
        }
    assert {(row["id"], row["emotion"], row["speaker"]) for row in rows} == expected
    assert len(rows) == len(expected) == 16
    assert {row["method"] + row["fold"] for row in rows} == {"SVM1"}


def test_the_svm_learns_and_its_posteriors_agree(predicted, tmp_path):
    (tmp_path / "rival.csv").write_text(predicted)
    [result] = read_results([tmp_path / "rival.csv"])
    assert result.metrics["uar"] > 0.6  # chance is 0.25
    assert min(result.metrics["auc"].values()) > 0.7
    for u in result.utterances:
        assert u.predicted == result.classes[int(np.argmax(u.posterior))]


def test_it_stands_beside_a_result(predicted, chain, call, tmp_path):
    test = tmp_path / "test.h5"
    select_store(chain.folder / "val.h5", test, Selection(where=(Condition("speaker", ("05",)),)))
    tags = ["--tag", "method=GAN", "--tag", "fold=1"]
    assert call("evaluate", chain.clf, test, *tags, "-o", "gan.json").code == 0
    head, *lines = predicted.splitlines()
    (tmp_path / "rival.csv").write_text("\n".join([head, *(line for line in lines if ",05," in line)]))
    done = call("report", "gan.json", "rival.csv", "--baseline", "GAN")
    assert done.code == 0, done.err
    assert re.search(r"vs GAN .*\nSVM +[+-]\d+\.\d", done.out, re.MULTILINE)


def test_same_bytes_each_run(predicted, split, cache):
    assert rival(split / "train.h5", split / "test.h5", *TAGS, "--cache", cache).out == predicted


def test_options_of_the_svm_count(predicted, split, cache):
    fixed = rival(split / "train.h5", split / "test.h5", *TAGS, "--cache", cache, "--C", "0.001")
    assert "C 0.001" in fixed.err
    plain = rival(
        split / "train.h5", split / "test.h5", *TAGS, "--cache", cache, "--C", "0.001", "--class-weight", "none"
    )
    assert fixed.code == plain.code == 0
    assert len({predicted, fixed.out, plain.out}) == 3


def test_two_classes(split, cache, tmp_path):
    two = Selection(where=(Condition("emotion", ("neutral", "sad")),))
    for name in ("train", "test"):
        select_store(split / f"{name}.h5", tmp_path / f"{name}.h5", two)
    done = rival(tmp_path / "train.h5", tmp_path / "test.h5", *TAGS, "--cache", cache, "--C", "10")
    assert done.code == 0, done.err
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert {row["predicted"] for row in rows} == {"neutral", "sad"}
    assert all((float(row["p_sad"]) > 0.5) == (row["predicted"] == "sad") for row in rows)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--tag method=NAME is needed"),
        (["--tag", "fold=1"], "--tag method=NAME is needed"),
        (["--tag", "method"], "--tag 'method': write NAME=VALUE with one of method, fold, reduced, seed"),
        (["--tag", "methd=SVM"], "--tag 'methd=SVM': write NAME=VALUE"),
        (["--tag", "method="], "--tag 'method=': write NAME=VALUE"),
        (["--tag", "method=a", "--tag", "method=b"], "names a tag twice"),
        ([*TAGS, "--C", "0"], "--C is 0; choose a number above 0"),
        ([*TAGS, "--C", "nan"], "--C is nan"),
        ([*TAGS, "--class-weight", "heavy"], "invalid choice: 'heavy'"),
    ],
)
def test_bad_arguments_are_usage_errors(options, said):
    done = rival("train.h5", "test.h5", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_opensmile_is_missing(split, monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)  # as if it were not installed
    done = rival(split / "train.h5", split / "test.h5", *TAGS)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("egemaps_svm: opensmile is missing (its licence allows research only); pip install")
    assert len(done.err.splitlines()) == 1


@pytest.fixture
def refused(split: Path, cache: Path) -> Callable[..., str]:
    """Run the script and give its one line of error."""

    def refused(train: object = "train.h5", test: object = "test.h5", cache: Path = cache) -> str:
        done = rival(split / str(train), split / str(test), *TAGS, "--cache", cache)
        assert (done.code, done.out) == (1, "")
        assert len(done.err.splitlines()) == 1
        return done.err

    return refused


def test_a_test_set_that_was_trained_on_is_refused(refused):
    assert re.search(r"train\.h5: 32 of its utterances are in .*train\.h5 too", refused(test="train.h5"))


def test_a_file_that_is_no_store_is_refused(refused, tmp_path, split):
    (tmp_path / "note.h5").write_text("hello")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["segment/origin"] = np.arange(3)
    for path in (tmp_path / "none.h5", tmp_path / "note.h5", tmp_path / "other.h5", tmp_path):
        assert f"{path}: cannot be read as a store" in refused(path)


def test_a_cache_that_is_none_is_refused(refused, tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "thin.npz", key=np.array(["a"]), functionals=np.zeros((1, 5)))
    np.savez(tmp_path / "nan.npz", key=np.array(["a"]), functionals=np.full((1, 88), np.nan))
    np.savez(tmp_path / "words.npz", key=np.array(["a"]), functionals=np.full((1, 88), "x"))
    np.save(tmp_path / "array.npy", np.zeros(3))
    for path in sorted(tmp_path.iterdir()):
        assert "remove it" in refused(cache=path), path


def test_what_an_svm_cannot_learn_is_refused(refused, split, tmp_path, cache):
    stores = {
        "one-class": Condition("emotion", ("sad",)),
        "no-angry": Condition("emotion", ("happy", "neutral", "sad")),
        "one-speaker": Condition("speaker", ("01",)),
    }
    for name, condition in stores.items():
        select_store(split / "train.h5", tmp_path / f"{name}.h5", Selection(where=(condition,)))
    select_store(split / "test.h5", tmp_path / "sad.h5", Selection(where=(Condition("emotion", ("sad",)),)))
    assert "has one class only, sad" in refused(tmp_path / "one-class.h5", tmp_path / "sad.h5")
    assert "lacks the class angry" in refused(tmp_path / "no-angry.h5")
    assert "of which it names too few; give --C" in refused(tmp_path / "one-speaker.h5")
    done = rival(tmp_path / "one-speaker.h5", split / "test.h5", *TAGS, "--cache", cache, "--C", "1")
    assert done.code == 0, done.err


def test_shared_speakers_are_said(split, cache, tmp_path):
    half = tmp_path / "half.h5"
    select_store(split / "train.h5", half, Selection(keep={"happy": 0.5, "sad": 0.5, "neutral": 0.5, "angry": 0.5}))
    rest = tmp_path / "rest.h5"
    select_store(
        split / "train.h5",
        rest,
        Selection(keep={"happy": 0.5, "sad": 0.5, "neutral": 0.5, "angry": 0.5}, invert=True),
    )
    done = rival(half, rest, *TAGS, "--cache", cache)
    assert done.code == 0, done.err
    assert re.search(r"warning: .*half\.h5 and .*rest\.h5 share speaker 0\d", done.err)


def test_a_reader_that_stops_early_sees_no_traceback(split, cache):
    line = f'"{sys.executable}" "{SCRIPT}" train.h5 test.h5 {" ".join(TAGS)} --cache "{cache}" --C 1 | true'
    done = subprocess.run(
        ["sh", "-c", line], cwd=split, env=process_environment(), capture_output=True, text=True, check=False
    )
    assert re.fullmatch(r"egemaps_svm: test\.h5: C 1, UAR [\d.]+ %\n", done.stderr)


@needs_opensmile
def test_functionals_of_real_analysis_are_kept(split, tmp_path):
    cache = tmp_path / "kept.npz"
    done = rival(split / "train.h5", split / "test.h5", *TAGS, "--cache", cache)
    assert done.code == 0, done.err
    with np.load(cache) as file:
        assert file["functionals"].shape == (48, 88)
        assert np.isfinite(file["functionals"]).all()
    before = cache.read_bytes()
    again = rival(split / "train.h5", split / "test.h5", *TAGS, "--cache", cache)
    assert again.out == done.out
    assert cache.read_bytes() == before
