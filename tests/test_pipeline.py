"""The whole chain by the command line, twice: in this process and in another, byte for byte the same."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import process_environment
from typer.testing import CliRunner

from sertools.cli import app
from sertools.scoring.results.result_file import read_result
from sertools.store.reader import open_store

TINY = "--preset smoke --steps 4 --batch-size 8 --width 1/32"
# A folder holds corpus/; every name is relative to it. > is the shell's.
LINES = f"""
extract corpus/labels.csv -o specs.h5 --seconds 1 --mels 32 --frames 32
select specs.h5 --fold 1/3 -o test.h5
select specs.h5 --fold 1/3 -v -o rest.h5
select rest.h5 --fold 1/4 -o val.h5
select rest.h5 --fold 1/4 -v -o full.h5
select full.h5 --keep angry=0.5 -o train.h5
pretrain-ae train.h5 --val val.h5 -o models/ae {TINY}
fit-latents models/ae train.h5 --cov pooled -o latents.h5
finetune-gan models/ae latents.h5 train.h5 -o models/gan --preset smoke --steps 2 --batch-size 8
generate models/gan --balance train.h5 -o synth.h5
augment train.h5 --strategy CP -o cp.h5
merge train.h5 synth.h5 -o merged.h5
train-clf train.h5 -o models/imbalanced {TINY}
train-clf train.h5 synth.h5 --val val.h5 -o models/clf {TINY}
evaluate models/imbalanced test.h5 --tag method=imbalanced --tag reduced=angry -o imbalanced.json
evaluate models/clf test.h5 --tag method=GAN --tag reduced=angry -o gan.json
report imbalanced.json gan.json --format csv > table.csv
info synth.h5 --verify > info.json
plot train.h5 synth.h5 -o grid.png
"""


def walk(folder: Path, corpus: Path) -> None:
    """Do every line in `folder`."""
    torch.set_num_threads(1)
    shutil.copytree(corpus, folder / "corpus")
    (folder / "models").mkdir()
    os.chdir(folder)
    for line in LINES.strip().splitlines():
        command, _, target = line.partition(" > ")
        done = CliRunner().invoke(app, command.split(), prog_name="sertools", catch_exceptions=False)
        assert done.exit_code == 0, f"{line}\n{done.stderr}"
        # A verb that writes a file prints nothing on stdout.
        assert bool(done.stdout) == bool(target), line
        if target:
            Path(target).write_text(done.stdout, encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    """All that the lines made."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "corpus" not in path.parts
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pipeline")


def test_two_runs_give_the_same_bytes(folder, tiny_corpus, monkeypatch):
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    monkeypatch.chdir(folder)  # and back
    walk(folder / "one", tiny_corpus)
    code = "import sys, pathlib, test_pipeline; test_pipeline.walk(*map(pathlib.Path, sys.argv[1:]))"
    # Another order of sets, and another process's generators.
    environment = process_environment() | {"PYTHONHASHSEED": "7"}
    environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    command = [sys.executable, "-c", code, folder / "two", tiny_corpus]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    one, two = files(folder / "one"), files(folder / "two")
    assert one.keys() == two.keys()
    # One file a line, the logs of trainings, and no others.
    assert len([name for name in one if not name.endswith(".log.ndjson")]) == len(LINES.strip().splitlines())
    assert [name for name in one if one[name] != two[name]] == []
    # Nowhere the folder's name or the user's.
    assert [name for name in one if str(folder).encode() in one[name]] == []


def test_the_files_of_the_run_fit_together(folder):
    """Needs the run above."""
    here = folder / "one"
    if not (here / "grid.png").exists():
        pytest.skip("the chain did not run")
    train, synth, test = (open_store(here / f"{name}.h5") for name in ("train", "synth", "test"))
    counts = Counter([*train.contents.emotion.tolist(), *synth.contents.emotion.tolist()])
    assert len(set(counts.values())) == 1
    assert Counter(open_store(here / "cp.h5").contents.emotion.tolist()) == counts
    assert len(open_store(here / "merged.h5")) == len(train) + len(synth)
    speakers = [set(store.contents.utterances["speaker"].tolist()) for store in (train, test)]
    assert not speakers[0] & speakers[1]
    result = read_result(here / "gan.json")
    assert {u.id for u in result.utterances} == set(test.contents.utterances["id"].tolist())
    assert result.model["n_train_rows"] == {"generated": len(synth), "real": len(train)}
    described = json.loads((here / "info.json").read_text(encoding="utf-8"))
    assert described["verified"] is True
    assert described["rows"] == len(synth)
    assert [entry["verb"] for entry in described["history"]] == [
        "extract",
        *["select"] * 4,  # rest, full, train, val
        "pretrain-ae",
        "fit-latents",
        "finetune-gan",
        "generate",
    ]
    table = (here / "table.csv").read_text(encoding="utf-8")
    assert "imbalanced" in table
    assert "GAN" in table
    pictures = synth.rows(np.arange(len(synth)))
    assert np.isfinite(pictures).all()
