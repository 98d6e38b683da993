"""The demo corpus: the same bytes each run, and labels that fit it."""

import importlib.util
import os
import subprocess
import sys
import time
import wave
from collections import Counter
from pathlib import Path

import pytest

import sertools
from sertools.corpora.table import find_audio, read_labels

SCRIPT = Path(__file__).parents[1] / "examples" / "demo_corpus.py"

needs_espeak = pytest.mark.skipif(importlib.util.find_spec("espeakng_loader") is None, reason="needs espeakng-loader")


def speak(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a process of its own, as eSpeak keeps state."""
    package = str(Path(sertools.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Three voices; the third is breathy, so that noise is drawn."""
    folder = tmp_path_factory.mktemp("demo") / "corpus"
    result = speak(folder, "--speakers", 3, "--takes", 1)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    return folder


@needs_espeak
def test_labels_fit_the_files(corpus):
    with open(corpus / "labels.csv", encoding="utf-8", newline="") as stream:
        recordings = read_labels(stream, "labels.csv")
    assert [corpus / r.file for r in recordings] == find_audio(corpus)
    assert all(Path(r.file).parent.name == r.emotion for r in recordings)
    assert Counter(r.emotion for r in recordings) == dict.fromkeys(("angry", "happy", "neutral", "sad"), 18)
    speakers = {(r.speaker, r.session, r.gender) for r in recordings}
    assert speakers == {("f1", "1", "female"), ("m1", "1", "male"), ("f2", "2", "female")}


@needs_espeak
def test_utterances_are_short_clear_speech(corpus):
    for path in find_audio(corpus):
        with wave.open(str(path)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22050)
            assert 1.5 < file.getnframes() / file.getframerate() < 4
            samples = memoryview(file.readframes(file.getnframes())).cast("h")
        assert max(samples) > 2000


@needs_espeak
def test_same_bytes_each_run(corpus, tmp_path):
    time.sleep(1.1)  # eSpeak's own seed is the time in whole seconds
    assert speak(tmp_path / "again", "--speakers", 3, "--takes", 1).returncode == 0
    first, again = contents(corpus), contents(tmp_path / "again")
    assert first.keys() == again.keys()
    assert [name for name in first if first[name] != again[name]] == []
    assert len(set(first.values())) == len(first)
    assert os.listdir(tmp_path) == ["again"]


@needs_espeak
def test_another_seed_speaks_otherwise(corpus, tmp_path):
    assert speak(tmp_path / "other", "--speakers", 1, "--takes", 1, "--seed", 1).returncode == 0
    first, other = contents(corpus), contents(tmp_path / "other")
    assert [name for name in other if first[name] == other[name]] == []


def test_an_existing_corpus_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    result = speak(tmp_path)
    assert result.returncode == 1
    assert result.stderr == f"demo_corpus: {tmp_path}: exists already; remove it or name another folder\n"
    assert contents(tmp_path) == {"precious.txt": b"mine"}


def test_wheel_missing(tmp_path):
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "espeakng_loader.py").write_text("raise ImportError('no such wheel')")
    package = str(Path(sertools.__file__).parents[1])
    result = speak(tmp_path / "out", PYTHONPATH=os.pathsep.join([str(tmp_path / "stub"), package]))
    assert result.returncode == 1
    assert result.stderr == "demo_corpus: espeakng-loader is missing; pip install 'sertools[demo]'\n"
    assert os.listdir(tmp_path) == ["stub"]


@pytest.mark.parametrize("option", [("--speakers", "0"), ("--speakers", "13"), ("--takes", "0")])
def test_bad_numbers_are_usage_errors(option, tmp_path):
    result = speak(tmp_path / "out", *option)
    assert result.returncode == 2
    assert f"{option[0]} is {option[1]}; choose 1" in result.stderr
