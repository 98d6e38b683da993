"""The scripts of examples/slurm on a real SLURM of one node; skipped where there is none."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import ENDED, Cluster, running_cluster

import sertools

pytestmark = pytest.mark.slurm
ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "examples" / "slurm"
SMALL = {
    "SHARDS": "2",
    "FOLD": "1/3",
    "REDUCED": "neutral",
    "PRESET": "smoke",
    "CPUS": "1",
    "FRONT_END": "--mels 32 --frames 32",
    "AE_OPTS": "--width 1/32 --batch-size 8 --device cpu --steps 30",
    "GAN_OPTS": "--batch-size 8 --device cpu --steps 20",
    "CLF_OPTS": "--batch-size 8 --device cpu --steps 30",
}
MADE = ("specs.h5", "test.h5", "train.h5", "ae.safetensors", "latents.h5", "gan.safetensors", "gan.h5")
MADE += ("gan.clf.safetensors", "result.json")


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


def wait_for(cluster: Cluster, job: str, path: Path, words: str, seconds: float = 300) -> None:
    """Wait until a file of a job that goes on holds some words."""
    deadline = time.monotonic() + seconds
    while not (path.exists() and words in path.read_text()):
        state = cluster.state(job)
        assert state["JobState"] not in ENDED, (state, path.read_text() if path.exists() else "")
        assert time.monotonic() < deadline, (state, cluster.logs())
        time.sleep(0.2)


def long(options: str, steps: int) -> dict[str, str]:
    """Settings with a training that takes so long that a signal meets it."""
    return {options: re.sub("--steps [0-9]+", f"--steps {steps}", SMALL[options])}


def test_an_array_and_a_signalled_chain_end_with_the_bytes_of_one_run(cluster, tiny_corpus, tmp_path):
    labels, out = tiny_corpus / "labels.csv", tmp_path / "out"
    settings = long("AE_OPTS", 300)
    array, chain = submit(cluster, labels, out, **settings)
    wait_for(cluster, chain, out / "ae.safetensors.log.ndjson", "mse")
    # As --signal=B:USR1@120 does it: to the batch shell alone.
    cluster.run("scancel", "--batch", "--signal=USR1", chain, cwd=out)
    state, log = cluster.wait(chain), out / "logs" / "chain.log"
    said = log.read_text()
    assert (state["JobState"], state["Restarts"]) == ("COMPLETED", "1"), said
    assert cluster.state(array)["JobState"] == "COMPLETED"
    assert re.search("pretrain-ae: stopped after step [0-9]+ of 300; the same command goes on", said)
    assert re.search("^gan ", said, re.MULTILINE)  # in the report
    assert not [name for name in os.listdir(out) if name.startswith(".")]
    without_slurm(cluster, labels, tmp_path / "plain", **settings)
    for name in MADE:
        assert (out / name).read_bytes() == (tmp_path / "plain" / name).read_bytes(), name
    # Logs are plain lines.
    assert all(line.isprintable() for path in log.parent.iterdir() for line in path.read_text().split("\n"))


def test_a_job_is_signalled_before_its_time_is_up(cluster, tiny_corpus, tmp_path):
    out = tmp_path / "out"
    # The script asks for the signal two minutes before the end; of two minutes, that is soon after the start.
    _, chain = submit(cluster, tiny_corpus / "labels.csv", out, SBATCH_TIMELIMIT="2", **long("AE_OPTS", 1_000_000))
    try:
        wait_for(cluster, chain, out / "logs" / "chain.log", "goes on from there")
        assert (out / ".ae.safetensors.state").exists()
        wait_for(cluster, chain, out / "logs" / "chain.log", "REQUEUE")
    finally:
        cluster.run("scancel", chain, cwd=tmp_path)


def test_a_job_that_slurm_requeues_goes_on_and_two_tasks_train_one_net(cluster, tiny_corpus, tmp_path):
    labels = tiny_corpus / "labels.csv"
    settings = {"TASKS": "2", **long("AE_OPTS", 200)}
    ends = []
    for name in ("unbroken", "requeued"):
        out = tmp_path / name
        _, chain = submit(cluster, labels, out, **settings)
        if name == "requeued":
            wait_for(cluster, chain, out / "ae.safetensors.log.ndjson", "mse")
            cluster.run("scontrol", "requeue", chain, cwd=tmp_path)
        state, said = cluster.wait(chain), (out / "logs" / "chain.log").read_text()
        assert state["JobState"] == "COMPLETED", said
        assert "process 2 of 2" not in said
        ends.append([(out / made).read_bytes() for made in MADE])
    assert state["Restarts"] == "1", said
    assert "pretrain-ae (process 1 of 2): stopped after step" in said
    assert [made for made, one, two in zip(MADE, *ends, strict=True) if one != two] == []


def test_rows_of_an_encoder(cluster, tiny_corpus, encoder, tmp_path):
    out = tmp_path / "out"
    where = os.path.relpath(encoder, out.parent)
    options = {"AE_OPTS": "--steps 10 --device cpu", "GAN_OPTS": "--steps 10 --device cpu"}
    _, chain = submit(
        cluster, tiny_corpus / "labels.csv", out, ENCODER=where, FRONT_END="--trim 35", CLF_OPTS="", **options
    )
    state, said = cluster.wait(chain), (out / "logs" / "chain.log").read_text()
    assert state["JobState"] == "COMPLETED", said
    assert re.search("^gan ", said, re.MULTILINE)  # in the report
    assert sertools.info(out / "specs.h5")["front_end"]["n_values"] == 16


def test_table_2_as_an_array(cluster, tiny_corpus, tmp_path):
    words = [
        f"CORPUS={tiny_corpus}",
        "METHODS=full imbalanced",
        "EMOTIONS=angry happy sad neutral",
        "CLASSES=neutral",
    ]
    words += [f"OUT={tmp_path}/out", f"VENV={cluster.folder}", "FRONT_END=--mels 32 --frames 32", "DEVICE=cpu"]
    words += ["BY=utterance", "CLF_OPTS=--steps 10 --batch-size 8"]
    logs = tmp_path / "logs"
    jobs = cluster.run("bash", SCRIPTS / "table2.sh", *words, cwd=ROOT, CPUS="1", LOGS=str(logs)).split()
    state = cluster.wait(jobs[-1])
    said = "".join(path.read_text() for path in sorted(logs.glob("*.log")))
    assert state["JobState"] == "COMPLETED", said
    assert len(list(logs.glob("cell-*.log"))) == 4  # two folds, all rows and a class reduced
    table = (tmp_path / "out" / "table2.txt").read_text()
    assert "neutral" in table
    assert table.strip() in said
