"""Whether rows are shown to be as near to the training speech as speech of other speakers is.

Not to be told apart is no proof of being alike: with few rows nothing is told apart. So the question is turned round.
How far generated rows have gone is measured in held-out speech of other speakers: 0 is where that of the same class
lies, 1 is where that of another class lies, both estimated from the same speakers. Rows are as real as held-out
speech if the upper bound of their place lies below `MARGIN`.

The place is measured in two ways, for rows can go astray in two ways:

- by the kernel distance to the training rows of the class (KID), which sees any difference, but dimly: it is a
  square, so that rows of which half are foreign lie at a quarter of the way;
- along the direction that tells the class from one other (a linear discriminant of the training rows), which sees
  wrong emotions alone, but sharply: on average its place *is* the share of foreign rows. Every other class is asked
  for.

The variance comes from leaving out one speaker at a time (delete-one jackknife), so that twenty rows of one voice
count as one voice. Generated rows without a speaker are independent draws of their generator and count one by one.
The bound of a ratio is Fieller's: where its two ends are not apart, there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from sertools.arrays import FloatArray, Index, Matrix
from sertools.scoring.synthetic.fidelity import kernel
from sertools.scoring.synthetic.nearness import LEVEL, MARGIN, POWER, Nearness
from sertools.scoring.synthetic.usefulness import LEAST_OF_A_CLASS, discriminant

_LEAST_VOICES = 3  # a distance between voices, one of which is left out


@dataclass(frozen=True)
class Voices:
    """Rows of a class, and whose they are.

    Attributes
    ----------
    points
        [shape=(n, n_dimensions)]
    speaker
        Number of each row's speaker [shape=(n,), range=0…n_speakers - 1].
    n_speakers
        Of all classes: a speaker has the same number in each.
    """

    points: Matrix
    speaker: Index
    n_speakers: int

    @property
    def sizes(self) -> FloatArray:
        """Rows of each speaker [shape=(n_speakers,)]."""
        return np.bincount(self.speaker, minlength=self.n_speakers).astype(np.float64)


@dataclass(frozen=True)
class Way:
    """How far rows have gone from held-out speech of their class, and how far it is to another class.

    Attributes
    ----------
    gone, length
        In the same unit; `gone` over `length` is the place.
    heldout
        What leaving out each held-out speaker adds to both [shape=(n_speakers, 2)]. Squares add up to a variance; NaN
        where there are too few speakers.
    made
        What leaving out each voice of the generated rows adds to `gone` [shape=(n_voices,)].
    """

    gone: float
    length: float
    heldout: Matrix
    made: FloatArray

    @property
    def reversed(self) -> Way:
        """The same way along an axis that points to the other side."""
        return Way(-self.gone, -self.length, -self.heldout, -self.made)


def distance_way(real: Matrix, heldout: Voices, synth: Voices, others: Sequence[Voices]) -> Way:
    """Measure the way by kernel distances to the training rows of the class.

    Parameters
    ----------
    real
        Training rows of the class [shape=(n, n_dimensions)].
    heldout, synth
        Held-out and generated rows of it.
    others
        Held-out rows of each other class: the mean of their distances is the end of the way.
    """
    ends = [_kernel_distance(other, real) for other in others]
    end = float(np.mean([value for value, _ in ends])), np.mean([changes for _, changes in ends], axis=0)
    return _way(_kernel_distance(heldout, real), end, _kernel_distance(synth, real))


def direction(real: Matrix, other: Matrix) -> Callable[[Matrix], FloatArray] | None:
    """Learn to tell the training rows of two classes apart; None if either has too few.

    Returns
    -------
    Callable
        Probability of the other class of each point [shape=(n,)].
    """
    if min(len(real), len(other)) < LEAST_OF_A_CLASS:
        return None
    model = discriminant(np.concatenate([real, other]), np.repeat([0, 1], [len(real), len(other)]), 2)
    return lambda points: np.asarray(model.predict_proba(points)[:, 1])


def class_way(towards: Callable[[Matrix], FloatArray], heldout: Voices, synth: Voices, other: Voices) -> Way:
    """Measure the way along a direction.

    Parameters
    ----------
    towards
        Value of each point, larger nearer to the other class.
    heldout, synth, other
        Held-out and generated rows of the class, and held-out rows of the other.
    """
    start, end, made = (_mean(towards(voices.points), voices) for voices in (heldout, other, synth))
    return _way(start, end, made)


def pool(ways: Sequence[Way], weights: Sequence[float]) -> Way:
    """Average ways of several classes; who is left out is left out of all of them."""
    share = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    return Way(
        float(share @ [way.gone for way in ways]),
        float(share @ [way.length for way in ways]),
        np.tensordot(share, np.stack([way.heldout for way in ways]), 1),
        share @ np.stack([way.made for way in ways]),
    )


def nearness(way: Way, measure: str, embedding: str, towards: str | None, n_rows: int) -> Nearness:
    """Bound a place, and plan the size that would bound it below the margin.

    Parameters
    ----------
    measure, embedding, towards
        As `Nearness` has them.
    n_rows
        Generated rows that were compared.
    """
    n_speakers, n_voices = int(way.heldout.any(axis=1).sum()), int((way.made != 0.0).sum())
    gone, length = way.gone, way.length
    change, stretch = way.heldout.T
    margin = MARGIN[measure]
    parts = np.array([(change**2).sum(), (way.made**2).sum()])
    variance = float(parts.sum())
    shared, unit = float((change * stretch).sum()), float((stretch**2).sum())
    place = gone / length if length > 0.0 else None
    upper = speakers_needed = rows_needed = None
    p_farther = 1.0
    if np.isfinite(variance) and variance > 0.0:
        df = variance**2 / float((parts**2 / np.maximum([n_speakers - 1, n_voices - 1], 1)).sum())  # Welch's
        t = float(student_t.ppf(LEVEL, df))
        p_farther = float(student_t.sf(gone / sqrt(variance), df))
        upper = _fieller(gone, length, variance, shared, unit, t)
        if length > 0.0:
            spread = sqrt(max(variance - 2.0 * margin * shared + margin**2 * unit, 0.0))
            times = ((norm.ppf(LEVEL) + norm.ppf(POWER)) * spread / (margin * length)) ** 2
            # What was not shown with what there is wants more than there is, whatever the spread says.
            times = max(float(times), 2.0)
            speakers_needed, rows_needed = ceil(times * n_speakers), ceil(times * n_rows)
    return Nearness(
        measure, embedding, towards, place, upper, p_farther, n_speakers, n_voices, speakers_needed, rows_needed
    )


def _fieller(gone: float, length: float, variance: float, shared: float, unit: float, t: float) -> float | None:
    """Upper bound of `gone` over `length`, or None: every place that is not refused by a t test, up to the last."""
    square = length**2 - t**2 * unit
    if length <= 0.0 or square <= 0.0:
        return None
    middle = gone * length - t**2 * shared
    return (middle + sqrt(max(middle**2 - square * (gone**2 - t**2 * variance), 0.0))) / square


_Estimate = tuple[float, FloatArray]  # and what leaving out each speaker adds to it


def _way(start: _Estimate, end: _Estimate, made: _Estimate) -> Way:
    changes = np.stack([-start[1], end[1] - start[1]], axis=1)
    return Way(made[0] - start[0], end[0] - start[0], changes, made[1])


def _mean(values: FloatArray, voices: Voices) -> _Estimate:
    """Mean of a value of every row."""
    sizes = voices.sizes
    sums = np.bincount(voices.speaker, values, voices.n_speakers)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (sums.sum() - sums) / (sizes.sum() - sizes)
    mean = float(values.mean())
    return mean, _changes(mean, without, sizes, least=2)


def _kernel_distance(voices: Voices, real: Matrix) -> _Estimate:
    """Kernel distance of what the speakers have in common to the training rows, but for a constant of the latter.

    Pairs of rows of one speaker are left out, as KID leaves out the pairs of a row and itself: however few speakers
    there are, it is unbiased for the speech of all such speakers.
    """
    present, speaker = np.unique(voices.speaker, return_inverse=True)
    sizes = np.bincount(speaker).astype(np.float64)
    whose = (speaker[:, None] == np.arange(len(present))).astype(np.float64)
    blocks = whose.T @ kernel(voices.points, voices.points) @ whose
    to_real = np.bincount(speaker, kernel(voices.points, real).mean(1))
    row, own, n = blocks.sum(1), np.diag(blocks), sizes.sum()

    def distance(pairs: FloatArray, n_pairs: FloatArray, across: FloatArray, n_rows: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: FloatArray = pairs / n_pairs - 2.0 * across / n_rows
        return found

    pairs, n_pairs, across = row.sum() - own.sum(), n**2 - (sizes**2).sum(), to_real.sum()
    value = float(distance(pairs, n_pairs, across, n))
    # Both orders of a pair of two speakers go when one of them goes.
    without = distance(pairs - 2.0 * (row - own), n_pairs - 2.0 * sizes * (n - sizes), across - to_real, n - sizes)
    changes = np.zeros(voices.n_speakers)
    changes[present] = _changes(value, without, sizes, least=_LEAST_VOICES)
    return value, changes


def _changes(value: float, without: FloatArray, sizes: FloatArray, least: int) -> FloatArray:
    """What leaving out each speaker adds to a value, scaled so that squares add up to the jackknife's variance."""
    n = int((sizes > 0).sum())
    if n < least:
        return np.where(sizes > 0, np.nan, 0.0)
    return np.where(sizes > 0, (without - value) * sqrt((n - 1) / n), 0.0)
