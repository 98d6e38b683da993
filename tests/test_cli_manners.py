"""Manners of the command line: light to start, quiet when asked, one line and a code for what goes wrong."""

import os
import re
import shlex
import subprocess
import sys

import pytest
import typer
from conftest import process_environment
from typer.testing import CliRunner

import sertools
from sertools.api.running import run_through
from sertools.cli import VERBS, app, progress
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb as verb_manners
from sertools.training.loop import Record

HEAVY = ("torch", "librosa", "numpy", "h5py", "scipy", "sklearn", "matplotlib", "soundfile", "safetensors", "rich")
NAMES = [verb.__name__.replace("_", "-") for verb in VERBS]
# A sertools that says at its end which heavy packages it has imported.
REPORTING = f"""
import atexit, sys
atexit.register(lambda: print("imported:", *sorted(set(sys.modules) & set({HEAVY})), file=sys.stderr))
sys.argv[0] = "sertools"
from sertools.cli import main
main()
"""


def reporting(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", REPORTING, *args],
        env=process_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(autouse=True)
def own_voice():
    """What one test silences, the next one hears."""
    yield
    voice.quiet = voice.verbose = False


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["--version"]])
def test_help_imports_nothing_heavy(args):
    done = reporting(*args)
    assert done.returncode == 0
    assert done.stderr.strip() == "imported:"
    if args == ["--version"]:
        assert done.stdout == f"sertools {sertools.__version__}\n"
    else:
        assert all(f"  {name} " in done.stdout for name in NAMES)


def test_help_of_no_verb_imports_anything_heavy():
    """All in one process: the first import would stay."""
    code = f"""
import sys
from typer.testing import CliRunner
from sertools.cli import app
for name in {NAMES}:
    done = CliRunner().invoke(app, [name, "--help"], catch_exceptions=False)
    assert done.exit_code == 0 and "Example:" in done.stdout and "--quiet" in done.stdout, name
    heavy = sorted(set(sys.modules) & set({HEAVY[:-1]}))
    assert not heavy, (name, heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=process_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "place", "wanted"),
    [
        ("sertools ", 1, NAMES),
        ("sertools pre", 1, ["pretrain-ae", "predict"]),
        ("sertools train-clf --a", 2, ["--arch"]),
    ],
)
def test_completion_in_bash_imports_nothing_heavy(words, place, wanted):
    done = reporting(_SERTOOLS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(place))
    assert done.returncode == 0
    assert done.stdout.split() == wanted
    assert done.stderr.strip() == "imported:"


@pytest.mark.parametrize(
    ("shell", "line", "wanted"),
    [
        ("bash", "augment x.h5 --strategy SA", ["SA", "SAR", "SARM", "SARB", "SARS"]),
        ("zsh", "train-clf x.h5 --preset s", ["smoke"]),
        ("fish", "train-clf x.h5 --loss ", ["cross-entropy", "weighted", "focal", "logit-adjust"]),
        ("zsh", "fit-latents ae x.h5 --device c", ["cpu", "cuda"]),
        ("bash", "corpus me", ["meld"]),
        ("bash", "select {train} --keep ", ["angry=", "happy=", "neutral=", "sad="]),
        ("fish", "select {train} --where emotion=h", ["emotion=happy"]),
        ("bash", "select missing.h5 --keep ", []),
        ("fish", "generate {gan} --count ", ["angry=", "happy=", "neutral=", "sad="]),
        ("bash", "generate {gan} --count h", ["happy="]),
        ("bash", "generate missing --count ", []),
        ("zsh", "generate {clf} --count ", []),
    ],
)
def test_completion_offers_values(chain, line, wanted, shell):
    words = f"sertools {line.format_map(vars(chain))}"
    done = reporting(
        _SERTOOLS_COMPLETE=f"complete_{shell}",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - (not words.endswith(" "))),
        _TYPER_COMPLETE_ARGS=words,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r'"([^"]+)"', done.stdout) if shell == "zsh" else done.stdout.split()
    offered = [value.replace("\\", "") for value in found]
    assert [value for value in offered if value in wanted] == wanted, done.stdout
    assert len(offered) == len(wanted)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(shell):
    done = reporting(_SERTOOLS_COMPLETE=f"source_{shell}")
    assert done.returncode == 0
    assert {"bash": "complete -o default -F", "zsh": "#compdef sertools", "fish": "complete --command sertools"}[
        shell
    ] in done.stdout
    assert done.stderr.strip() == "imported:"


@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_a_help_ends_in_an_example_that_can_be_typed(verb):
    *_, example = verb.__doc__.rstrip().split("Example:\n")
    lines = [line.strip() for line in example.splitlines()]
    assert lines
    name = verb.__name__.replace("_", "-")
    commands = [shlex.split(part.partition(">")[0]) for line in lines for part in line.split("|")]
    assert any(command[1] == name for command in commands)
    group = typer.main.get_command(app)
    for program, verb_name, *args in commands:
        assert program == "sertools"
        # Raises if an option is unknown, or a needed one is missing.
        group.commands[verb_name].make_context(verb_name, args)


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "sertools", "--version"],
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"sertools {sertools.__version__}\n", "")


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("pretrain-ae {train} -o out --preset big", ["paper", "smoke"]),
        ("finetune-gan {ae} {latents} {train} -o out --preset big", ["paper", "smoke"]),
        ("train-clf {train} -o out --preset big", ["paper", "smoke"]),
        ("train-generator {train} -o out --kind cvae --preset big", ["paper", "improved-cpu"]),
        ("train-generator {train} -o out --kind flow", ["cvae, diffusion, cyclegan, wavegan"]),
        ("train-generator {train} -o out --kind cvae --ema 1", ["--ema", "below 1"]),
        ("generate {gan} --per-class 1 --guidance 2 -o out", ["--guidance", "diffusion"]),
        ("train-clf {train} -o out --arch vgg91", ["vgg19", "vgg19-bn", "vgg16", "alexnet", "crnn", "cnn"]),
        ("train-clf {train} -o out --loss hinge", ["cross-entropy", "weighted", "focal", "logit-adjust"]),
        ("train-clf {train} -o out --sampling random", ["shuffled", "balanced"]),
        ("train-clf {train} -o out --spec-augment on", ["none", "weak", "strong"]),
        ("train-clf {train} -o out --mixup -1", ["--mixup"]),
        ("train-clf missing.h5 -o out --loss weighted --sampling balanced", ["--loss", "--sampling", "use one"]),
        ("train-clf missing.h5 -o out --synthetic-share 1", ["--synthetic-share 1", "below 1"]),
        (
            "train-clf missing.h5 -o out --sampling balanced --synthetic-share 1.5",
            ["--synthetic-share 1.5", "below 1"],
        ),
        ("train-clf {train} -o out --device abacus", ["auto", "cpu", "cuda"]),
        ("fit-latents {ae} {train} -o out --cov full", ["empirical", "ledoit-wolf", "oas", "pooled", "diagonal"]),
        ("augment {train} -o out --strategy ZZ", ["CP"]),
        ("evaluate {clf} {test} -o out --vote hard", ["majority", "mean"]),
        ("plot {train} -o out.bmp", [".png", ".svg", ".pdf"]),
        ("pretrain-ae {train} -o out --width x", ["1/8"]),
        ("pretrain-ae {train} -o out --width 0", ["--width", "above 0 and up to 4"]),
        ("pretrain-ae {train} -o out --lr 0", ["--lr"]),
        ("pretrain-ae {train} -o out --lr nan", ["--lr"]),
        ("pretrain-ae {train} -o out --steps -1", ["--steps"]),
        ("pretrain-ae {train} -o out --batch-size 1", ["--batch-size", "2"]),
        ("pretrain-ae {train} -o nowhere/out", ["there is no folder nowhere"]),
        ("pretrain-ae {train}", ["--output"]),
    ],
)
def test_usage_errors_name_what_is_known(chain, call, tmp_path, line, known):
    done = call(*line.format_map(vars(chain)).split())
    assert done.code == 2
    assert done.out == ""
    assert all(word in done.err for word in known), done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line",
    [
        "pretrain-ae {gan} -o out",
        "pretrain-ae missing.h5 -o out",
        "fit-latents {clf} {train} -o out",
        "finetune-gan {ae} {train} {train} -o out",
        "generate {ae} --per-class 1 -o out",
        "train-clf {latents} -o out",
        "evaluate {gan} {test} -o out",
        "evaluate {clf} {train} -o out",
        "report {clf}",
        "score {train} {gan}",
        "score {train} {synth} --judge {ae}",
        "score {train} {synth} --heldout {train}",
        "score {train} {synth}",
        "info missing",
        "plot {ae} {test} -o out.png",
    ],
)
def test_what_cannot_be_done_is_one_line_and_no_file(chain, call, tmp_path, line):
    done = call(*line.format_map(vars(chain)).split())
    assert done.code in (1, 2)
    assert done.out == ""
    (error,) = done.err.splitlines()
    assert error.startswith(f"sertools {line.split()[0]}: ")
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback(call):
    done = call("info", "missing", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "ModelError" in done.err


TRAINING = "--preset smoke --steps 2 --batch-size 8 --width 1/32"
MAKERS = [
    f"pretrain-ae {{train}} -o out {TRAINING}",
    "fit-latents {ae} {train} -o out",
    "finetune-gan {ae} {latents} {train} -o out --preset smoke --steps 1 --batch-size 8",
    "finetune-gan {ae} {latents} {train} -o out --preset smoke --steps 0",
    "train-generator {train} -o out --kind diffusion --preset smoke --steps 1 --batch-size 8 --width 1/8",
    "generate {gan} --balance {train} -o out",
    f"train-clf {{train}} {{synth}} -o out {TRAINING}",
    "evaluate {clf} {test} -o out",
]


@pytest.mark.parametrize("line", MAKERS)
def test_a_maker_says_what_it_made_and_nothing_with_q(chain, call, tmp_path, line):
    args = line.format_map(vars(chain)).split()
    loud = call(*args)
    assert (loud.code, loud.out) == (0, "")
    assert loud.err
    assert "\r" not in loud.err
    assert "\x1b" not in loud.err
    made = (tmp_path / "out").read_bytes()
    quiet = call(*args, "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert (tmp_path / "out").read_bytes() == made
    logs = ["out.log.ndjson"] if args[0] in ("pretrain-ae", "finetune-gan", "train-clf", "train-generator") else []
    assert sorted(os.listdir(tmp_path)) == ["out", *logs]


def records(n: int):
    for step in range(1, n + 1):
        yield Record(step, n, {"mse": 0.5})


def drain(verb: str, made, read):
    return run_through(made, showing(verb, read))


def test_progress_in_a_log_is_plain_lines(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    assert drain("pretrain-ae", records(3), progress.read_training).step == 3
    lines = [f"pretrain-ae: {step}/3 mse 0.5" for step in (1, 2, 3)]
    assert capsys.readouterr().err.splitlines() == lines
    monkeypatch.setattr(progress, "LOG_SECONDS", 30.0)
    drain("pretrain-ae", records(3), progress.read_training)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "VERBOSE_LOG_SECONDS", 0.0)
    voice.verbose = True
    drain("pretrain-ae", records(3), progress.read_training)
    assert capsys.readouterr().err.splitlines() == lines
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    voice.quiet = True
    assert drain("pretrain-ae", records(3), progress.read_training).step == 3
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert drain("pretrain-ae", records(3), progress.read_training).step == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"3/3", shown.err)
    assert "━" in shown.err


def test_progress_on_a_dumb_terminal_is_plain_lines(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    drain("pretrain-ae", records(2), progress.read_training)
    assert capsys.readouterr().err.splitlines() == [f"pretrain-ae: {step}/2 mse 0.5" for step in (1, 2)]


def test_a_bar_without_colour(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    drain("pretrain-ae", records(3), progress.read_training)
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", capsys.readouterr().err)


def test_help_is_as_wide_as_the_terminal(run):
    narrow, wide = (
        subprocess.run(
            [sys.executable, "-m", "sertools", "train-clf", "--help"],
            env=process_environment() | {"COLUMNS": columns},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for columns in ("60", "100")
    )
    assert max(map(len, narrow.splitlines())) <= 60 < max(map(len, wide.splitlines())) <= 100


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("extrct wavs -o out", "'extract'"),
        ("augment x.h5 -o out --stratgy CP", "--strategy"),
        ("train-clf x.h5 -o out --loss wieghted", "did you mean 'weighted'?"),
        ("train-clf x.h5 -o out --preset smok", "did you mean 'smoke'?"),
        ("report x.json --format markdwon", "did you mean 'markdown'?"),
        ("report x.json --layout table1", "did you mean"),
        ("pretrain-ae x.h5 -o out --arch bagna", "did you mean 'bagan'?"),
        ("select {train} -o out --where emotion=hapy", "did you mean 'happy'?"),
        ("select {train} -o out --by speakr --fold 1/2", "did you mean 'speaker'?"),
        ("corpus ravdes .", "did you mean 'ravdess'?"),
    ],
)
def test_what_is_misspelled_is_guessed(chain, call, line, hint):
    done = call(*line.format_map(vars(chain)).split())
    assert done.code in (1, 2)
    assert hint in done.err


def test_a_reader_that_has_seen_enough_is_no_error(chain):
    pipe = f"{shlex.quote(sys.executable)} -m sertools info {shlex.quote(str(chain.train))}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{pipe} | true"],
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def failing(error):
    """Run a verb that fails so."""

    @verb_manners()
    def greedy():
        """Fail."""
        raise error

    runner, probe = CliRunner(), typer.Typer(pretty_exceptions_enable=False)
    probe.command()(greedy)
    return runner.invoke(probe, [])


def test_memory_that_is_short_is_one_line_that_helps():
    import torch

    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 60)
    for error in (
        refused.value,
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total of …"),
        MemoryError("Unable to allocate 8. EiB"),
    ):
        done = failing(error)
        assert done.exit_code == 1
        assert done.stderr.startswith("sertools greedy: not enough memory (")
        assert done.stderr.count("\n") == 1
        assert "--batch-size or --width" in done.stderr


def test_other_errors_of_the_runtime_are_bugs_and_keep_their_traceback():
    done = failing(RuntimeError("shapes differ"))
    assert isinstance(done.exception, RuntimeError)
    assert done.stderr == ""


def test_what_would_steer_a_terminal_is_not_said(capsys):
    assert voice.safe("a\x1b[31mb\u202ec\ud800\nd") == "a\\u001b[31mb\\u202ec\\ud800\nd"
    voice.say("\x1b]0;title\x07")
    assert capsys.readouterr().err == "\\u001b]0;title\\u0007\n"


def test_a_vote_is_checked_before_anything_is_opened(tmp_path):
    done = CliRunner().invoke(app, ["evaluate", str(tmp_path / "no"), str(tmp_path / "no.h5"), "--vote", "all"])
    assert done.exit_code == 2
    assert "--vote 'all': expected one of majority, mean" in done.stderr


def test_a_file_that_is_not_there_is_guessed_among_its_neighbours(call, tmp_path):
    (tmp_path / "train.h5").write_bytes(b"")
    for line, meant in (
        ("info trian.h5", "train.h5"),
        ("info nowhere/trian.h5", None),
        ("select quite-else -o x", None),
    ):
        done = call(*line.split())
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "No such file" in done.err
        assert ("did you mean" in done.err) == (meant is not None)
        assert meant is None or f"{meant!r}" in done.err


def test_a_store_in_the_place_of_a_model_is_called_so(call, chain, tmp_path):
    done = call("fit-latents", chain.train, chain.ae, "-o", tmp_path / "x.h5")
    assert (done.code, done.out) == (1, "")
    assert "train.h5: not a model file (it holds spectrograms or latents)" in done.err
