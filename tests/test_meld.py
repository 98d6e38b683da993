"""The reader of MELD: three tables, whose names recur, and media that need converting."""

import csv
import os
import shutil
import subprocess
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from sertools.corpora import read_corpus
from sertools.corpora.meld import EXPECTED
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError

Call = Callable[..., Outcome]

HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
MEDIA = {"train": "train/train_splits", "dev": "dev/dev_splits_complete", "test": "test/output_repeated_splits_test"}
# Speaker and emotion of dialogue 0, then of dialogue 1.
LINES = {
    "train": ([("Chandler", "neutral"), ("The Interviewer", "joy")], [("Joey", "fear")]),
    "dev": ([("Phoebe", "surprise"), ("Joey", "sadness")], [("Dr. Green", "disgust")]),
    "test": ([("Mark", "anger"), ("Rachel", "neutral")], [("Monica", "joy")]),
}


def write_table(path: Path, dialogues: tuple[list[tuple[str, str]], ...], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEAD.split(","))
        for dialogue, lines in enumerate(dialogues):
            for number, (speaker, emotion) in enumerate(lines):
                text = f"Well, it\u2019s \u201cthis\u201d, {speaker}"
                times = ["00:16:16,059", "00:16:21,731"]
                writer.writerow([1, text, speaker, emotion, "neutral", dialogue, number, 8, 21, *times])


def build(root: Path, suffix: str = ".wav") -> Path:
    """MELD.Raw below `root`: each split of three utterances, with the doubles that its test folder holds."""
    for split, dialogues in LINES.items():
        table = f"{split}_sent_emo.csv"
        write_table(root / "train" / table if split == "train" else root / table, dialogues)
        media = root / MEDIA[split]
        media.mkdir(parents=True)
        for dialogue, lines in enumerate(dialogues):
            for number in range(len(lines)):
                (media / f"dia{dialogue}_utt{number}{suffix}").touch()
                (media / f"._dia{dialogue}_utt{number}{suffix}").touch()
    (root / MEDIA["test"] / f"final_videos_testdia0_utt0{suffix}").touch()
    return root


def messages(root: Path) -> tuple[list[Recording], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = read_corpus("meld", root)
    assert all(warning.category is CorpusWarning for warning in caught)
    return recordings, [str(warning.message) for warning in caught]


def test_rows(tmp_path: Path) -> None:
    recordings, found = messages(build(tmp_path))
    assert [(r.emotion, r.speaker, r.session, r.extra["split"]) for r in recordings] == [
        ("surprised", "Phoebe", "dev_dia0", "dev"),
        ("sad", "Joey", "dev_dia0", "dev"),
        ("disgust", "Dr. Green", "dev_dia1", "dev"),
        ("angry", "Mark", "test_dia0", "test"),
        ("neutral", "Rachel", "test_dia0", "test"),
        ("happy", "Monica", "test_dia1", "test"),
        ("neutral", "Chandler", "train_dia0", "train"),
        ("happy", "The Interviewer", "train_dia0", "train"),
        ("fearful", "Joey", "train_dia1", "train"),
    ]
    assert recordings[0] == Recording(
        str(tmp_path / "dev/dev_splits_complete/dia0_utt0.wav"),
        "surprised",
        "Phoebe",
        "dev_dia0",
        corpus="meld",
        extra={"split": "dev"},
    )
    assert len(found) == 2
    assert found[0].startswith(
        f"{tmp_path}: 9 labels found, 13708 expected: dev angry 0 instead of 153, dev disgust 1 "
    )
    assert "left out 1 file not named like dia0_utt0.wav in a folder of train, dev or test, such as" in found[1]
    assert found[1].endswith("final_videos_testdia0_utt0.wav")


def test_the_whole_corpus(tmp_path: Path, call: Call) -> None:
    """The two utterances that were never published as media are named, and nothing else."""
    words = {"happy": "joy", "surprised": "surprise", "angry": "anger", "sad": "sadness", "fearful": "fear"}
    for split, counts in EXPECTED.items():
        lines = [("Ross", words.get(emotion, emotion)) for emotion, n in counts.items() for _ in range(n)]
        write_table(tmp_path / f"{split}_sent_emo.csv", (lines,))
        (tmp_path / split).mkdir()
        for number in range(len(lines)):
            (tmp_path / split / f"dia0_utt{number}.flac").touch()
    for gone in ("train/dia0_utt3.flac", "dev/dia0_utt7.flac"):
        (tmp_path / gone).unlink()
    done = call("corpus", "meld", tmp_path)
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert (
        "13708 audio files expected, 13706 found: left out 2 labels without audio, such as that of dev/dia0_utt7"
        in (done.err)
    )
    found = Counter((row["split"], row["emotion"]) for row in csv.DictReader(done.out.splitlines()))
    assert found["train", "neutral"] == 4709
    assert found["dev", "neutral"] == 469
    assert found["test", "fearful"] == 50
    assert found["train", "happy"] == 1743


def test_published_counts() -> None:
    assert {split: sum(counts.values()) for split, counts in EXPECTED.items()} == {
        "train": 9989,
        "dev": 1109,
        "test": 2610,
    }


def test_a_table_that_went_through_a_spreadsheet(tmp_path: Path) -> None:
    build(tmp_path)
    dialogues = ([("Ross", "joy"), ("Ren\u00e9", "fear")], [("Joey", "fear")])
    write_table(tmp_path / "train" / "train_sent_emo.csv", dialogues, "cp1252")
    recordings, _ = messages(tmp_path)
    assert [r.speaker for r in recordings if r.extra["split"] == "train"] == ["Ross", "Ren\u00e9", "Joey"]


def test_one_split(tmp_path: Path) -> None:
    build(tmp_path)
    for inside in (tmp_path / "train", tmp_path / "train" / "train_splits"):
        write_table(inside / "train_sent_emo.csv", LINES["train"])
        recordings, found = messages(inside)
        assert [r.session for r in recordings] == ["train_dia0", "train_dia0", "train_dia1"]
        assert found[0].startswith(
            f"{inside}: 3 labels found, 9989 expected: without dev_sent_emo.csv; without test_sent_emo.csv; "
        )
        assert len(found) == 1


def test_media_of_no_split_are_left_out(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / MEDIA["dev"]).rename(tmp_path / "latest")
    (tmp_path / "dev").rmdir()
    recordings, found = messages(tmp_path)
    assert {r.extra["split"] for r in recordings} == {"train", "test"}
    assert "left out 4 files not named like dia0_utt0.wav in a folder of train, dev or test" in found[1]
    assert (
        "9 audio files expected, 6 found: left out 3 labels without audio, such as that of dev/dia0_utt0" in found[2]
    )


def test_copies_of_one_split(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / MEDIA["dev"] / "dia0_utt0.flac").touch()
    recordings, found = messages(tmp_path)
    assert len(recordings) == 9
    assert "9 recordings expected, 10 files found: left out 1 file whose base names occur before" in found[2]


def test_videos_alone(tmp_path: Path) -> None:
    root = build(tmp_path / "my MELD", ".mp4")
    with pytest.raises(CorpusError, match="no audio files but 10 mp4; convert them: find ") as caught:
        read_corpus("meld", root)
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg to try the command")
    subprocess.run(["ffmpeg", "-v", "quiet", "-f", "lavfi", "-i", "anullsrc", "-t", "1", "-y", "x.mp4"], cwd=root)
    for video in root.rglob("dia*.mp4"):
        os.replace(shutil.copy(root / "x.mp4", root / "y.mp4"), video)
    subprocess.run(str(caught.value).partition("convert them: ")[2], shell=True, check=True)
    assert len(messages(root)[0]) == 9


def test_no_table(tmp_path: Path) -> None:
    (tmp_path / "dia0_utt0.wav").touch()
    with pytest.raises(CorpusError, match=r"no train_sent_emo\.csv, .* beside 1 audio files; name the folder"):
        read_corpus("meld", tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,Hi,Joey,happiness!,neutral,7,8,1,1,0,1", "dia7_utt8 with emotion 'happiness!' is no row of MELD"),
        ("1,Hi,Joey,joy,neutral,seven,8,1,1,0,1", "diaseven_utt8 with emotion 'joy' is no row of MELD"),
        ("1,Hi,Joey,joy", "ends before 'Dialogue_ID'"),
        ("1,Hi, there,Joey,joy,neutral,7,8,1,1,0,1", "12 cells under 11 columns"),
    ],
)
def test_a_wrong_row(row: str, message: str, tmp_path: Path) -> None:
    table = build(tmp_path) / "dev_sent_emo.csv"
    with table.open("a") as stream:
        stream.write(row + "\n")
    with pytest.raises(CorpusError) as caught:
        read_corpus("meld", tmp_path)
    assert str(caught.value).startswith(f"{table}:5: ")
    assert message in str(caught.value)
