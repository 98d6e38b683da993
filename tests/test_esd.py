"""The reader of ESD: all speakers, with and without the folders of the splits, on names alone."""

import warnings
from collections import Counter
from pathlib import Path

import pytest

from sertools.corpora import read_corpus
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError

FOLDERS = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
EMOTIONS = ("neutral", "angry", "happy", "sad", "surprised")


def split(sentence: int) -> str:
    return "evaluation" if sentence <= 20 else "test" if sentence <= 50 else "train"


def speaker(root: Path, name: str, *, splits: bool = False) -> Path:
    """The 1750 utterances of one speaker, and the transcript."""
    for run, emotion in enumerate(FOLDERS):
        for sentence in range(1, 351):
            folder = root / name / emotion / (split(sentence) if splits else "")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}_{350 * run + sentence:06d}.wav").touch()
    (root / name / f"{name}.txt").touch()
    return root


def quietly(folder: Path) -> list[Recording]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_corpus("esd", folder)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return speaker(speaker(tmp_path / "ESD", "0010"), "0011")


def test_without_splits(two):
    recordings = quietly(two)
    assert Counter((r.speaker, r.emotion) for r in recordings) == {
        (name, emotion): 350 for name in ("0010", "0011") for emotion in EMOTIONS
    }
    by_name = {Path(r.file).stem: r for r in recordings}
    first = Recording(
        str(two / "0011" / "Angry" / "0011_000351.wav"),
        "angry",
        "0011",
        "",
        "male",
        corpus="esd",
        extra={"language": "english", "sentence": "001"},
    )
    assert by_name["0011_000351"] == first
    assert [by_name[f"0010_00{n}"].emotion for n in ("0350", "0351", "1400", "1401")] == [
        "neutral",
        "angry",
        "sad",
        "surprised",
    ]
    assert {by_name[f"0010_00{n}"].extra["sentence"] for n in ("0350", "0700", "1050", "1400", "1750")} == {"350"}
    assert by_name["0010_000001"].extra["language"] == "mandarin"


def test_with_splits(tmp_path):
    recordings = quietly(speaker(tmp_path, "0003", splits=True))
    assert Counter(r.extra["split"] for r in recordings) == {"train": 1500, "test": 150, "evaluation": 100}
    assert Counter(r.emotion for r in recordings) == dict.fromkeys(EMOTIONS, 350)


def test_split_is_empty_beside_the_splits(tmp_path):
    speaker(speaker(tmp_path, "0003", splits=True), "0004")
    splits = Counter((r.speaker, r.extra["split"]) for r in quietly(tmp_path))
    assert splits["0004", ""] == 1750
    assert splits["0003", "train"] == 1500


def test_genders(tmp_path):
    for number in range(1, 21):
        (tmp_path / f"{number:04d}").mkdir()
        (tmp_path / f"{number:04d}" / f"{number:04d}_000001.wav").touch()
    with pytest.warns(CorpusWarning, match="20 recordings found, 35000 expected of 20 speakers"):
        recordings = read_corpus("esd", tmp_path)
    women = {int(r.speaker) for r in recordings if r.gender == "female"}
    assert women == {1, 2, 3, 7, 9, 15, 16, 17, 18, 19}
    assert Counter(r.gender for r in recordings) == {"female": 10, "male": 10}


@pytest.mark.parametrize("splits", [False, True])
def test_in_another_folder(tmp_path, splits):
    speaker(tmp_path, "0010", splits=splits)
    place, wrong = (tmp_path / "0010" / emotion / ("train" if splits else "") for emotion in ("Angry", "Sad"))
    (place / "0010_000450.wav").rename(wrong / "0010_000450.wav")
    with pytest.warns(CorpusWarning) as caught:
        recordings = read_corpus("esd", tmp_path)
    (warning,) = caught
    expected = f"1 files lie in another emotion's folder, such as {wrong / '0010_000450.wav'}; the emotion was taken"
    assert expected in str(warning.message)
    assert Counter(r.emotion for r in recordings) == dict.fromkeys(EMOTIONS, 350)


def test_twice(tmp_path):
    speaker(tmp_path, "0001")
    speaker(tmp_path / "copy", "0001")
    with pytest.warns(CorpusWarning, match="1750 recordings expected, 3500 files found"):
        assert len(read_corpus("esd", tmp_path)) == 1750


def test_incomplete(two):
    (two / "0010" / "Sad" / "0010_001400.wav").unlink()
    expected = "3499 recordings found, 3500 expected of 2 speakers: speaker 0010 sad 349 instead of 350$"
    with pytest.warns(CorpusWarning, match=expected):
        assert len(read_corpus("esd", two)) == 3499


def test_strangers(two):
    for name in ("0000_000001", "0021_000001", "0010_000000", "0010_001751", "0010_00001", "10_000001"):
        (two / f"{name}.wav").touch()
    with pytest.warns(CorpusWarning) as caught:
        assert len(read_corpus("esd", two)) == 3500
    (warning,) = caught
    assert "left out 6 files not named like SSSS_NNNNNN.wav" in str(warning.message)


def test_another_corpus(tmp_path):
    (tmp_path / "03a01Fa.wav").touch()
    with pytest.raises(CorpusError, match=r"none of 1 audio files is named as in ESD.*'folders'"):
        read_corpus("esd", tmp_path)


def test_from_the_command_line(tmp_path, run):
    speaker(tmp_path / "ESD", "0020", splits=True)
    (tmp_path / "ESD" / "0020" / "Happy" / "test" / "0020_000740.wav").unlink()
    done = run("corpus", "esd", "ESD")
    lines = done.out.splitlines()
    assert (done.code, len(lines)) == (0, 1750)
    assert lines[:2] == [
        "file,emotion,speaker,session,gender,corpus,language,sentence,split",
        "ESD/0020/Angry/evaluation/0020_000351.wav,angry,0020,,male,esd,english,001,evaluation",
    ]
    assert done.err.count("\n") == 1
    assert "1749 recordings found, 1750 expected of 1 speaker" in done.err
