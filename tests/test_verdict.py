"""What "as real as held-out speech" promises, against worlds whose truth is known.

**Points.** Four classes in 24 dimensions. In units of what one utterance of a speaker differs from the next by,
classes lie 1.9 apart, and speakers differ by a variance of 0.15, and by as much again in how they act a class. So it
is along the direction that tells two emotions apart in log-mel pictures of RAVDESS (1.7, 0.22, 0.23: actors 01–12,
four classes) and of EMO-DB (1.9, 0.11, 0.08). Ten speakers train; held-out and generated rows are of others. Of the
first class a share of the generated rows is the second's. What 200 simulations of each found stands in
docs/generator.md; `python tests/test_verdict.py 200 24 10` finds it again, and the tests below are the short form.

**Pictures.** The same, in spectrograms that `score` reads from stores.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from chains import CPU, write_rows
from speech import speech

from sertools.scoring.synthetic.embedding import Embedding
from sertools.scoring.synthetic.nearness import CLASS, MARGIN, Nearness, astray, is_shown
from sertools.scoring.synthetic.score import score
from sertools.scoring.synthetic.verdict import BAD, COPIES, REAL, UNSURE
from sertools.scoring.synthetic.ways import Places

CLASSES = ("angry", "happy", "neutral", "sad")
SPREAD = 5.0 / (1.0 + np.arange(24.0))  # of an utterance, in each dimension: the first has most, as in pixels
APART, SPEAKER, ACTING = 1.9, 0.15, 0.15
MEANS = np.eye(4, 24, 1) * APART / np.sqrt(2.0)


def points(rng: np.random.Generator, n_speakers: int, n: int, swapped: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw `n` rows of each class and speaker, ordered by class; of the first, a share is said as the second.

    Returns
    -------
    points
        [shape=(4 * n_speakers * n, 24)]
    speaker
        Name of each row's.
    """
    voice = rng.normal(0, SPEAKER**0.5, (n_speakers, 1, 1, 24))
    acting = rng.normal(0, ACTING**0.5, (n_speakers, 4, 1, 24)) + MEANS[:, None]
    said = np.tile(np.arange(4)[:, None], (n_speakers, 1, n))
    said[:, 0] = np.diff(np.floor(swapped * np.arange(n_speakers * n + 1))).reshape(n_speakers, n)
    drawn = voice + np.take_along_axis(acting, said[..., None], 1) + rng.normal(0, 1, (n_speakers, 4, n, 24))
    names = np.broadcast_to(np.arange(n_speakers)[:, None, None], said.shape)
    return (drawn * SPREAD).swapaxes(0, 1).reshape(-1, 24), names.swapaxes(0, 1).ravel().astype(str)


def measure(rng: np.random.Generator, n_speakers: int, n: int, swapped: float, nameless: bool) -> Places:
    """Measure new speech against held-out speech of as many speakers."""
    real, _ = points(rng, 10, n_speakers * n // 10)
    heldout, speaker = points(rng, n_speakers, n)
    synth, voice = points(rng, n_speakers * n if nameless else n_speakers, 1 if nameless else n, swapped)
    unit = np.sqrt(((real - real.mean(0)) ** 2).mean())
    sides = ((side - real.mean(0)) / unit for side in (real, heldout, synth))
    label = np.repeat(np.arange(4), n_speakers * n)
    return Places([Embedding("pixels", *sides)], label, CLASSES, speaker, voice)


def verdict(found: tuple[Nearness, ...], n_speakers: int, alpha: float) -> str:
    if astray(found, alpha):
        return "bad" if any(each.far for each in astray(found, alpha)) else "told apart"
    return "as real" if is_shown(found, n_speakers, None)[0] else "unsure"


def repeat(
    n_trials: int, n_speakers: int, n: int, swapped: float, nameless: bool
) -> tuple[Counter, Counter, Counter]:
    """Verdicts of the class in question, of the three others, and of all rows, by themselves."""
    rng = np.random.default_rng([n_speakers, n, int(100 * swapped), nameless])
    first, others, overall = Counter(), Counter(), Counter()
    for _ in range(n_trials):
        places = measure(rng, n_speakers, n, swapped, nameless)
        of_class = [verdict(places.of([number]), n_speakers, 0.05 / 4) for number in range(4)]
        first[of_class[0]] += 1
        others.update(of_class[1:])
        overall[verdict(places.of(range(4)), n_speakers, 0.05)] += 1
    return first, others, overall


def test_the_bound_of_a_place_covers_it():
    rng = np.random.default_rng(0)
    upper = []
    for _ in range(60):
        found = measure(rng, 12, 10, 0.25, nameless=False).of([0])
        upper.append(next(each.upper for each in found if each.towards == "happy"))
    covered = np.mean([bound is None or bound >= MARGIN[CLASS] for bound in upper])
    assert covered >= 0.87, "0.95 promised; 60 trials"


@pytest.mark.parametrize("nameless", [False, True], ids=["of speakers", "without speakers"])
def test_half_a_class_of_another_is_bad_and_never_as_real(nameless):
    first, _, _ = repeat(15, 24, 10, 0.5, nameless)
    assert first["bad"] >= 13
    assert first["as real"] == 0


def test_a_class_that_is_wholly_anothers_is_bad():
    first, _, _ = repeat(15, 12, 10, 1.0, nameless=False)
    assert first["bad"] == 15


def test_right_labels_of_new_speakers_pass_where_speakers_are_many():
    first, others, overall = repeat(15, 48, 5, 0.0, nameless=False)
    of_classes = first + others
    assert of_classes["bad"] <= 2
    assert of_classes["as real"] >= 25
    assert overall["as real"] >= 11


def test_few_speakers_show_nothing_but_say_how_many_would():
    found = measure(np.random.default_rng(5), 10, 10, 0.0, nameless=False).of([0])
    shown, sentence = is_shown(found, 10, None)
    assert not shown
    assert "held-out speakers (here 10)" in sentence
    assert is_shown(found, 4, None) == (False, "held-out rows of 4 speakers bound nothing; 5 are needed")
    planned = max(each.speakers_needed for each in found if each.measure == CLASS)
    assert 20 <= planned <= 100
    again = measure(np.random.default_rng(6), planned, 10, 0.0, nameless=False).of([0])
    assert all(each.shown for each in again if each.measure == CLASS)


def test_twenty_rows_of_one_voice_count_as_one_voice():
    few, many = (measure(np.random.default_rng(2), 8, n, 0.0, nameless=False).of(range(4)) for n in (5, 80))
    assert {each.speakers for each in few + many} == {8}
    width = [each[-1].upper - each[-1].place for each in (few, many)]
    assert width[1] > 0.4 * width[0], "a sixteenth of the variance would be a quarter of it"


def spoken(path: Path, seed: int, n_speakers: int, n: int, share: float = 0.0, origin: str = "real") -> Path:
    """Write a store of new speakers; a share of angry's rows is happy speech of others."""
    rng = np.random.default_rng(seed)
    pictures, emotions, speakers = speech(rng, n_speakers, n, path.stem)
    if share:
        foreign, _, whose = speech(rng, n_speakers, n, "others")
        of_class = n_speakers * n
        for row in np.flatnonzero(np.diff(np.floor(share * np.arange(of_class + 1)))):
            pictures[row], speakers[row] = foreign[of_class + row], whose[of_class + row]
    return write_rows(path, pictures, emotions, speakers=speakers, origin=origin)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoken")
    spoken(folder / "train.h5", 1, 10, 15)
    spoken(folder / "heldout.h5", 2, 24, 6)
    return folder


def scored(folder: Path, synth: Path, **options: object) -> dict:
    options = {"heldout_path": folder / "heldout.h5", **options}
    return score(folder / "train.h5", synth, device=CPU, **options)


def test_new_speakers_are_as_real_as_held_out_ones(folder, tmp_path):
    found = scored(folder, spoken(tmp_path / "new.h5", 4, 24, 6, origin="generated"))
    assert found["verdict"] == REAL
    assert {each["verdict"] for each in found["classes"].values()} == {REAL}
    assert "by speakers" in found["why"][-1]
    assert all(each["upper"] < MARGIN[each["measure"]] for each in found["all"]["nearness"])


@pytest.mark.parametrize("share", [0.5, 1.0], ids=["half", "wholly"])
def test_a_class_of_another_is_bad(folder, tmp_path, share):
    found = scored(folder, spoken(tmp_path / "new.h5", 4, 24, 6, share, origin="generated"))
    assert found["verdict"] == BAD
    assert [found["classes"][name]["verdict"] for name in ("angry", "happy")] == [BAD, REAL]
    assert any("rows like happy" in sentence for sentence in found["classes"]["angry"]["why"])


def test_training_rows_are_still_copies(folder):
    assert scored(folder, folder / "train.h5")["verdict"] == COPIES


def test_four_speakers_unknown_ones_and_known_ones_show_nothing(folder, tmp_path):
    synth = spoken(tmp_path / "new.h5", 4, 24, 6, origin="generated")
    four = spoken(tmp_path / "four.h5", 4, 4, 30)
    pictures, emotions, speakers = speech(np.random.default_rng(5), 24, 6, "train")
    nobody = write_rows(tmp_path / "nobody.h5", pictures, emotions)
    known = write_rows(tmp_path / "known.h5", pictures, emotions, speakers=speakers)
    for heldout, reason in (
        (four, "held-out rows of 4 speakers bound nothing; 5 are needed"),
        (nobody, "the speakers of the held-out rows are not known"),
        (known, "10 of 24 held-out speakers are in the training rows too: no speech of others"),
        (None, "without --heldout there is no speech of other speakers to compare with"),
    ):
        found = scored(folder, synth, heldout_path=heldout)
        assert REAL not in {found["verdict"], *(each["verdict"] for each in found["classes"].values())}
        if found["verdict"] == UNSURE:
            assert any(reason in sentence for sentence in found["why"])
        assert any(reason in each["why"][0] for each in found["classes"].values())


if __name__ == "__main__":  # python tests/test_verdict.py 200 24 10: trials, speakers, rows of each
    trials, voices, each_row = map(int, sys.argv[1:4])
    for without in (False, True):
        for share in (0.0, 0.25, 0.5, 1.0):
            print(
                voices,
                each_row,
                without,
                share,
                *map(dict, repeat(trials, voices, each_row, share, without)),
                flush=True,
            )
