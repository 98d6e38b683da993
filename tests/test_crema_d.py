"""The readers of CREMA-D: what actors intended and what listeners heard."""

import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from conftest import Outcome

from sertools.corpora import read_corpus
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError

Call = Callable[..., Outcome]

SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
# Intended, as published: 1271 of each but 1087 neutral, one of the sad without sound.
INTENDED = {"angry": 1271, "disgust": 1271, "fearful": 1271, "happy": 1271, "neutral": 1087, "sad": 1270}
SILENT = "1076_MTI_SAD_XX"
VOTES = {"N": 3897, "A": 986, "F": 645, "D": 547, "S": 370, "H": 353, "A:N": 600, "D:F:S": 44}

PART = ": 2 of 91 actors"


def corpus_names() -> list[str]:
    """All 7442 names: 82 an actor, with one of a single X, less 20 that were never made."""
    names = []
    for actor, sentence, emotion in product(range(1001, 1092), SENTENCES, EMOTIONS):
        levels = ("LO", "MD", "HI") if sentence == "IEO" and emotion != "NEU" else ("XX",)
        names += [f"{actor}_{sentence}_{emotion}_{level}" for level in levels]
    for emotion, n in {**dict.fromkeys(EMOTIONS, 3), "NEU": 5}.items():
        gone = [name for name in names if f"TIE_{emotion}" in name][:n]
        names = [name for name in names if name not in gone]
    names[names.index("1040_ITH_SAD_XX")] = "1040_ITH_SAD_X"
    return names


def build(root: Path, names: list[str]) -> Path:
    """CREMA-D below `root`, whose votes are in the order of the names."""
    for folder in ("AudioWAV", "AudioMP3", "processedResults"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / "AudioWAV" / f"{name}.wav").touch()
    for name in names[:3]:
        (root / "AudioMP3" / f"{name}.mp3").touch()
        (root / "AudioWAV" / f"._{name}.wav").touch()
    demographics = '"ActorID","Age","Sex","Race","Ethnicity"\n'
    for actor in sorted({name[:4] for name in names}):
        sex = "Female" if int(actor) % 2 else "Male"
        demographics += f'{actor},{int(actor) - 980},"{sex}","African American","Not Hispanic"\n'
    (root / "VideoDemographics.csv").write_text(demographics)
    return root


def add_votes(root: Path, votes: dict[str, str]) -> Path:
    """Write summaryTable.csv, in which 1040_ITH_SAD_X has its second X."""
    table = root / "processedResults" / "summaryTable.csv"
    head = '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"\n'
    rows = [f'"{n}","{name}","{vote}","69","N","9","N","6"\n' for n, (name, vote) in enumerate(votes.items(), 1)]
    table.write_text(head + "".join(rows))
    return table


def messages(name: str, root: Path) -> tuple[list[Recording], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = read_corpus(name, root)
    assert all(warning.category is CorpusWarning for warning in caught)
    return recordings, [str(warning.message) for warning in caught]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Two actors, seven recordings."""
    names = ["1001_DFA_ANG_XX", "1001_IEO_HAP_LO", "1001_IEO_SAD_MD", "1001_IEO_FEA_HI", "1001_DFA_NEU_XX"]
    return build(tmp_path / "CREMA-D", [*names, "1040_ITH_DIS_XX", "1040_ITH_SAD_X"])


def test_the_whole_corpus(tmp_path: Path) -> None:
    names = corpus_names()
    root = build(tmp_path, names)
    assert len(names) == 7442
    recordings, found = messages("crema-d", root)
    assert Counter(r.emotion for r in recordings) == INTENDED
    assert found == [f"{root}: left out {root}/AudioWAV/{SILENT}.wav, which holds no sound in any release"]
    assert len({r.speaker for r in recordings}) == 91

    stems = [f"{name}X" if name.endswith("_X") else name for name in names if name != SILENT]
    votes = [vote for vote, n in VOTES.items() for _ in range(n)]
    add_votes(root, {SILENT: votes[0], **dict(zip(stems, votes[1:], strict=True))})
    recordings, found = messages("crema-d-voice", root)
    assert len(found) == 1
    assert Counter(r.emotion for r in recordings) == {
        "neutral": 3896,
        "angry": 986,
        "fearful": 645,
        "disgust": 547,
        "sad": 370,
        "happy": 353,
        "ambiguous": 644,
    }
    assert Counter(r.extra["intended"] for r in recordings) == INTENDED

    (root / "AudioWAV" / "1002_DFA_HAP_XX.wav").unlink()
    _, found = messages("crema-d", root)
    assert found[1:] == [f"{root}: 7440 recordings found, 7441 expected: happy 1270 instead of 1271"]


def test_rows(part: Path) -> None:
    recordings, found = messages("crema-d", part)
    assert found == [f"{part}: 7 recordings found, 7441 expected{PART}"]
    assert [(r.emotion, r.speaker, r.extra["sentence"], r.extra["level"]) for r in recordings] == [
        ("angry", "1001", "DFA", "unspecified"),
        ("neutral", "1001", "DFA", "unspecified"),
        ("fearful", "1001", "IEO", "high"),
        ("happy", "1001", "IEO", "low"),
        ("sad", "1001", "IEO", "medium"),
        ("disgust", "1040", "ITH", "unspecified"),
        ("sad", "1040", "ITH", "unspecified"),
    ]
    assert recordings[0] == Recording(
        str(part / "AudioWAV/1001_DFA_ANG_XX.wav"),
        "angry",
        "1001",
        "",
        "female",
        extra={
            "sentence": "DFA",
            "level": "unspecified",
            "age": "21",
            "race": "African American",
            "ethnicity": "Not Hispanic",
        },
        corpus="crema-d",
    )


def test_without_demographics(part: Path) -> None:
    (part / "VideoDemographics.csv").unlink()
    recordings, _ = messages("crema-d", part)
    assert {(r.gender, *r.extra) for r in recordings} == {("", "sentence", "level")}


@pytest.mark.parametrize("inside", [False, True])
def test_the_audio_folder_itself(inside: bool, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(part / "AudioWAV" if inside else part)
    recordings, _ = messages("crema-d", Path("." if inside else "AudioWAV"))
    assert len(recordings) == 7
    assert {r.gender for r in recordings} == {"female", "male"}


def test_mp3_alone_and_strangers(part: Path) -> None:
    shutil.rmtree(part / "AudioWAV")
    (part / "AudioMP3" / "1001_DFA_XXX_XX.mp3").touch()
    recordings, found = messages("crema-d", part)
    assert len(recordings) == 3
    assert "left out 1 file not named like AAAA_SSS_EEE_LL.wav" in found[0]
    assert "1001_DFA_XXX_XX.mp3" in found[0]


def test_no_such_names(tmp_path: Path) -> None:
    (tmp_path / "03a01Fa.wav").touch()
    with pytest.raises(CorpusError, match=r"none of 1 audio files is named as in CREMA-D.*'folders'"):
        read_corpus("crema-d", tmp_path)


def test_votes(part: Path, call: Call) -> None:
    votes = {
        "1001_DFA_ANG_XX": "N",
        "1001_IEO_HAP_LO": "H",
        "1001_IEO_SAD_MD": "A:N",
        "1001_IEO_FEA_HI": "F",
        "1001_DFA_NEU_XX": "S",
        "1040_ITH_SAD_XX": "D",
        "1002_DFA_ANG_XX": "A",
    }
    add_votes(part, votes)
    recordings, found = messages("crema-d-voice", part)
    assert {Path(r.file).stem: (r.emotion, r.extra["original"], r.extra["intended"]) for r in recordings} == {
        "1001_DFA_ANG_XX": ("neutral", "N", "angry"),
        "1001_DFA_NEU_XX": ("sad", "S", "neutral"),
        "1001_IEO_FEA_HI": ("fearful", "F", "fearful"),
        "1001_IEO_HAP_LO": ("happy", "H", "happy"),
        "1001_IEO_SAD_MD": ("ambiguous", "A:N", "sad"),
        "1040_ITH_SAD_X": ("disgust", "D", "sad"),
    }
    assert recordings[0].gender == "female"
    assert found == [
        f"{part}: 7 audio files expected, 6 found: left out 1 label without audio, such as that of 1002_DFA_ANG_XX",
        f"{part}: left out 1 file without a label, such as {part}/AudioWAV/1040_ITH_DIS_XX.wav",
        f"{part}: 6 recordings found, 7441 expected{PART}",
    ]
    done = call("corpus", "crema-d-voice", part, "--ambiguous", "drop")
    assert done.code == 0
    assert done.out.count("\n") == 6
    assert "A:N" not in done.out


def test_the_silent_file_may_be_gone(part: Path) -> None:
    add_votes(part, {SILENT: "N", "1001_DFA_ANG_XX": "A"})
    _, found = messages("crema-d-voice", part)
    assert not [line for line in found if SILENT in line or "without audio" in line]


@pytest.mark.parametrize("vote", ["", "X", "A:", "N;A"])
def test_a_vote_that_is_none(vote: str, part: Path) -> None:
    table = add_votes(part, {"1001_DFA_ANG_XX": "N", "1001_IEO_HAP_LO": vote})
    with pytest.raises(CorpusError) as caught:
        read_corpus("crema-d-voice", part)
    assert str(caught.value).startswith(f"{table}:3: VoiceVote is {vote!r}, not of A D F H N S; ")


def test_no_votes(part: Path) -> None:
    with pytest.raises(CorpusError, match=r"no summaryTable\.csv.*use the reader 'crema-d'"):
        read_corpus("crema-d-voice", part)
    (part / "processedResults" / "summaryTable.csv").write_text("FileName,FaceVote\n")
    with pytest.raises(CorpusError, match=r"summaryTable\.csv:1: no column 'VoiceVote'"):
        read_corpus("crema-d-voice", part)
