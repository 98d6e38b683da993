"""The mean of a class, and how sure it is: components of variance that are known, and means that miss as said."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sertools.training.class_means import Speech, VarianceComponents, class_means, variance_components

D = 200
Rng = np.random.Generator
# Rows of each class by each speaker: three classes of all, one of three speakers alone.
COUNTS = np.array([[8, 4, 8, 2, 8, 8, 1, 8], [8] * 8, [4, 8, 4, 8, 4, 8, 4, 8], [0, 1, 0, 0, 2, 0, 1, 0]])


def drawn(rng: Rng, counts: NDArray[np.int64], rows: float, playing: float, voices: float) -> Speech:
    """Rows of four classes at 0, whose variance has these components."""
    n_classes, n_speakers = counts.shape
    labels, speakers = (np.repeat(each.ravel(), counts.ravel()) for each in np.indices(counts.shape))
    latents = np.sqrt(rows) * rng.standard_normal((len(labels), D))
    latents += np.sqrt(playing) * rng.standard_normal((n_classes, n_speakers, D))[labels, speakers]
    latents += np.sqrt(voices) * rng.standard_normal((n_speakers, D))[speakers]
    return Speech(latents, np.array([f"c{number}" for number in labels]), np.array([f"s{n}" for n in speakers]))


def found_in(speech: Speech) -> VarianceComponents:
    _, labels = np.unique(speech.labels, return_inverse=True)
    _, speakers = np.unique(speech.speakers, return_inverse=True)
    return variance_components(speech.latents, labels, speakers)


def mean_of(found: list[VarianceComponents]) -> NDArray[np.float64]:
    return np.mean([(each.rows, each.playing, each.voices) for each in found], axis=0)


@pytest.mark.parametrize("truth", [(0.7, 0.1, 0.2), (0.7, 0.0, 0.5), (0.5, 0.4, 0.0)])
def test_known_components_are_found_in_uneven_rows(rng, truth):
    found = mean_of([found_in(drawn(rng, COUNTS, *truth)) for _ in range(20)])
    np.testing.assert_allclose(found, truth, atol=0.03)


def test_a_mean_misses_where_the_others_are_by_what_is_said(rng):
    squares, said = [], []
    for _ in range(60):
        means = class_means(drawn(rng, COUNTS, 0.7, 0.1, 0.4))
        others = [np.delete(np.arange(4), number) for number in range(4)]
        apart = np.stack([means.mean[n] - means.mean[rest].mean(axis=0) for n, rest in enumerate(others)])
        squares.append(np.square(apart).mean(axis=1))
        said.append([means.variance[n] + means.variance[rest].sum() / 9 for n, rest in enumerate(others)])
    # Voices that one class lacks are in the variance of the others too: a little more is said than is missed.
    ratio = np.mean(said, axis=0) / np.mean(squares, axis=0)
    assert (ratio > 0.95).all()
    assert (ratio[[0, 1, 2]] < 1.35).all()
    assert ratio[3] < 1.06


def test_a_voice_that_has_all_classes_alike_blurs_none(rng):
    speech = drawn(rng, np.full((4, 8), 6), 0.7, 0.1, 0.0)
    _, speakers = np.unique(speech.speakers, return_inverse=True)
    other = Speech(speech.latents + 9.0 * rng.standard_normal((8, D))[speakers], speech.labels, speech.speakers)
    np.testing.assert_allclose(class_means(other).variance, class_means(speech).variance)
    assert found_in(other).voices == pytest.approx(81.0, rel=0.5)


def test_where_no_speaker_has_two_classes_a_voice_counts_as_how_it_plays_one(rng):
    counts = np.kron(np.eye(4, dtype=int), np.full((1, 5), 6))
    found = mean_of([found_in(drawn(rng, counts, 0.7, 0.1, 0.2)) for _ in range(20)])
    np.testing.assert_allclose(found, (0.7, 0.3, 0.0), atol=0.03)


def test_one_row_of_each_speaker_and_class_is_enough(rng):
    found = mean_of([found_in(drawn(rng, np.ones((4, 8), dtype=int), 0.7, 0.1, 0.4)) for _ in range(20)])
    np.testing.assert_allclose(found, (0.0, 0.8, 0.4), atol=0.06)  # rows and playing are one


def test_a_mean_is_as_sure_as_its_speakers_are_many(rng):
    def sampled(speakers: int, rows: int) -> Speech:
        return drawn(rng, np.full((1, speakers), rows), 0.25, 0.0, 1.0)

    for speakers, rows in ((4, 50), (40, 5)):
        found = np.mean([class_means(sampled(speakers, rows)).variance[0] for _ in range(20)])
        assert found == pytest.approx(1.0 / speakers + 0.25 / (speakers * rows), rel=0.15)
    one = sampled(40, 5)
    alone = class_means(Speech(one.latents, one.labels, np.full(200, "")))
    assert alone.variance[0] == pytest.approx(np.var(one.latents, axis=0, ddof=1).mean() / 200)


def test_one_row_of_each_class_says_nothing_of_how_far_rows_lie_apart(rng):
    speech = drawn(rng, np.eye(4, dtype=int), 1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="holds one row of each class; how far rows lie apart needs two"):
        class_means(speech)
