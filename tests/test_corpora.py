"""Labels tables, the search for audio, and the readers: on names alone, and on real corpora if any."""

import io
import os
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

from sertools.corpora import READERS, read_corpus
from sertools.corpora.named import EMODB, RAVDESS
from sertools.corpora.table import (
    EMOTIONS,
    CorpusWarning,
    Recording,
    canonical_emotion,
    find_audio,
    looks_like_labels,
    read_labels,
    write_labels,
)
from sertools.errors import CorpusError, UsageError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def written(recordings: list[Recording]) -> str:
    stream = io.StringIO(newline="")
    write_labels(recordings, stream)
    return stream.getvalue()


def read(text: str) -> list[Recording]:
    return read_labels(io.StringIO(text, newline=""), "labels.csv")


# Words


@pytest.mark.parametrize(
    ("word", "emotion"),
    [
        ("Angry", "angry"),
        (" ANG ", "angry"),
        ("Wut", "angry"),
        ("joy", "happy"),
        ("hap", "happy"),
        ("sadness", "sad"),
        ("neu", "neutral"),
        ("anxiety", "fearful"),
        ("dis", "disgust"),
        ("ps", "surprised"),
        ("Pleasant_surprise", "surprised"),
        ("pleasant  surprised", "surprised"),
        ("xxx", "ambiguous"),
        ("boredom", "bored"),
        ("exc", "exc"),
        ("A", "a"),
        (" Frustrated ", "frustrated"),
        ("", ""),
    ],
)
def test_emotion_words(word, emotion):
    assert canonical_emotion(word) == emotion


def test_emotion_words_are_fixed_points():
    assert [canonical_emotion(emotion) for emotion in EMOTIONS] == list(EMOTIONS)


# Writing


def test_write_without_spans():
    row = Recording("a b/x.wav", "angry", "07", "1", "male")
    assert written([row]) == "file,emotion,speaker,session,gender\na b/x.wav,angry,07,1,male\n"


def test_write_spans_and_extras_in_order_of_occurrence():
    rows = [
        Recording("x.wav", "sad", start=0.5, extra={"text": "a01"}),
        Recording("y,z.wav", end=2, extra={"rater": "R", "text": 'say "a"'}),
    ]
    assert written(rows) == (
        "file,emotion,speaker,session,gender,start,end,text,rater\n"
        "x.wav,sad,,,,0.5,,a01,\n"
        '"y,z.wav",,,,,,2.0,"say ""a""",R\n'
    )


def test_round_trip_keeps_names_that_are_not_utf8(tmp_path):
    rows = [
        Recording(os.fsdecode(b"caf\xe9/\xff.wav"), "angry", "1", "2", "female"),
        Recording('line\nbreak, "quoted".wav', "frustrated", start=0.1, end=1e-5 + 0.1),
        Recording("ünï.wav", extra={"note": "é"}),
    ]
    labels = tmp_path / "labels.csv"
    with open(labels, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        write_labels(rows, stream)
    assert b"caf\xe9/\xff.wav" in labels.read_bytes()
    with open(labels, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        found = read_labels(stream, "labels.csv")
    assert [r.file for r in found] == [r.file for r in rows]
    assert [(r.emotion, r.start, r.end) for r in found] == [(r.emotion, r.start, r.end) for r in rows]
    assert [dict(r.extra) for r in found] == [{"note": ""}, {"note": ""}, {"note": "é"}]


def test_recordings_can_be_members_of_sets():
    assert len({Recording("a", extra={"x": "1"}), Recording("a", extra={"x": "1"}), Recording("b")}) == 2


# Reading


def test_read_is_tolerant():
    text = (
        "\ufeff, Sex ,label,start,File,speaker_id,end,age\r\n"
        "0, F ,Happiness,,a.wav, 03 ,NaT,30\r\n"
        "\r\n"
        ",,,,,,,\r\n"
        "1,Male,ang,0.25, b.wav ,08,0 days 00:00:01.500000,\r\n"
        "2,,ang,0 days,c.wav\r\n"
    )
    a, b, c = read(text)
    assert a == Recording("a.wav", "happy", "03", "", "female", extra={"age": "30"})
    assert b == Recording("b.wav", "angry", "08", "", "male", 0.25, 1.5, {"age": ""})
    assert c == Recording("c.wav", "angry", start=0.0, extra={"age": ""})


def test_a_second_label_column_stays_a_column():
    (row,) = read("file,label,emotion,speaker,speaker_id\nx.wav,L1,sad,Ann,7\n")
    assert (row.emotion, row.speaker) == ("sad", "Ann")
    assert dict(row.extra) == {"label": "L1", "speaker_id": "7"}


def test_further_columns_keep_their_order_and_case():
    (row,) = read("Text,file,emotion,Age\nhello,x.wav,sad,30\n")
    assert list(row.extra.items()) == [("Text", "hello"), ("Age", "30")]


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("", None),
        ("NaT", None),
        ("nan", None),
        ("0", 0.0),
        ("1.25", 1.25),
        ("5e-2", 0.05),
        ("00:00:01.5", 1.5),
        ("0 days 00:00:00.050000", 0.05),
        ("1 days 01:01:01", 90061.0),
        ("0 days", 0.0),
        ("0:01:02,5", 62.5),
    ],
)
def test_times(cell, seconds):
    (row,) = read(f'file,emotion,start\nx.wav,sad,"{cell}"\n')
    assert row.start == seconds


def test_spans_of_one_file_are_different_rows():
    assert len(read("file,emotion,start,end\nx.wav,sad,,1\nx.wav,angry,1,2\nx.wav,angry,1,\n")) == 3


def test_header_alone_is_an_empty_table():
    assert read("file,emotion\n") == []


HEAD = "file,emotion,start,end\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "labels.csv: empty"),
        ("\n \n", "labels.csv: empty"),
        ("a.wav,angry\n", "labels.csv:1: no column 'file' in the header (found: a.wav, angry)"),
        ("file,speaker\nx.wav,1\n", "labels.csv:1: no column 'emotion'"),
        ('file,"a\nb"\nx.wav,1\n', "labels.csv:2: no column 'emotion' in the header (found: file, a\\nb)"),
        ("file;emotion\nx.wav;sad\n", "labels.csv:1: columns separated by semicolons"),
        ("file\temotion\nx.wav\tsad\n", "labels.csv:1: columns separated by tabs"),
        ("file,emotion,Age,Age\n", "labels.csv:1: 2 columns 'Age'"),
        ("file,emotion,File\n", "labels.csv:1: 2 columns 'file'"),
        (HEAD + "x.wav,sad,,,b,\n", "labels.csv:2: 6 cells under 4 columns"),
        (HEAD + "\nx.wav\n", "labels.csv:3: 1 cells, ends before 'emotion'"),
        (HEAD + ",sad,,\n", "labels.csv:2: no file"),
        (HEAD + "x.wav,sad,1,1\n", "labels.csv:2: start 1 s is not before end 1 s"),
        (HEAD + "x.wav,sad,,0\n", "labels.csv:2: start 0 s is not before end 0 s"),
        (HEAD + "x.wav,sad,one,\n", "labels.csv:2: start is 'one'"),
        (HEAD + "x.wav,sad,-1,\n", "labels.csv:2: start is '-1'"),
        (HEAD + "x.wav,sad,,inf\n", "labels.csv:2: end is 'inf'"),
        (HEAD + "x.wav,sad,,01:30\n", "labels.csv:2: end is '01:30'"),
        (HEAD + "x.wav,sad\ny.wav,sad\nx.wav,angry,0\n", "labels.csv:4: 'x.wav' stands in line 2 too"),
        (HEAD + 'x.wav,"sad,,\ny.wav,sad,,\n', "not a CSV row"),
        ("f\0i\0l\0e\0", "labels.csv:1: holds NUL"),
    ],
)
def test_unreadable_tables(text, message):
    with pytest.raises(CorpusError) as caught:
        read(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)  # the remedy


def test_table_that_is_not_utf8():
    for n_lines in (0, 5000):
        data = b"file,emotion\n" + b"".join(b"%d.wav,sad\n" % n for n in range(n_lines)) + b"caf\xe9.wav,sad\n"
        stream = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
        with pytest.raises(CorpusError, match=rf"labels\.csv:{n_lines + 2}: not UTF-8 \(byte 0xe9\).*: iconv -f"):
            read_labels(stream, "labels.csv")


@pytest.mark.parametrize(
    ("line", "is_header"),
    [
        ("file,emotion,speaker,session,gender\n", True),
        ("\ufefffile,label\r\n", True),
        ('"","file","emotion"\n', True),
        ("start,end,File\n", True),
        ("file;emotion\n", True),
        ("file\n", True),
        ("corpus/angry/x.wav\n", False),
        ("file.wav\n", False),
        ("my file, emotion.wav\n", False),
        ("a,file,b.wav", False),
        ("", False),
    ],
)
def test_looks_like_labels(line, is_header):
    assert looks_like_labels(line) is is_header


# Finding audio


def test_find_audio(tmp_path):
    touch(
        tmp_path,
        "b/2.WAV",
        "b/1.flac",
        "a/x.Mp3",
        "z.aiff",
        "z.ogg",
        "z.aif",
        "a/notes.txt",
        "a/._x.wav",
        ".hidden/x.wav",
        "__MACOSX/x.wav",
        "folder.wav/inner.wav",
    )
    names = ["a/x.Mp3", "b/1.flac", "b/2.WAV", "folder.wav/inner.wav", "z.aif", "z.aiff", "z.ogg"]
    assert find_audio(tmp_path) == [tmp_path / name for name in names]


def test_find_audio_keeps_the_prefix(tmp_path, monkeypatch):
    touch(tmp_path, "wavs/a/x.wav")
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in find_audio(Path("wavs"))] == [os.path.join("wavs", "a", "x.wav")]
    assert [str(path) for path in find_audio(Path("../" + tmp_path.name))] == [
        os.path.join("..", tmp_path.name, "wavs", "a", "x.wav")
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_find_audio_follows_links_once(tmp_path):
    touch(tmp_path, "corpus/real/x.wav", "elsewhere/y.wav")
    corpus = tmp_path / "corpus"
    for name in ("another", "zero"):
        (corpus / name).symlink_to(corpus / "real")
    (corpus / "real" / "loop").symlink_to(corpus)
    (corpus / "self").symlink_to(corpus / "self")
    (corpus / "linked").symlink_to(tmp_path / "elsewhere")
    (corpus / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    names = ["gone.wav", "linked/y.wav", "real/x.wav"]
    assert find_audio(corpus) == [corpus / name for name in names]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse the name")
def test_find_audio_with_a_name_that_is_not_utf8(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.wav")).touch()
    (path,) = find_audio(tmp_path)
    assert os.fsencode(path.name) == b"\xff.wav"


def test_find_audio_without_a_folder(tmp_path):
    with pytest.raises(CorpusError, match="none: no such folder"):
        find_audio(tmp_path / "none")
    touch(tmp_path, "corpus.zip")
    with pytest.raises(CorpusError, match=r"corpus\.zip: is a file"):
        find_audio(tmp_path / "corpus.zip")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may read everything")
def test_find_audio_in_a_locked_folder(tmp_path):
    touch(tmp_path, "locked/x.wav")
    (tmp_path / "locked").chmod(0)
    try:
        with pytest.raises(CorpusError, match="locked: cannot be listed"):
            find_audio(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)


# Readers


def test_the_readers():
    assert list(READERS)[:3] == ["folders", "ravdess", "emodb"]
    assert all(name == reader.name and "\n" not in reader.title for name, reader in READERS.items())


def test_unknown_reader(tmp_path):
    with pytest.raises(CorpusError, match="'RAVDES': no such reader; did you mean 'ravdess'"):
        read_corpus("RAVDES", tmp_path)
    with pytest.raises(CorpusError, match="no such reader; known are folders, ravdess, emodb"):
        read_corpus("qqq", tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_no_audio(name, tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(CorpusError, match="audio files"):
        read_corpus(name, tmp_path)
    with pytest.raises(CorpusError, match="no such folder"):
        read_corpus(name, tmp_path / "none")


@pytest.mark.parametrize(("name", "pattern"), [("ravdess", "03-01-EE-II-SS-RR-AA"), ("emodb", "SStttEv")])
def test_audio_of_another_corpus(name, pattern, tmp_path):
    touch(tmp_path, "1001_DFA_ANG_XX.wav")
    with pytest.raises(CorpusError, match=f"none of 1 audio files.*{pattern}.*'folders'"):
        read_corpus(name, tmp_path)


def test_folders(tmp_path):
    touch(tmp_path, "Happiness/1.wav", "Wut/deep/2.wav", "Wut/1.wav", "stray.wav")
    recordings = read_corpus("folders", tmp_path)
    assert [(Path(r.file).relative_to(tmp_path).as_posix(), r.emotion) for r in recordings] == [
        ("Happiness/1.wav", "happy"),
        ("Wut/1.wav", "angry"),
        ("Wut/deep/2.wav", "deep"),
        ("stray.wav", ""),
    ]
    assert recordings[0] == Recording(str(tmp_path / "Happiness" / "1.wav"), "happy")


def test_one_folder_tells_no_emotion(tmp_path):
    touch(tmp_path, "angry/1.wav", "angry/2.wav")
    assert [r.emotion for r in read_corpus("folders", tmp_path)] == ["", ""]


def test_an_emotion_can_count_as_another(tmp_path):
    for name in ("calm/a.wav", "sad/b.wav", "neutral/c.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    found = read_corpus("folders", tmp_path, relabel={"calm": "neutral"})
    assert [(Path(r.file).name, r.emotion) for r in found] == [
        ("a.wav", "neutral"),
        ("c.wav", "neutral"),
        ("b.wav", "sad"),
    ]
    with pytest.raises(UsageError, match="no recording is 'clam'; they are calm, neutral, sad"):
        read_corpus("folders", tmp_path, relabel={"clam": "neutral"})


def test_ambiguous_rows_can_be_dropped(tmp_path):
    touch(tmp_path, "xxx/1.wav", "sad/2.wav")
    assert [r.emotion for r in read_corpus("folders", tmp_path)] == ["sad", "ambiguous"]
    assert [r.emotion for r in read_corpus("folders", tmp_path, ambiguous="drop")] == ["sad"]
    with pytest.raises(UsageError, match="'maybe'"):
        read_corpus("folders", tmp_path, ambiguous="maybe")


def ravdess_names(actor: int) -> list[str]:
    return [
        f"03-01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}.wav"
        for emotion in range(1, 9)
        for intensity in ((1,) if emotion == 1 else (1, 2))
        for statement in (1, 2)
        for repetition in (1, 2)
    ]


def actor_folder(folder: Path, actor: int) -> Path:
    touch(folder / f"Actor_{actor:02d}", *ravdess_names(actor))
    return folder / f"Actor_{actor:02d}"


def test_ravdess(tmp_path):
    actor_folder(tmp_path, 7)
    actor_folder(tmp_path, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recordings = read_corpus("ravdess", tmp_path)
    assert len(recordings) == 120
    by_name = {Path(r.file).name: r for r in recordings}
    assert by_name["03-01-05-02-01-02-07.wav"] == Recording(
        str(tmp_path / "Actor_07" / "03-01-05-02-01-02-07.wav"),
        "angry",
        "07",
        "",
        "male",
        extra={"intensity": "strong", "statement": "01", "repetition": "02"},
        corpus="ravdess",
    )
    assert by_name["03-01-02-01-01-01-12.wav"].gender == "female"
    assert [by_name[f"03-01-0{e}-01-01-01-07.wav"].emotion for e in range(1, 9)] == [
        "neutral",
        "calm",
        "happy",
        "sad",
        "angry",
        "fearful",
        "disgust",
        "surprised",
    ]


def test_ravdess_published_counts():
    assert len(RAVDESS.expected) == 24
    totals = Counter({e: n * 24 for e, n in RAVDESS.expected["01"].items()})
    assert totals["neutral"] == 96
    assert totals.total() == 1440


def test_ravdess_downloaded_twice(tmp_path):
    actor_folder(tmp_path, 1)
    actor_folder(tmp_path / "audio_speech_actors_01-24", 1)
    with pytest.warns(CorpusWarning, match="60 recordings expected, 120 files found: left out 60"):
        recordings = read_corpus("ravdess", tmp_path)
    assert len(recordings) == 60
    assert all(Path(r.file).parent == tmp_path / "Actor_01" for r in recordings)


def test_ravdess_songs(tmp_path):
    actor_folder(tmp_path, 1)
    touch(tmp_path, "Actor_01/03-02-05-02-01-02-01.wav", "Actor_01/03-02-05-01-01-02-01.wav")
    with pytest.warns(CorpusWarning, match="left out 2 songs"):
        assert len(read_corpus("ravdess", tmp_path)) == 60


def test_ravdess_strangers(tmp_path):
    touch(actor_folder(tmp_path, 1), "copy of 03-01-05-02-01-02-01.wav")
    with pytest.warns(CorpusWarning, match="left out 1 file not named like .*, such as .*copy of"):
        assert len(read_corpus("ravdess", tmp_path)) == 60


def test_ravdess_file_in_another_actors_folder(tmp_path):
    name = "03-01-05-02-01-02-01.wav"
    (tmp_path / "Actor_02").mkdir()
    (actor_folder(tmp_path, 1) / name).rename(tmp_path / "Actor_02" / name)
    with pytest.warns(CorpusWarning, match=f"1 files lie in another actor's folder, such as .*{name}"):
        recordings = read_corpus("ravdess", tmp_path)
    assert {r.speaker for r in recordings} == {"01"}


def test_ravdess_incomplete_actor(tmp_path):
    (actor_folder(tmp_path, 3) / "03-01-05-02-01-02-03.wav").unlink()
    expected = "59 recordings found, 60 expected of 1 speaker: speaker 03 angry 7 instead of 8$"
    with pytest.warns(CorpusWarning, match=expected):
        assert len(read_corpus("ravdess", tmp_path)) == 59


def test_emodb_published_counts():
    speakers = {
        "03": 49,
        "08": 58,
        "09": 43,
        "10": 38,
        "11": 55,
        "12": 35,
        "13": 61,
        "14": 69,
        "15": 56,
        "16": 71,
    }
    assert {speaker: sum(counts.values()) for speaker, counts in EMODB.expected.items()} == speakers
    totals = sum((Counter(counts) for counts in EMODB.expected.values()), Counter())
    assert totals == EMODB_TOTALS


EMODB_TOTALS = Counter(angry=127, bored=81, disgust=46, fearful=69, happy=71, sad=62, neutral=79)


def test_emodb_names_and_counts(tmp_path):
    touch(tmp_path, "wav/08b10Wa.wav", "wav/08a01Ab.WAV", "wav/03a01Lc.flac", "wav/99a02Nz.wav")
    expected = "4 recordings found, 107 expected of 3 speakers: speaker 03 angry 0 instead of 14, .*and 10 more"
    with pytest.warns(CorpusWarning, match=expected):
        recordings = read_corpus("emodb", tmp_path)
    assert [(r.emotion, r.speaker, r.gender, dict(r.extra)) for r in recordings] == [
        ("bored", "03", "male", {"text": "a01"}),
        ("fearful", "08", "female", {"text": "a01"}),
        ("angry", "08", "female", {"text": "b10"}),
        ("neutral", "99", "", {"text": "a02"}),
    ]


# Real corpora


def real(name: str) -> Path:
    folder = Path(os.environ.get("SERTOOLS_DATA", "")) / name
    if "SERTOOLS_DATA" not in os.environ or not folder.is_dir():
        pytest.skip(f"needs SERTOOLS_DATA, a folder with {name}/")
    return folder


def test_real_ravdess():
    recordings = read_corpus("ravdess", real("ravdess"))
    assert len(recordings) == 720
    others = ("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
    assert Counter(r.emotion for r in recordings) == {"neutral": 48} | dict.fromkeys(others, 96)
    assert Counter(r.speaker for r in recordings) == {f"{actor:02d}": 60 for actor in range(1, 13)}
    assert Counter(r.gender for r in recordings) == {"male": 360, "female": 360}


def test_real_emodb():
    recordings = read_corpus("emodb", real("emodb"))
    assert len(recordings) == 535
    assert Counter(r.emotion for r in recordings) == EMODB_TOTALS
    assert Counter(r.gender for r in recordings) == {"male": 233, "female": 302}
    assert len({r.extra["text"] for r in recordings}) == 10


@pytest.mark.parametrize("name", ["ravdess", "emodb"])
def test_real_round_trip(name):
    recordings = read_corpus(name, real(name))
    assert read(written(recordings)) == recordings
