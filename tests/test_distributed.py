"""Several processes train as one does: the same gradients, and only the first one writes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from chains import classify
from conftest import Outcome, process_environment
from safetensors.torch import load_file

from sertools import merge, train_generator
from sertools.claim import claimed
from sertools.errors import UsageError
from sertools.nets.dropout import Dropout
from sertools.nets.parts import Part, having
from sertools.processes import Processes, processes

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()), reason="torch without gloo"
)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start(*args: object, cwd: Path, **variables: str) -> subprocess.Popen:
    environment = process_environment() | variables
    environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, *map(str, args)], cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen) -> Outcome:
    with process:
        _, said = process.communicate(timeout=600)
    return Outcome(process.returncode, "", said)


@pytest.fixture(scope="module")
def both(chain, tmp_path_factory) -> Callable[[str], tuple[Path, Path]]:
    """What `two_processes` leaves of one process, and of two."""
    folder = tmp_path_factory.mktemp("both")
    script = Path(__file__).parent / "two_processes.py"
    for name, launcher in (("1", ()), ("2", TORCHRUN)):
        (folder / name).mkdir()
        done = finished(start(*launcher, script, chain.folder, folder / name, cwd=folder))
        assert done.code == 0, done.err
    return lambda name: (folder / "1" / name, folder / "2" / name)


def test_gradients_and_statistics_are_those_of_one_process(both):
    one, two = map(load_file, both("gradients"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-9, atol=1e-12, msg=name)
    # Something flows, through dropout and batch normalisation.
    assert all(one[f"{net}.loss"] > 0.01 for net in ("ae", "d", "crnn", "vgg"))
    assert one["d.grad.trunk.0.weight"].abs().max() > 1e-4


@pytest.mark.parametrize("name", ["ae", "gan", "mixed", "cnn", "crnn", "vgg"])
def test_trainings_are_those_of_one_process(both, name):
    paths = both(name)
    one, two = map(load_file, paths)
    assert one.keys() == two.keys()
    # A bias before batch normalisation has no gradient but rounding, and Adam makes whole steps of it.
    weights = [key for key in one if key.endswith(".weight") and one[key].dim() > 1]
    assert weights
    for key in weights:
        assert torch.linalg.vector_norm(one[key] - two[key]) < 2e-3 * torch.linalg.vector_norm(one[key]), key
    logs = [path.with_name(f"{name}.log.ndjson").read_text().splitlines() for path in paths]
    assert len(logs[0]) == len(logs[1])
    for line, other in zip(*logs, strict=True):
        line, other = json.loads(line), json.loads(other)
        assert line.keys() == other.keys()
        for key in line.keys() & {"mse", "loss", "d_real", "d_fake", "g", "val_mse", "val_uar", "accuracy"}:
            assert other[key] == pytest.approx(line[key], rel=2e-3), key


def test_only_the_first_process_writes(both):
    one, two = both(".")
    assert sorted(os.listdir(one)) == sorted(os.listdir(two))
    assert not [name for name in os.listdir(two) if name.startswith(".")]


def test_dropout_cuts_its_part_from_the_masks_of_the_whole_batch():
    x, drop = torch.ones(7, 3, 5, 5), Dropout(0.4)
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(3)
        whole = drop(x.contiguous(memory_format=layout))
        for part in (Part(0, 3, 7), Part(3, 7, 7)):
            torch.manual_seed(3)
            with having(part):
                cut = drop(x[part.first : part.last].contiguous(memory_format=layout))
            assert torch.equal(cut, whole[part.first : part.last])


LINE = "pretrain-ae {} --preset smoke --steps {} --batch-size 8 --width 1/32 --device cpu -o"


def test_a_signalled_group_saves_its_state_and_goes_on_to_the_same_bytes(chain, tmp_path):
    line = ("-m", "sertools", *LINE.format(chain.train, 60).split())
    process = start(*TORCHRUN, "--signals-to-handle", "SIGTERM,SIGUSR1", *line, "ae", cwd=tmp_path)
    log = tmp_path / "ae.log.ndjson"
    while not (log.exists() and log.read_text()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    stopped = finished(process)
    said = stopped.err
    assert stopped.code == 1  # torchrun has but this one for whatever its processes end with
    assert re.search(r"sertools pretrain-ae \(process 1 of 2\): stopped after step \d+ of 60; the same", said), said
    assert said.count("saving state") == 1
    assert sorted(os.listdir(tmp_path)) == [".ae.state", "ae.log.ndjson"]
    # Another number of processes adds up in another order, so it does not go on from there.
    alone = finished(start(*line, "ae", cwd=tmp_path))
    assert alone.code == 1
    assert "state of another run (processes was 2, is null)" in alone.err
    for name in ("ae", "unbroken"):
        done = finished(start(*TORCHRUN, *line, name, cwd=tmp_path))
        assert done.code == 0, done.err
        assert done.err.count(f"{name}: mse ") == 1
    assert sorted(os.listdir(tmp_path)) == ["ae", "ae.log.ndjson", "unbroken", "unbroken.log.ndjson"]
    for suffix in ("", ".log.ndjson"):
        assert (tmp_path / f"ae{suffix}").read_bytes() == (tmp_path / f"unbroken{suffix}").read_bytes()


def test_an_error_in_one_process_ends_all(chain, tmp_path):
    line = (*TORCHRUN, "-m", "sertools", *LINE.format(chain.train, 9999).split(), "ae")
    with claimed(tmp_path / "ae"):  # which only the first one asks for, before it meets the other
        done = finished(start(*line, cwd=tmp_path))
    assert done.code == 1
    assert "sertools pretrain-ae (process 1 of 2): ae: another sertools is writing it" in done.err
    assert "process 2 of 2" not in done.err
    assert os.listdir(tmp_path) == []


def test_a_process_that_dies_ends_all(chain, tmp_path):
    line = ("-m", "sertools", *LINE.format(chain.train, 9999).split(), "ae")
    port = str(free_port())
    group = [
        start(*line, cwd=tmp_path, RANK=rank, WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        for rank in "01"
    ]
    while not (tmp_path / "ae.log.ndjson").exists():
        assert group[0].poll() is None, group[0].stderr.read()
        time.sleep(0.02)
    group[1].kill()
    first, second = map(finished, group)
    assert second.err == ""
    assert first.code == 1
    assert "sertools pretrain-ae (process 1 of 2): another process of this training has ended" in first.err
    assert os.listdir(tmp_path) == ["ae.log.ndjson"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def as_one_of_two(monkeypatch):
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)


def test_the_environment_says_who_is_who(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert processes() == Processes()
    monkeypatch.setenv("WORLD_SIZE", "4")  # as some clusters count machines
    assert processes() == Processes()
    monkeypatch.setenv("RANK", "3")
    assert processes() == Processes(3, 4)
    assert not processes().leads
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(UsageError, match="RANK='4' WORLD_SIZE='4'"):
        processes()


GENERATOR = "train-generator {} -o g --kind cvae --preset smoke --steps 2"


@pytest.mark.parametrize("line", ["info {}", GENERATOR, f"{GENERATOR} --dry-run", f"{LINE} ae --dry-run"])
def test_other_verbs_run_in_one_process(chain, call, as_one_of_two, monkeypatch, tmp_path, line):
    monkeypatch.chdir(tmp_path)
    verb, *options = line.format(chain.train, 4).split()
    done = call(verb, *options)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"sertools {verb} (process 2 of 2): runs in one process; start it without torchrun")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("rank", ["0", "1"])
def test_no_process_of_several_trains_a_whole_generator(chain, as_one_of_two, monkeypatch, tmp_path, rank):
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(UsageError, match="runs in one process; start it without torchrun"):
        train_generator(chain.train, tmp_path / "g", kind="cvae", preset="smoke", steps=2)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("rank", ["0", "1"])
def test_processes_that_have_not_met_train_nothing(chain, as_one_of_two, monkeypatch, tmp_path, rank):
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(UsageError, match="has not called `join`: runs in one process"):
        classify([chain.train], tmp_path / "clf")
    assert os.listdir(tmp_path) == []


def test_a_process_that_does_not_lead_writes_nothing_alone(chain, as_one_of_two, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="runs in one process"):
        merge([chain.train, chain.val], tmp_path / "both.h5")
    assert os.listdir(tmp_path) == []
    # The first one may go on alone after a training.
    monkeypatch.setenv("RANK", "0")
    assert merge([chain.train, chain.val], tmp_path / "both.h5")


@pytest.mark.parametrize(
    ("device", "words"), [("cpu", "MASTER_ADDR: not in the environment"), ("cuda:1", "each has a GPU of its own")]
)
def test_what_cannot_start_is_refused(chain, call, as_one_of_two, monkeypatch, tmp_path, device, words):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    done = call(*LINE.format(chain.train, 4).replace("cpu", device).split(), "ae")
    assert done.code == 2
    assert words in done.err
    assert os.listdir(tmp_path) == []
