"""A line as a fork of this process, with a session, streams and signals of its own, as if started by itself."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

from sertools.errors import SertoolsError

# Those that ask a line to end or to wait, as a terminal, a shell or a cluster sends them.
ASKING = tuple(
    getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGTSTP") if hasattr(signal, name)
)


def need_forks() -> None:
    """Refuse a system that cannot fork.

    Raises
    ------
    SertoolsError
        On Windows.
    """
    if not hasattr(os, "fork"):
        raise SertoolsError("this system cannot fork a process; run the lines one by one")


@contextmanager
def signals_held() -> Iterator[None]:
    """Let signals of `ASKING` wait until the block is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def fork(run: Callable[[], None], streams: Sequence[int]) -> BaseProcess:
    """Run `run` in a fork of this process, to its end or its `SystemExit`.

    Parameters
    ----------
    run
        What the fork does.
    streams
        Open files, which become its standard input, output and error.

    Returns
    -------
    BaseProcess
        Its `sentinel` can be waited for; its `exitcode` is minus the signal that killed it.
    """
    process = get_context("fork").Process(target=_be, args=(run, streams))
    with signals_held():
        # It must not hear a signal before it has forgotten the handlers of this process.
        process.start()
    return process


def send(process: BaseProcess, number: int) -> None:
    """Send a signal to a fork, if it has not ended."""
    with suppress(ProcessLookupError):
        if process.pid is not None and process.exitcode is None:
            os.kill(process.pid, number)


def _be(run: Callable[[], None], streams: Sequence[int]) -> None:
    # Away from the terminal, whose Ctrl-C would reach it twice: by itself, and passed on.
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    encoding = sys.stdout.encoding
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, closefd=False, buffering=1)  # noqa: SIM115
    for number in ASKING:
        # What is ignored stays so: under nohup, or in the background of a script.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)
    sys.unraisablehook = sys.__unraisablehook__
    try:
        run()
    except KeyboardInterrupt:
        # Before a verb has begun, or when it has ended.
        raise SystemExit(128 + signal.SIGINT) from None
