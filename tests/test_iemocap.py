"""The reader of IEMOCAP, on a folder that is the corpus in names, labels and counts."""

import csv
import io
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import iemocap_tree
import pytest
from conftest import Outcome

from sertools.corpora import read_corpus
from sertools.corpora.iemocap import EXPECTED, EXPECTED_CODES
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError

Call = Callable[..., Outcome]

CLASSES = ("angry", "happy", "neutral", "sad")
# By session, in the order of CLASSES.
TABLE = {
    "01": (229, 278, 384, 194),
    "02": (137, 327, 362, 197),
    "03": (240, 286, 320, 305),
    "04": (327, 303, 258, 143),
    "05": (170, 442, 384, 245),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole corpus; not to be changed."""
    return iemocap_tree.build(tmp_path_factory.mktemp("iemocap"))


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Session 1 alone, to be changed; reading it warns of the four that are missing."""
    return iemocap_tree.build(tmp_path, [1])


def messages(root: Path) -> tuple[list[Recording], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = read_corpus("iemocap", root)
    found = [str(warning.message) for warning in caught if warning.category is CorpusWarning]
    others = [str(warning.message) for warning in caught if warning.category is not CorpusWarning]
    assert len(others) <= 1
    assert all("words of one class: 'excited' " in text for text in others)
    return recordings, found


def of_two_words(root: Path) -> str:
    return (
        f"sertools corpus: warning: {root}: words of one class: 'excited' (1041) and 'happy' (595) are 'happy'; "
        "give --synonyms keep to keep them apart\n"
    )


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_whole_corpus_on_the_command_line(whole: Path, call: Call) -> None:
    done = call("corpus", "iemocap", whole)
    assert (done.code, done.err) == (0, of_two_words(whole))
    rows = rows_of(done.out)
    assert len(rows) == 10039
    four = [row for row in rows if row["emotion"] in CLASSES]
    assert len(four) == 5531
    assert Counter(row["emotion"] for row in four) == {"angry": 1103, "happy": 1636, "neutral": 1708, "sad": 1084}
    found = Counter((row["session"], row["emotion"]) for row in four)
    assert {s: tuple(found[s, emotion] for emotion in CLASSES) for s in TABLE} == TABLE
    assert Counter(row["original"] for row in rows) == {
        "ang": 1103,
        "hap": 595,
        "exc": 1041,
        "sad": 1084,
        "neu": 1708,
        "fru": 1849,
        "sur": 107,
        "fea": 40,
        "dis": 2,
        "oth": 3,
        "xxx": 2507,
    }
    words = Counter((row["original"], row["emotion"]) for row in rows)
    assert {pair for pair in words if pair[0] not in ("ang", "sad", "neu")} == {
        ("hap", "happy"),
        ("exc", "happy"),
        ("fru", "frustrated"),
        ("sur", "surprised"),
        ("fea", "fearful"),
        ("dis", "disgust"),
        ("oth", "other"),
        ("xxx", "ambiguous"),
    }
    assert Counter(row["gender"] for row in rows) == {"female": 4941, "male": 5098}
    assert Counter(row["dialog_type"] for row in rows) == {"scripted": 5255, "improvised": 4784}
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)
    assert all(Path(row["file"]).is_file() and "/sentences/wav/Ses" in row["file"] for row in rows)


def test_excitement_can_stay_apart(whole: Path, call: Call) -> None:
    done = call("corpus", "iemocap", whole, "--synonyms", "keep")
    assert (done.code, done.err) == (0, "")
    found = Counter(row["emotion"] for row in rows_of(done.out))
    assert (found["happy"], found["excited"], found["ambiguous"]) == (595, 1041, 2507)


def test_ambiguous_utterances_can_be_dropped(whole: Path, call: Call) -> None:
    done = call("corpus", "iemocap", whole.parent, "--ambiguous", "drop")
    rows = rows_of(done.out)
    assert (done.code, done.err, len(rows)) == (0, of_two_words(whole.parent), 10039 - 2507)
    assert "ambiguous" not in {row["emotion"] for row in rows}


def test_who_speaks_is_the_last_letter(whole: Path) -> None:
    recordings, _ = messages(whole)
    for r in recordings:
        turn = Path(r.file).stem.rpartition("_")[2]
        assert r.speaker == Path(r.file).stem[:5] + turn[0]
        assert (r.speaker[3:5], r.gender) == (r.session, {"F": "female", "M": "male"}[turn[0]])
    assert len({r.speaker for r in recordings}) == 10
    # Neither the wearer of the markers nor a letter at a fixed place would do.
    lettered = [r for r in recordings if r.emotion in CLASSES and Path(r.file).parent.name[-1] in "ab"]
    assert Counter(r.speaker for r in lettered if r.gender == "female") == {"Ses03F": 52, "Ses05F": 13}
    assert sum(Path(r.file).stem[5] != r.speaker[-1] for r in recordings) > 2000


def test_one_row(first: Path) -> None:
    recordings, _ = messages(first)
    (row,) = [r for r in recordings if Path(r.file).name == "Ses01M_script01_1_F000.wav"]
    assert row == Recording(
        str(first / "Session1/sentences/wav/Ses01M_script01_1/Ses01M_script01_1_F000.wav"),
        "angry",
        "Ses01F",
        "01",
        "female",
        extra={
            "dialog_type": "scripted",
            "original": "ang",
            "valence": "2.5000",
            "activation": "3.0000",
            "dominance": "3.5000",
        },
        corpus="iemocap",
    )


def test_published_counts() -> None:
    assert {session: tuple(counts[c] for c in CLASSES) for session, counts in EXPECTED.items()} == TABLE
    assert sum(EXPECTED_CODES.values()) == 10039


def test_a_missing_session_is_one_line(first: Path, whole: Path, tmp_path: Path) -> None:
    _, found = messages(first)
    expected = "1085 utterances of angry, happy, neutral and sad found, 1085 expected"
    assert found == [f"{first}: {expected}: without session 02, 03, 04, 05 (5531 in all)"]
    for number in (1, 2, 3, 5):
        target = tmp_path / "four" / f"Session{number}"
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(whole / f"Session{number}")
    recordings, found = messages(tmp_path / "four")
    assert len([r for r in recordings if r.emotion in CLASSES]) == 4500
    assert found == [
        f"{tmp_path / 'four'}: 4500 utterances of angry, happy, neutral and sad found, 4500 expected: "
        "without session 04 (5531 in all)"
    ]


def test_other_counts_are_one_line(first: Path) -> None:
    file = first / "Session1/dialog/EmoEvaluation/Ses01F_script01_1.txt"
    text = file.read_bytes()
    assert text.count(b"\tang\t") > 3
    file.write_bytes(text.replace(b"\tang\t", b"\tsad\t", 3))
    _, (line,) = messages(first)
    assert line.endswith(
        "1085 utterances of angry, happy, neutral and sad found, 1085 expected: without session 02, 03, 04, 05 "
        "(5531 in all); session 01 angry 226 instead of 229, session 01 sad 197 instead of 194"
    )


def test_other_counts_of_the_whole_corpus(whole: Path, tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"Session{number}").mkdir()
        (tmp_path / f"Session{number}" / "sentences").symlink_to(whole / f"Session{number}" / "sentences")
        shutil.copytree(whole / f"Session{number}/dialog", tmp_path / f"Session{number}/dialog")
    file = tmp_path / "Session2/dialog/EmoEvaluation/Ses02F_script01_1.txt"
    file.write_bytes(file.read_bytes().replace(b"\texc\t", b"\thap\t", 1).replace(b"\tneu\t", b"\tfru\t", 1))
    _, (line,) = messages(tmp_path)
    assert line.endswith(
        "5530 utterances of angry, happy, neutral and sad found, 5531 expected: exc 1040 instead of 1041, fru 1850 "
        "instead of 1849, hap 596 instead of 595, neu 1707 instead of 1708, and 1 more"
    )


def test_a_wav_that_is_gone_and_one_without_a_label(first: Path) -> None:
    sentences = first / "Session1/sentences/wav/Ses01F_impro01"
    gone = min(sentences.glob("Ses*.wav"))
    gone.rename(sentences / "Ses01F_impro01_F999.wav")
    recordings, found = messages(first)
    n = len(iemocap_tree.codes(1))
    assert len(recordings) == n - 1
    assert found[:2] == [
        f"{first}: {n} audio files expected, {n - 1} found: left out 1 label without audio, such as that of "
        f"{gone.stem}",
        f"{first}: left out 1 file without a label, such as {sentences / 'Ses01F_impro01_F999.wav'}",
    ]
    assert len(found) == 3  # and the missing sessions


def test_converted_audio_and_copies(first: Path) -> None:
    sentences = first / "Session1/sentences/wav/Ses01F_impro01"
    wavs = sorted(sentences.glob("Ses*.wav"))
    wavs[0].rename(wavs[0].with_suffix(".flac"))
    wavs[1].rename(wavs[1].with_suffix(".WAV"))
    shutil.copy(wavs[2], wavs[2].with_suffix(".flac"))
    recordings, found = messages(first)
    assert len(recordings) == len(iemocap_tree.codes(1))
    assert len(found) == 2
    assert "left out 1 file whose base names occur before" in found[0]


def test_a_session_without_its_wavs_counts_as_missing(first: Path, whole: Path) -> None:
    shutil.copytree(whole / "Session2/dialog", first / "Session2/dialog")
    recordings, found = messages(first)
    assert {r.session for r in recordings} == {"01"}
    assert len(found) == 2
    assert f"left out {len(iemocap_tree.codes(2))} labels without audio, such as that of Ses02F_" in found[0]
    assert "1085 expected: without session 02, 03, 04, 05" in found[1]


def test_all_wavs_or_all_labels_gone(first: Path, call: Call) -> None:
    shutil.rmtree(first / "Session1/sentences")
    done = call("corpus", "iemocap", first)
    assert (done.code, done.out) == (1, "")
    assert "none of 0 audio files has one of the" in done.err
    assert done.err.count("\n") == 1
    shutil.rmtree(first / "Session1/dialog")
    with pytest.raises(CorpusError, match="there are no labels"):
        read_corpus("iemocap", first)


def test_another_folder(tmp_path: Path) -> None:
    (tmp_path / "Session6").mkdir()
    with pytest.raises(CorpusError, match=r"none of Session1 to Session5.*name the folder IEMOCAP_full_release"):
        read_corpus("iemocap", tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[0.0 - 0.5]\tSes01F_impro01_F000\tang", "is not of the form [start - end]"),
        ("[0.0 - 0.5]\tSes01F_impro01_F000\tAng\t[1, 1, 1]", "is not of the form [start - end]"),
        ("[0.0 - 0.5]\tSes01F_impro01\tang\t[1, 1, 1]", "'Ses01F_impro01' is not an utterance"),
        ("[0.0 - 0.5]\tSes01F_impro01_Foo\tang\t[1, 1, 1]", "'Ses01F_impro01_Foo' is not an utterance"),
        ("[0.0 - 0.5]\tSes06F_impro01_F000\tang\t[1, 1, 1]", "'Ses06F_impro01_F000' is not an utterance"),
        ("[0.0 - 0.5]\tSes01F_impro01_F000\tjoy\t[1, 1, 1]", "emotion is 'joy', known are ang"),
    ],
)
def test_a_wrong_label_line(line: str, message: str, first: Path) -> None:
    file = first / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    file.write_text(f"%\n{line}\n")
    with pytest.raises(CorpusError) as caught:
        read_corpus("iemocap", first)
    assert str(caught.value).startswith(f"{file}:2: ")
    assert message in str(caught.value)
    assert "; take the file from the release" in str(caught.value)


def test_two_labels_of_one_utterance(first: Path) -> None:
    file = first / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    file.write_text("[0 - 1]\tSes01F_impro01_F000\tang\t[1, 1, 1]\n[0 - 1]\tSes01F_impro01_F000\tsad\t[1, 1, 1]\n")
    with pytest.raises(CorpusError, match="Ses01F_impro01_F000 is 'sad' here and 'ang' before"):
        read_corpus("iemocap", first)


def test_a_turn_without_a_number_has_a_speaker_too(first: Path) -> None:
    file = first / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    sentences = first / "Session1/sentences/wav/Ses01F_impro01"
    shutil.copy(min(sentences.glob("Ses*.wav")), sentences / "Ses01F_impro01_MXX0.wav")
    with file.open("a") as stream:
        stream.write("[90.0 - 90.5]\tSes01F_impro01_MXX0\tneu\t[1, 1, 1]\n")
    (row,) = [r for r in messages(first)[0] if Path(r.file).stem == "Ses01F_impro01_MXX0"]
    assert (row.emotion, row.speaker, row.gender) == ("neutral", "Ses01M", "male")


def test_a_header_without_its_percent_sign_and_a_folder_named_as_a_file(first: Path) -> None:
    folder = first / "Session1/dialog/EmoEvaluation"
    file = folder / "Ses01F_impro01.txt"
    file.write_bytes(file.read_bytes().replace(b"% [START", b"[START"))
    assert len(messages(first)[0]) == len(iemocap_tree.codes(1))
    (folder / "Ses01F_impro09.txt").mkdir()
    with pytest.raises(CorpusError, match=r"Ses01F_impro09\.txt: Is a directory"):
        read_corpus("iemocap", first)
