"""A shell for blocks of the docs in which `sertools` and `python FILE.py` start at once.

Importing torch takes longer than most of what the docs run. So one process imports everything, as that of `sertools
batch --around` does, and forks for every command that the shell starts; the command itself is the user's.
"""

import importlib
import os
import pkgutil
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Hands a command over, or becomes it.
_CLIENT = """#!{python} -IS
import os, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
fitting = [key for key in {added!r} if name == "sertools" and set(key.split()) <= set(words)]
words += {added!r}[max(fitting, key=len)] if fitting else []
if name == "sertools" or (words and words[0].endswith(".py")):
    sys.path.insert(0, {root!r})
    from sertools.batch.client import hand_over
    hand_over({address!r}, [name, *words])
os.execv({python!r}, [{python!r}, *(["-m", "sertools"] if name == "sertools" else []), *words])
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
            client.write_text(
                _CLIENT.format(python=sys.executable, added=words, root=str(ROOT), address=str(address))
            )
            client.chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(self.folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
        }
        self._server = subprocess.Popen(
            [sys.executable, __file__, address], env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"

    def __enter__(self) -> "WarmShell":
        return self

    def __exit__(self, *_: object) -> None:
        # Also of what runs still, after a failure.
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


def _be(words: Sequence[str]) -> None:
    """Be a command, in a fork of the server."""
    if words[0] == "python":
        script, sys.argv = words[1], list(words[1:])
        sys.path.insert(0, str(Path(script).resolve().parent))
        runpy.run_path(script, run_name="__main__")
    else:
        sys.argv = list(words)
        importlib.import_module("sertools.cli").main()


def main() -> None:
    from sertools.batch.serving import Server

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        server = Server(listener, _be)
        _import_everything()
        print("ready", flush=True)
        server.serve(sys.stdin.fileno())


if __name__ == "__main__":
    main()
