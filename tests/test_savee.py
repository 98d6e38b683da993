"""The reader of SAVEE, at full size by names."""

import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertools.corpora import read_corpus
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError

SPEAKERS = ("DC", "JE", "JK", "KL")
NAMES = [f"{code}{n:02d}" for code in ("a", "d", "f", "h", "sa", "su") for n in range(1, 16)]
NAMES += [f"n{n:02d}" for n in range(1, 31)]
TOTALS = {"neutral": 120} | dict.fromkeys(("angry", "disgust", "fearful", "happy", "sad", "surprised"), 60)


def fill(root: Path, pattern: str) -> Path:
    """All 480 names, one tiny wav, linked."""
    root.mkdir(parents=True)
    tone = root / ".tone.wav"
    soundfile.write(tone, np.zeros(800), 44100)
    for speaker in SPEAKERS:
        for name in NAMES:
            path = root / pattern.format(speaker=speaker, name=name, lower=speaker.lower(), upper=name.upper())
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(tone, path)
    (root / "Info.txt").touch()
    return root


def quietly(folder: Path) -> list[Recording]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_corpus("savee", folder)


@pytest.mark.parametrize(
    "pattern", ["AudioData/{speaker}/{name}.wav", "ALL/{speaker}_{name}.wav", "all/{lower}_{upper}.WAV"]
)
def test_full_size(pattern, tmp_path):
    recordings = quietly(fill(tmp_path / "SAVEE", pattern))
    assert Counter(r.emotion for r in recordings) == TOTALS
    assert Counter(r.speaker for r in recordings) == dict.fromkeys(SPEAKERS, 120)
    assert {r.gender for r in recordings} == {"male"}


def test_one_recording_of_each_emotion(tmp_path):
    root = fill(tmp_path / "SAVEE", "AudioData/{speaker}/{name}.wav")
    by_name = {(r.speaker, Path(r.file).stem): r for r in quietly(root)}
    path = str(root / "AudioData" / "KL" / "sa01.wav")
    assert by_name["KL", "sa01"] == Recording(path, "sad", "KL", "", "male", corpus="savee")
    assert {code: by_name["DC", f"{code}15"].emotion for code in ("a", "d", "f", "h", "n", "sa", "su")} == {
        "a": "angry",
        "d": "disgust",
        "f": "fearful",
        "h": "happy",
        "n": "neutral",
        "sa": "sad",
        "su": "surprised",
    }


def test_one_speaker_from_within(tmp_path, monkeypatch):
    root = fill(tmp_path / "SAVEE", "AudioData/{speaker}/{name}.wav")
    monkeypatch.chdir(root / "AudioData" / "JK")
    recordings = quietly(Path())
    assert len(recordings) == 120
    assert {r.speaker for r in recordings} == {"JK"}
    assert recordings[0].file == "a01.wav"


def test_both_layouts_are_one_corpus(tmp_path):
    root = fill(tmp_path / "SAVEE", "AudioData/{speaker}/{name}.wav")
    fill(root / "ALL", "{speaker}_{name}.wav")
    with pytest.warns(CorpusWarning) as caught:
        recordings = read_corpus("savee", root)
    (warning,) = caught
    assert "480 recordings expected, 960 files found: left out 480 files" in str(warning.message)
    assert Counter(r.emotion for r in recordings) == TOTALS


def test_incomplete_and_strangers(tmp_path):
    root = fill(tmp_path / "SAVEE", "AudioData/{speaker}/{name}.wav")
    (root / "AudioData" / "DC" / "su07.wav").unlink()
    (root / "AudioData" / "a01.wav").touch()  # nobody's
    (root / "AudioData" / "DC" / "s01.wav").touch()
    (root / "AudioData" / "DC" / "a1.wav").touch()
    with pytest.warns(CorpusWarning) as caught:
        assert len(read_corpus("savee", root)) == 479
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2
    assert "left out 3 files not named like DC/a01.wav or DC_a01.wav" in messages[0]
    assert messages[1].endswith(
        "479 recordings found, 480 expected of 4 speakers: speaker DC surprised 14 instead of 15"
    )


def test_another_corpus(tmp_path):
    (tmp_path / "03a01Fa.wav").touch()
    with pytest.raises(CorpusError, match=r"none of 1 audio files is named as in SAVEE.*'folders'"):
        read_corpus("savee", tmp_path)


def test_from_the_command_line(tmp_path, run):
    fill(tmp_path / "SAVEE", "ALL/{speaker}_{name}.wav")
    done = run("corpus", "savee", "SAVEE")
    lines = done.out.splitlines()
    assert (done.code, done.err, len(lines)) == (0, "", 481)
    assert lines[:2] == ["file,emotion,speaker,session,gender,corpus", "SAVEE/ALL/DC_a01.wav,angry,DC,,male,savee"]
