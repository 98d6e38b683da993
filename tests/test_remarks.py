"""What is odd about recordings is said once, with numbers: by `extract`, by `merge`, and by `info`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import SR, Outcome, tone

from sertools.config import FrontEnd
from sertools.sound.audio import read_utterance
from sertools.sound.features import log_mel, n_dead_bands
from sertools.store.reader import open_store

SMALL = ("--mels", 32, "--frames", 32, "--seconds", 1)


@pytest.fixture
def corpus(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Ten recordings of each of two classes, with nothing odd about them."""
    root = tmp_path / "w"
    for number in range(20):
        emotion = ("angry", "sad")[number % 2]
        (root / emotion).mkdir(parents=True, exist_ok=True)
        soundfile.write(root / emotion / f"{number}.wav", tone(rng, 90 + 7 * number, 1.0), SR)
    return root


def said(done: Outcome) -> list[str]:
    assert done.code == 0, done.err
    return [line.partition("warning: ")[2] for line in done.err.splitlines() if "warning: " in line]


def remarked(call, *options: object, source: str = "w") -> list[str]:
    """Extract, and see that `info` says the same as `extract`."""
    found = said(call("extract", source, "-o", "s.h5", *(options or SMALL)))
    assert all(text.startswith("s.h5: ") for text in found)
    remarks = json.loads(call("info", "s.h5").out)["remarks"]
    assert remarks == [text.removeprefix("s.h5: ") for text in found]
    return remarks


def test_nothing_is_said_of_what_is_usual(corpus: Path, call) -> None:
    assert remarked(call) == []
    contents = open_store(corpus.parent / "s.h5").contents
    assert set(contents.utterances["source_sr"].tolist()) == {"16000"}
    assert set(contents.utterances["mixdown_db"].tolist()) == {""}
    assert min(map(int, contents.utterances["bandwidth_hz"].tolist())) > 7000


def test_recordings_without_content(corpus: Path, rng: np.random.Generator, call) -> None:
    y = tone(rng, 200, 1.0)
    soundfile.write(corpus / "sad" / "silent.wav", np.zeros(SR), SR)
    soundfile.write(corpus / "sad" / "constant.wav", np.full(SR, 0.25), SR)
    soundfile.write(corpus / "sad" / "cancelling.wav", np.stack([y, -y], axis=1), SR)
    soundfile.write(corpus / "sad" / "phase.wav", np.stack([y, -0.7 * y], axis=1), SR)
    # Nothing is wrong with these.
    soundfile.write(corpus / "sad" / "stereo.wav", np.stack([y, 0.5 * y], axis=1), SR)
    soundfile.write(corpus / "sad" / "apart.wav", np.stack([y, tone(rng, 330, 1.0)], axis=1), SR)
    soundfile.write(corpus / "sad" / "one_side.wav", np.stack([np.zeros(SR), tone(rng, 130, 1.0)], axis=1), SR)
    quenched, silent, *more = remarked(call)
    assert quenched.startswith(
        "2 of 27 recordings are quenched when the channels are averaged, 'sad/cancelling' most"
    )
    assert silent.startswith("2 of 27 recordings are silent or constant, 'sad/constant' the first; leave them out")
    # One channel of a stereo file is the sound of no other file.
    assert more == []


@pytest.mark.parametrize(
    ("gains", "db"), [((1, 1), 3.0), ((1, 0), 0.0), ((1, -1), -120.0), ((1, -0.5), -7.0), ((1, 0, 0, 0), 0.0)]
)
def test_what_averaging_leaves(tmp_path: Path, rng: np.random.Generator, gains: tuple[float, ...], db: float) -> None:
    y = 0.5 * tone(rng, 150, 0.5)
    soundfile.write(tmp_path / "y.wav", np.stack([gain * y for gain in gains], axis=1), SR, subtype="FLOAT")
    assert read_utterance(tmp_path / "y.wav", SR).mixdown_db == pytest.approx(db, abs=0.02)


def test_copies_and_what_else_they_say(corpus: Path, call) -> None:
    shutil.copy(corpus / "angry" / "0.wav", corpus / "angry" / "zero.wav")
    shutil.copy(corpus / "angry" / "2.wav", corpus / "sad" / "2.wav")
    (remark,) = remarked(call)
    assert remark.startswith("2 of 22 recordings are the same sound as another, such as 'angry/zero' and 'angry/0'; ")
    assert "1 of them with another label ('sad/2' and 'angry/2': 'sad' and 'angry'); keep one of each" in remark
    lines = ["file,emotion,speaker", "w/angry/0.wav,angry,anna", "w/angry/zero.wav,angry,bob", "w/sad/1.wav,sad,bob"]
    (corpus.parent / "t.csv").write_text("\n".join(lines) + "\n")
    (remark,) = remarked(call, source="t.csv")
    assert "1 of 3 recordings is the same sound as another" in remark
    assert "1 of them with another speaker ('angry/zero' and 'angry/0': 'bob' and 'anna')" in remark


def test_bands_that_stay_empty(corpus: Path, call) -> None:
    front_end = FrontEnd(n_frames=512)
    assert n_dead_bands(front_end) == 23
    picture = log_mel(np.random.default_rng(0).standard_normal(3 * SR).astype(np.float32), front_end)
    assert int((picture.max(axis=1) == -100).sum()) == 23
    (remark,) = remarked(call, "--frames", 512)
    assert remark.startswith(
        "23 of 128 mel bands fall between the frequencies of a window of 200 samples and stay at "
    )
    # It is said before the work.
    assert "23 of 128 mel bands" in call("extract", "w", "-o", "t.h5", "--frames", 512, "--dry-run").err


@pytest.mark.parametrize(("rate", "word"), [(8000, "were recorded at 8000 Hz"), (16000, "the sound of sad ends at")])
def test_classes_that_came_another_way(corpus: Path, call, rate: int, word: str) -> None:
    """Ten of a class over the telephone: at 8 kHz, or at 16 kHz with nothing above 4 kHz."""
    for path in (corpus / "sad").iterdir():
        y = soxr.resample(soundfile.read(path)[0], SR, 8000)
        soundfile.write(path, y if rate == 8000 else soxr.resample(y, 8000, rate), rate)
    (remark,) = remarked(call)
    assert word in remark
    if rate == 8000:
        assert remark.startswith("100 % of sad, but 0 % of angry, were recorded at 8000 Hz: a classifier may learn ")
    else:
        # Of the band that begins below 4 kHz.
        assert remark.startswith(
            "the sound of sad ends at 4135 Hz, that of angry at 7280 Hz: a classifier may learn "
        )
    # Nine of a class tell nothing.
    next((corpus / "sad").iterdir()).unlink()
    assert remarked(call) == []


def test_spans_within_a_millisecond(corpus: Path, call) -> None:
    spans = ["0.1,0.5", "0.1004,0.5", "0.2,0.5", "0.1,0.6", "0.3,", "0.30001,"]
    lines = ["file,emotion,start,end", *(f"w/sad/1.wav,sad,{span}" for span in spans), "w/sad/3.wav,angry,0.1,0.5"]
    (corpus.parent / "t.csv").write_text("\n".join(lines) + "\n")
    same, within = sorted(remarked(call, source="t.csv"), key=lambda text: "within" in text)
    assert same.startswith("1 of 7 recordings is the same sound as another, such as '1@0.30001-' and '1@0.3-'")
    assert within.startswith("1 of 7 recordings is within 1 ms the same span as another, such as '1@0.1-0.5' and ")
    ids = open_store(corpus.parent / "s.h5").contents.utterances["id"].tolist()
    assert len(set(ids)) == 7
    assert ids[2] == "1@0.200-0.500"


def test_of_shards_it_is_said_when_they_are_merged(corpus: Path, call) -> None:
    shutil.copy(corpus / "angry" / "2.wav", corpus / "sad" / "2.wav")
    for k in (1, 2):
        assert said(call("extract", "w", "-o", f"{k}.h5", "--shard", f"{k}/2", *SMALL)) == []
    (remark,) = said(call("merge", "1.h5", "2.h5", "-o", "m.h5"))
    assert remark.startswith("m.h5: 1 of 21 recordings is the same sound as another")
    call("extract", "w", "-o", "whole.h5", *SMALL)
    assert (corpus.parent / "m.h5").read_bytes() == (corpus.parent / "whole.h5").read_bytes()


def test_stores_without_these_columns_are_read_as_ever(corpus: Path, tiny_store: Path, tmp_path: Path, call) -> None:
    from test_merge import forget_columns

    old = forget_columns(Path(shutil.copy(tiny_store, tmp_path / "old.h5")))
    assert json.loads(call("info", old).out)["remarks"] == []
    call("extract", "w", "-o", "s.h5", *SMALL)
    assert call("merge", old, "s.h5", "-o", "m.h5").code == 0
    assert set(open_store(tmp_path / "m.h5").contents.utterances["source_sr"].tolist()) == {"", "16000"}


def test_a_column_of_these_names_is_not_taken_from_labels(corpus: Path, call) -> None:
    (corpus.parent / "t.csv").write_text("file,emotion,source_sr\nw/sad/1.wav,sad,9\n")
    done = call("extract", "t.csv", "-o", "s.h5")
    assert done.code == 2
    assert "column 'source_sr': the store has a column of that name itself" in done.err
