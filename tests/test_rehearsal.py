"""--dry-run: says what would be done, checks what the step checks, and writes nothing."""

import os
import re
from pathlib import Path

import pytest

import sertools
from sertools.api import LONG_STEPS
from sertools.cli import VERBS
from sertools.errors import SertoolsError, UsageError

TRAINING = "--preset smoke --batch-size 8 --width 1/32"
LINES = {
    "extract": "extract {corpus} -o out --mels 32 --frames 32 --seconds 1",
    "pretrain-ae": f"pretrain-ae {{train}} -o out --steps 30 {TRAINING}",
    "pretrain-ae of a PCA": "pretrain-ae {train} -o out --latent pca --latent-size 8",
    "finetune-gan": "finetune-gan {ae} {latents} {train} -o out --preset smoke --steps 30 --batch-size 8",
    "train-generator": f"train-generator {{train}} -o out --kind cvae --steps 30 {TRAINING}",
    "generate": "generate {gan} -o out --per-class 40",
    "augment": "augment {train} -o out --strategy SARS",
    "augment by copies": "augment {train} -o out --strategy CP",
    "train-clf": f"train-clf {{train}} {{synth}} --val {{val}} -o out --steps 30 --arch cnn {TRAINING}",
}


@pytest.fixture
def files(chain, tiny_corpus: Path) -> dict[str, object]:
    return {**vars(chain), "corpus": tiny_corpus / "labels.csv"}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_rehearsal_says_what_would_be_done_and_writes_nothing(line, files, call, tmp_path, request):
    args = line.format_map(files).split()
    if args[0] == "augment":
        args += ["--audio-root", str(files["corpus"].parent)]
    done = call(*args, "--dry-run")
    assert done.code == 0, done.err
    found = dict(re.findall(r"^(would read|would do|would write|time|memory) +(.*)$", done.out, re.MULTILINE))
    assert len(found) == 5, done.out
    assert done.out.endswith("nothing was written\n")
    assert found["would write"].startswith("out")
    assert re.match(r"unknown$|[\d.]+ [kMG]B held so far$", found["memory"])
    if request.node.callspec.id == "pretrain-ae of a PCA":
        assert found["time"] == "unknown"
    else:
        assert re.match(r"about [\d.e+-]+ (s|min|h) \(", found["time"])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("verb", ["pretrain-ae", "train-clf"])
def test_a_rehearsal_does_not_change_what_is_made(verb, files, call, tmp_path):
    args = LINES[verb].replace("--steps 30", "--steps 4").format_map(files).split()
    assert call(*args).code == 0
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert call(*args, "--dry-run").code == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == made


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("extract missing.wav -o out", "missing.wav"),
        ("extract {corpus} -o nowhere/out", "there is no folder nowhere"),
        ("pretrain-ae {gan} -o out", "not an HDF5 file"),
        ("pretrain-ae {train} -o out --latent pca --steps 3", "--steps"),
        ("finetune-gan {ae} {latents} {train} -o out --on-collapse stay", "warn, stop"),
        ("generate {gan} -o out --count angyr=3", "did you mean 'angry'?"),
        ("augment {train} -o out --strategy SA", "--noise"),
        ("train-clf {train} --val {train} -o out --arch cnn", "utterance"),
        ("train-clf {train} -o {train}", "is read by this command"),
    ],
)
def test_a_rehearsal_refuses_what_the_step_refuses(line, words, files, call):
    args = line.format_map(files).split()
    rehearsed, done = call(*args, "--dry-run"), call(*args)
    assert rehearsed.code == done.code > 0
    assert rehearsed.err == done.err
    assert words in done.err


def test_a_bad_file_among_those_tried_is_named(call, tmp_path):
    (tmp_path / "wavs" / "sad").mkdir(parents=True)
    (tmp_path / "wavs" / "sad" / "a.wav").write_bytes(b"RIFF")
    done = call("extract", "wavs", "-o", "out.h5", "--dry-run")
    assert done.code == 1
    assert "sad/a.wav" in done.err
    assert os.listdir(tmp_path) == ["wavs"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_noticed(files, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(SertoolsError, match="cannot be written to"):
            sertools.rehearse(sertools.augment, files["train"], tmp_path / "out.h5")
    finally:
        tmp_path.chmod(0o700)


def test_in_python(files, tmp_path):
    plan = sertools.rehearse(sertools.generate, files["gan"], tmp_path / "synth.h5", per_class=5)
    assert plan.n_rows == sum(5 for _ in sertools.info(files["gan"])["classes"])
    assert plan.writes == (str(tmp_path / "synth.h5"),)
    assert plan.output_bytes == plan.n_rows * 32 * 32 * 4
    assert plan.seconds > 0
    assert os.listdir(tmp_path) == []
    # Afterwards steps are done again.
    assert sertools.generate(files["gan"], tmp_path / "synth.h5", per_class=1)
    assert os.listdir(tmp_path) == ["synth.h5"]


def test_what_is_no_long_step_is_not_run(files, tmp_path):
    with pytest.raises(UsageError, match="merge: is not a long step"):
        sertools.rehearse(sertools.merge, [files["train"]], tmp_path / "out.h5")
    assert os.listdir(tmp_path) == []


def test_the_verbs_of_the_long_steps_have_the_option():
    have = {verb.__name__ for verb in VERBS if "dry_run" in verb.__annotations__}
    assert have == {step.__name__ for step in LONG_STEPS}
