"""The readers of IESC, TurEV-DB, nEMO and EmoTale: as published, on small trees, and the real ones at hand."""

import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertools.corpora import READERS, read_corpus
from sertools.corpora.table import Recording
from sertools.errors import CorpusError, SertoolsWarning

USER = "ec2301df0df60870fd584d8f2168f47c826f7e420cc58e82a85ba900"
NOBODY = "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"


def tree(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def quietly(reader: str, folder: Path) -> list[Recording]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_corpus(reader, folder)


def said_of(reader: str, folder: Path) -> tuple[list[Recording], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recordings = read_corpus(reader, folder)
    return recordings, [str(warning.message) for warning in caught]


def test_all_four_are_listed(run):
    lines = run("corpus", "--list").out
    assert [name for name in ("nemo", "iesc", "emotale", "turev-db") if f"{name} " not in lines] == []
    assert READERS["turev-db"].licence == "CC BY-NC-ND 4.0"


# IESC


def test_iesc_takes_the_user_of_the_name_and_the_place_of_the_folder(tmp_path):
    root = tree(tmp_path / "iesc", [f"Metro/Go-safe-Calm-1563215593879-{USER}.wav"])
    assert quietly("iesc", root) == [
        Recording(
            str(root / f"Metro/Go-safe-Calm-1563215593879-{USER}.wav"),
            "calm",
            "ec2301df",
            corpus="iesc",
            extra={"keyword": "go", "environment": "safe", "location": "Metro"},
        )
    ]


def test_iesc_sorted_by_user_says_the_same_but_for_the_path(tmp_path):
    published = tree(tmp_path / "a", [f"webservice/no-safe-angry-1-{USER}.wav"])
    by_user = tree(tmp_path / "b", ["ec2301df/no-safe-angry-1-webservice.flac"])
    (one,), (other,) = quietly("iesc", published), quietly("iesc", by_user)
    assert (one.emotion, one.speaker, one.extra) == (other.emotion, other.speaker, other.extra)
    together = tree(tmp_path, [])
    recordings, said = said_of("iesc", together)
    assert len(recordings) == 1
    assert "left out 1 file whose base names occur before" in said[0]


def test_unknown_users_of_iesc_have_no_speaker_and_background_is_left_out(tmp_path):
    names = [f"House/bacho-safe-calm-{n}-{NOBODY}.wav" for n in range(3)]
    names += [f"House/background-safe-None-20190701193438-{NOBODY}.wav", f"Metro/help-gunshots-happy-4-{USER}.wav"]
    recordings, said = said_of("iesc", tree(tmp_path, names))
    assert Counter(r.speaker for r in recordings) == {"": 3, "ec2301df": 1}
    assert [line.partition(": ")[2] for line in said] == [
        "left out 1 recordings of background (emotion None)",
        "3 of 4 recordings are of unknown users and have no speaker; before folds of speakers leave them out by "
        "`select --where 'speaker!=\"\"'`",
    ]


def test_iesc_that_is_background_alone_is_refused(tmp_path):
    tree(tmp_path, [f"House/background-safe-None-1-{NOBODY}.wav"])
    with pytest.raises(CorpusError, match="holds background alone"):
        read_corpus("iesc", tmp_path)


def test_copies_and_silence_of_iesc_are_named_and_its_known_speakers_make_folds(tmp_path, run):
    tone = np.sin(np.arange(16000) / 20)
    for speaker, user in enumerate(("0", "1", "2", NOBODY)):
        hashed = user if user == NOBODY else user * 56
        for word, emotion in (("go", "calm"), ("no", "angry")):
            path = tmp_path / "c" / "road" / f"{word}-safe-{emotion}-{speaker}-{hashed}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone * (0.1 + 0.1 * speaker) if (word, speaker) != ("no", 0) else 0 * tone, 16000)
    soundfile.write(path.with_name(f"stop-safe-calm-9-{'1' * 56}.wav"), tone * 0.2, 16000)
    listed = run("corpus", "iesc", "c")
    assert "2 of 9 recordings are of unknown users" in listed.err
    made = run("extract", "-", "-o", "s.h5", "--mels", 16, "--frames", 16, "--tail", "overlap", stdin=listed.out)
    assert made.code == 0
    assert "is silent or constant, 'no-safe-angry-0-" in made.err
    assert "the same sound as another" in made.err
    refused = run("select", "s.h5", "--fold", "1/3", "-o", "t.h5")
    assert refused.code == 2
    assert "2 of 9 utterances have no speaker" in refused.err
    assert run("select", "s.h5", "--where", 'speaker!=""', "-o", "known.h5").code == 0
    assert run("select", "known.h5", "--fold", "1/3", "-o", "t.h5").code == 0


# TurEV-DB


def test_turev_db(tmp_path):
    codes = {"Angry": "kz", "Calm": "sk", "Happy": "mt", "Sad": "hl"}
    names = [f"Sound Source/{folder}/{s}_{code}_acik.wav" for s in (1157, 1234) for folder, code in codes.items()]
    recordings = quietly("turev-db", tree(tmp_path / "TurEV-DB", names))
    assert {(r.speaker, r.emotion, r.extra["word"]) for r in recordings} == {
        (speaker, emotion, "acik") for speaker in ("1157", "1234") for emotion in ("angry", "calm", "happy", "sad")
    }
    assert {r.gender for r in recordings} == {""}


def test_turev_db_says_which_files_lie_in_another_emotions_folder(tmp_path):
    recordings, said = said_of("turev-db", tree(tmp_path, ["Sad/1157_kz_dil.wav", "Sad/1157_hl_dil.wav"]))
    assert [r.emotion for r in recordings] == ["sad", "angry"]
    assert "1 files lie in another emotion's folder" in said[0]


# nEMO


def test_nemo(tmp_path):
    words = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
    names = [f"samples/{s}_{word}_{n}.wav" for s in ("EB0", "WR0") for word in words for n in (1, 90)]
    recordings = quietly("nemo", tree(tmp_path / "nEMO", [*names, "data.tsv"]))
    assert Counter((r.emotion, r.gender) for r in recordings) == {
        (emotion, gender): 2
        for emotion in ("angry", "fearful", "happy", "neutral", "sad", "surprised")
        for gender in ("female", "male")
    }
    assert {r.extra["sentence"] for r in recordings} == {"1", "90"}


# EmoTale


def emotale(root: Path, languages: Iterable[str]) -> Path:
    speakers = {"DK": [1, *range(3, 20)], "EN": [1, *range(3, 14), 16, 17]}
    return tree(
        root,
        (
            f"{language}_{speaker:03d}_{emotion}_{sentence}.wav"
            for language in languages
            for speaker in speakers[language]
            for emotion in "ABHNS"
            for sentence in range(1, 6)
        ),
    )


@pytest.mark.parametrize(("languages", "count"), [(("DK", "EN"), 800), (("DK",), 450), (("EN",), 350)])
def test_emotale_in_both_languages_or_one(languages, count, tmp_path):
    recordings = quietly("emotale", emotale(tmp_path / "EmoTale", languages))
    assert len(recordings) == count
    assert Counter(r.emotion for r in recordings) == dict.fromkeys(
        ("angry", "bored", "happy", "neutral", "sad"), count // 5
    )
    assert len({r.speaker for r in recordings}) == (18 if "DK" in languages else 14)
    assert {r.gender for r in recordings} == {""}
    assert {r.extra["language"] for r in recordings} == set(languages)


def test_emotale_counts_what_is_missing(tmp_path):
    (emotale(tmp_path, ("DK",)) / "DK_004_A_5.wav").unlink()
    _, said = said_of("emotale", tmp_path)
    assert said[0].endswith("449 recordings found, 450 expected of 18 speakers: speaker 004 angry 4 instead of 5")


@pytest.mark.parametrize("reader", ["nemo", "iesc", "emotale", "turev-db"])
def test_another_corpus_is_refused_with_the_names_that_are_expected(reader, tmp_path):
    tree(tmp_path, ["wav/03a01Fa.wav"])
    with pytest.raises(CorpusError, match=r"none of 1 audio files is named as in .*'folders'"):
        read_corpus(reader, tmp_path)


# Real corpora


def real(data_dir: Path, name: str) -> Path:
    if not (data_dir / name).is_dir():
        pytest.skip(f"SERTOOLS_DATA holds no {name}/")
    return data_dir / name


def test_real_nemo(data_dir):
    recordings = quietly("nemo", real(data_dir, "nemo"))
    others = ("angry", "happy", "neutral", "sad", "surprised")
    assert Counter(r.emotion for r in recordings) == {"fearful": 77} | dict.fromkeys(others, 80)
    assert {(r.speaker, r.gender) for r in recordings} == {
        *(("EB0", "female"), ("IC0", "female"), ("KS0", "male"), ("MP0", "male"))
    }


def test_real_iesc(data_dir):
    recordings = quietly("iesc", real(data_dir, "iesc"))
    assert Counter(r.emotion for r in recordings) == {"calm": 231, "happy": 204, "angry": 197, "fearful": 167}
    speakers = {r.speaker for r in recordings}
    assert len(speakers) == 25
    assert all(
        {r.emotion for r in recordings if r.speaker == s} == {"calm", "happy", "angry", "fearful"} for s in speakers
    )
    assert {r.extra["location"] for r in recordings} == {"webservice"}


@pytest.mark.parametrize("name", ["nemo", "iesc"])
def test_the_table_beside_a_real_corpus_says_the_same(name, data_dir, run):
    folder = real(data_dir, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SertoolsWarning)
        recordings = read_corpus(name, folder)
    own = {(r.file, r.emotion, r.speaker) for r in recordings}
    lines = [line.split(",") for line in (folder / "labels.csv").read_text().splitlines()[1:]]
    emotion = {"anger": "angry", "fear": "fearful", "happiness": "happy", "sadness": "sad"}
    assert own == {(str(folder / file), emotion.get(word, word), who) for file, word, who, *_ in lines}
