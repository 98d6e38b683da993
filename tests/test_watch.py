"""Make, watched: a line a stage in place of its commands, which lie in a log; and its exit code."""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from sertools.experiment.watch import LOG, Progress, stages_of

ROOT = Path(__file__).parent.parent
RULES = """\
OUT := {out}

# ---- The corpus ----

$(OUT)/all.h5:
	{tool} -o $@

# ---- Fold 1, angry reduced, seed 0 ----

$(OUT)/1/gan.json: $(OUT)/all.h5
	@mkdir -p $(@D)
	{tool} $< -o $@ --seed 3

# ---- Table 2 ----

$(OUT)/table2.txt: $(OUT)/1/gan.json
	{tool} -o $@.part > $@.log
	mv $@.part $@
"""
TOOL = """\
#!/bin/sh
while test "$1" != -o; do shift; done
echo "chatter of $2" >&2
%s
"""
WRITES = 'echo rows > "$2"'


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with rules of three stages, whose tool writes what -o names."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "rules.mk").write_text(RULES.format(out=folder, tool=tmp_path / "tool"))
    set_tool(folder, WRITES)
    return folder


def set_tool(out: Path, does: str) -> None:
    tool = out.parent / "tool"
    tool.write_text(TOOL % does)
    tool.chmod(0o755)


def words(out: Path) -> list[str]:
    make = ["make", "-f", str(out / "rules.mk"), str(out / "table2.txt")]
    return [sys.executable, "-m", "sertools.experiment.watch", str(out / "rules.mk"), "--", *make]


def watched(out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(out), cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_line_is_said_when_a_stage_is_complete_and_the_rest_is_in_the_log(out):
    done = watched(out)
    assert (done.returncode, done.stdout) == (0, "")
    first, *lines = done.stderr.splitlines()
    assert first == f"3 files to make; what the tools say goes to {out / LOG}, V=1 shows it here"
    assert [line.split("files")[-1].split("left")[-1].strip() for line in lines] == [
        "The corpus",
        "Fold 1, angry reduced, seed 0",
        "Table 2",
    ]
    assert lines[-1].split()[1:5] == ["3", "of", "3", "files"]
    log = (out / LOG).read_text()
    assert f"tool {out}/all.h5 -o {out}/1/gan.json --seed 3\n" in log
    assert f"chatter of {out}/1/gan.json\n" in log


def test_names_need_not_be_utf_8(out):
    rules = out / "rules.mk"
    rules.write_bytes(rules.read_bytes().replace(b"--seed 3", b"--corpus 'M\xfcller'"))
    done = watched(out)
    assert done.returncode == 0, done.stderr


def test_a_line_that_is_written_over_fits_the_terminal(out):
    set_tool(out, f"sleep 1.5; {WRITES}")
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(words(out), cwd=ROOT, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(ours, 4096):
            said += piece
    os.close(ours)
    assert process.wait() == 0
    over = [piece for piece in re.split(r"\r\x1b\[K", said.decode()) if piece and not piece.endswith("\n")]
    assert over
    assert max(map(len, over)) == 29


def test_where_everything_is_there_nothing_is_said(out):
    watched(out)
    done = watched(out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_failure_keeps_its_code_and_shows_why(out):
    set_tool(out, f'case "$2" in *gan.json) echo "no rows left" >&2; exit 1;; esac; {WRITES}')
    done = watched(out)
    assert done.returncode == 2
    assert "no rows left" in done.stderr
    assert "gan.json] Error 1" in done.stderr
    assert done.stderr.endswith(f"… of {out / LOG}\n")
    # What is wrong with the rules is said at once.
    (out / "rules.mk").write_text("nonsense\n")
    done = watched(out)
    assert done.returncode == 2
    assert "missing separator" in done.stderr


def test_a_signal_ends_make_and_its_tools(out):
    set_tool(out, 'echo $$ > "$2.pid"; exec sleep 60')
    process = subprocess.Popen(words(out), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    pid = out / "all.h5.pid"
    while not (pid.exists() and pid.read_text().strip()):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_time_left_is_that_of_the_same_files_elsewhere(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    names = [tmp_path / cell / name for cell in "123" for name in ("gan.safetensors", "gan.json")]
    progress = Progress({str(name): f"cell {name.parent.name}" for name in names})

    def make(name: Path, seconds: float) -> list[str]:
        progress.begin(f"sertools evaluate x -o {name} --seed 1\n")
        now[0] += seconds
        assert progress.ended() == []
        name.parent.mkdir(exist_ok=True)
        name.touch()
        return progress.ended()

    assert make(names[0], 50) == []
    assert progress.words.split() == ["0:50", "1", "of", "6", "files"]
    assert make(names[1], 10) == ["cell 1"]
    assert progress.words.endswith("2 of 6 files, about 2:00 left")
    progress.begin(f"sertools finetune-gan x -o {names[2]}\n")
    assert progress.now == "… gan.safetensors"
    now[0] += 20
    # In 80 s those 60 were done; there are 100 left.
    assert progress.words.endswith("about 2:13 left")


def test_stages_are_the_sections_of_the_rules():
    rules = RULES.format(out="build/o\\#1$$", tool="sertools").splitlines()
    plan = [
        "mkdir -p build",
        "sertools embed c -o build/o#1$/all.h5",
        "sertools report x > build/o#1$/table2.txt.part",
    ]
    assert stages_of(rules, plan) == {"build/o#1$/all.h5": "The corpus", "build/o#1$/table2.txt": "Table 2"}


def test_the_demo_ends_in_its_table_and_the_names_of_what_it_made(embedded, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ready").touch()
    (out / "labels.csv").touch()
    shutil.copy(embedded, out / "all.h5")
    for name, own in (("python", ""), ("sertools", "-m sertools")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {own} "$@"\n')
        script.chmod(0o755)
    settings = [
        "ENCODER=/nowhere",
        "CORPUS=/nowhere",
        "EMOTIONS=",
        "FOLDS=2",
        "SEEDS=0",
        "METHODS=full imbalanced pot",
    ]
    make = ["make", "--no-print-directory", "demo", *settings, f"OUT={out}", f"VENV={tmp_path}", "KEEP=0.5"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    table, *_ = done.stdout.strip().split("\n\n")
    assert [line.split()[0] for line in table.splitlines()] == ["method", "full", "imbalanced", "pot"]
    assert "The report\n" in done.stderr
    assert "train-clf" not in done.stderr + done.stdout
    for name in ("demo.html", "real-and-generated.png", "confusion.png"):
        assert done.stdout.rstrip().split("\n\n")[-1].count(f"{out}/{name}") == 1
        assert (out / name).stat().st_size > 1000
    # With V=1 its commands are shown; the rules are the same.
    (out / "demo.txt").unlink()
    done = subprocess.run([*make, "V=1"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout.count("sertools report")) == (0, 1)
    assert len([*out.glob("rules-*.mk")]) == 1
