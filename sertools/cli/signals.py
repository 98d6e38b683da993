"""What signals do: they end a verb and its temporary files with it, or ask a training to save its state."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sertools.claim import clear_claims
from sertools.cli.progress import voice


@contextmanager
def signals_unwind() -> Iterator[None]:
    """Let signals that end a process unwind the stack, so that temporary files go; then exit as a shell expects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received = 0

    def unwind(number: int, _frame: object) -> None:
        nonlocal received
        received = number
        raise SystemExit(128 + number)

    def note(lost: Any) -> None:
        # An exception in a finalizer is dropped; `drain` raises it again.
        if isinstance(lost.exc_value, SystemExit):
            voice.stopped = lost.exc_value
        else:
            hook(lost)

    hook, sys.unraisablehook = sys.unraisablehook, note
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        # What is ignored stays so: under nohup, or in the background of a script.
        if handler is not signal.SIG_IGN:
            signal.signal(number, unwind)
    try:
        yield
    except Exception:
        if received:
            # Compiled code that the signal found makes an error of its own out of the exit.
            raise SystemExit(128 + received) from None
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            clear_claims()


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM, SIGUSR1 and a first SIGINT into a flag that a training asks after each step.

    A second SIGINT gives up at once.
    """
    received = threading.Event()

    def note(number: int, _frame: object) -> None:
        if received.is_set() and number == signal.SIGINT:
            raise SystemExit(130)
        received.set()
        voice.say("stopping after this step; saving state")

    names = [name for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), note) for name in names}
    try:
        yield received.is_set
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
