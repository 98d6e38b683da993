"""The controls of informed means, on planted domains: the class's own mean helps, others do not."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from test_vector_latents import store

from sertools.errors import LineageError
from sertools.scoring.results.result_file import read_result
from sertools.store.reader import open_store

SCRIPT = Path(__file__).parents[1] / "examples" / "donor_controls.py"
D = 16
CLASSES = ("angry", "happy", "sad")
CONTROLS = ("another", "everyone", "informed", "moved", "noise-everyone", "noise-informed", "noise-moved", "permuted")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("donor_controls", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["donor_controls"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def corpora(rng: np.random.Generator, tmp_path: Path) -> tuple[Path, Path]:
    """A corpus of six speakers, and one of another domain."""
    centres = {name: 0.7 * rng.standard_normal(D) for name in CLASSES}
    found = []
    for name, n, shift in (("all", 48, 0.0), ("donor", 60, 5.0)):
        labels = np.repeat(CLASSES, n).tolist()
        vectors = np.stack([centres[label] for label in labels]) + rng.standard_normal((len(labels), D)) + shift
        found.append(store(tmp_path / f"{name}.h5", vectors, labels, [f"{name}{k % 6}" for k in range(len(labels))]))
    return found[0], found[1]


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["donor_controls.py", *map(str, arguments)])
    script.main()


def test_the_mean_of_the_class_itself_is_what_helps(script, corpora, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    run(
        script,
        monkeypatch,
        *corpora,
        "--out",
        out,
        "--classes",
        "angry",
        "--folds",
        2,
        "--keep",
        0.1,
        "--seeds",
        "0,1",
    )
    cell = out / "2" / "angry" / "seed1"
    assert sorted(path.stem for path in cell.glob("*.json")) == sorted((*CONTROLS, "posthoc"))
    assert read_result(cell / "another.json").tags == {
        "method": "another", "fold": "2", "reduced": "angry", "seed": "1"
    }  # fmt: skip
    made = open_store(cell / "noise-informed.h5")
    held = open_store(corpora[1]).contents.of_utterances("digest").tolist()
    assert set(held) <= made.contents.lineage.trained_on
    assert json.loads(made.contents.history[-1])["options"] == {"control": "noise-informed"}
    assert "angry AUC vs posthoc" in capsys.readouterr().out
    auc = {
        name: np.mean([read_result(path).metrics["auc"]["angry"] for path in out.glob(f"*/angry/*/{name}.json")])
        for name in CONTROLS
    }
    for name in ("another", "everyone", "moved", "permuted"):
        assert auc["informed"] > auc[name] + 0.01, name
    assert auc["noise-informed"] > auc["noise-moved"]


def test_the_corpus_itself_is_no_donor(script, corpora, tmp_path, monkeypatch):
    with pytest.raises(LineageError, match="a donor is another corpus"):
        run(script, monkeypatch, corpora[0], corpora[0], "--out", tmp_path / "out", "--classes", "angry")
