"""The reader of TESS, at full size by names."""

import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertools.corpora import read_corpus
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError

# As the download names them.
FOLDERS = {
    "OAF": ["OAF_angry", "OAF_disgust", "OAF_Fear", "OAF_happy", "OAF_neutral", "OAF_Pleasant_surprise", "OAF_Sad"],
    "YAF": ["YAF_angry", "YAF_disgust", "YAF_fear", "YAF_happy", "YAF_neutral", "YAF_pleasant_surprised", "YAF_sad"],
}
WORDS = ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]


def letters(number: int) -> str:
    return chr(ord("a") + number // 26) + chr(ord("a") + number % 26)


@pytest.fixture(scope="module")
def tess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 2800 names, one of them misspelt as published; one tiny wav, linked; do not change it."""
    root = tmp_path_factory.mktemp("tess") / "TESS"
    root.mkdir()
    soundfile.write(root / ".tone.wav", np.zeros(800), 24414)
    for speaker, folders in FOLDERS.items():
        for folder, emotion in zip(folders, WORDS, strict=True):
            (root / folder).mkdir()
            for word in ["bite", *map(letters, range(199))]:
                name = "OA_bite_neutral" if (speaker, word, emotion) == ("OAF", "bite", "neutral") else None
                os.link(root / ".tone.wav", root / folder / f"{name or f'{speaker}_{word}_{emotion}'}.wav")
    return root


def quietly(folder: Path) -> list[Recording]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_corpus("tess", folder)


def some(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_full_size(tess):
    recordings = quietly(tess)
    assert len(recordings) == 2800
    emotions = ("angry", "disgust", "fearful", "happy", "neutral", "surprised", "sad")
    assert Counter(r.emotion for r in recordings) == dict.fromkeys(emotions, 400)
    assert Counter(r.speaker for r in recordings) == {"OAF": 1400, "YAF": 1400}
    assert {r.gender for r in recordings} == {"female"}


def test_one_recording(tess):
    by_name = {Path(r.file).name: r for r in quietly(tess)}
    path = tess / "YAF_pleasant_surprised" / "YAF_ab_ps.wav"
    assert by_name["YAF_ab_ps.wav"] == Recording(
        str(path), "surprised", "YAF", "", "female", corpus="tess", extra={"word": "ab"}
    )
    misspelt = by_name["OA_bite_neutral.wav"]
    assert (misspelt.speaker, misspelt.emotion, misspelt.extra["word"]) == ("OAF", "neutral", "bite")


def test_the_label_is_in_the_name(tmp_path):
    some(tmp_path, "YAF_sad/OAF_back_angry.wav", "YAF_sad/yaf_Back_PS.WAV")
    with pytest.warns(CorpusWarning, match="2 recordings found"):
        found = read_corpus("tess", tmp_path)
    assert [(r.speaker, r.emotion, r.extra["word"]) for r in found] == [
        ("OAF", "angry", "back"),
        ("YAF", "surprised", "back"),
    ]


def test_nested_copy(tess, tmp_path):
    root = tmp_path / "TESS"
    root.mkdir()
    for folder in (folder for folders in FOLDERS.values() for folder in folders):
        for place in (root, root / "TESS Toronto emotional speech set data"):
            (place / folder).mkdir(parents=True)
            for path in (tess / folder).iterdir():
                os.link(path, place / folder / path.name)
    # Somebody mended the name in one of the two.
    mended = root / "TESS Toronto emotional speech set data" / "OAF_neutral"
    (mended / "OA_bite_neutral.wav").rename(mended / "OAF_bite_neutral.wav")
    with pytest.warns(CorpusWarning) as caught:
        recordings = read_corpus("tess", root)
    (warning,) = caught
    assert "2800 recordings expected, 5600 files found: left out 2800 files" in str(warning.message)
    assert set(Counter((r.speaker, r.emotion) for r in recordings).values()) == {200}


def test_incomplete(tess, tmp_path):
    for path in (tess / "OAF_Fear").iterdir():
        os.link(path, tmp_path / path.name)
    (tmp_path / "OAF_bite_fear.wav").unlink()
    expected = "199 recordings found, 1400 expected of 1 speaker: .*OAF fearful 199 instead of 200"
    with pytest.warns(CorpusWarning, match=expected):
        assert len(read_corpus("tess", tmp_path)) == 199


def test_strangers(tmp_path):
    some(tmp_path, "OAF_back_angry.wav", "OAF_back_bored.wav", "MAF_back_sad.wav", "._OAF_back_sad.wav")
    with pytest.warns(CorpusWarning) as caught:
        assert len(read_corpus("tess", tmp_path)) == 1
    assert "left out 2 files not named like OAF_word_emotion.wav" in str(caught[0].message)


def test_another_corpus(tmp_path):
    some(tmp_path, "03a01Fa.wav")
    with pytest.raises(CorpusError, match=r"none of 1 audio files is named as in TESS.*'folders'"):
        read_corpus("tess", tmp_path)


def test_from_the_command_line(tess, run):
    done = run("corpus", "tess", "TESS", cwd=tess.parent)
    lines = done.out.splitlines()
    assert (done.code, done.err, len(lines)) == (0, "", 2801)
    assert lines[:2] == [
        "file,emotion,speaker,session,gender,corpus,word",
        "TESS/OAF_Fear/OAF_aa_fear.wav,fearful,OAF,,female,tess,aa",
    ]
