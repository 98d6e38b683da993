"""Short forms of `make torture`: kills, disk faults, crowds and damaged files, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import process_environment

HERE = Path(__file__).parent


def figures(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=process_environment(),
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("torture/kill.py", "--moments", 10, "--jobs", 1), "10 moments over 13 verbs, 0 lost"),
        (("torture/disk.py", "--verbs", "select,evaluate", "--most-calls", 2), "in 2 verbs, 0 problems"),
        (
            ("torture/crowd.py", "--readers", 4, "--reads", 8, "--races", 1, "--parts", "readers,races,make,locks"),
            "4 at once, 0 problems",
        ),
        (("fuzz/fuzz.py", "--inputs", 600, "--jobs", 1), "600 inputs, 0 findings"),
    ],
    ids=["kill", "disk", "crowd", "fuzz"],
)
def test_a_short_form_loses_nothing(command: tuple[object, ...], told: str) -> None:
    script, *options = command
    assert told in figures(HERE / str(script), *options)
