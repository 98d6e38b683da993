"""The reader of audformat databases: saved, in audb's cache, as CSV and as Parquet."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertools.corpora import read_corpus
from sertools.corpora.table import Recording
from sertools.errors import CorpusError

WHOLE = "file,emotion,emotion.confidence\nwav/a.wav,anger,0.9\nwav/b.wav,neutral,1.0\n"
CUT = (
    "file,start,end,emotion\n"
    "wav/a.wav,0 days 00:00:00.000000,,anger\n"
    "wav/b.wav,0 days 00:00:00.050000,0 days 00:00:00.750000,neutral\n"
    "wav/b.wav,0 days 00:00:01.000000,NaT,\n"
)
FILES = "file,duration,speaker\nwav/a.wav,0 days 00:00:01.500000,3\nwav/b.wav,0 days 00:00:02.000000,8\n"
SPEAKERS = "speaker,age,gender\n3,31,male\n8,34,female\n"


def database(root: Path, media: tuple[str, ...] = ("wav/a.wav", "wav/b.wav"), **tables: str) -> Path:
    """A saved database; double underscores in the tables' names are dots."""
    root.mkdir(parents=True)
    (root / "db.yaml").write_text("name: mydb\n")
    for name, text in tables.items():
        (root / f"db.{name.replace('__', '.')}.csv").write_text(text)
    for name in media:
        (root / name).parent.mkdir(exist_ok=True)
        soundfile.write(root / name, 0.1 * np.ones(32000), 16000)
    return root


def read(folder: Path) -> list[Recording]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_corpus("audformat", folder)


def seen(recordings: list[Recording]) -> list[tuple[str, str, str, str]]:
    return [(Path(r.file).name, r.emotion, r.speaker, r.gender) for r in recordings]


def refused(folder: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read_corpus("audformat", folder)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message  # the remedy
    return message


def test_emotion_speaker_and_gender_stand_in_three_tables(tmp_path):
    root = database(tmp_path / "db", emotion=WHOLE, files=FILES, speaker=SPEAKERS)
    assert read(root) == [
        Recording(str(root / "wav" / "a.wav"), "angry", "3", gender="male", extra={"emotion.confidence": "0.9"}),
        Recording(str(root / "wav" / "b.wav"), "neutral", "8", gender="female", extra={"emotion.confidence": "1.0"}),
    ]


def test_segments(tmp_path):
    root = database(tmp_path / "db", emotion=CUT, files=FILES, speaker=SPEAKERS)
    assert [(r.start, r.end) for r in read(root)] == [(0.0, None), (0.05, 0.75), (1.0, None)]
    assert seen(read(root)) == [
        ("a.wav", "angry", "3", "male"),
        ("b.wav", "neutral", "8", "female"),
        ("b.wav", "", "8", "female"),
    ]


def test_segments_with_speakers_of_their_own(tmp_path):
    turns = "file,start,end,speaker,sex\nwav/b.wav,0.05,0.75,Ann,F\nwav/b.wav,1,,Bob,M\n"
    root = database(tmp_path / "db", emotion=CUT, turns=turns)
    assert seen(read(root))[1:] == [("b.wav", "neutral", "Ann", "female"), ("b.wav", "", "Bob", "male")]
    # The first table by name knows first, but after the emotion's own.
    (root / "db.files.csv").write_text(FILES)
    assert [r.speaker for r in read(root)] == ["3", "8", "8"]
    (root / "db.actors.csv").write_text("file,speaker\nwav/a.wav,Cy\nwav/b.wav,Di\n")
    (root / "db.emotion.csv").write_text("file,emotion,speaker\nwav/a.wav,anger,\nwav/b.wav,fear,Eve\n")
    assert [r.speaker for r in read(root)] == ["Cy", "Eve"]


def test_all_in_one_table(tmp_path):
    table = "file,duration,emotion,speaker,gender\nwav/b.wav,0 days 00:00:02,sad,8,f\nwav/a.wav,0 days,joy,,\n"
    root = database(tmp_path / "db", files=table)
    assert seen(read(root)) == [("a.wav", "happy", "", ""), ("b.wav", "sad", "8", "female")]
    assert not any(r.extra for r in read(root))


def test_one_table_of_any_name(tmp_path):
    root = database(tmp_path / "db", perceived=WHOLE, files=FILES, transcript="id,text\n1,hello\n")
    assert [r.emotion for r in read(root)] == ["angry", "neutral"]


def test_tables_of_splits(tmp_path):
    root = database(
        tmp_path / "db",
        emotion__categories__test__gold_standard="file,emotion\nwav/b.wav,neutral\n",
        emotion__categories__train__gold_standard="file,emotion\nwav/a.wav,anger\n",
        mood="file,emotion\nwav/a.wav,sad\n",
    )
    assert [(Path(r.file).name, r.emotion, dict(r.extra)) for r in read(root)] == [
        ("a.wav", "angry", {"split": "train"}),
        ("b.wav", "neutral", {"split": "test"}),
    ]
    # The whole table goes before its parts, which still tell the split.
    (root / "db.emotion.csv").write_text("file,emotion\nwav/a.wav,happiness\nwav/b.wav,fear\n")
    assert [(r.emotion, r.extra["split"]) for r in read(root)] == [("happy", "train"), ("fearful", "test")]
    # A file of two splits has none.
    (root / "db.emotion.dev.csv").write_text("file,emotion\nwav/a.wav,happiness\n")
    assert [r.extra["split"] for r in read(root)] == ["", "test"]


def test_tables_that_overlap(tmp_path):
    root = database(
        tmp_path / "db",
        emotion__a="file,emotion\nwav/a.wav,\nwav/b.wav,neutral\n",
        emotion__b="file,start,end,emotion\nwav/a.wav,0 days,,anger\nwav/b.wav,0 days,,Neutral\n",
    )
    assert [r.emotion for r in read(root)] == ["angry", "neutral"]


def test_tables_that_differ(tmp_path):
    root = database(
        tmp_path / "db",
        emotion__acted="file,emotion\nwav/a.wav,anger\nwav/b.wav,neutral\n",
        emotion__heard="file,emotion\nwav/a.wav,neutral\n",
    )
    acted, heard = root / "db.emotion.acted.csv", root / "db.emotion.heard.csv"
    assert refused(root) == (
        f"{root}: its tables differ, 'wav/a.wav' is angry and neutral; name one of them: {acted}, {heard}"
    )
    assert [r.emotion for r in read(acted)] == ["angry", "neutral"]
    assert [r.emotion for r in read(heard)] == ["neutral"]
    heard.write_text("file,start,end,emotion\nwav/a.wav,0,0.5,anger\n")
    assert "'wav/a.wav' is whole and cut; name one of them" in refused(root)


def test_several_tables_with_emotions(tmp_path):
    root = database(tmp_path / "db", acted=WHOLE, heard=WHOLE)
    assert f"several tables with a column 'emotion'; name one of them: {root / 'db.acted.csv'}, " in refused(root)
    assert len(read(root / "db.heard.csv")) == 2


def test_no_emotion(tmp_path):
    root = database(tmp_path / "db", files=FILES, speaker=SPEAKERS)
    expected = f"{root}: none of its tables (files, speaker) has rows with columns 'file' and 'emotion'"
    assert refused(root).startswith(expected)
    assert refused(root / "db.files.csv").startswith(f"{root / 'db.files.csv'}: no rows with columns")
    (root / "db.emotion.csv").write_text("file,emotion\n")
    assert "(emotion, files, speaker) has rows" in refused(root)


def cache(tmp_path: Path) -> Path:
    """What audb 1.15 leaves of a database, its media as flac: locks, pickles, a table of dependencies."""
    root = tmp_path / "audb" / "mydb" / "1.0.0"
    database(root / "d3b62a9b", ("wav/a.flac", "wav/b.flac"), emotion=CUT, files=FILES, speaker=SPEAKERS)
    for name in (".d3b62a9b.lock", "db.pkl", "d3b62a9b/.complete", "../.1.0.0.lock", "../../.audb.lock"):
        (root / name).touch()
    (root / "db.csv").write_text("archive,bit_depth\n,\n")
    for name in ("emotion", "files", "speaker"):
        (root / "d3b62a9b" / f"db.{name}.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    return root


@pytest.mark.parametrize("level", ["d3b62a9b", ".", ".."])
def test_audb_cache(tmp_path, level):
    root = cache(tmp_path)
    recordings = read(root / level)
    assert seen(recordings) == [
        ("a.flac", "angry", "3", "male"),
        ("b.flac", "neutral", "8", "female"),
        ("b.flac", "", "8", "female"),
    ]
    assert all(Path(r.file).is_file() for r in recordings)


def test_several_flavors(tmp_path):
    root = cache(tmp_path)
    database(root / "8b5abf0e", emotion=WHOLE)
    expected = f"{root}: holds 2 databases; name one: {root / '8b5abf0e'}, {root / 'd3b62a9b'}"
    assert refused(root) == expected
    assert f"{root.parent}: holds 2 databases" in refused(root.parent)
    # One that audb has not finished writing is hidden.
    (root / "8b5abf0e").rename(root / ".8b5abf0e~")
    assert len(read(root)) == len(read(root.parent)) == 3


def test_missing_audio(tmp_path):
    root = database(tmp_path / "db", ("wav/b.wav",), emotion=CUT)
    assert f"{root}: 1 of the 2 files in its tables are not there, 'wav/a.wav' the first; load" in refused(root)


@pytest.mark.parametrize("file", ["/", ".", "..", "wav"])
def test_paths_that_are_no_files(tmp_path, monkeypatch, file):
    database(tmp_path / "db", emotion=f"file,emotion\n{file},sad\n")
    monkeypatch.chdir(tmp_path / "db")
    assert f"1 of the 1 files in its tables are not there, {file!r} the first" in refused(Path())


def test_no_database(tmp_path):
    (tmp_path / "labels.csv").write_text(WHOLE)
    (tmp_path / "db.emotion.csv").write_text(WHOLE)
    assert f"{tmp_path}: no audformat database in it" in refused(tmp_path)
    assert "none: no such folder" in refused(tmp_path / "none")
    for name in ("labels.csv", "db.emotion.csv"):
        assert f"{tmp_path / name}: no table of an audformat database" in refused(tmp_path / name)


def test_pickles_are_never_opened(tmp_path):
    root = database(tmp_path / "db")
    assert "no table db.<table>.csv; write them" in refused(root)
    pickle = root / "db.emotion.pkl"
    pickle.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    assert "only pickled tables" in refused(root)
    assert "no table of an audformat database" in refused(pickle)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "db.emotion.csv: empty, without a header"),
        (
            "file,start,end,emotion\nwav/a.wav,0 days 00:00:02,0 days 00:00:01,sad\n",
            "csv:2: start 2 s is not before end",
        ),
        ("file,start,end,emotion\nwav/a.wav,soon,,sad\n", "db.emotion.csv:2: start is 'soon'"),
        ("file,emotion\n,sad\n", "db.emotion.csv:2: no file"),
        ("file,emotion\nwav/a.wav,sad\nwav/a.wav,sad\n", "db.emotion.csv:3: 'wav/a.wav' stands in line 2 too"),
        ("file,emotion\nwav/a.wav,sad,1\n", "db.emotion.csv:2: 3 cells under 2 columns"),
    ],
)
def test_broken_tables(tmp_path, table, message):
    assert message in refused(database(tmp_path / "db", emotion=table))


# Parquet


def as_parquet(root: Path) -> Path:
    """Store the tables `emotion` (CUT), `files` and `speaker` as audformat 1.4 does, with its types."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(name: str, **columns: object) -> None:
        (root / f"db.{name}.csv").unlink()
        parquet.write_table(pa.table(columns), root / f"db.{name}.parquet")

    ns = pa.duration("ns")
    write(
        "emotion",
        file=pa.array(["wav/a.wav", "wav/b.wav", "wav/b.wav"], pa.large_string()),
        start=pa.array([0, 50_000_000, 1_000_000_000], ns),
        end=pa.array([None, 750_000_000, None], ns),
        emotion=pa.array(["anger", "neutral", None]).dictionary_encode(),
    )
    write(
        "files",
        file=pa.array(["wav/a.wav", "wav/b.wav"], pa.large_string()),
        duration=pa.array([1_500_000_000, 2_000_000_001], ns),
        speaker=pa.array([3, 8]),
        date=pa.array([0, 1], pa.timestamp("ns")),
    )
    write("speaker", speaker=pa.array([3, 8]), gender=pa.array(["male", "female"]).dictionary_encode())
    return root


def test_parquet_gives_what_csv_gives(tmp_path):
    root = database(tmp_path / "db", emotion=CUT, files=FILES, speaker=SPEAKERS)
    expected = read(root)
    assert read(as_parquet(root)) == expected
    assert read(root / "db.emotion.parquet") == expected


def test_broken_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    root = database(tmp_path / "db")
    (root / "db.emotion.parquet").write_bytes(b"PAR1 no more")
    assert f"{root / 'db.emotion.parquet'}: no Parquet table" in refused(root)


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    root = database(tmp_path / "db", emotion=WHOLE)
    (root / "db.files.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    expected = f"{root / 'db.files.parquet'}: Parquet, which needs pyarrow; pip install 'sertools[audformat]'"
    assert refused(root).startswith(expected)
    # Of a table stored twice the CSV is read.
    (root / "db.files.csv").write_text(FILES)
    assert [r.speaker for r in read(root)] == ["3", "8"]


# Through the command line


def test_to_a_store(tmp_path, run):
    database(tmp_path / "db", emotion=CUT, files=FILES, speaker=SPEAKERS)
    listed = run("corpus", "audformat", "db")
    assert (listed.code, listed.err) == (0, "")
    assert listed.out == (
        "file,emotion,speaker,session,gender,start,end\n"
        "db/wav/a.wav,angry,3,,male,0.0,\n"
        "db/wav/b.wav,neutral,8,,female,0.05,0.75\n"
        "db/wav/b.wav,,8,,female,1.0,\n"
    )
    made = run("extract", "-", "-o", "specs.h5", stdin=listed.out)
    assert made.code == 0, made.err
    assert "from 3 recordings" in made.err


def test_a_column_of_durations_does_not_stop_extract(tmp_path, run):
    database(tmp_path / "db", files="file,duration,emotion\nwav/a.wav,0 days 00:00:02,sad\n")
    made = run("extract", "-", "-o", "specs.h5", stdin=run("corpus", "audformat", "db").out)
    assert made.code == 0, made.err


def test_errors_are_one_line(tmp_path, run):
    database(tmp_path / "db", ("wav/b.wav",), emotion=WHOLE)
    done = run("corpus", "audformat", "db")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("sertools corpus: db: 1 of the 2 files in its tables are not there, 'wav/a.wav'")
    assert done.err.count("\n") == 1
