"""One recording that flattens a corpus, and corpora of different level: said by name, where a scale is fitted."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from chains import AE, classify, finetune, noise, pretrain, write_rows
from conftest import SR, Outcome, tone

from sertools.errors import SertoolsWarning
from sertools.store.conditions import parse_condition
from sertools.store.format import picture_digest
from sertools.store.merge import merge_stores
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store
from sertools.store.writer import write_store
from sertools.training.batches import open_rows

SMALL = ("--mels", 32, "--frames", 32, "--seconds", 1)


@pytest.fixture
def corpus(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Eight recordings, and one whose 16-bit samples were kept as floats."""
    root = tmp_path / "w"
    for number in range(8):
        emotion = ("angry", "sad")[number % 2]
        (root / emotion).mkdir(parents=True, exist_ok=True)
        soundfile.write(root / emotion / f"{number}.wav", tone(rng, 100 + 9 * number, 1.0), SR)
    soundfile.write(root / "sad" / "loud.wav", 32768 * tone(rng, 150, 1.0), SR, subtype="FLOAT")
    return root


def of(done: Outcome) -> list[str]:
    assert done.code == 0, done.err
    return [line.partition("warning: ")[2] for line in done.err.splitlines() if "warning: " in line]


def shifted(path: Path, output: Path, db: float, name: str) -> Path:
    """Write a store again, louder by `db`, as other recordings."""
    store = open_store(path)
    pictures = store.rows(np.arange(len(store))) + np.float32(db)
    contents = store.contents
    ids = np.array([f"{name}/{each}" for each in contents.utterances["id"].tolist()])
    digests = np.array([each[::-1] for each in contents.utterances["digest"].tolist()])
    rows = np.array([picture_digest(picture) for picture in pictures])
    utterances = contents.utterances.with_column("id", ids).with_column("digest", digests)
    segments = contents.segments.with_column("digest", rows)
    write_store(output, dataclasses.replace(contents, segments=segments, utterances=utterances), [pictures])
    return output


def test_extract_and_every_training_tell_of_the_one_loud_recording(corpus: Path, tmp_path: Path, run) -> None:
    peak = max(np.abs(soundfile.read(corpus / "sad" / "loud.wav")[0]))
    (said,) = of(run("extract", "w", "-o", "s.h5", *SMALL))
    assert said.startswith("s.h5: 1 of 9 recordings go far beyond full scale, which is 1: sad/loud.wav the farthest ")
    assert f"with a peak of {peak:.4g}, {20 * np.log10(peak):.0f} dB above; divide" in said
    tiny = ("--preset", "smoke", "--steps", 1, "--batch-size", 4, "-o", "out")
    for line in (("train-clf", "s.h5"), ("pretrain-ae", "s.h5"), ("train-generator", "s.h5", "--kind", "cvae")):
        (said,) = [text for text in of(run(*line, *tiny)) if "scale" in text]
        assert said.startswith("s.h5: 1 of 9 utterances are ")
        assert "'sad/loud' the loudest" in said
        assert "% of the pixels are clipped; correct their audio, or leave them out with `select --where id!=" in said
        share = int(said.split(" % of the pixels")[0].split()[-1])
        assert share > 80
    assert run("select", "s.h5", "--where", "id!=sad/loud", "-o", "t.h5").code == 0
    assert not [text for text in of(run("train-clf", "t.h5", *tiny)) if "scale" in text]


def test_peaks_of_lossy_codecs_are_no_matter(tmp_path: Path, rng: np.random.Generator, run) -> None:
    (tmp_path / "w").mkdir()
    soundfile.write(tmp_path / "w" / "a.wav", np.clip(20 * tone(rng, 100, 1.0), -1.5, 1.5), SR, subtype="FLOAT")
    assert of(run("extract", "w", "-o", "s.h5", *SMALL)) == []


def fit(*paths: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_rows(paths).fit_scaler()
    return [str(each.message) for each in caught]


def levelled(path: Path, rng: np.random.Generator, levels: list[float], emotions: list[str] | None = None) -> Path:
    """Write a store of one row an utterance, each as loud as said."""
    pictures = np.stack([noise(rng, 1, level - 60, level)[0] for level in levels])
    return write_rows(path, pictures, emotions or ["a", "b"] * (len(levels) // 2) + ["a"] * (len(levels) % 2))


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ([0.0] * 20, ""),
        (list(range(-40, 12, 2)), ""),  # as wide as any corpus, without a gap
        ([0.0] * 9 + [24.0], ""),
        ([0.0] * 9 + [27.0], "1 of 10 utterances are 27 dB louder than all others or more, 's/9' the loudest"),
        ([*[0.0] * 12, *[30.0, 40.0, 90.0]], "3 of 15 utterances are 30 dB louder"),
        ([*[0.0] * 9, 20.0, 60.0], "1 of 11 utterances are 40 dB louder"),
        ([0.0] * 12 + [-95.0], "1 of 13 utterances lie below the scale and become constant pictures, 's/12' with"),
        ([0.0] * 30 + [-95.0], ""),  # one quiet recording of many decides nothing
        ([*[0.0] * 12, *[40.0] * 4], "4 of 16 utterances are 40 dB louder"),
        ([*[0.0] * 11, *[40.0] * 5], ""),  # so many are no mistake: a class of shouts, say
        ([0.0, 40.0], ""),  # of two nobody knows which is wrong
    ],
)
def test_a_level_that_few_set(tmp_path: Path, rng: np.random.Generator, levels: list[float], words: str) -> None:
    said = fit(levelled(tmp_path / "s.h5", rng, levels))
    assert len(said) == bool(words)
    assert not words or (words in said[0] and said[0].startswith(f"{tmp_path / 's.h5'}: "))


def test_the_store_of_the_loud_one_is_named(tmp_path: Path, rng: np.random.Generator) -> None:
    a = levelled(tmp_path / "a.h5", rng, [0.0] * 8)
    b = levelled(tmp_path / "b.h5", rng, [0.0] * 4 + [50.0] + [0.0] * 3)
    (said,) = fit(a, b)
    assert said.startswith(f"{b}: 1 of 16 utterances are 50 dB louder than all others or more, 'b/4' the loudest")
    # Made rows decide no scale.
    made = write_rows(tmp_path / "made.h5", noise(rng, 2, 20, 90), ["a", "b"], origin="generated")
    assert fit(a, made) == []


def test_corpora_of_very_different_level(tiny_store: Path, tmp_path: Path) -> None:
    near, far = (shifted(tiny_store, tmp_path / f"{db}.h5", -db, f"{db}") for db in (12, 18))
    assert fit(tiny_store, near) == []
    (said,) = fit(tiny_store, far)
    assert said.startswith(f"{tiny_store}: its utterances are 18 dB louder than {far}'s of the same classes; ")
    with pytest.warns(SertoolsWarning, match=r"18 dB louder than .*18.h5's of the same classes"):
        merge_stores([tiny_store, far], tmp_path / "merged.h5")
    merge_stores([tiny_store, near], tmp_path / "merged.h5")


def test_classes_of_different_level_are_no_two_corpora(tiny_store: Path, tmp_path: Path) -> None:
    loud = shifted(tiny_store, tmp_path / "loud.h5", 18, "loud")
    for path, name in ((loud, "sad"), (tiny_store, "happy")):
        select_store(path, tmp_path / f"{name}.h5", Selection(where=(parse_condition(f"emotion={name}"),)), copy=True)
    assert fit(tmp_path / "sad.h5", tmp_path / "happy.h5") == []
    merge_stores([tmp_path / "sad.h5", tmp_path / "happy.h5"], tmp_path / "merged.h5")


def test_a_model_that_brings_another_scale(chain, tmp_path: Path, call) -> None:
    quiet = shifted(chain.test, tmp_path / "quiet.h5", -40, "quiet")
    loud = shifted(chain.train, tmp_path / "loud.h5", 60, "loud")
    (said,) = [text for text in of(call("evaluate", chain.clf, quiet, "-o", "r.json")) if "scale" in text]
    assert said.startswith(f"{quiet}: the loudest pixel has ")
    assert f"but {chain.clf} has a scale of " in said
    (said,) = [text for text in of(call("fit-latents", chain.ae, loud, "-o", "l.h5")) if "scale" in text]
    assert said.startswith(f"{loud}: the loudest pixel has ")
    with pytest.warns(SertoolsWarning, match=r"loud.h5: the loudest pixel has"):
        finetune(chain.ae, tmp_path / "l.h5", [loud], tmp_path / "gan")


def test_trainings_on_one_level_say_nothing(tiny_store: Path, tmp_path: Path) -> None:
    """Warnings are errors here."""
    pretrain([tiny_store], tmp_path / "ae", dataclasses.replace(AE, steps=1))
    classify([tiny_store], tmp_path / "clf")
