"""A warm process: command lines come over a socket, each is run as a fork, and its exit code goes back."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from sertools.batch.client import ACCEPTED
from sertools.batch.forks import fork, send

_PATIENCE_SECONDS = 10.0
# What libraries read as they are loaded, which they have been.
_READ_AT_IMPORT = re.compile(
    r"(ATEN|BLIS|DNNL|DYLD|GLIBC|GOMP|GOTO|KMP|LC|LD|MALLOC|MKL|NPY|NUMBA|OMP|OPENBLAS|PYTORCH|TORCH|VECLIB)_"
    r"|LANG|PYTHON"
)


@dataclass
class _Served:
    process: BaseProcess
    client: socket.socket


class Server:
    """Runs what clients ask for (`sertools.batch.client`); made before libraries are loaded.

    Parameters
    ----------
    listener
        Where they come.
    run
        Is the command line of some words, in this very process.
    """

    def __init__(self, listener: socket.socket, run: Callable[[Sequence[str]], None]) -> None:
        self._listener = listener
        self._run = run
        self._environment = dict(os.environ)
        self._served: dict[int, _Served] = {}

    def serve(self, alive: int) -> None:
        """Serve until the other end of the pipe `alive` is closed, and what runs then has ended."""
        doors: list[Any] = [self._listener, alive]
        try:
            while doors or self._served:
                clients = [each.client for each in self._served.values() if each.client.fileno() >= 0]
                for ready in wait([*doors, *self._served, *clients]):
                    if ready is self._listener:
                        self._admit()
                    elif ready == alive:
                        self._listener.close()
                        doors = []
                    elif ready in self._served:
                        self._dismiss(self._served.pop(ready))
                    else:
                        self._hear(ready)
        finally:
            for each in self._served.values():
                send(each.process, signal.SIGTERM)
            for each in self._served.values():
                self._dismiss(each)

    def _admit(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(_PATIENCE_SECONDS)
        try:
            _, streams, _, _ = socket.recv_fds(client, 1, 3)
            # Byte by byte: what comes behind the request are signals.
            with client.makefile("rb", buffering=0) as stream:
                request = json.loads(stream.readline())
        except (OSError, ValueError):
            # It was killed before it could say all.
            client.close()
            return
        client.settimeout(None)
        if self._has_read(request["environment"]):
            with suppress(OSError):
                client.sendall(ACCEPTED)
            process = fork(partial(self._be, request), streams)
            self._served[process.sentinel] = _Served(process, client)
        else:
            client.close()
        for each in streams:
            os.close(each)

    def _be(self, request: Mapping[str, Any]) -> None:
        # The end of the server must be seen by who connects, whatever still runs.
        self._listener.close()
        os.chdir(request["folder"])
        os.umask(request["umask"])
        # What libraries have set for themselves stays.
        for name in self._environment.keys() - request["environment"].keys():
            os.environ.pop(name, None)
        os.environ.update(request["environment"])
        self._run(request["words"])

    def _has_read(self, environment: Mapping[str, str]) -> bool:
        """Tell whether libraries were loaded under what they would read in an environment."""
        asked, ours = (
            {name: value for name, value in variables.items() if _READ_AT_IMPORT.match(name)}
            for variables in (environment, self._environment)
        )
        return asked == ours

    def _hear(self, client: object) -> None:
        """Pass a client's signals on; one that was killed takes its line along."""
        for each in self._served.values():
            if each.client is client:
                numbers = each.client.recv(64)
                for number in numbers or (signal.SIGKILL,):
                    send(each.process, number)
                if not numbers:
                    each.client.close()

    def _dismiss(self, served: _Served) -> None:
        served.process.join()
        with suppress(OSError), served.client:
            served.client.sendall(b"%d\n" % (served.process.exitcode or 0))
