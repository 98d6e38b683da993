"""What Windows and macOS lack is not asked for: every module loads without the modules and signals of Unix."""

import subprocess
import sys

from conftest import process_environment

# A Python that says it is Windows and has none of Unix's own modules; libraries are loaded before.
CODE = """
import importlib, pkgutil, signal, sys
import h5py, librosa, matplotlib.figure, numpy, safetensors.torch, scipy.stats, sklearn.covariance, soundfile, torch
import concurrent.futures.process, multiprocessing.context, rich.console, rich.progress, subprocess, typer
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("SIGUSR1", "SIGHUP", "SIGKILL", "SIGALRM"):
    delattr(signal, name)
import os, pathlib, tempfile
for name in ("fork", "fchmod", "sysconf", "geteuid", "register_at_fork", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
sys.platform = "win32"
import sertools
names = [m.name for m in pkgutil.walk_packages(sertools.__path__, "sertools.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
from sertools.cli.signals import stop_on_signals
from sertools.rehearsal import memory_so_far
with stop_on_signals() as stop:
    assert stop() is False
assert memory_so_far() is None
from sertools.provenance import atomic_output
from sertools.training.runtime import free_memory
with tempfile.TemporaryDirectory() as folder:
    with atomic_output(pathlib.Path(folder, "out")) as part:
        part.write_text("whole")
    assert [path.read_text() for path in pathlib.Path(folder).iterdir()] == ["whole"]
assert free_memory(torch.device("cpu")) == 0
print(len(names))
"""


def test_every_module_loads_without_what_is_unix_alone():
    words = [sys.executable, "-c", CODE]
    done = subprocess.run(words, env=process_environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
