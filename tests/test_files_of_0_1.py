"""Files that version 0.1 wrote are read, and give what they gave.

`files_of_0_1/pictures` is from before rows of encoders (commit 9478e82), `files_of_0_1/vectors` from the last commit
of 0.1 (ab66943): twenty recordings of 0.9 s, four speakers, three classes, four steps of every training.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from sertools import info
from sertools.scoring.results.result_file import read_result

Call = Callable[..., Outcome]
KEPT = Path(__file__).parent / "files_of_0_1"
FILES = sorted(str(path.relative_to(KEPT)) for path in KEPT.rglob("*.*"))
KINDS = {
    "result.json": "result",
    "linear.json": "result",
    "latents.h5": "latents",
    "means.h5": "latents",
    "ae.safetensors": "autoencoder",
    "space.safetensors": "autoencoder",
    "gan.safetensors": "gan",
    "moving.safetensors": "gan",
    "cvae.safetensors": "cvae",
    "dense-cvae.safetensors": "cvae",
    "diffusion.safetensors": "diffusion",
    "dense-diffusion.safetensors": "diffusion",
    "clf.safetensors": "classifier",
    "linear.safetensors": "classifier",
    "gan.safetensors.log.ndjson": "training log",
}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A copy, for nothing may write beside the files that are kept."""
    return shutil.copytree(KEPT, tmp_path / "kept")


@pytest.mark.parametrize("name", FILES)
def test_each_is_described(kept: Path, name: str) -> None:
    path = kept / name
    described = info(path)
    stores = "embeddings" if path.parent.name == "vectors" else "spectrograms"
    assert described["kind"] == KINDS.get(path.name, stores)
    if described["kind"] == stores:
        assert info(path, verify=True)["verified"] is True


@pytest.mark.parametrize(
    ("folder", "classifier", "test", "result"),
    [("pictures", "clf", "test", "result"), ("vectors", "linear", "heard", "linear")],
)
def test_a_classifier_says_what_it_said(
    kept: Path, call: Call, folder: str, classifier: str, test: str, result: str
) -> None:
    here = kept / folder
    done = call("evaluate", f"{classifier}.safetensors", f"{test}.h5", "-o", "again.json", cwd=here)
    assert done.code == 0, done.err
    before, after = read_result(here / f"{result}.json"), read_result(here / "again.json")
    assert [one.id for one in after.utterances] == [one.id for one in before.utterances]
    for old, new in zip(before.utterances, after.utterances, strict=True):
        assert new.posterior == pytest.approx(old.posterior, abs=1e-5)


@pytest.mark.parametrize("train", ["pictures/train.h5", "vectors/others.h5"])
def test_no_test_set_of_theirs_is_let_through(kept: Path, call: Call, train: str) -> None:
    classifier = "clf" if train.startswith("pictures") else "linear"
    path = (kept / train).parent / f"{classifier}.safetensors"
    assert call("evaluate", path, kept / train, "-o", kept / "leak.json").code == 1


@pytest.mark.parametrize(
    ("generator", "options"),
    [
        ("pictures/gan", ()),
        ("pictures/cvae", ()),
        ("pictures/diffusion", ("--denoise-steps", "2")),
        ("vectors/moving", ("--translate", "vectors/others.h5")),
        ("vectors/dense-cvae", ()),
        ("vectors/dense-diffusion", ("--denoise-steps", "2")),
    ],
)
def test_generators_make_rows_that_are_trained_on(
    kept: Path, call: Call, generator: str, options: tuple[str, ...]
) -> None:
    pictures = generator.startswith("pictures")
    train = "pictures/train.h5" if pictures else "vectors/others.h5"
    done = call("generate", f"{generator}.safetensors", "--balance", train, *options, "-o", "made.h5", cwd=kept)
    assert done.code == 0, done.err
    small = ("--preset", "smoke", "--steps", 1, "--width", "1/16") if pictures else ()
    done = call("train-clf", train, "made.h5", *small, "-o", "new.safetensors", cwd=kept)
    assert done.code == 0, done.err
    test = "pictures/test.h5" if pictures else "vectors/heard.h5"
    done = call("evaluate", "new.safetensors", test, "-o", "new.json", cwd=kept)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("space", "latents", "train"),
    [("pictures/ae", "pictures/latents", "pictures/train"), ("vectors/space", "vectors/means", "vectors/others")],
)
def test_the_chain_goes_on_from_any_step(kept: Path, call: Call, space: str, latents: str, train: str) -> None:
    parts = (f"{space}.safetensors", f"{latents}.h5", f"{train}.h5")
    done = call("finetune-gan", *parts, "--steps", 0, "-o", "gan.safetensors", cwd=kept)
    assert done.code == 0, done.err
    done = call("fit-latents", parts[0], parts[2], "--cov", "tied", "-o", "again.h5", cwd=kept)
    assert done.code == 0, done.err


def test_results_are_reported_with_newer_ones(kept: Path, call: Call) -> None:
    here = kept / "vectors"
    again = json.loads((here / "linear.json").read_text())
    again["tags"] = {"method": "again"}
    (here / "again.json").write_text(json.dumps(again))
    done = call("report", here / "linear.json", here / "again.json", "--baseline", "moved")
    assert done.code == 0, done.err
    assert "again" in done.out
