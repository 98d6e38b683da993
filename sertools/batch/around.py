"""Becoming another command, with a warm process beside it for as long as it lives."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from sertools.batch import WARM
from sertools.errors import UsageError

_LONGEST_FOLDER = 70  # of a socket's address, which may have about a hundred characters

# Is the warm process: of a listening socket, and a pipe whose other end is closed when the command has ended.
Serve = Callable[[socket.socket, int], None]


def run_around(command: Sequence[str], serve: Serve) -> NoReturn:
    """Become `command`: its process, signals and exit code are those of this one.

    Raises
    ------
    UsageError
        If there is no such command.
    """
    if shutil.which(command[0]) is None:
        raise UsageError(f"{command[0]}: there is no such command")
    parent = tempfile.gettempdir()
    # Its owner's alone, as what comes over the socket is run.
    folder = Path(tempfile.mkdtemp(prefix="sertools-", dir=parent if len(parent) < _LONGEST_FOLDER else "/tmp"))
    address = folder / "socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen(socket.SOMAXCONN)
    os.environ[WARM] = str(address)
    # The command, and all that it starts, hold the pipe's other end without knowing.
    alive, held = os.pipe()
    os.set_inheritable(held, True)
    child = os.fork()
    if child == 0:
        _withdraw(folder, listener, alive, serve)
    os.waitpid(child, 0)
    # What the tools set for themselves, and what Python ignores, is not for others.
    os.environ.pop("HDF5_USE_FILE_LOCKING", None)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(command[0], list(command))


def _withdraw(folder: Path, listener: socket.socket, alive: int, serve: Serve) -> NoReturn:
    """Serve as a process that is no child of the command, and that keeps nothing of the caller open."""
    try:
        if os.fork() == 0:
            os.setsid()
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(nothing, number)
            for number in map(int, os.listdir("/dev/fd")):
                if number > 2 and number not in (listener.fileno(), alive):
                    with suppress(OSError):
                        os.close(number)
            try:
                serve(listener, alive)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)
