"""The reader of MSP-Podcast, on a folder with every kind of row."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from sertools.corpora import read_corpus
from sertools.corpora.table import Recording
from sertools.errors import CorpusError, SertoolsWarning

Call = Callable[..., Outcome]

HEAD = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
ROWS = [
    "MSP-PODCAST_0001_0008.wav,N,4.2,3.8,5.0,32,Female,Train",
    "MSP-PODCAST_0001_0019.wav,A,5.2,2.0,6.0,32,Female,Train",
    "MSP-PODCAST_0002_0033.wav,H,5.0,6.4,5.2,Unknown,Male,Development",
    "MSP-PODCAST_0002_0034.wav,S,2.0,2.0,2.0,Unknown,Unknown,Development",
    "MSP-PODCAST_0123_0001_0001.wav,U,1,2,3,7,Male,Test1",
    "MSP-PODCAST_0123_0002.wav,F,1,2,3,7,Male,Test1",
    "MSP-PODCAST_1023_0235.wav,D,1,2,3,8,Male,Test2",
    "MSP-PODCAST_1023_0236.wav,C,1,2,3,8,Male,Test2",
    "MSP-PODCAST_1023_0237.wav,O,1,2,3,8,Male,Test2",
    "MSP-PODCAST_1023_0238.wav,X,1,2,3,8,Male,Test2",
]


def of_unknown(root: Path, n_rows: int) -> str:
    return (
        f"{root}: 2 of {n_rows} rows have words that count as missing: gender 'Unknown' (1); speaker 'Unknown' (2); "
        "if a speaker is called 'Unknown', give --missing WORDS without it"
    )


def build(root: Path, rows: list[str] = ROWS, table: str = "labels_consensus.csv") -> Path:
    """Labels and audio below `root`; the audio has its hidden doubles."""
    for folder in ("Labels", "Audios"):
        (root / folder).mkdir(parents=True)
    (root / "Labels" / table).write_bytes("\r\n".join(["\ufeff" + HEAD, *rows, ""]).encode())
    (root / "Labels" / "labels_detailed.csv").write_text("FileName,Worker\n")
    for name in (row.partition(",")[0] for row in rows):
        (root / "Audios" / name).touch()
        (root / "Audios" / f"._{name}").touch()
    return root


def messages(root: Path) -> tuple[list[Recording], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = read_corpus("msp-podcast", root)
    assert all(issubclass(warning.category, SertoolsWarning) for warning in caught)
    return recordings, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("table", ["labels_consensus.csv", "labels_concensus.csv"])
def test_rows(table: str, tmp_path: Path) -> None:
    recordings, found = messages(build(tmp_path, table=table))
    assert found == [of_unknown(tmp_path, 10)]
    assert recordings[1] == Recording(
        str(tmp_path / "Audios/MSP-PODCAST_0001_0019.wav"),
        "angry",
        "32",
        "0001",
        "female",
        extra={"split": "Train", "valence": "2.0", "activation": "5.2", "dominance": "6.0"},
        corpus="msp-podcast",
    )
    assert [(r.emotion, r.speaker, r.session, r.gender, r.extra["split"]) for r in recordings] == [
        ("neutral", "32", "0001", "female", "Train"),
        ("angry", "32", "0001", "female", "Train"),
        ("happy", "", "0002", "male", "Development"),
        ("sad", "", "0002", "", "Development"),
        ("surprised", "7", "0123", "male", "Test1"),
        ("fearful", "7", "0123", "male", "Test1"),
        ("disgust", "8", "1023", "male", "Test2"),
        ("contempt", "8", "1023", "male", "Test2"),
        ("other", "8", "1023", "male", "Test2"),
        ("ambiguous", "8", "1023", "male", "Test2"),
    ]


def test_the_right_spelling_wins(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "Labels" / "labels_concensus.csv").write_text("nothing")
    assert len(messages(tmp_path)[0]) == 10


def test_the_command_line_drops_what_has_no_agreement(tmp_path: Path, call: Call) -> None:
    done = call("corpus", "msp-podcast", build(tmp_path / "msp"), "--ambiguous", "drop")
    assert (done.code, done.err) == (0, f"sertools corpus: warning: {of_unknown(tmp_path / 'msp', 10)}\n")
    header, *lines = done.out.splitlines()
    assert header == "file,emotion,speaker,session,gender,corpus,split,valence,activation,dominance"
    assert len(lines) == 9
    assert not [line for line in lines if "ambiguous" in line]


def test_one_line_for_each_kind_of_gap(tmp_path: Path) -> None:
    withheld = ["MSP-PODCAST_test3_0001.wav,,,,,,,Test3", "MSP-PODCAST_test3_0002.wav,nan,,,,,,Test3"]
    build(tmp_path, [*ROWS, *withheld])
    for number in ("0008", "0019"):
        (tmp_path / "Audios" / f"MSP-PODCAST_0001_{number}.wav").unlink()
    (tmp_path / "Audios" / "MSP-PODCAST_0123_0002.wav").rename(tmp_path / "Audios" / "MSP-PODCAST_0123_0002.flac")
    recordings, found = messages(tmp_path)
    assert len(recordings) == 8
    assert found == [
        f"{tmp_path}: left out 2 of 12 rows without an emotion, such as MSP-PODCAST_test3_0001",
        f"{tmp_path}: 10 audio files expected, 8 found: left out 2 labels without audio, such as that of "
        "MSP-PODCAST_0001_0008",
        f"{tmp_path}: left out 2 files without a label, such as {tmp_path}/Audios/MSP-PODCAST_test3_0001.wav",
        of_unknown(tmp_path, 8),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("MSP-PODCAST_0003_0001.wav,N,4.2,3.8,5.0,32,Female", "ends before 'Split_Set'"),
        (
            "MSP-PODCAST_0003_0001.wav,happy,1,1,1,32,Female,Train",
            "EmoClass is 'happy', known are A H S N U F D C O X",
        ),
        ("MSP-PODCAST_0001_0008.wav,A,1,1,1,32,Female,Train", "MSP-PODCAST_0001_0008 stands there before"),
    ],
)
def test_a_wrong_row(row: str, message: str, tmp_path: Path) -> None:
    build(tmp_path, [*ROWS, row])
    with pytest.raises(CorpusError) as caught:
        read_corpus("msp-podcast", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'Labels/labels_consensus.csv'}:12: ")
    assert message in str(caught.value)


def test_wrong_tables(tmp_path: Path) -> None:
    table = build(tmp_path) / "Labels" / "labels_consensus.csv"
    table.write_text("FileName,EmoClass\n")
    with pytest.raises(CorpusError, match="1: no column 'EmoAct' in the header"):
        read_corpus("msp-podcast", tmp_path)
    table.write_bytes(HEAD.encode() + b"\nMSP-PODCAST_0001_0008.wav,N,4,3,5,\xe9,F,Train\n")
    with pytest.raises(CorpusError, match="not UTF-8"):
        read_corpus("msp-podcast", tmp_path)
    table.unlink()
    with pytest.raises(CorpusError, match=r"no labels_consensus\.csv of MSP-Podcast beside 10 audio files; name"):
        read_corpus("msp-podcast", tmp_path)


def test_no_audio(tmp_path: Path) -> None:
    shutil.rmtree(build(tmp_path) / "Audios")
    with pytest.raises(CorpusError, match="none of 0 audio files has one of the 10 labels"):
        read_corpus("msp-podcast", tmp_path)
