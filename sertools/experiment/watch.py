"""``python -m sertools.experiment.watch RULES -- MAKE…``: runs make, with a line a stage in place of its commands.

Stages are the sections of the rules. Which files are to be made, `make -n` says before; that one is begun, make says
as it echoes its command; that it is done, the file. What make and the tools say goes into `LOG` beside the rules,
whose end is shown if make fails.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import basename
from pathlib import Path
from typing import BinaryIO

LOG = "make.log"
_TITLE = re.compile(r"# ---- (.*) ----")
_TARGET = re.compile(r"([^\s#:]+):(?!=)")
# A tool names what it writes by -o, or the shell by >.
_WRITTEN = re.compile(r"(?:\s-o|>)\s*(\S+)")
_TAIL = 15  # lines of the log
_KNOWN = 0.9  # this share of the files to come, before the time left is told
_ON_TERMINAL, _IN_LOG = 1.0, 30.0  # seconds between two words on how far it is


class Progress:
    """What make is to make, and how far it is.

    Parameters
    ----------
    stages
        File → the stage that it belongs to, in the order in which they are to be made.
    """

    def __init__(self, stages: Mapping[str, str]) -> None:
        self.stages = stages
        self._before = {target: _written_at(target) for target in stages}
        self._began: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._start = time.monotonic()

    def begin(self, line: str) -> None:
        """Note what a command that make echoed is going to write."""
        for target in _written_by([line]):
            if target in self.stages:
                self._began.setdefault(target, time.monotonic())

    def ended(self) -> list[str]:
        """Look which files have come, and give the stages that are complete by that."""
        come = [
            target
            for target in self._began
            if target not in self._seconds and _written_at(target) not in (None, self._before[target])
        ]
        for target in come:
            self._seconds[target] = time.monotonic() - self._began[target]
        left = {stage for target, stage in self.stages.items() if target not in self._seconds}
        return [stage for stage in dict.fromkeys(self.stages[target] for target in come) if stage not in left]

    @property
    def words(self) -> str:
        """How long it has taken, how many files are done, and how long the rest takes."""
        text = f"{_clock(time.monotonic() - self._start):>6}  {len(self._seconds):>4} of {len(self.stages)} files"
        left = self._left()
        return text if not left else f"{text}, about {_clock(left)} left"

    @property
    def now(self) -> str:
        """The names of the files that are being made."""
        names = dict.fromkeys(basename(target) for target in self._began if target not in self._seconds)
        return f"… {', '.join(names)}" if names else ""

    def _left(self) -> float | None:
        """Estimate the seconds left, from files of the same names in other cells; None while most names are new."""
        taken: dict[str, list[float]] = {}
        for target, seconds in self._seconds.items():
            taken.setdefault(basename(target), []).append(seconds)
        rest = [target for target in self.stages if target not in self._seconds]
        known = [target for target in rest if basename(target) in taken]
        if len(known) < _KNOWN * len(rest):
            return None
        now = time.monotonic()
        work = 0.0
        for target in known:
            each = taken[basename(target)]
            work += max(0.0, sum(each) / len(each) - (now - self._began.get(target, now)))
        # As many side by side as until now.
        return work * (now - self._start) / sum(self._seconds.values(), start=1e-9)


def stages_of(rules: Iterable[str], plan: Iterable[str]) -> dict[str, str]:
    """Give the stage of each file that is to be made.

    Parameters
    ----------
    rules
        Lines of the rules: titles of sections, and targets below them.
    plan
        What ``make -n`` says.
    """
    out, title, titles = "", "", {}
    for line in rules:
        if found := _TITLE.match(line):
            title = found[1]
        elif line.startswith("OUT := "):
            out = line.removeprefix("OUT := ").strip().replace("$$", "$").replace("\\#", "#")
        elif found := _TARGET.match(line):
            titles[found[1].replace("$(OUT)", out)] = title
    return {target: titles[target] for target in _written_by(plan) if target in titles}


def watch(rules: Path, command: Sequence[str]) -> int:
    """Run make, and say how far it is.

    Parameters
    ----------
    rules
        The rules that make includes; `LOG` comes beside them.
    command
        Of make.

    Returns
    -------
    int
        Its exit code.
    """
    planned = subprocess.run([*command, "-n"], stdout=subprocess.PIPE, check=False, close_fds=False)
    if planned.returncode:
        return planned.returncode
    with open(rules, encoding="utf-8", errors="surrogateescape") as lines:
        progress = Progress(stages_of(lines, os.fsdecode(planned.stdout).splitlines()))
    log = rules.with_name(LOG)
    with open(log, "wb") as said:
        if progress.stages:
            _say(f"{len(progress.stages)} files to make; what the tools say goes to {log}, V=1 shows it here")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, close_fds=False)  # make's jobserver
        _pass_signals_to(process)
        _follow(process, progress, said)
        code = process.wait()
    if code:
        with open(log, encoding="utf-8", errors="replace") as lines:
            _say(*(line.rstrip("\n") for line in deque(lines, _TAIL)), f"… of {log}")
    return code if code >= 0 else 128 - code


def _follow(process: subprocess.Popen[bytes], progress: Progress, said: BinaryIO) -> None:
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    interval = _ON_TERMINAL if live else _IN_LOG
    spoken = time.monotonic()
    for line in _lines(process):
        if line:
            os.write(said.fileno(), line)
            progress.begin(os.fsdecode(line))
        for stage in progress.ended():
            _say(f"{progress.words:<45} {stage}", over=live)
            spoken = time.monotonic()
        if time.monotonic() - spoken >= interval:
            text = f"{progress.words:<45} {progress.now}"
            _say(text[: _columns()] if live else text, over=live, end="" if live else "\n")
            spoken = time.monotonic()
    if live:
        _say(over=True, end="")


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Give make's lines as they come, and an empty one at least every second."""
    assert process.stdout is not None
    pipe, rest = process.stdout.fileno(), b""
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            if ready.select(_ON_TERMINAL):
                piece = os.read(pipe, 65536)
                if not piece:
                    break
                *whole, rest = (rest + piece).split(b"\n")
                yield from (line + b"\n" for line in whole)
            yield b""
    yield b""


def _pass_signals_to(process: subprocess.Popen[bytes]) -> None:
    """Let make end first; Ctrl-C reaches it by itself."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: process.send_signal(number))
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda _number, _frame: None)


def _written_by(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for name in _WRITTEN.findall(line):
            yield name.removesuffix(".part")


def _written_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _columns() -> int:
    """How much of a terminal's line can be written over: all but its last column."""
    return (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1


def _say(*lines: str, over: bool = False, end: str = "\n") -> None:
    start = "\r\033[K" if over else ""
    print(start + "\n".join(lines), end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(watch(Path(sys.argv[1]), sys.argv[sys.argv.index("--") + 1 :]))
