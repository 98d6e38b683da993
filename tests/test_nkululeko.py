"""The reader of nkululeko's CSVs: one file, the files of the splits, and where their audio lies."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertools.corpora import read_corpus
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError

HEAD = "file,emotion,speaker,gender\n"


def fill(folder: Path, **texts: str) -> Path:
    """CSVs by name, and the wavs a to d."""
    (folder / "wav").mkdir(parents=True)
    for name in "abcd":
        soundfile.write(folder / "wav" / f"{name}.wav", 0.1 * np.ones(16000), 16000)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def read(path: Path) -> list[Recording]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_corpus("nkululeko", path)


def refused(path: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read_corpus("nkululeko", path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def splits(recordings: list[Recording]) -> list[tuple[str, str]]:
    return [(Path(r.file).stem, r.extra["split"]) for r in recordings]


def test_one_csv(tmp_path):
    root = fill(
        tmp_path / "mydb",
        mydb="file,start,end,speaker_id,sex,label,age,duration\n"
        "wav/a.wav,0 days,0 days 00:00:00.500000, 03 ,F, Angry ,30,0.5\n"
        "wav/b.wav,0 days 00:00:00.25,NaT,04,male,hap,,0.75\n",
    )
    assert read(root / "mydb.csv") == [
        Recording(str(root / "wav/a.wav"), "angry", "03", "", "female", 0.0, 0.5, {"age": "30"}),
        Recording(str(root / "wav/b.wav"), "happy", "04", "", "male", 0.25, None, {"age": ""}),
    ]
    assert read(root) == read(root / "mydb.csv")


def test_csv_of_each_split(tmp_path):
    root = fill(
        tmp_path / "mydb",
        mydb_train=HEAD + "wav/a.wav,anger,1,f\nwav/c.wav,neu,1,f\n",
        mydb_Dev=HEAD + "wav/b.wav,anger,2,f\n",
        mydb_test=HEAD + "wav/d.wav,anger,3,f\n",
    )
    (root / "._mydb_train.csv").write_bytes(b"\0\5\x16\7")
    assert splits(read(root)) == [("b", "dev"), ("d", "test"), ("a", "train"), ("c", "train")]
    assert splits(read(root / "mydb_test.csv")) == [("d", "test")]


@pytest.mark.parametrize(
    ("name", "split"), [("train", "train"), ("my-db.test2", "test2"), ("contest", None), ("test_all", None)]
)
def test_split_in_the_name(tmp_path, name, split):
    root = fill(tmp_path / "mydb", **{name: HEAD + "wav/a.wav,anger,1,f\n"})
    assert read(root)[0].extra.get("split") == split


def test_split_column_goes_before_the_name(tmp_path):
    table = "file,emotion,Split\nwav/a.wav,sad,dev\nwav/b.wav,sad,\nwav/c.wav,sad,2\n"
    root = fill(tmp_path / "mydb", mydb_train=table)
    assert splits(read(root)) == [("a", "dev"), ("b", "train"), ("c", "2")]
    (root / "mydb_train.csv").rename(root / "mydb.csv")
    assert splits(read(root)) == [("a", "dev"), ("b", ""), ("c", "2")]


def test_the_whole_beside_its_splits(tmp_path):
    root = fill(
        tmp_path / "mydb",
        mydb=HEAD + "wav/a.wav,anger,1,f\nwav/b.wav,anger,1,f\nwav/c.wav,anger,1,f\n",
        mydb_train=HEAD + "wav/a.wav,anger,1,f\n",
        mydb_test=HEAD + "wav/b.wav,anger,2,f\n",
    )
    with pytest.warns(CorpusWarning) as caught:
        recordings = read_corpus("nkululeko", root)
    assert splits(recordings) == [("b", "test"), ("a", "train")]
    (warning,) = caught
    assert str(warning.message) == f"{root}: left out {root / 'mydb.csv'} beside the splits"


def test_several_databases(tmp_path):
    root = fill(tmp_path / "data", one_train=HEAD, two_test=HEAD)
    expected = f"{root}: CSVs of several databases; name one: {root / 'one_train.csv'}, {root / 'two_test.csv'}"
    assert refused(root) == expected
    root = fill(tmp_path / "more", one=HEAD, two=HEAD)
    assert refused(root).startswith(f"{root}: CSVs of several databases; name one: ")


def test_a_recording_of_two_splits(tmp_path):
    root = fill(
        tmp_path / "mydb",
        mydb_train=HEAD + "wav/a.wav,anger,1,f\n",
        mydb_test=HEAD + "./wav/../wav/a.wav,anger,1,f\n",
    )
    test, train = root / "mydb_test.csv", root / "mydb_train.csv"
    assert refused(root) == f"{train}: '{root}/wav/a.wav' stands in {test} too; remove one of them"


def test_audio_below_the_working_folder(tmp_path, monkeypatch):
    root = fill(tmp_path / "experiment")
    (root / "data" / "mydb").mkdir(parents=True)
    (root / "data" / "mydb" / "mydb.csv").write_text(HEAD + "./wav/a.wav,anger,1,f\n")
    monkeypatch.chdir(root)
    assert [r.file for r in read(Path("data/mydb"))] == ["wav/a.wav"]
    monkeypatch.chdir(tmp_path)
    table = Path("experiment/data/mydb/mydb.csv")
    expected = f"{table}: 1 of its files are not in {table.parent} or the working folder, './wav/a.wav' the first; "
    assert refused(table).startswith(expected)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,speaker\nwav/a.wav,1\n", "mydb.csv:1: no column 'emotion' in the header"),
        ("path,emotion\nwav/a.wav,sad\n", "mydb.csv:1: no column 'file' in the header"),
        ("file,start,end,emotion\nwav/a.wav,2,1,sad\n", "mydb.csv:2: start 2 s is not before end 1 s"),
        (HEAD + "wav/a.wav,sad,1,f\nwav/z.wav,sad,1,f\n", "mydb.csv: 1 of its files are not in"),
    ],
)
def test_broken_tables(tmp_path, table, message):
    root = fill(tmp_path / "mydb", mydb=table)
    assert message in refused(root)
    assert message in refused(root / "mydb.csv")


def test_nothing_there(tmp_path):
    assert "none.csv: no such folder or CSV; check the path" in refused(tmp_path / "none.csv")
    assert f"{tmp_path}: no CSV in it" in refused(tmp_path)


def test_to_a_store(tmp_path, run):
    fill(tmp_path, mydb_train=HEAD + "wav/a.wav,anger,1,f\n", mydb_test=HEAD + "wav/b.wav,sad,2,m\n")
    listed = run("corpus", "nkululeko", ".")
    assert (listed.code, listed.err) == (0, "")
    assert listed.out == (
        "file,emotion,speaker,session,gender,split\nwav/b.wav,sad,2,,male,test\nwav/a.wav,angry,1,,female,train\n"
    )
    made = run("extract", "-", "-o", "specs.h5", stdin=listed.out)
    assert made.code == 0, made.err
    one = run("corpus", "nkululeko", "mydb_test.csv")
    assert one.out == "file,emotion,speaker,session,gender,split\nwav/b.wav,sad,2,,male,test\n"


def test_errors_are_one_line(tmp_path, run):
    fill(tmp_path, mydb="file,speaker\nwav/a.wav,1\n")
    done = run("corpus", "nkululeko", "mydb.csv")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "sertools corpus: mydb.csv:1: no column 'emotion' in the header (found: file, speaker); add or rename it\n"
    )
