"""The examples run, on a corpus that is spoken on the spot: shell scripts, notebook, the script of one fold."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from warm_shell import WarmShell

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
