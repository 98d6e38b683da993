"""The scripts of examples/slurm on a real SLURM of one node; skipped where there is none."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import TAKES
from safetensors.torch import load_file
from slurm_cluster import Cluster, running_cluster

pytestmark = pytest.mark.slurm
SCRIPTS = Path(__file__).parents[1] / "examples" / "slurm"
SMALL = {
    "SHARDS": "2",
    "FOLD": "1/3",
    "PRESET": "smoke",
    "CPUS": "1",
    "FRONT_END": "--mels 32 --frames 32 --segment 1",
    "AE_OPTS": "--width 1/32 --batch-size 8 --device cpu --steps 30",
    "GAN_OPTS": "--batch-size 8 --device cpu --steps 20",
    "CLF_OPTS": "--batch-size 8 --device cpu --steps 30",
}
MADE = ("specs.h5", "test.h5", "train.h5", "ae.safetensors", "latents.h5", "gan.safetensors", "synth.h5")
MADE += ("clf.safetensors", "result.json")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


def submit(cluster: Cluster, labels: Path, out: Path, **settings: str) -> list[str]:
    """Start the experiment; return the numbers of its array and its chain."""
    told = cluster.run("bash", SCRIPTS / "experiment.sh", labels, out, cwd=out.parent, **SMALL | settings)
    return told.split()


def without_slurm(cluster: Cluster, labels: Path, out: Path, **settings: str) -> None:
    """The same chain in one go, from an extraction in one piece."""
    out.mkdir()
    front_end = SMALL["FRONT_END"].split()
    cluster.run("sertools", "extract", labels, *front_end, "-o", out / "specs.h5", cwd=out)
    script = ("bash", SCRIPTS / "experiment.sh", labels, out, "chain")
    cluster.run(*script, cwd=out.parent, SLURM_JOB_ID="0", **SMALL | settings)


def test_an_array_and_a_chain_that_is_signalled_end_with_the_bytes_of_one_run(cluster, tiny_corpus, tmp_path):
    labels, out = tiny_corpus / "labels.csv", tmp_path / "out"
    # The scripts ask for USR1 two minutes before the end: of two minutes, that is soon after the start.
    settings = {"AE_OPTS": SMALL["AE_OPTS"].replace("--steps 30", "--steps 2000")}
    array, chain = submit(cluster, labels, out, SBATCH_TIMELIMIT="2", **settings)
    state = cluster.wait(chain, 500)
    log = (out / "logs" / "chain.log").read_text()
    assert state["JobState"] == "COMPLETED", log
    assert cluster.state(array)["JobState"] == "COMPLETED"
    assert int(state["Restarts"]) >= 1, log
    assert "stopping after this step; saving state" in log
    assert "the same command goes on from there" in log
    assert "GAN" in log.splitlines()[-1] or "GAN" in log  # the report
    assert not [name for name in os.listdir(out) if name.startswith(".")]
    without_slurm(cluster, labels, tmp_path / "plain", **settings)
    for name in MADE:
        assert (out / name).read_bytes() == (tmp_path / "plain" / name).read_bytes(), name
    assert json.loads((out / "result.json").read_text())["kind"] == "result"
    assert all("\r" not in path.read_text() and "\x1b" not in path.read_text() for path in (out / "logs").iterdir())


def test_a_job_that_slurm_requeues_goes_on_and_two_tasks_train_one_net(cluster, tiny_corpus, tmp_path):
    labels = tiny_corpus / "labels.csv"
    settings = {"TASKS": "2", "AE_OPTS": SMALL["AE_OPTS"].replace("--steps 30", "--steps 400")}
    out = tmp_path / "out"
    _, chain = submit(cluster, labels, out, **settings)
    deadline = 240
    log = out / "ae.safetensors.log.ndjson"
    while not (log.exists() and log.read_text()) and deadline:
        assert cluster.state(chain)["JobState"] not in ("FAILED", "CANCELLED"), (out / "logs/chain.log").read_text()
        subprocess.run(["sleep", "0.2"], check=True)
        deadline -= 1
    cluster.run("scontrol", "requeue", chain, cwd=tmp_path)
    state = cluster.wait(chain, 400)
    said = (out / "logs" / "chain.log").read_text()
    assert state["JobState"] == "COMPLETED", said
    assert state["Restarts"] == "1"
    assert "(process 1 of 2): stopped after step" in said
    assert "process 2 of 2" not in said
    without_slurm(cluster, labels, tmp_path / "plain", **settings | {"TASKS": "1"})
    one, two = (load_file(path / "clf.safetensors") for path in (tmp_path / "plain", out))
    assert one.keys() == two.keys()
    assert all(torch.isfinite(value.double()).all() for value in two.values())
    assert set(TAKES) == set(json.loads((out / "result.json").read_text())["classes"])
