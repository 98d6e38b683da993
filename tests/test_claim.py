"""One run an output: the second is told, and what a killed run left is swept."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from conftest import Outcome, process_environment

from sertools import claim
from sertools.claim import claimed, clear_claims
from sertools.errors import SertoolsError, SertoolsWarning

Call = Callable[..., Outcome]
HOLD = """
import sys, time
from pathlib import Path
from sertools import claim
from sertools.claim import claimed, clear_claims
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds ``out.h5``."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out.h5")]
    with subprocess.Popen(command, env=process_environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_run_is_told(holder: subprocess.Popen[str], tiny_store: Path, call: Call, tmp_path: Path) -> None:
    (tmp_path / "out.h5").write_text("older")
    with pytest.raises(SertoolsError, match="another sertools is writing it"), claimed(tmp_path / "out.h5"):
        pass
    done = call("select", tiny_store, "-o", "out.h5")
    assert done.code == 1
    assert done.err.startswith("sertools select: out.h5: another sertools is writing it; wait until it has ended")
    assert (tmp_path / "out.h5").read_text() == "older"
    # Another output is free, and so is this one when the other run is gone, however it went.
    assert call("select", tiny_store, "-o", "other.h5").code == 0
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".out.h5.lock").exists()
    assert call("select", tiny_store, "-o", "out.h5").code == 0
    assert sorted(os.listdir(tmp_path)) == ["other.h5", "out.h5"]


def test_what_killed_runs_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    stale = {".out.abcdefgh.part", ".out.a1_2efgh.rows.part", "..out.state.abcdefgh.part"}
    kept = {".out.state", ".out.h5.abcdefgh.part", ".out.part", "out.abcdefgh.part", ".other.abcdefgh.part", "out"}
    for name in stale | kept:
        (tmp_path / name).touch()
    with claimed(tmp_path / "out"):
        assert set(os.listdir(tmp_path)) == kept | {".out.lock"}
    assert set(os.listdir(tmp_path)) == kept


def test_where_nothing_can_be_claimed_the_verb_goes_on(tmp_path: Path) -> None:
    """The verb itself says what is wrong with its output."""
    (tmp_path / "folder").mkdir()
    for output in (None, "-", tmp_path / "folder", tmp_path / "nowhere" / "x", Path("/dev/null")):
        with claimed(output):
            assert not list(tmp_path.rglob("*.lock"))
    assert not Path("/dev/.null.lock").exists()


def test_a_claim_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), claimed(tmp_path / "x"):
        raise KeyError
    assert not os.listdir(tmp_path)


def test_a_folder_that_goes_away_hides_no_error(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    def work() -> None:
        with claimed(folder / "x.h5"):
            shutil.rmtree(folder)
            raise SertoolsError("first")

    with pytest.raises(SertoolsError, match="first"):
        work()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_said(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_lock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", no_lock)
    with pytest.warns(SertoolsWarning, match=r"out\.h5: its file system has no locks"), claimed(tmp_path / "out.h5"):
        assert list(tmp_path.iterdir()) == []


def test_a_signal_between_any_two_instructions_leaves_nothing(tmp_path: Path) -> None:
    def work() -> None:
        part = tmp_path / ".out.abcdefgh.part"
        with claimed(tmp_path / "out"):
            part.touch()
            try:
                pass
            finally:
                part.unlink()

    def stopped_after(n_instructions: int) -> bool:
        """Whether the work was cut short there, as a signal does."""
        count = 0

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal count
            if frame.f_code.co_filename not in (claim.__file__, __file__):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                count += 1
                if count > n_instructions:
                    raise SystemExit(143)
            return trace

        # A debugger or a measurement of coverage may trace already.
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            work()
        except SystemExit:
            return True
        finally:
            sys.settrace(before)
        return False

    n_instructions = left = 0
    while stopped_after(n_instructions):
        left += bool(os.listdir(tmp_path))
        clear_claims()
        assert os.listdir(tmp_path) == [], n_instructions
        n_instructions += 1
    assert n_instructions > 100
    # Without clearing, some would have left something.
    assert left
    assert os.listdir(tmp_path) == []
