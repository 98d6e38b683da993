"""A command line as the client of a warm process: it hands itself over before anything heavy is imported.

Words, folder, environment and streams go through a socket, signals follow as they come, and the exit code comes back.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType

# The option of `sertools batch` that takes a process of its own, which becomes another command.
AROUND = "--around"
ACCEPTED = b"accepted\n"


def hand_over(address: str, words: Sequence[str]) -> None:
    """Have a command line run by the warm process, and end as it ends.

    Where nobody listens at the address, or the line needs a process of its own, nothing is done.

    Raises
    ------
    SystemExit
        With its exit code.
    """
    if AROUND in words:
        return
    umask = os.umask(0)
    os.umask(umask)
    with socket.socket(socket.AF_UNIX) as server, server.makefile("rb") as answers:
        try:
            asked = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ), "umask": umask}
            server.connect(address)
            socket.send_fds(server, [b" "], [_open(number) for number in range(3)])
            server.sendall(json.dumps(asked).encode() + b"\n")
            if answers.readline() != ACCEPTED:
                return
        except OSError:
            return
        _pass_signals_on(server)
        ended = answers.readline()
    if not ended:
        sys.exit("sertools: the process that ran this line was killed; run it again")
    code = int(ended)
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _open(number: int) -> int:
    try:
        os.fstat(number)
    except OSError:
        # Closed by the caller (>&-).
        return os.open(os.devnull, os.O_RDWR)
    return number


def _pass_signals_on(server: socket.socket) -> None:
    def send(number: int) -> None:
        # The line may have ended just now.
        with contextlib.suppress(OSError):
            server.send(bytes([number]))

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTSTP:
            send(signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            send(signal.SIGCONT)
        else:
            send(number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGTSTP):
        # What is ignored stays so: under nohup, or in the background of a script.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
