"""A shell for blocks of the docs in which `sertools` and `python FILE.py` start at once.

Importing torch takes longer than most of what the docs run. So one process imports everything, and forks for every
command that the shell starts; the command itself is the user's: its own words, folder, streams and exit code.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Hands a command over: its words, folder and streams go through the socket, its exit code comes back.
_CLIENT = """#!{python} -IS
import json, os, socket, sys
name = os.path.basename(sys.argv[0])
words = sys.argv[1:]
if name == "python" and not (words and words[0].endswith(".py")):
    os.execv({python!r}, [{python!r}, *words])
fitting = [key for key in {added!r} if name == "sertools" and set(key.split()) <= set(words)]
words += {added!r}[max(fitting, key=len)] if fitting else []
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = json.dumps([[name, *words], os.getcwd()]).encode()
    socket.send_fds(server, [request], [0, 1, 2])
    sys.exit((server.recv(1) or b"\\xff")[0])
"""


class WarmShell:
    """Runs shell blocks; a context manager that ends its server.

    Parameters
    ----------
    added
        Words of a command → options that are put after them, to make it small enough for a test; of several keys
        that fit, the longest.
    """

    def __init__(self, added: Mapping[str, str]) -> None:
        # Short: a socket's address has at most a hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="warm"))
        address = self.folder / "socket"
        words = {verb: options.split() for verb, options in added.items()}
        for name in ("sertools", "python"):
            client = self.folder / name
            client.write_text(_CLIENT.format(python=sys.executable, added=words, address=str(address)))
            client.chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(self.folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
        }
        self._server = subprocess.Popen(
            [sys.executable, __file__, address], env=self._environment, stdout=subprocess.PIPE
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"

    def __enter__(self) -> "WarmShell":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.communicate()
        shutil.rmtree(self.folder)

    def run(self, block: str, folder: Path, seconds: float = 120) -> str:
        """Run a block as ``bash -euo pipefail`` does, check that it ends well in time, and return what it prints."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def _import_everything() -> None:
    package = importlib.import_module("sertools")
    for module in pkgutil.walk_packages(package.__path__, "sertools."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # What a tool imports only when it gets there.
    for name in ("librosa", "matplotlib.pyplot", "scipy.stats", "sklearn.covariance"):
        importlib.import_module(name)


def _commands(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            yield connection
            os._exit(0)
        connection.close()


def _obey(connection: socket.socket) -> None:
    """Be the command that the client asks for."""
    message, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    sys.argv, folder = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process
    os.chdir(folder)
    code = 0
    try:
        if sys.argv[0] == "python":
            script, sys.argv = sys.argv[1], sys.argv[1:]
            sys.path.insert(0, str(Path(script).resolve().parent))
            runpy.run_path(script, run_name="__main__")
        else:
            importlib.import_module("sertools.cli").main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([code]))


def main() -> None:
    _import_everything()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        # Nobody waits for the children here.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print("ready", flush=True)
        for connection in _commands(listener):
            _obey(connection)


if __name__ == "__main__":
    main()
