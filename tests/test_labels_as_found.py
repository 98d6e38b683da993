"""Labels as they are found in tables and folders: nobody becomes two people, and no class two, without a word."""

# ruff: noqa: RUF001 - letters of several scripts

import gzip
import io
import os
import shutil
import subprocess
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from chains import CLF, classify, write_rows
from conftest import Outcome, process_environment

import sertools
from sertools.corpora import read_corpus
from sertools.corpora.sources import list_recordings
from sertools.corpora.table import Recording
from sertools.errors import CorpusError, SertoolsWarning
from sertools.reporting.contents.commands import commands_of
from sertools.scoring.results.evaluation import evaluate
from sertools.sound.audio import read_utterance
from sertools.store.reader import open_store

Call = Callable[..., Outcome]

SMALL = ("--mels", 32, "--frames", 32, "--seconds", 1)
NFC, NFD = "José", unicodedata.normalize("NFD", "José")


def wav(path: Path, n_samples: int = 3200, **options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(list(path.parent.iterdir())))
    # As bytes: soundfile cannot encode every name.
    soundfile.write(os.fsencode(path), 0.1 * rng.standard_normal(n_samples), 16000, **options)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The working folder, with w/0.wav to w/5.wav."""
    for number in range(6):
        wav(tmp_path / "w" / f"{number}.wav")
    return tmp_path


def table(corpus: Path, rows: Iterable[Sequence[str]], head: str = "emotion,speaker,session,gender") -> Path:
    """A labels CSV of w/0.wav and the next ones."""
    lines = [f"file,{head}", *(f"w/{number}.wav,{','.join(row)}" for number, row in enumerate(rows))]
    path = corpus / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def said(read: Callable[[], list[Recording]]) -> tuple[list[Recording], list[str]]:
    """What is read, and what is remarked."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = read()
    assert all(issubclass(warning.category, SertoolsWarning) for warning in caught)
    return recordings, [str(warning.message) for warning in caught]


def read(path: Path) -> tuple[list[Recording], list[str]]:
    return said(lambda: list_recordings([str(path)], None, io.StringIO()).recordings)


def words(recordings: Iterable[Recording], column: str) -> list[str]:
    return [getattr(recording, column) for recording in recordings]


# Words that say that nothing is known

MISSING = [
    "nan",
    "NaN",
    "NA",
    "N/A",
    "n/a",
    "None",
    "NULL",
    "<NA>",
    "NaT",
    "#N/A",
    "unknown",
    "\u00a0",
    "\u200b",
    " ",
]


@pytest.mark.parametrize("word", MISSING)
@pytest.mark.parametrize("reader", ["csv", "stdin", "nkululeko"])
def test_missing_words_are_nobody_and_no_class(corpus: Path, word: str, reader: str, monkeypatch) -> None:
    monkeypatch.chdir(corpus)
    path = table(
        corpus, [(word, "A", "1", "f"), ("sad", word, "1", "f"), ("sad", "A", word, "f"), ("sad", "A", "1", word)]
    )
    text = path.read_text(encoding="utf-8")
    found, _ = {
        "csv": lambda: read(path),
        "stdin": lambda: said(lambda: list_recordings(["-"], None, io.StringIO(text)).recordings),
        "nkululeko": lambda: said(lambda: read_corpus("nkululeko", path)),
    }[reader]()
    assert words(found, "emotion") == ["", "sad", "sad", "sad"]
    assert words(found, "speaker") == ["A", "", "A", "A"]
    assert words(found, "session") == ["1", "1", "", "1"]
    assert words(found, "gender") == ["female", "female", "female", ""]


@pytest.mark.parametrize("word", ["nan", "NA", "None", "Unknown"])
def test_missing_words_of_folders_and_joined_tables(tmp_path: Path, word: str) -> None:
    for name in ("sad/1.wav", f"{word}/2.wav", "wav/a.wav"):
        wav(tmp_path / "c" / name)
    shutil.move(tmp_path / "c" / "wav", tmp_path / "db" / "wav")
    found, remarks = said(lambda: read_corpus("folders", tmp_path / "c"))
    assert dict(zip([Path(r.file).name for r in found], words(found, "emotion"), strict=True)) == {
        "1.wav": "sad",
        "2.wav": "",
    }
    assert remarks == [
        f"{tmp_path / 'c'}: 1 of 2 rows have words that count as missing: emotion {word!r} (1); "
        "if one is a class or a name, give --missing WORDS without it"
    ]
    # What one table does not know, another does.
    (tmp_path / "db" / "db.yaml").write_text("name: db\n")
    (tmp_path / "db" / "db.emotion.csv").write_text(f"file,emotion,speaker,gender\nwav/a.wav,anger,{word},{word}\n")
    (tmp_path / "db" / "db.files.csv").write_text("file,speaker\nwav/a.wav,3\n")
    (tmp_path / "db" / "db.speaker.csv").write_text("speaker,gender\n3,f\n")
    (row,), remarks = said(lambda: read_corpus("audformat", tmp_path / "db"))
    assert (row.emotion, row.speaker, row.gender, remarks) == ("angry", "3", "female", [])


def test_how_many_rows_lack_a_word_is_said_once(corpus: Path, call: Call) -> None:
    table(
        corpus,
        [("nan", "NA", "1", "f"), ("sad", "DC", "1", "nan"), ("sad", "NA", "1", "f"), ("angry", "DC", "1", "f")],
    )
    expected = (
        "labels.csv: 3 of 4 rows have words that count as missing: emotion 'nan' (1); gender 'nan' (1); "
        "speaker 'NA' (2); if a speaker is called 'NA', give --missing WORDS without it\n"
    )
    done = call("extract", "labels.csv", "-o", "s.h5", *SMALL)
    assert done.err == f"sertools extract: warning: {expected}s.h5: 4 rows from 4 recordings\n"
    assert set(open_store(corpus / "s.h5").contents.column("speaker")) == {"", "DC"}
    done = call("corpus", "nkululeko", "labels.csv")
    assert (done.code, done.err) == (0, f"sertools corpus: warning: {expected}")


def test_every_speaker_who_may_be_called_so_is_named(corpus: Path) -> None:
    rows = [("nan", "A"), ("NA", "A"), ("none", "A"), ("NULL", "A"), ("n/a", "NA"), ("sad", "None")]
    _, (remark,) = read(table(corpus, rows, "emotion,speaker"))
    assert remark.endswith("; if a speaker is called 'NA' or 'None', give --missing WORDS without it")


def test_missing_words_can_be_chosen(corpus: Path, call: Call) -> None:
    table(corpus, [("nan", "NA", "1", "-"), ("sad", "?", "1", "f")])
    done = call("extract", "labels.csv", "-o", "s.h5", "--missing", "NaN,-,?", *SMALL)
    assert "1 of 2" not in done.err
    assert (
        "2 of 2 rows have words that count as missing: emotion 'nan' (1); gender '-' (1); speaker '?' (1)" in done.err
    )
    contents = open_store(corpus / "s.h5").contents
    assert contents.column("speaker").tolist() == ["NA", ""]
    assert contents.emotion.tolist() == ["", "sad"]
    assert contents.column("gender").tolist() == ["", "female"]
    # What was not as usual is remembered.
    assert '"missing":"nan,-,?"' in contents.history[0]
    assert ("--missing", "nan,-,?") in commands_of(contents.history, "s.h5").steps[0].options
    done = call("corpus", "nkululeko", "labels.csv", "--missing", "NaN,-,?")
    assert done.out.splitlines()[1:] == ["w/0.wav,,NA,1,", "w/1.wav,sad,,1,female"]


@pytest.mark.parametrize("word", ["NULL", "None", "<NA>", "n/a"])
def test_missing_times(corpus: Path, word: str) -> None:
    path = table(corpus, [("sad", word, "1"), ("sad", "0.1", word)], "emotion,start,end")
    found, _ = read(path)
    assert [(r.start, r.end) for r in found] == [(None, 1.0), (0.1, None)]


# One form

SAME = [
    (NFC, NFD),
    ("Ann Lee", "Ann\u00a0Lee"),
    ("Ann Lee", "Ann  Lee"),
    ("AnnLee", "Ann\u200bLee"),
    ("Ann", "\ufeffAnn"),
    ("Ann", "\u200eAnn\u200f"),
    ("Ann", "\u202aAnn\u202c"),
    ("박", unicodedata.normalize("NFD", "박")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_speaker_of_two_spellings_is_one(corpus: Path, call: Call, one: str, other: str) -> None:
    rows = [("sad", one, one, "f", one), ("angry", other, other, "f", other), ("sad", "B", "b", "m", "c")]
    table(corpus, rows, f"emotion,speaker,session,gender,{unicodedata.normalize('NFD', 'naïve')}")
    done = call("extract", "labels.csv", "-o", "s.h5", *SMALL)
    assert done.err == "s.h5: 3 rows from 3 recordings\n"
    contents = open_store(corpus / "s.h5").contents
    assert contents.column("speaker").tolist() == [one, one, "B"]
    assert contents.column("session").tolist() == [one, one, "b"]
    assert contents.column("naïve").tolist() == [one, one, "c"]
    # On one side of every fold, and chosen by either spelling.
    for options in ((), ("-v",)):
        assert call("select", "s.h5", "-o", "a.h5", "--fold", "1/2", "-q", *options).code == 0
        assert set(open_store(corpus / "a.h5").contents.column("speaker")) in ({one}, {"B"})
    for condition in (f"speaker={one}", f"speaker={other}", f"{unicodedata.normalize('NFD', 'naïve')}={other}"):
        assert call("select", "s.h5", "-o", "c.h5", "--where", condition).code == 0
        assert open_store(corpus / "c.h5").contents.column("speaker").tolist() == [one, one]


@pytest.mark.parametrize(("one", "other"), [(one.lower(), other.lower()) for one, other in SAME])
def test_a_class_of_two_spellings_is_one(corpus: Path, call: Call, one: str, other: str) -> None:
    table(corpus, [(one, "A"), (other, "A"), ("sad", "A")], "emotion,speaker")
    done = call("extract", "labels.csv", "-o", "s.h5", *SMALL)
    assert done.err == "s.h5: 3 rows from 3 recordings\n"
    assert open_store(corpus / "s.h5").contents.classes() == tuple(sorted((one, "sad")))
    for option in ("--keep", "--where"):
        value = f"{other}=1" if option == "--keep" else f"emotion={other}"
        assert call("select", "s.h5", "-o", "c.h5", option, value).code == 0, option
    done = call("corpus", "nkululeko", "labels.csv", "--relabel", f"{other}=calm")
    assert [line.split(",")[1] for line in done.out.splitlines()[1:]] == ["calm", "calm", "sad"]
    done = call("corpus", "nkululeko", "labels.csv", "--relabel", f"sad={other}")
    assert {line.split(",")[1] for line in done.out.splitlines()[1:]} == {one}


def test_two_folders_of_one_name_are_one_class(tmp_path: Path) -> None:
    for number, name in enumerate(("gelöst", unicodedata.normalize("NFD", "gelöst"), "gelöst\u200b", "sad")):
        wav(tmp_path / name / f"{number}.wav")
    found, remarks = said(lambda: read_corpus("folders", tmp_path))
    assert (sorted(words(found, "emotion")), remarks) == (["gelöst"] * 3 + ["sad"], [])
    found, _ = said(lambda: list_recordings([str(p) for p in tmp_path.iterdir()], None, io.StringIO()).recordings)
    assert sorted(words(found, "emotion")) == ["gelöst"] * 3 + ["sad"]


def test_joiners_spell_words_and_stay(corpus: Path) -> None:
    persian, hindi = "می\u200cخواهم", "श्\u200dरी"
    found, _ = read(table(corpus, [(persian, hindi)], "emotion,speaker"))
    assert (found[0].emotion, found[0].speaker) == (persian, hindi)


def test_paths_are_never_changed(corpus: Path) -> None:
    names = [NFC, NFD, "a\u00a0b", "a  b", "a\u200bb", "\u00a0edge\u00a0"]
    for name in names:
        wav(corpus / f"{name}.wav")
    path = corpus / "labels.csv"
    path.write_text("file,emotion\n" + "".join(f"{name}.wav,sad\n" for name in names), encoding="utf-8")
    found, _ = read(path)
    assert [Path(r.file).stem for r in found] == names


def test_recordings_from_python_are_spelled_too(corpus: Path, call: Call) -> None:
    rows = [Recording(str(corpus / "w" / f"{n}.wav"), "sad", name) for n, name in enumerate((NFC, NFD, "B", "b"))]
    with pytest.warns(SertoolsWarning, match=r"speakers of almost one name stay apart: 'B' \(1\) and 'b' \(1\)"):
        sertools.extract(rows, corpus / "s.h5", front_end=sertools.FrontEnd(n_mels=32, n_frames=32))
    assert open_store(corpus / "s.h5").contents.column("speaker").tolist() == [NFC, NFC, "B", "b"]
    with pytest.raises(CorpusError, match=r"its speaker 'J\\udcf6rg' is not UTF-8"):
        sertools.extract([Recording(rows[0].file, "sad", "J\udcf6rg")], corpus / "s.h5")


# What may be one

ALIKE = [("F1", "f1"), ("03", "3"), ("3", "3.0"), ("Ann Lee", "AnnLee"), ("Strasse", "Straße"), ("F1", "Ｆ１")]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_speakers_and_sessions_of_almost_one_name_are_told(corpus: Path, one: str, other: str) -> None:
    path = table(corpus, [("sad", one, other), ("sad", one, one), ("angry", other, one)], "emotion,speaker,session")
    found, remarks = read(path)
    assert set(words(found, "speaker")) == {one, other}
    pair = [f"{w!r} ({n})" for w, n in sorted(((one, 2), (other, 1)))]
    assert remarks == [
        f"{path}: {what} of almost one name stay apart: {' and '.join(pair)}; spell them alike if they are the same"
        for what in ("speakers", "sessions")
    ]
    assert said(lambda: read_corpus("nkululeko", path))[1] == remarks


def test_classes_of_almost_one_name_are_told(corpus: Path) -> None:
    path = table(corpus, [(w, "A") for w in ("very sad", "very-sad", "Very_Sad", "spaß", "SPASS")], "emotion,speaker")
    _, remarks = read(path)
    assert remarks == [
        f"{path}: classes of almost one name stay apart: 'spass' (1) and 'spaß' (1); "
        "'very sad' (1), 'very-sad' (1) and 'very_sad' (1); spell them alike if they are the same"
    ]


def of_two_people(path: Path, names: Sequence[str]) -> Path:
    """A store of one row a speaker, as another program, or an older version, may have written it."""
    pictures = np.random.default_rng(0).standard_normal((len(names), 32, 32)).astype(np.float32)
    return write_rows(path, pictures, ["angry", "sad"] * (len(names) // 2), speakers=list(names))


def test_a_store_of_older_words_is_read_as_one_person(tmp_path: Path, call: Call) -> None:
    path = of_two_people(tmp_path / "s.h5", [NFC, NFD, "B\u00a0C", "B C"])
    contents = open_store(path).contents
    assert set(contents.column("speaker")) == {NFC, "B C"}
    # What the file holds, and its digests, stay.
    assert contents.utterances["speaker"].tolist() == [NFC, NFD, "B\u00a0C", "B C"]
    assert '"verified": true' in call("info", "s.h5", "--verify", "--json").out
    assert call("select", "s.h5", "-o", "t.h5", "--fold", "1/3").err.startswith(
        "sertools select: --fold of 3: there are"
    )
    for name in (NFC, NFD):
        assert call("select", "s.h5", "-o", "t.h5", "--where", f"speaker={name}").code == 0
        assert len(open_store(tmp_path / "t.h5")) == 2
    assert '"B C",\n    "José"' in call("info", "s.h5", "--json").out.replace("\\u00e9", "é")


def test_a_fold_between_almost_one_name_is_told(tmp_path: Path, call: Call) -> None:
    of_two_people(tmp_path / "s.h5", ["F1", "f1", "F1", "f1"])
    done = call("select", "s.h5", "-o", "t.h5", "--fold", "1/2")
    assert "s.h5: speakers of almost one name are on both sides: 'F1', 'f1'; if they are the same" in done.err
    assert call("select", "s.h5", "-o", "t.h5", "--fold", "1/2", "--by", "utterance").err == "t.h5: 2 rows\n"


def test_a_speaker_who_was_trained_on_is_known_by_any_spelling(tmp_path: Path) -> None:
    of_two_people(tmp_path / "train.h5", [NFD, "G\u00a01", "F1", "F1"])
    pictures = np.random.default_rng(1).standard_normal((4, 32, 32)).astype(np.float32)
    write_rows(tmp_path / "test.h5", pictures, ["angry", "sad"] * 2, speakers=[NFC, "G 1", "f1", "f1"])
    classify([tmp_path / "train.h5"], tmp_path / "clf", CLF)
    with pytest.warns(SertoolsWarning) as caught:
        result = evaluate(
            tmp_path / "clf",
            [tmp_path / "test.h5"],
            tags={"method": f"\ufeff{NFD} ", "fold\u200b": "1"},
            device=torch.device("cpu"),
        )
    text = " ".join(str(warning.message) for warning in caught)
    assert f"2 of its speakers were trained on (G 1, {NFC})" in text
    assert "speakers of almost one name were trained on and are tested: 'F1', 'f1'" in text
    assert result.tags == {"method": NFC, "fold": "1"}


# Files in another form than the table's


@pytest.mark.parametrize(("named", "there"), [(NFC, NFD), (NFD, NFC)])
def test_a_file_is_found_in_the_disks_form(tmp_path: Path, call: Call, named: str, there: str) -> None:
    wav(tmp_path / f"w{there}" / f"{there}.wav")
    wav(tmp_path / f"w{there}" / f"{there}" / "1.wav")
    files = [f"w{named}/{named}.wav", f"w{named}/{there}/1.wav"]
    (tmp_path / "labels.csv").write_text("file,emotion\n" + "".join(f"{f},sad\n" for f in files), encoding="utf-8")
    (tmp_path / "db.yaml").write_text("name: db\n")
    shutil.copy(tmp_path / "labels.csv", tmp_path / "db.emotion.csv")
    expected = [tmp_path / f"w{there}" / f"{there}.wav", tmp_path / f"w{there}" / f"{there}" / "1.wav"]
    for reader in (
        lambda: list_recordings([str(tmp_path / "labels.csv")], None, io.StringIO()).recordings,
        lambda: list_recordings(["-"], None, io.StringIO("".join(f"{tmp_path}/{f}\n" for f in files))).recordings,
        lambda: list_recordings([f"{tmp_path}/{f}" for f in files], None, io.StringIO()).recordings,
        lambda: list_recordings([str(tmp_path / f"w{named}")], tmp_path / "labels.csv", io.StringIO()).recordings,
        lambda: read_corpus("nkululeko", tmp_path / "labels.csv"),
        lambda: read_corpus("audformat", tmp_path),
    ):
        found, remarks = said(reader)
        assert (sorted(Path(r.file) for r in found), remarks) == (sorted(expected), [])


def test_augment_finds_a_corpus_that_another_system_copied(tmp_path: Path, call: Call) -> None:
    for name in (f"angry{NFC}/1.wav", f"angry{NFC}/2.wav", f"sad/{NFC}.wav"):
        wav(tmp_path / "c" / name)
    assert call("extract", "c", "-o", "s.h5", *SMALL).code == 0
    for path in list((tmp_path / "c").rglob("*.wav")):
        copy = Path(str(path).replace(NFC, NFD))
        copy.parent.mkdir(exist_ok=True)
        path.rename(copy)
    (tmp_path / "c" / f"angry{NFC}").rmdir()
    for options in ((), ("--audio-root", "c")):
        done = call("augment", "s.h5", "-o", "a.h5", "--strategy", "SARS", *options)
        assert done.code == 0, done.err


def test_the_exact_name_wins(tmp_path: Path) -> None:
    for name in (NFC, NFD):
        wav(tmp_path / f"{name}.wav")
    for name in (NFC, NFD):
        (tmp_path / "labels.csv").write_text(f"file,emotion\n{name}.wav,sad\n", encoding="utf-8")
        assert Path(read(tmp_path / "labels.csv")[0][0].file).stem == name


# Words of one class


def test_words_that_become_one_class_are_told(corpus: Path, call: Call) -> None:
    rows = [("fear",), ("anxiety",), ("Anxiety",), ("joy",), ("happiness",), ("pleasant surprise",)]
    table(corpus, rows, "emotion")
    expected = (
        "labels.csv: words of one class: 'anxiety' (2) and 'fear' (1) are 'fearful'; 'happiness' (1) and 'joy' (1) "
        "are 'happy'; give --synonyms keep to keep them apart\n"
    )
    done = call("extract", "labels.csv", "-o", "s.h5", *SMALL)
    assert done.err == f"sertools extract: warning: {expected}s.h5: 6 rows from 6 recordings\n"
    assert open_store(corpus / "s.h5").contents.classes() == ("fearful", "happy", "surprised")
    done = call("corpus", "nkululeko", "labels.csv")
    assert (done.code, done.err) == (0, f"sertools corpus: warning: {expected}")
    # They are one class by now: nothing is left to be said.
    assert call("extract", "-", "-o", "t.h5", *SMALL, stdin=done.out).err == "t.h5: 6 rows from 6 recordings\n"


def test_words_of_one_class_can_stay_apart(corpus: Path, call: Call) -> None:
    table(corpus, [("fear",), ("anxiety",), ("Joy",), ("happiness",), ("xxx",), ("angry",)], "emotion")
    kept = ("ambiguous", "angry", "anxiety", "fear", "happiness", "joy")
    done = call("extract", "labels.csv", "-o", "s.h5", "--synonyms", "keep", *SMALL)
    assert done.err == "s.h5: 6 rows from 6 recordings\n"
    contents = open_store(corpus / "s.h5").contents
    assert contents.classes() == kept
    assert '"synonyms":"keep"' in contents.history[0]
    done = call("corpus", "nkululeko", "labels.csv", "--synonyms", "keep", "--relabel", "anxiety=fear")
    found = [line.split(",")[1] for line in done.out.splitlines()[1:]]
    assert found == ["fear", "fear", "joy", "happiness", "ambiguous", "angry"]
    done = call("extract", "labels.csv", "-o", "s.h5", "--synonyms", "split", *SMALL)
    assert (done.code, "--synonyms 'split': expected one of merge, keep" in done.err) == (2, True)


def test_folders_of_one_class_are_told(tmp_path: Path) -> None:
    for name in (
        "joy/1.wav",
        "happiness/2.wav",
        "happiness/3.wav",
        "Pleasant_surprise/4.wav",
        "pleasant surprise/5.wav",
    ):
        wav(tmp_path / name)
    expected = [
        f"{tmp_path}: words of one class: 'happiness' (2) and 'joy' (1) are 'happy'; "
        "give --synonyms keep to keep them apart"
    ]
    assert said(lambda: read_corpus("folders", tmp_path))[1] == expected
    _, remarks = said(lambda: list_recordings([str(tmp_path)], None, io.StringIO()).recordings)
    assert remarks == expected


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--relabel", ["sad=calm", "sad=angry"], "--relabel sad=angry: 'sad' is also to be 'calm'"),
        ("--relabel", ["fear=calm", "anxiety=angry"], "--relabel anxiety=angry: 'fearful' is also to be 'calm'"),
        ("--keep", ["sad=0.5", "s\u200bad=1"], "--keep 's\\u200bad=1': 'sad' has a fraction before; leave one out"),
    ],
)
def test_a_class_is_named_once(corpus: Path, call: Call, option: str, value: list[str], message: str) -> None:
    table(corpus, [("sad",), ("fear",)], "emotion")
    verb = ("corpus", "nkululeko", "labels.csv") if option == "--relabel" else ("select", "s.h5", "-o", "t.h5")
    call("extract", "labels.csv", "-o", "s.h5", *SMALL)
    done = call(*verb, *(word for each in value for word in (option, each)))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    done = call("generate", "gan", "-o", "t.h5", "--count", "sad=1", "--count", "sad =2")
    assert (done.code, "'sad' has a number before" in done.err) == (2, True)


# Suffixes

SUFFIXES = {
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "oga": {"format": "OGG"},
    "au": {"format": "AU"},
    "snd": {"format": "AU"},
    "aif": {"format": "AIFF"},
    "aifc": {"format": "AIFF", "subtype": "FLOAT"},
    "w64": {"format": "W64"},
    "caf": {"format": "CAF"},
    "rf64": {"format": "RF64"},
    "sph": {"format": "NIST"},
    "wave": {"format": "WAV"},
    "FLAC": {"format": "FLAC"},
    "mp3": {"format": "MP3"},
    "ogg": {"format": "OGG"},
}


def test_every_kind_of_audio_is_found_in_folders(tmp_path: Path) -> None:
    for number, (suffix, options) in enumerate(SUFFIXES.items()):
        path = tmp_path / ("angry", "sad")[number % 2] / f"{number}.{suffix}"
        with wav(path.with_suffix(".part"), format="WAV").open("r+b") as stream:
            soundfile.write(stream, 0.1 * np.sin(np.arange(16000)), 16000, **options)
        path.with_suffix(".part").rename(path)
    found, remarks = said(lambda: read_corpus("folders", tmp_path))
    assert (len(found), remarks) == (len(SUFFIXES), [])
    for recording in found:
        assert len(read_utterance(Path(recording.file), 16000).y) > 8000, recording.file


def test_what_is_no_audio_by_its_suffix_is_counted(tmp_path: Path, call: Call) -> None:
    wav(tmp_path / "c" / "angry" / "1.wav")
    wav(tmp_path / "c" / "sad" / "2.wav", n_samples=4000)
    for name in ("angry/3.m4a", "sad/4.M4A", "notes.txt", "README", "labels.csv", ".hidden.txt", "x.mat", "y.raw"):
        (tmp_path / "c" / name).write_text("")
    expected = (
        "c: left out 6 of 9 files, whose suffix is none of audio: 2 .m4a, 1 .mat, 1 .raw, 1 .txt, 1 without one; "
        "convert those that are\n"
    )
    done = call("extract", "c", "-o", "s.h5", *SMALL)
    assert done.err == f"sertools extract: warning: {expected}s.h5: 2 rows from 2 recordings\n"
    assert call("corpus", "folders", "c").err == f"sertools corpus: warning: {expected}"
    for path in (tmp_path / "c").rglob("*.wav"):
        path.unlink()
    assert "c: no audio files below it" in call("corpus", "folders", "c").err
    assert "(found: 2 .m4a, 1 .mat" in call("corpus", "folders", "c").err


# Quotes and bytes


def test_quotes_after_a_blank_are_quotes(corpus: Path) -> None:
    path = corpus / "labels.csv"
    path.write_text('file, "emotion",  "speaker", "note"\nw/0.wav, "angry", "03", "a, b"\n"w/1.wav", "sad" , 4, c\n')
    with pytest.raises(CorpusError, match=r"labels\.csv:3: not a CSV row .*mend its quotes"):
        read(path)
    path.write_text('file, "emotion",  "speaker", "note"\nw/0.wav, "angry", "03", "a, b"\n"w/1.wav", "sad", 4, c\n')
    found, _ = read(path)
    assert [(r.emotion, r.speaker, r.extra["note"]) for r in found] == [("angry", "03", "a, b"), ("sad", "4", "c")]


@pytest.mark.parametrize("cell", ['\t"angry"', '\u00a0"angry"', "'angry'", "“angry”", "«angry»"])
def test_quotes_that_are_none_are_refused(corpus: Path, cell: str) -> None:
    for column in ("emotion", "speaker", "session", "gender"):
        row = {"emotion": "sad", "speaker": "A", "session": "1", "gender": "f", column: cell}
        with pytest.raises(CorpusError, match=rf"labels\.csv:2: {column} is .*in quotes that are none of CSV's"):
            read(table(corpus, [tuple(row.values())]))


@pytest.mark.parametrize("reader", ["csv", "stdin", "nkululeko", "audformat"])
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"w/1.wav,\xe4rger,A,x", "emotion '\\udce4rger'"),
        (b"w/1.wav,sad,J\xf6rg,x", "speaker 'J\\udcf6rg'"),
        (b"w/1.wav,sad,A,\x80", "note '\\udc80'"),
    ],
)
def test_a_table_that_is_not_utf_8(corpus: Path, reader: str, line: bytes, shown: str, monkeypatch) -> None:
    monkeypatch.chdir(corpus)
    data = b"file,emotion,speaker,note\nw/0.wav,sad,A,x\n" + line + b"\n"
    path = corpus / "a b.csv"
    path.write_bytes(data)
    (corpus / "db.yaml").write_text("name: db\n")
    (corpus / "db.emotion.csv").write_bytes(data)
    text = data.decode("utf-8", "surrogateescape")
    with pytest.raises(CorpusError) as caught:
        {
            "csv": lambda: read(path),
            "stdin": lambda: list_recordings(["-"], None, io.StringIO(text)),
            "nkululeko": lambda: read_corpus("nkululeko", path),
            "audformat": lambda: read_corpus("audformat", corpus),
        }[reader]()
    name = {"stdin": "standard input", "audformat": str(corpus / "db.emotion.csv")}.get(reader, str(path))
    assert str(caught.value).startswith(f"{name}:3: {shown} is not UTF-8; save it as UTF-8, or convert it")
    assert ("iconv -f WINDOWS-1252 -t UTF-8 '" in str(caught.value)) == (reader in ("csv", "nkululeko"))


def test_a_column_that_is_not_utf_8(corpus: Path) -> None:
    path = corpus / "labels.csv"
    path.write_bytes(b"file,emotion,gef\xfchl\nw/0.wav,sad,1\n")
    with pytest.raises(CorpusError, match=r"labels\.csv:1: column 'gef.*' is not UTF-8; .*iconv -f"):
        read(path)


def test_file_names_that_are_not_utf_8(corpus: Path) -> None:
    wav(corpus / os.fsdecode(b"caf\xe9.wav"))
    path = corpus / "labels.csv"
    path.write_bytes(b"file,emotion\ncaf\xe9.wav,sad\n")
    assert os.fsencode(read(path)[0][0].file).endswith(b"/caf\xe9.wav")
    # The disk's are UTF-8, the table is not.
    (corpus / os.fsdecode(b"caf\xe9.wav")).rename(corpus / "café.wav")
    with pytest.raises(CorpusError, match=r"the first; the name is not UTF-8: if the disk's is, .*iconv -f"):
        read(path)


def test_a_folder_that_is_not_utf_8_names_no_class(tmp_path: Path) -> None:
    wav(tmp_path / os.fsdecode(b"\xe4rger") / "1.wav")
    wav(tmp_path / "sad" / "2.wav")
    with pytest.raises(CorpusError, match=r"1\.wav: its emotion '\\udce4rger' is not UTF-8; .*rename the folder"):
        read_corpus("folders", tmp_path)


# Tables by other names


@pytest.mark.parametrize("name", ["labels.txt", "LABELS.TXT", "labels.tab", "labels.csv"])
def test_a_table_of_another_suffix_is_a_table(corpus: Path, name: str) -> None:
    table(corpus, [("sad", "A")], "emotion,speaker").rename(corpus / name)
    assert [(r.emotion, r.speaker) for r in read(corpus / name)[0]] == [("sad", "A")]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("labels.tsv", b"file\temotion\nw/0.wav\tsad\n", "labels.tsv:1: columns separated by tabs; separate them by"),
        ("labels.txt", b"file;emotion\nw/0.wav;sad\n", "labels.txt:1: columns separated by semicolons"),
        (
            "labels.csv.gz",
            gzip.compress(b"file,emotion\nw/0.wav,sad\n", mtime=0),
            "labels.csv.gz: is compressed; unpack it by",
        ),
        (
            "labels.csv",
            gzip.compress(b"file,emotion\nw/0.wav,sad\n", mtime=0),
            "labels.csv: is compressed; unpack it by gunzip",
        ),
        ("labels.xlsx", b"PK\x03\x04\x14\0", "labels.xlsx: is a spreadsheet or an archive; save the table as CSV in"),
        ("labels.xls", b"\xd0\xcf\x11\xe0\xa1", "labels.xls: is a spreadsheet; save the table as CSV in UTF-8"),
        ("labels.parquet", b"PAR1\x15\x04", "labels.parquet: is Parquet; save the table as CSV in UTF-8"),
        ("list.txt", b"w/0.wav\nw/1.wav\n", "if it lists paths, give them by: sertools extract - < list.txt"),
    ],
)
def test_a_table_in_another_form_is_told(corpus: Path, call: Call, name: str, data: bytes, message: str) -> None:
    (corpus / name).write_bytes(data)
    sources = [[name], ["w", "--labels", name]]
    for line in sources:
        done = call("extract", *line, "-o", "s.h5", *SMALL)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert message in done.err
    assert message in call("corpus", "nkululeko", name).err


@pytest.mark.parametrize("column", ["gefühl", "年齢", "उम्र", "سن", "_x", "Größe in cm"])
def test_a_column_may_be_called_in_any_script(corpus: Path, call: Call, column: str) -> None:
    table(corpus, [("sad", "ä"), ("sad", "b")], f"emotion,{column}")
    assert call("extract", "labels.csv", "-o", "s.h5", *SMALL).code == 0
    assert call("select", "s.h5", "-o", "t.h5", "--where", f"{column}=ä").code == 0
    assert open_store(corpus / "t.h5").contents.column(column).tolist() == ["ä"]


def test_a_class_with_a_comma_can_be_named(corpus: Path, call: Call) -> None:
    table(corpus, [('"sad, very"',), ("sad",), ('"say ""oh"""',)], "emotion")
    assert call("extract", "labels.csv", "-o", "s.h5", *SMALL).code == 0
    done = call("select", "s.h5", "-o", "t.h5", "--where", "emotion=sad,very")
    assert (done.code, done.out) == (2, "")
    assert "no row has emotion 'very'; a value that holds a comma stands in quotes: emotion=\"sad, very\"" in done.err
    for condition, kept in (
        ('emotion="sad, very"', ["sad, very"]),
        ('emotion=sad, "sad, very"', ["sad, very", "sad"]),
        ('emotion!="sad, very"', ["sad", 'say "oh"']),
        ('emotion="say ""oh"""', ['say "oh"']),
    ):
        assert call("select", "s.h5", "-o", "t.h5", "--where", condition).code == 0, condition
        contents = open_store(corpus / "t.h5").contents
        assert contents.emotion.tolist() == kept
    # As the history has it, it can be given again.
    assert '"emotion=\\"say \\"\\"oh\\"\\"\\""' in contents.history[-1]
    done = call("select", "s.h5", "-o", "t.h5", "--where", 'emotion="sad')
    assert (done.code, "write quotes around a value" in done.err) == (2, True)
    assert call("select", "s.h5", "-o", "t.h5", "--keep", "sad, very=1").code == 0


# Other systems


@pytest.mark.skipif(sys.platform == "win32", reason="no locales")
def test_names_are_utf_8_under_any_locale(corpus: Path, run: Call) -> None:
    wav(corpus / "c" / "gelöst" / "né.wav")
    wav(corpus / "c" / "sad" / "ö.wav")
    (corpus / "l.csv").write_text("file,emotion,speaker\nc/gelöst/né.wav,gelöst,Jörg\n", encoding="utf-8")
    # As under a Latin-1 locale, which need not be installed: neither is UTF-8.
    env = {**process_environment(), "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "sertools"]

    def told(*args: object) -> str:
        line = [*command, *map(str, args)]
        done = subprocess.run(line, cwd=corpus, env=env, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    assert told("corpus", "folders", "c") == (
        "file,emotion,speaker,session,gender\nc/gelöst/né.wav,gelöst,,,\nc/sad/ö.wav,sad,,,\n"
    )
    for source in ("l.csv", "c"):
        told("extract", source, "-o", "s.h5", *SMALL)
        store = open_store(corpus / "s.h5")
        assert "gelöst" in store.contents.classes()
        assert all(store.audio_path(u).is_file() for u in range(len(store.contents.utterances)))
