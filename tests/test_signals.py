"""Signals: a training that is stopped saves its state, says so by exit code 75, and goes on."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import process_environment

from sertools.cli.signals import stop_on_signals


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_a_signal_asks_a_training_to_stop(name, capsys):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        if name == "SIGINT":
            with pytest.raises(SystemExit) as given_up:
                signal.raise_signal(number)
            assert given_up.value.code == 130
    assert signal.getsignal(number) is before
    assert "saving state" in capsys.readouterr().err


def listens(process: subprocess.Popen) -> bool:
    """Whether a process has come so far that it catches SIGUSR1, which only a training does."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", status)[1], 16)
    return bool(caught >> (signal.SIGUSR1 - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see when a process listens")
def test_a_terminated_training_goes_on_to_the_same_bytes(chain, call, run, tmp_path):
    line = f"pretrain-ae {chain.train} --preset smoke --steps 80 --batch-size 8 --width 1/32 -o".split()
    command = [sys.executable, "-m", "sertools", *line, "ae"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=process_environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        while not listens(process):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    assert re.search(r"sertools pretrain-ae: stopped after step \d+ of 80; the same command goes on", said)
    assert sorted(os.listdir(tmp_path)) == [".ae.state", "ae.log.ndjson"]
    assert run(*line, "ae").code == 0
    assert sorted(os.listdir(tmp_path)) == ["ae", "ae.log.ndjson"]
    assert call(*line, "unbroken").code == 0
    for suffix in ("", ".log.ndjson"):
        assert (tmp_path / f"ae{suffix}").read_bytes() == (tmp_path / f"unbroken{suffix}").read_bytes()


def test_an_exit_that_compiled_code_turns_into_an_error_is_an_exit(call, monkeypatch):
    """safetensors answers a SystemExit out of a signal handler, in the midst of a tensor, with a ValueError."""
    import sertools.api

    def interrupted(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except SystemExit:
            raise ValueError("could not determine the shape") from None

    monkeypatch.setattr(sertools.api, "info", interrupted)
    done = call("info", "any.h5")
    assert (done.code, done.out, done.err) == (128 + signal.SIGTERM, "", "")
