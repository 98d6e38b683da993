"""`sertools batch`: what a line is, which waits for which, and how lines run as forks, speak and end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import process_environment

from sertools.batch.lines import read_lines
from sertools.batch.waiting import Files, in_order
from sertools.errors import UsageError

ROOT = Path(__file__).parent.parent
TOOL = [sys.executable, "-m", "sertools"]
SMALL = "--preset smoke --batch-size 8"


def start(*command: object, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*map(str, command)],
        cwd=cwd,
        env=process_environment() | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], stdin: str = "") -> tuple[int, str, str]:
    out, err = process.communicate(stdin, timeout=120)
    return process.returncode, out, err


def wait_until(holds) -> None:
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < 60
        time.sleep(0.01)


# ---- What a line is ----


@pytest.mark.parametrize(
    ("text", "words", "into"),
    [
        ("sertools info a.h5", ("info", "a.h5"), ""),
        ("info 'a b.h5' # which", ("info", "a b.h5"), ""),
        ('info "it\'s #1.h5" a#b', ("info", "it's #1.h5", "a#b"), ""),
        (r"info a\ b.h5 '$x*' emotion=a,b --name ''", ("info", "a b.h5", "$x*", "emotion=a,b", "--name", ""), ""),
        ("report r.json>t.txt", ("report", "r.json"), "t.txt"),
        ("report r.json > 'a table'", ("report", "r.json"), "a table"),
        ("report \\\n  r.json", ("report", "r.json"), ""),
    ],
)
def test_a_line_is_words_of_a_shell(text, words, into):
    (line,) = read_lines(f"# a comment\n\n{text}\n".splitlines(keepends=True))
    assert (line.number, line.words, line.into) == (3, words, into)
    # As it is told, it reads as the same again.
    (again,) = read_lines([str(line)])
    assert (again.words, again.into) == (words, into)


MALFORMED = [
    ("info 'a.h5", "quote"),
    ('info "a.h5', "quote"),
    ("info a.h5 \\", "backslash"),
    ("sertools", "no verb"),
    ("> x.json", "no verb"),
    ("info a.h5 | cat", "'|'"),
    ("info a.h5 && info b.h5", "'&'"),
    ("info a.h5 2> x", "'>'"),
    ("info a.h5 >> x", "'>'"),
    ("info < a.h5", "'<'"),
    ("report *.json", "'*'"),
    ("info $FILE", "'$'"),
    ('info "$FILE"', "'$'"),
    ("info `ls`", "'`'"),
    ("info ~/a.h5", "'~'"),
    ("inof a.h5", "did you mean 'info'?"),
    ("info a.h5 --colour", "--colour"),
    ("info --help", "--help"),
    ("train-clf a.h5 -o clf --init b", "--init: was removed"),
    ("info", "FILE"),
    ("train-clf a.h5 -o clf --steps many", "many"),
    ("batch more.txt", "batch in a batch"),
    ("merge a.h5 b.h5 -o b.h5", "reads and writes"),
    ("select a.h5 -o ./no.h5", "so does line 1"),
    ("select a.h5 -o in.h5", "line 1 before it reads"),
]


@pytest.mark.parametrize(("text", "named"), MALFORMED, ids=[text for text, _ in MALFORMED])
def test_a_malformed_line_is_numbered_and_nothing_is_run(call, tmp_path, text, named):
    done = call("batch", stdin=f"merge in.h5 -o no.h5\n\n{text}\n")
    assert done.code == 2
    assert done.out == ""
    assert re.search(r"^sertools batch: line 3: .*; nothing was run\n\Z", done.err, re.MULTILINE)
    assert named in done.err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["missing.txt"], "missing.txt"),
        (["one.txt", "two.txt"], "two.txt"),
        (["--around"], "--around"),
        (["--around", "-j", "2", "--", "true"], "-j"),
        (["--around", "--", "no-such-command"], "no-such-command"),
    ],
)
def test_a_wrong_batch_is_refused_in_one_line(call, words, named):
    done = call("batch", *words)
    assert done.code in (1, 2)
    assert done.err.count("\n") == 1
    assert named in done.err


# ---- What waits for what ----


def test_a_line_waits_for_those_that_write_what_it_reads():
    def files(reads: str, writes: str) -> Files:
        return Files(*(frozenset(Path("/", name) for name in names.split()) for names in (reads, writes)))

    lines = read_lines(["info a"] * 6)
    given = [("a", "b"), ("a", "dir/c"), ("b dir/c", "d"), ("dir", "e"), ("a", "folder"), ("folder/wav", "")]
    waits = in_order(lines, [files(*each) for each in given])
    assert waits == [set(), set(), {0, 1}, {1}, set(), {4}]
    with pytest.raises(UsageError, match=r"line 2: it writes /b, and so does line 1"):
        in_order(lines[:2], [files("a", "b"), files("c", "b")])


def test_lines_have_the_bytes_of_separate_processes(chain, tmp_path):
    """Trainings, one after the other's files, side by side with others; two threads, which BLAS and torch share."""
    lines = f"""
        pretrain-ae {chain.train} -o ae {SMALL} --steps 4 --width 1/32
        fit-latents ae {chain.train} -o latents.h5
        train-clf {chain.train} -o clf {SMALL} --steps 12 --seed 3
        evaluate clf {chain.test} -o result.json --tag method=imbalanced
        report result.json > table.txt
        plot clf.log.ndjson -o curve.png
    """
    together, alone = tmp_path / "together", tmp_path / "alone"
    together.mkdir()
    alone.mkdir()
    done = ended(start(*TOOL, "batch", "-j", 3, cwd=together, OMP_NUM_THREADS="2"), lines)
    assert done[0] == 0, done[2]
    script = "set -e\n" + re.sub(r"^ +(?=\S)", " ".join(TOOL) + " ", lines, flags=re.MULTILINE)
    assert ended(start("sh", cwd=alone, OMP_NUM_THREADS="2"), script)[0] == 0
    names = sorted(os.listdir(alone))
    assert len(names) == 8
    assert sorted(os.listdir(together)) == names
    assert [name for name in names if (together / name).read_bytes() != (alone / name).read_bytes()] == []


# ---- Failures, signals, and what is said ----


@pytest.mark.parametrize(
    ("options", "made", "said"),
    [
        ([], {"1.h5"}, r"failed: line 2 \(exit code 1\); not run: 3 of 5 lines"),
        (["-k"], {"1.h5", "4.h5"}, r"failed: line 2 \(exit code 1\), 5 \(exit code 2\); not run: 1 of 5 lines"),
    ],
)
def test_a_failure_ends_the_batch_or_what_waits_for_it(chain, run, tmp_path, options, made, said):
    lines = (
        f"merge {chain.train} -o 1.h5",
        "merge missing.h5 -o 2.h5",
        "info 2.h5 > 3.json",
        f"merge {chain.val} -o 4.h5",
        f"evaluate {chain.clf} {chain.test} --vote hard > 5.json",
    )
    done = run("batch", "-q", *options, stdin="\n".join(lines))
    assert done.code == 1
    assert re.search(rf"^sertools batch: {said}$", done.err, re.MULTILINE)
    assert set(os.listdir(tmp_path)) == made


def test_what_a_line_prints_stays_together(chain, run):
    stores = [chain.train, chain.val, chain.test] * 2
    nowhere = [f"info {store} > /dev/null" for store in stores]
    lines = "\n".join([f"evaluate {chain.clf} {chain.test}", *(f"info {store}" for store in stores), *nowhere])
    done = run("batch", "-j", 3, stdin=lines)
    assert done.code == 0
    decoder, rest, found = json.JSONDecoder(), done.out.strip(), []
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value.get("file", "result"))
        rest = rest[end:].lstrip()
    assert sorted(found) == sorted(["result", *(store.name for store in stores)])
    assert re.fullmatch(r"UAR .*\n", done.err)


def test_a_signal_stops_a_training_and_the_same_batch_goes_on(chain, call, run, tmp_path):
    training = f"pretrain-ae {chain.train} {SMALL} --steps 100 --width 1/32 -o"
    (tmp_path / "lines.txt").write_text(f"{training} ae\ninfo ae > info.json\n")
    process = start(*TOOL, "batch", "lines.txt", "-j", 2, cwd=tmp_path)
    wait_until((tmp_path / "ae.log.ndjson").exists)
    process.send_signal(signal.SIGTERM)
    code, _, said = ended(process)
    assert code == 75, said
    assert "sertools pretrain-ae: stopped after step" in said
    assert re.search(r"^sertools batch: stopped by SIGTERM; failed: line 1 \(exit code 75\)", said, re.MULTILINE)
    assert not (tmp_path / "info.json").exists()
    assert run("batch", "lines.txt", "-j", 2).code == 0
    assert call(*training.split(), "unbroken").code == 0
    assert (tmp_path / "ae").read_bytes() == (tmp_path / "unbroken").read_bytes()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_killed_line_counts_as_a_shell_counts_it(chain, tmp_path):
    process = start(*TOOL, "batch", cwd=tmp_path)
    process.stdin.write(f"pretrain-ae {chain.train} {SMALL} --steps 5000 --width 1/32 -o ae\n")
    process.stdin.close()
    process.stdin = None
    wait_until((tmp_path / ".ae.lock").exists)
    (line,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(line), signal.SIGKILL)
    code, _, said = ended(process, None)
    assert code == 128 + signal.SIGKILL
    assert "line 1 (exit code 137)" in said


def test_nothing_is_computed_before_a_fork():
    """Importing starts no thread of torch's, and wakes no GPU; light verbs do without torch."""
    code = """
import os, sys
from sertools.batch.imports import import_for
import_for(["corpus", "extract", "select", "info"])
assert "torch" not in sys.modules
import_for(["train-clf", "evaluate", "generate"])
import torch
assert not torch.cuda.is_initialized()
assert len(os.listdir("/proc/self/task")) == 1
"""
    done = subprocess.run([sys.executable, "-c", code], env=process_environment(), check=False)
    assert done.returncode == 0
