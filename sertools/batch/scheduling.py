"""Running the lines of a batch: as many side by side as are wanted, each once what it reads is there."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from sertools.batch.forks import ASKING, fork, send, signals_held
from sertools.batch.lines import CommandLine
from sertools.claim import claimed
from sertools.errors import SertoolsError, Stopped
from sertools.provenance import atomic_output

# Is the command line of these words, in this very process.
RunWords = Callable[[Sequence[str]], None]


class BatchError(SertoolsError):
    """Lines of a batch have failed, or were stopped; the exit code is theirs."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


@dataclass
class _Running:
    """A line that runs, and what it has printed: standard output and error, or nothing if they pass through."""

    index: int
    process: BaseProcess
    held: tuple[IO[bytes], ...]


@dataclass
class Batch:
    """A batch that runs.

    Attributes
    ----------
    lines
        In the order in which they are begun, where they need not wait.
    waits
        For each, the indices of the lines before it that it waits for.
    run
        Is the command line.
    tell
        Hears of each line as it begins.
    jobs
        How many run side by side. With one, what a line prints passes through; else it is held until the line ends.
    keep_going
        Whether lines that do not wait for one that failed are run all the same.
    """

    lines: Sequence[CommandLine]
    waits: Sequence[frozenset[int]]
    run: RunWords
    tell: Callable[[str], None]
    jobs: int = 1
    keep_going: bool = False
    _running: dict[int, _Running] = field(default_factory=dict)
    _codes: dict[int, int] = field(default_factory=dict)
    _signal: int = 0

    def finish(self) -> None:
        """Run all lines.

        Raises
        ------
        BatchError
            If one of them has failed, or a signal has stopped the batch.
        """
        with open(os.devnull, "rb") as nothing, self._passing_on():
            try:
                while self._begin(nothing):
                    ended = wait([*self._running])
                    for sentinel in [each for each in self._running if each in ended]:
                        self._end(self._running.pop(sentinel))
            finally:
                self._send(signal.SIGTERM)
                for each in self._running.values():
                    each.process.join()
        self._judge()

    def _begin(self, nothing: IO[bytes]) -> bool:
        """Begin what can begin; tell whether anything runs."""
        # A signal must meet a line begun and known, or none.
        with signals_held():
            begun = {*self._codes, *(each.index for each in self._running.values())}
            well = {index for index, code in self._codes.items() if code == 0}
            for index in range(len(self.lines)):
                if self._signal or len(self._running) == self.jobs:
                    break
                if len(well) < len(self._codes) and not self.keep_going:
                    break
                if index not in begun and self.waits[index] <= well:
                    self._fork(index, nothing)
        return bool(self._running)

    def _fork(self, index: int, nothing: IO[bytes]) -> None:
        line = self.lines[index]
        self.tell(f"line {line.number}: {line}")
        held = () if self.jobs == 1 else (TemporaryFile(), TemporaryFile())  # noqa: SIM115 - closed at its end
        streams = [nothing.fileno(), *(stream.fileno() for stream in held or (sys.stdout, sys.stderr))]
        process = fork(partial(_run_line, self.run, line), streams)
        self._running[process.sentinel] = _Running(index, process, held)

    def _end(self, ended: _Running) -> None:
        ended.process.join()
        code = ended.process.exitcode or 0
        # As a shell says it of a line that a signal has killed.
        self._codes[ended.index] = code if code >= 0 else 128 - code
        for held, stream in zip(ended.held, (sys.stdout, sys.stderr), strict=False):
            with held:
                held.seek(0)
                shutil.copyfileobj(held, stream.buffer)
            stream.flush()

    @contextmanager
    def _passing_on(self) -> Iterator[None]:
        """Pass signals on to the lines that run; after one that asks for an end, no line begins."""

        def pass_on(number: int, _frame: object) -> None:
            if number == signal.SIGTSTP:
                self._send(signal.SIGSTOP)
                os.kill(os.getpid(), signal.SIGSTOP)
                self._send(signal.SIGCONT)
            else:
                self._signal = number
                self._send(number)

        # What is ignored stays so: under nohup, or in the background of a script.
        heeded = [number for number in ASKING if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, pass_on) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _send(self, number: int) -> None:
        for each in self._running.values():
            send(each.process, number)

    def _judge(self) -> None:
        failed = {index: code for index, code in self._codes.items() if code}
        left = len(self.lines) - len(self._codes)
        if not failed and not left:
            return
        named = ", ".join(f"{self.lines[index].number} (exit code {failed[index]})" for index in sorted(failed))
        parts = [f"stopped by {signal.Signals(self._signal).name}"] if self._signal else []
        parts += [f"failed: line {named}"] if failed else []
        parts += [f"not run: {left} of {len(self.lines)} lines"] if left else []
        code = failed[min(failed)] if failed else 128 + self._signal
        if self._signal and Stopped.exit_code in failed.values():
            # However others took the signal: a state was saved, from which the same batch goes on.
            code = Stopped.exit_code
        raise BatchError("; ".join(parts), code)


def _run_line(run: RunWords, line: CommandLine) -> None:
    try:
        with _printing_into(line.into):
            try:
                run(line.words)
            except SystemExit as stop:
                if stop.code:
                    raise
            sys.stdout.flush()
    except SertoolsError as error:
        print(f"sertools: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


@contextmanager
def _printing_into(name: str) -> Iterator[None]:
    """Let standard output go into a file, if one is named; it appears when the block has ended well."""
    path = Path(name)
    if not name:
        yield
    elif path.is_char_device() or path.is_fifo():
        _print_into(path)
        yield
    else:
        with claimed(path), atomic_output(path) as part:
            _print_into(part)
            yield


def _print_into(path: Path) -> None:
    with path.open("wb") as stream:
        os.dup2(stream.fileno(), sys.stdout.fileno())
