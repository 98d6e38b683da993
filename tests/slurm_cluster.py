"""A real SLURM of one node on this machine, for the tests: munged, slurmctld and slurmd with files of their own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import process_environment

DAEMONS = ("munged", "slurmctld", "slurmd")
ENDED = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL")

# Neither systemd nor cgroups nor accounting; the node has two processors, whatever the machine has.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
InactiveLimit=0
MinJobAge=600
KillWait=30
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes
    ----------
    folder
        Its configuration and logs.
    environment
        What its commands are started with; `sertools` there is the one that is tested.
    """

    folder: Path
    environment: dict[str, str]

    def run(self, *command: object, cwd: Path, **variables: str) -> str:
        """Run a command that must succeed; return what it wrote."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        return done.stdout

    def state(self, job: str) -> dict[str, str]:
        """What SLURM knows of a job; of an array's, of the task with the least number."""
        told = self.run("scontrol", "--oneliner", "show", "job", job, cwd=self.folder).splitlines()[0]
        return dict(field.split("=", 1) for field in told.split() if "=" in field)

    def wait(self, job: str, seconds: float = 900) -> dict[str, str]:
        """Wait until a job has ended; return what SLURM says of it then."""
        deadline = time.monotonic() + seconds
        while (state := self.state(job))["JobState"] not in ENDED:
            if time.monotonic() > deadline:
                raise AssertionError(f"job {job} has not ended: {state}\n{self.logs()}")
            time.sleep(0.5)
        return state

    def logs(self) -> str:
        """The last lines of the daemons' logs."""
        paths = [self.folder / f"{name}.log" for name in ("slurmctld", "slurmd")]
        return "".join(f"\n{p}\n" + "\n".join(p.read_text().splitlines()[-15:]) for p in paths if p.exists())


def why_not() -> str:
    """Say why no cluster can be started here; nothing where one can."""
    # Daemons lie in /usr/sbin, which need not be in a user's path.
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    missing = [name for name in (*DAEMONS, "sbatch") if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)} here (Debian: apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "slurmd starts jobs only for root"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Start a cluster, and stop it again."""
    if reason := why_not():
        pytest.skip(reason)
    # A socket's name is short, a test's folder long.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, host=host, ports=free_ports(2)))
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    # A virtual environment too, as far as the Makefile looks.
    for name, words in (("sertools", f"{sys.executable} -m sertools"), ("python", sys.executable)):
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        command.chmod(0o755)
    (folder / ".ready").touch()
    environment = process_environment() | {"SLURM_CONF": str(folder / "slurm.conf"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment['PATH']}"
    cluster = Cluster(folder, environment)
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    try:
        # --force: as root, and in a folder below /tmp.
        cluster.run("munged", "--force", f"--socket={folder}/munge.socket", *files, cwd=folder)
        cluster.run("slurmctld", "-c", cwd=folder)
        cluster.run("slurmd", "-c", cwd=folder)
        deadline = time.monotonic() + 60
        while "idle" not in cluster.run("sinfo", "--noheader", "--format=%t", cwd=folder):
            assert time.monotonic() < deadline, cluster.logs()
            time.sleep(0.2)
        yield cluster
        cluster.run("scancel", "--user=root", cwd=folder)
    finally:
        for name in ("slurmd", "slurmctld", "munge"):
            stop(folder / f"{name}.pid")
        shutil.rmtree(folder, ignore_errors=True)


def stop(pid_file: Path) -> None:
    """End a daemon by its own pid file."""
    if pid_file.exists():
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while runs(pid) and time.monotonic() < deadline:
            time.sleep(0.1)


def runs(pid: int) -> bool:
    """Whether a process is there, and not merely unburied."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on now."""
    probes = [socket.socket() for _ in range(n)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
