"""The warm process: what a line is that hands itself over to it, and how the process ends with its command."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import process_environment
from test_batch import TOOL, ended, start, wait_until

# A line here is a piece of Python.
SERVER = """
import os, socket, sys
from sertools.batch.serving import Server
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
Server(listener, lambda words: exec(words[0])).serve(sys.stdin.fileno())
"""
CLIENT = """
import sys
from sertools.batch.client import hand_over
hand_over(sys.argv[1], sys.argv[2:])
print("by itself")
"""


class Warm:
    """A warm process and its clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = Path(tempfile.mkdtemp(prefix="warm")) / "socket"
        self.server = start(sys.executable, "-c", SERVER, self.address, cwd=folder)
        assert self.server.stdout.readline() == "ready\n"

    def client(self, line: str, **environment: str) -> subprocess.Popen[str]:
        return start(sys.executable, "-c", CLIENT, self.address, line, cwd=self.folder, **environment)

    def ended(self, line: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
        return ended(self.client(line, **environment), stdin)


@pytest.fixture
def warm(tmp_path) -> Iterator[Warm]:
    made = Warm(tmp_path)
    yield made
    made.server.communicate(timeout=60)
    made.address.unlink()
    made.address.parent.rmdir()


def test_a_line_has_its_own_folder_environment_streams_and_exit_code(warm):
    line = "print(os.getcwd(), os.environ['MINE'], sys.stdin.read()); print('said', file=sys.stderr); sys.exit(3)"
    assert warm.ended(line, "heard", MINE="yes") == (3, f"{warm.folder} yes heard\n", "said\n")
    # The next line knows nothing of it.
    assert warm.ended("print('MINE' in os.environ)") == (0, "False\n", "")
    assert warm.ended("os.kill(os.getpid(), 9)")[0] == -signal.SIGKILL
    code, _, said = warm.ended("1 / 0")
    assert code == 1
    assert "ZeroDivisionError" in said


def test_lines_run_side_by_side(warm):
    first = warm.client("open('there', 'w').close(); sys.stdin.read(); print('first')")
    wait_until((warm.folder / "there").exists)
    assert warm.ended("print('second')") == (0, "second\n", "")
    assert ended(first) == (0, "first\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP])
def test_a_signal_goes_to_the_line(warm, number):
    line = """
import signal
def stop(number, frame):
    print("stopped by", number)
    sys.exit(75)
signal.signal(int(os.environ["NUMBER"]), stop)
open("there", "w").close()
signal.pause()
"""
    client = warm.client(line, NUMBER=str(int(number)))
    wait_until((warm.folder / "there").exists)
    client.send_signal(number)
    assert ended(client) == (75, f"stopped by {int(number)}\n", "")
    # And of one that does not expect it, it is the end.
    (warm.folder / "there").unlink()
    client = warm.client("import signal; open('there', 'w').close(); signal.pause()")
    wait_until((warm.folder / "there").exists)
    client.send_signal(number)
    assert ended(client)[0] == (130 if number == signal.SIGINT else -number)


def test_a_client_that_is_killed_takes_its_line_along(warm):
    client = warm.client("open('pid', 'w').write(str(os.getpid()) + '.'); import signal; signal.pause()")
    wait_until(lambda: (warm.folder / "pid").exists() and (warm.folder / "pid").read_text().endswith("."))
    line = int((warm.folder / "pid").read_text()[:-1])
    client.kill()
    ended(client)
    wait_until(lambda: not Path(f"/proc/{line}").exists())
    assert warm.ended("print('on')") == (0, "on\n", "")


def test_a_line_runs_by_itself_where_it_must(warm):
    assert warm.ended("", OMP_NUM_THREADS="2") == (0, "by itself\n", "")
    assert warm.ended("--around") == (0, "by itself\n", "")
    client = start(sys.executable, "-c", CLIENT, "nowhere", "", cwd=warm.folder)
    assert ended(client) == (0, "by itself\n", "")


def test_a_line_of_a_killed_server_says_so(warm):
    client = warm.client("open('there', 'w').close(); sys.stdin.read()")
    wait_until((warm.folder / "there").exists)
    warm.server.kill()
    code, _, said = ended(client)
    assert (code, said) == (1, "sertools: the process that ran this line was killed; run it again\n")


def test_a_command_keeps_its_exit_code_and_its_warm_process_goes_with_it(chain, tmp_path):
    script = f"""
echo $SERTOOLS_WARM > where
{" ".join(TOOL)} info {chain.train} > info.json
{" ".join(TOOL)} merge missing.h5 -o x.h5 || echo $?
head -c 100 /dev/zero | cat
exit 7
"""
    code, out, said = ended(start(*TOOL, "batch", "--around", "--", "sh", "-c", script, cwd=tmp_path))
    assert (code, out.splitlines()[0]) == (7, "1")
    assert "missing.h5" in said
    assert (tmp_path / "info.json").stat().st_size > 100
    where = Path((tmp_path / "where").read_text().strip())
    wait_until(lambda: not where.parent.exists())


def test_a_warm_process_does_not_outlive_a_killed_command(tmp_path):
    process = start(*TOOL, "batch", "--around", "--", "sh", "-c", "echo $SERTOOLS_WARM; exec sleep 100", cwd=tmp_path)
    where = Path(process.stdout.readline().strip())
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(where))
    process.kill()
    assert ended(process)[0] == -signal.SIGKILL
    wait_until(lambda: not where.parent.exists())


@pytest.mark.parametrize("run", ["", "env"])
def test_make_hands_its_lines_to_a_warm_process_unless_they_go_elsewhere(tmp_path, run):
    """With tools that only say what they are asked."""
    tool = tmp_path / "env/bin/sertools"
    tool.parent.mkdir(parents=True)
    tool.write_text(
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
if [ "$1" = batch ]; then shift 3; exec "$@"; fi
while [ $# -gt 0 ]; do [ "$1" != -o ] || touch "$2"; shift; done
"""
    )
    tool.chmod(0o755)
    # make is watched by Python.
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    (tmp_path / "env/.ready").touch()
    settings = (
        f"VENV={tmp_path}/env OUT={tmp_path}/out CORPUS=/c READER=ravdess FOLDS=1 CLASSES=sad METHODS=imbalanced"
    )
    root = Path(__file__).parent.parent
    make = ["make", "-C", str(root), "-j2", "table2", f"RUN={run}", *settings.split()]
    for words, warm in ((["-n"], 0), ([], 0 if run else 1)):
        done = subprocess.run([*make, *words], env=process_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
        assert asked.count("batch --around -- ") == warm
    assert "evaluate" in asked
    assert os.path.exists(tmp_path / "out/table2.txt")
