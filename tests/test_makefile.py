"""What `make` would run, read from its dry runs: the cells' files, and that every line is one that the tools take."""

import itertools
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from sertools.cli import app
from sertools.experiment.methods import METHODS, joined
from sertools.experiment.seeds import derived_seed

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands
CORPUS = ("CORPUS=/c", "READER=ravdess", "PROFILE=cpu")
SHARES = [method.name for method in METHODS if method.share]
ORACLES = [method.name for method in METHODS if method.oracle]
GENERATORS = [method.name for method in METHODS if method.model and not method.oracle]
# What asks donors for rows is of vectors.
BORROWING = [method.name for method in METHODS if joined(method.name).borrowing]
ROWS = [method.name for method in METHODS if not (method.share or method.oracle) and method.name not in BORROWING]


def make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # Nothing of ours is installed there, and no setting comes from a make around the tests.
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    words = ("make", "--no-print-directory", *words)
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def dry_run(*words: str) -> list[str]:
    done = make("-n", *words)
    assert (done.returncode, done.stderr) == (0, "")
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
        line for line in dry_run("table2", *given, "METHODS=gan", "CLASSES=sad", "FOLDS=1") if "pretrain-ae" in line
    }
    seed = derived_seed("0", "1", "sad", "generator")
    assert table.endswith(f"-o {tmp_path}/1/sad/seed0/ae.safetensors --preset cpu --seed {seed} --device auto")


def test_make_gives_a_share_to_rows_of_the_reduced_class_alone(tmp_path):
    given = (*CORPUS, f"OUT={tmp_path}", "FOLDS=1", "CLASSES=sad", "METHODS=pot CP+pot+half pot+half")
    second, third = dry_run("table2", *given), dry_run("table3", *given)

    def stores(lines: list[str], method: str) -> list[str]:
        (line,) = (line for line in lines if f"/{method}.clf" in line and "train-clf" in line)
        return [Path(word).name for word in line.split(" -o ")[0].split() if word.endswith(".h5")]

    assert stores(second, "pot") == ["train.h5", "pot.h5"]
    assert stores(second, "CP+pot+half") == ["CP.h5", "pot-alone.h5"]
    assert stores(third, "pot+half") == ["train.h5", "pot.h5"]
    (made,) = (line for line in second if f"-o {tmp_path}/1/sad/seed0/pot-alone.h5" in line)
    assert f" --balance {tmp_path}/1/sad/seed0/train.h5 --class sad --translate " in made


@pytest.mark.parametrize(
    ("goals", "methods"),
    [
        ("table2", ROWS),
        ("table2", ["+".join(pair) for pair in itertools.product(GENERATORS, SHARES)]),
        ("table2 ENCODER=whisper/", ["full", *BORROWING, *(f"{name}+informed" for name in BORROWING)]),
        ("table2", [f"{oracle}+natural+logit-adjust" for oracle in ORACLES]),
        ("table3", [name for name in ROWS if name != "full"]),
        ("ablation fig2 fig3 pictures", ["gan"]),
    ],
)
def test_the_tools_take_every_line_that_make_would_run(tmp_path, goals, methods):
    donor = tmp_path / "emodb.h5"
    donor.touch()
    given = (*CORPUS, f"OUT={tmp_path}", "FOLDS=1", "CLASSES=sad", f"METHODS={' '.join(methods)}", f"DONORS={donor}")
    lines = [
        shlex.split(line.partition(" > ")[0])
        for line in dry_run(*goals.split(), *given)
        if ".venv/bin/sertools " in line
    ]
    assert len(lines) > max(20, 2 * len(methods))
    for _, verb, *words in lines:
        COMMANDS[verb].make_context(verb, words)
    trained = {words[words.index("-o") + 1] for _, verb, *words in lines if verb == "train-clf"}
    if goals.startswith("table"):
        # What is chosen of a grid is a copy of the best.
        asked = [joined(method) for method in methods]
        assert {f"{each.trained}.clf.safetensors" for each in asked if not each.grid} <= {
            Path(name).name for name in trained
        }


def test_nothing_is_installed_or_written_outside_its_folder_before_a_goal_is_made(tmp_path):
    for name in ("Makefile", "pyproject.toml", "sertools", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    before = {*tmp_path.iterdir()}
    for words in (["help"], ["settings"], ["-n", "clean"], ["-n", "test"]):
        done = make(*words, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert {*tmp_path.iterdir()} == before
    done = make("-n", "table2", "PROFILE=cpu", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    # It says what it would install.
    assert ".venv/bin/python -m pip install" in done.stdout
    assert not (tmp_path / ".venv").exists()
    (rules,) = (path for path in (tmp_path / "build").rglob("*") if path.is_file())
    assert re.fullmatch(r"build/demo-cpu/rules-[0-9a-f]{12}\.mk", rules.relative_to(tmp_path).as_posix())


def test_every_tool_but_those_that_only_read_goes_where_run_says(tmp_path):
    lines = dry_run("table2", "demo", *CORPUS, f"OUT={tmp_path}", "RUN=srun -n1")
    calls = [line.split("/sertools ") for line in lines if "/sertools " in line]
    assert {words.split()[0] for before, words in calls if not before.startswith("srun -n1 ")} == {"report", "plot"}
    sent = {words.split()[0] for before, words in calls if before.startswith("srun -n1 ")}
    assert {"corpus", "extract", "train-clf", "evaluate"} <= sent


def test_words_reach_the_tools_as_they_are_given(tmp_path):
    options = """--name 'a b' --x "it's" --home $$HOME --part #1 , ) ("""
    lines = dry_run(f"{tmp_path}/wild/seed0/mixup.json", *CORPUS, f"OUT={tmp_path}", f"CLF_OPTS={options}")
    (line,) = (line for line in lines if "train-clf" in line)
    assert line.endswith(options.replace("$$", "$"))


def test_a_table_goes_on_file_by_file(tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / ".ready").touch()
    given = (*CORPUS, f"OUT={tmp_path}/out", f"VENV={tmp_path}/venv", "FOLDS=1", "CLASSES=sad", "METHODS=CP gan")
    cell = tmp_path / "out" / "1" / "sad" / "seed0"
    result = str(cell / "gan.json")
    made = [
        (words[words.index("-o") + 1] if "-o" in words else words[-1])
        for words in (shlex.split(line) for line in dry_run(result, *given) if "/sertools " in line)
    ]
    assert Path(made[-1]) == cell / "gan.json"
    assert not [path for path in made if "CP" in path]  # one cell's result alone
    assert make("-q", result, *given).returncode == 1
    for number, path in enumerate(made):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
        os.utime(path, (1e9 + number, 1e9 + number))
    assert make("-q", result, *given).returncode == 0
    (cell / "gan.clf.safetensors").unlink()
    left = [shlex.split(line)[1] for line in dry_run(result, *given) if "/sertools " in line]
    assert left == ["train-clf", "evaluate"]


def test_cells_of_a_cluster_ask_for_their_own_results(tmp_path):
    given = (*CORPUS, f"OUT={tmp_path}", "FOLDS=2", "CLASSES=sad", "METHODS=full imbalanced")
    cells = make("--silent", "cells2", *given).stdout.split()
    assert cells == [f"{tmp_path}/{place}/" for place in ("1/sad/seed0", "1/seed0", "2/sad/seed0", "2/seed0")]
    lines = dry_run("cell", f"CELL={cells[0]}", *given)
    results = [line.split(" -o ")[1].split()[0] for line in lines if "evaluate" in line]
    assert results == [f"{cells[0]}imbalanced.json"]
    # They share the rules.
    assert len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("METHODS=imbalanced gann", "METHODS: gann: no method is called 'gann'; did you mean 'gan'?"),
        ("METHODS=pot+hlaf", "METHODS: pot+hlaf: no method is called 'hlaf'; did you mean 'half'?"),
        ("METHODS=pot+half+tuned", "METHODS: pot+half+tuned: 'tuned' was removed"),
        ("PROFILE=papre", "PROFILE 'papre': expected one of smoke, cpu, paper; did you mean 'paper'?"),
    ],
)
def test_a_wrong_setting_is_one_line_before_anything_runs(tmp_path, setting, words):
    done = make("table2", setting, f"OUT={tmp_path}/out")
    assert (done.returncode, done.stdout) == (2, "")
    line, after = done.stderr.splitlines()
    assert words in line
    assert after.endswith("these settings give no rules.  Stop.")
    assert [*tmp_path.iterdir()] == []


def test_what_is_written_by_hand_for_make_is_short():
    assert len(MAKEFILE.splitlines()) <= 200
    assert "$(eval" not in MAKEFILE
    assert re.findall(r"^-?include (.*)$", MAKEFILE, re.MULTILINE) == ["$(rules)"]
    assert len([*ROOT.glob("*.mk")]) == 0
