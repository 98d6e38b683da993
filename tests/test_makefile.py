"""What `make` would run, read from its dry runs: the cells' files, and that every line is one that the tools take."""

import itertools
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from sertools.cli import app

ROOT = Path(__file__).parent.parent
COMMANDS = typer.main.get_command(app).commands
CORPUS = ("CORPUS=/c", "READER=ravdess", "PROFILE=cpu")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SHARES = ("natural", "quarter", "half", "most", "half+tuned")


def named(variable: str) -> list[str]:
    """The words of a variable that one line of the Makefile sets."""
    (words,) = re.findall(rf"^{variable} *:= *(.+)$", MAKEFILE, re.MULTILINE)
    return words.split()


ROWS = named("FREE") + named("STRATEGIES") + named("GENERATORS")


def dry_run(*words: str) -> list[str]:
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_make_draws_the_figures_from_cells_of_their_own(tmp_path):
    given = (*CORPUS, f"OUT={tmp_path}")
    lines = dry_run("fig2", "fig3", *given)
    for arch in ("bagan", "paper"):
        (line,) = {line for line in lines if f"--arch {arch}" in line}
        assert f"pretrain-ae {tmp_path}/specs.h5 -o {tmp_path}/figures/{arch}/ae.safetensors --preset cpu" in line
    plots = [line.split("plot ")[1] for line in lines if "sertools plot" in line]
    figures = f"{tmp_path}/figures"
    assert plots == [
        f"{figures}/bagan/samples.h5 {figures}/paper/samples.h5 -o {tmp_path}/fig2.png "
        "--name 'original BAGAN' --name 'proposed GAN'",
        f"{tmp_path}/specs.h5 {figures}/paper/samples.h5 {figures}/paper/diffused.h5 "
        f"{figures}/paper/moved.h5 -o {tmp_path}/fig3.png "
        "--name real --name 'proposed GAN' --name diffusion --name 'moved by diffusion'",
    ]
    # A smoke run's nets have learnt too little for a picture.
    assert set(lines) <= set(dry_run("fig2", "fig3", *given[:2], given[3]))
    (diffusion,) = {line for line in lines if "train-generator" in line}
    assert "--kind diffusion --preset cpu" in diffusion
    assert "--steps 4000" in diffusion
    # A table's autoencoders are trained as ever.
    (table,) = {
        " ".join(line.split())
        for line in dry_run("table2", *given, "METHODS=gan", "CLASSES=sad", "FOLDS=1")
        if "pretrain-ae" in line
    }
    assert table.endswith(f"-o {tmp_path}/1/sad/seed0/ae.safetensors --preset cpu --seed 0 --device auto")


def test_make_gives_a_share_to_rows_of_the_reduced_class_alone(tmp_path):
    given = (*CORPUS, f"OUT={tmp_path}", "FOLDS=1", "CLASSES=sad")

    def stores(goal: str, method: str) -> list[str]:
        (line,) = (
            line
            for line in dry_run(goal, *given, f"METHODS={method}")
            if f"/{method}.clf" in line and "train-clf" in line
        )
        return [Path(word).name for word in line.split(" -o ")[0].split() if word.endswith(".h5")]

    assert stores("table2", "pot") == ["train.h5", "pot.h5"]
    assert stores("table2", "CP+pot+half") == ["CP.h5", "pot-alone.h5"]
    assert stores("table2", "potall+half") == ["train.h5", "potall.h5"]
    assert stores("table3", "pot+half") == ["train.h5", "pot.h5"]
    (select,) = (
        line for line in dry_run("table2", *given, "METHODS=pot+half") if "pot-alone.h5" in line and "select" in line
    )
    cell = f"{tmp_path}/1/sad/seed0"
    assert select.endswith(f"select {cell}/pot.h5 --where emotion=sad -o {cell}/pot-alone.h5")


@pytest.mark.parametrize(
    ("goals", "methods"),
    [
        ("table2", ["full", "imbalanced", *ROWS]),
        ("table2", ["+".join(pair) for pair in itertools.product(named("GENERATORS"), SHARES)]),
        ("table2", [f"{oracle}+natural+logit-adjust" for oracle in named("ORACLES")]),
        ("table3", ["imbalanced", *ROWS]),
        ("ablation leave-one-out fig2 fig3", []),
    ],
)
def test_the_tools_take_every_line_that_make_would_run(tmp_path, goals, methods):
    given = (*CORPUS, f"OUT={tmp_path}", "FOLDS=1", "CLASSES=sad", f"METHODS={' '.join(methods)}")
    text = "\n".join(dry_run(*goals.split(), *given)).replace("\\\n", " ")
    lines = [shlex.split(line.partition(" > ")[0]) for line in text.splitlines() if ".venv/bin/sertools " in line]
    assert len(lines) > max(20, 2 * len(methods))
    for _, verb, *words in lines:
        COMMANDS[verb].make_context(verb, words)
    trained = {words[words.index("-o") + 1] for _, verb, *words in lines if verb == "train-clf"}
    assert {f"{method}.clf.safetensors" for method in methods} <= {Path(name).name for name in trained}
