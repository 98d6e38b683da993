"""The examples run, on a corpus that is spoken on the spot: shell scripts, notebook, the script of one fold."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from warm_shell import WarmShell

from sertools.experiment.seeds import derived_seed
from sertools.scoring.results.result_file import read_result

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = json.loads((EXAMPLES / "one_fold.ipynb").read_text(encoding="utf-8"))


TINY = {verb: "--steps 2" for verb in ("pretrain-ae", "finetune-gan", "train-clf")}


@pytest.fixture(scope="module")
def shell() -> Iterator[WarmShell]:
    with WarmShell({}) as warm:
        yield warm


@pytest.fixture(scope="module")
def tiny() -> Iterator[WarmShell]:
    """A shell whose trainings take two steps."""
    with WarmShell(TINY) as warm:
        yield warm


def test_quickstart(tiny: WarmShell, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    table = tiny.run(f"bash {EXAMPLES}/quickstart.sh", tmp_path)
    for method in ("imbalanced", "logit-adjust", "GAN"):
        assert f"\n{method} " in table
    assert "Reduced: angry." in table
    assert (tmp_path / "quickstart" / "real-and-generated.png").stat().st_size > 10_000
    other = "REDUCED=sad bash {}/quickstart.sh other quickstart/corpus/labels.csv"
    assert "Reduced: sad." in tiny.run(other.format(EXAMPLES), tmp_path)


def test_own_corpus(tiny: WarmShell, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    tiny.run(f"python {EXAMPLES}/demo_corpus.py corpus --speakers 4 --takes 1", tmp_path)
    (tmp_path / "corpus" / "broken.wav").write_text("no audio")
    with (tmp_path / "corpus" / "labels.csv").open("a", encoding="utf-8") as labels:
        labels.write("broken.wav,sad,f1,1,female\n")
    line = f'FOLDS=2 EMOTIONS=angry,sad SEEDS="0 1" PRESET=smoke bash {EXAMPLES}/own_corpus.sh corpus/labels.csv out'
    table = tiny.run(line, tmp_path)
    scope = "mean over 2 folds and 2 seeds (± standard deviation over seeds); 4 speakers, 48 utterances."
    assert scope in " ".join(table.split())
    assert len(list((tmp_path / "out" / "results").iterdir())) == 2 * 2 * 4
    assert "broken.wav" in table
    # Each fold and base seed has seeds of its own.
    results = [read_result(path) for path in (tmp_path / "out" / "results").glob("CP-*")]
    trained = [line["seed"] for r in results for line in map(json.loads, r.history) if line["verb"] == "train-clf"]
    assert sorted(trained) == sorted(int(derived_seed(s, f, "", "classifier")) for s in "01" for f in "12")
    page = (tmp_path / "out" / "report.html").read_bytes()
    # What is there is not made again, and what is gone is.
    again = tmp_path / "out" / "results" / "GAN-2-1.json"
    kept, result = (tmp_path / "out" / "fold2" / "GAN-1"), again.read_bytes()
    before = kept.stat().st_mtime_ns
    again.unlink()
    assert tiny.run(line, tmp_path) == table
    assert (again.read_bytes(), kept.stat().st_mtime_ns) == (result, before)
    assert (tmp_path / "out" / "report.html").read_bytes() == page


def test_own_corpus_says_what_it_takes(tiny: WarmShell, tmp_path: Path) -> None:
    said = tiny.run(f"bash {EXAMPLES}/own_corpus.sh || test $? = 2", tmp_path)
    assert "LABELS.csv OUT_DIR" in said


def code() -> list[str]:
    """The notebook's cells of code, without what only IPython understands."""
    cells = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    return ["\n".join(line for line in text.splitlines() if not line.startswith("%")) for text in cells]


def test_the_notebook_runs(shell: WarmShell, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    shutil.copy(EXAMPLES / "demo_corpus.py", tmp_path)
    text = "\n".join(code())
    assert text.count("STEPS = None") == 1
    (tmp_path / "cells.py").write_text(text.replace("STEPS = None", "STEPS = 2"), encoding="utf-8")
    out = shell.run("python cells.py", tmp_path)
    assert "would do     train 2 steps" in out
    assert "imbalanced" in out
    assert "Traceback" not in out


def test_the_notebook_is_committed_without_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_the_script_says_what_it_takes(shell: WarmShell, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "one_fold.py", tmp_path)
    assert "LABELS.csv" in shell.run("python one_fold.py --help", tmp_path)
