"""What donors, speech of other corpora, tell of the mean of a class: aligned, judged, weighed against our own rows.

A donor differs from us by a shift and a slope that its classes share, and by what is its own in each class. Both are
fitted on the other classes than the one that is asked about, where rows are plenty. Each shared class left out in
turn, what the donor misses our mean by, beyond what sampling explains, is how far its word can be trusted: an
empirical Bayes prior (Morris 1983, "Parametric empirical Bayes inference"). All variances are averages over the
latents, so a class has one weight and not one for every direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sertools.arrays import FloatArray, Matrix
from sertools.metrics import auc_against_rest
from sertools.training.class_means import ClassMeans, Speech, averages, class_means

PERMUTATIONS = 99  # higher than all of them by chance: one time in a hundred
_BISECTIONS = 60  # to the last digit of a float
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Aligned:
    """A donor's class means in our domain.

    Attributes
    ----------
    classes
        Those that it tells of: ours that it has, where it has at least two of them.
    mean
        Each by the map that the other classes give [shape=(n, latent_size)].
    sampling
        Variance that samples of ours and of the donor's put into each, but for our own rows of the class
        [shape=(n,)].
    miss
        Variance by which it misses our means, left out in turn, beyond what sampling explains.
    auc
        How well each mean places our rows of its class against our other rows [shape=(n,)].
    agreement
        How far the means place our rows apart, as a share of how far our own means do: 1 if the donor's classes
        differ as ours do, 0 if they tell nothing.
    chance
        The highest agreement with the donor's labels permuted, of `PERMUTATIONS`.
    """

    classes: tuple[str, ...]
    mean: Matrix
    sampling: FloatArray
    miss: float
    auc: FloatArray
    agreement: float
    chance: float

    @property
    def is_near(self) -> bool:
        """Whether its labels tell more of ours than any labels would."""
        return self.agreement > self.chance


@dataclass(frozen=True)
class Informed:
    """Our class means, shrunk towards what near donors tell.

    Attributes
    ----------
    mean
        [shape=(n_classes, latent_size)]
    own
        Weight of our own mean in each [shape=(n_classes,)].
    of_donors
        Weight of each donor's in each; with `own` they add up to 1 [shape=(n_donors, n_classes)].
    """

    mean: Matrix
    own: FloatArray
    of_donors: Matrix


def carried(ours: Matrix, theirs: Matrix) -> Matrix:
    """Map each of a donor's class means into our domain, by what the other classes tell of both; see `brought`.

    Parameters
    ----------
    ours, theirs
        Means of the same classes, at least two [shape=(n, latent_size)].
    """
    others = [np.delete(np.arange(len(ours)), number) for number in range(len(ours))]
    return np.stack([brought(ours[at], theirs[at], mean) for at, mean in zip(others, theirs, strict=True)])


def brought(ours: Matrix, theirs: Matrix, mean: FloatArray) -> FloatArray:
    """Map a donor's mean of any class into our domain, by classes that both have.

    A shift, and a slope: how strongly the donor's contrasts between classes show in ours, for one corpus shouts where
    another raises its voice. The slope is that of least squares, with one class more that says 1.

    Parameters
    ----------
    ours, theirs, mean
        Means of the same classes, at least one [shape=(n, latent_size)], and the donor's [shape=(latent_size,)].
    """
    middle, their_middle = ours.mean(axis=0), theirs.mean(axis=0)
    contrasts = theirs - their_middle
    size = float(np.square(contrasts).sum())
    fitted = float(((ours - middle) * contrasts).sum()) / size if size > 0.0 else 1.0
    slope = max(0.0, ((len(ours) - 1) * fitted + 1.0) / len(ours))
    return np.asarray(middle + slope * (mean - their_middle))


def beyond(squares: FloatArray, noise: FloatArray) -> float:
    """Variance of differences beyond their noise: v with Σ squares/(v + noise) = n, or 0 (Paule and Mandel 1982).

    Parameters
    ----------
    squares
        Of differences [shape=(n,)].
    noise
        Variance of each by sampling alone [shape=(n,)].
    """
    noise = np.maximum(noise, _TINY)
    low, high = 0.0, float(squares.mean())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if (squares / (middle + noise)).sum() > len(squares) else (low, middle)
    return low


def align(speech: Speech, ours: ClassMeans, donor: Speech) -> Aligned:
    """Bring a donor's class means into our domain, and judge them.

    Parameters
    ----------
    speech, ours
        Our rows, and what `class_means` says of them.
    donor
        The donor's rows, by our words; those of two or more of our classes.

    Raises
    ------
    ValueError
        If the donor has one row of each class.
    """
    theirs = class_means(donor)
    shared = ours.of(theirs.classes)
    moved, n_others = carried(shared.mean, theirs.mean), len(shared.classes) - 1
    noise = shared.variance + theirs.variance
    sampling = theirs.variance + (noise.sum() - noise) / n_others**2
    judge = _Judge(speech, ours, shared.classes)
    rng = np.random.default_rng(0)  # whatever the seed of a run: same rows, same verdict
    numbers = np.searchsorted(theirs.classes, donor.labels)
    shuffled = (averages(donor.latents, rng.permutation(numbers)) for _ in range(PERMUTATIONS))
    # Of AUC the permutations would know directions alone, and of few classes one in some lies right by chance.
    chance = max(judge.agreement(carried(shared.mean, means)) for means in shuffled)
    miss = beyond(np.square(moved - shared.mean).mean(axis=1), shared.variance + sampling)
    return Aligned(shared.classes, moved, sampling, miss, judge.auc(moved), judge.agreement(moved), chance)


class _Judge:
    """Asks how well means place our rows: by the direction from our other classes' means, latents standardised."""

    def __init__(self, speech: Speech, ours: ClassMeans, classes: Sequence[str]) -> None:
        places = np.searchsorted(ours.classes, speech.labels)
        variance = np.square(speech.latents - ours.mean[places]).mean(axis=0)
        self._precision = 1.0 / np.where(variance > 0.0, variance, 1.0)
        asked = [ours.classes.index(name) for name in classes]
        self._others = (ours.mean.sum(axis=0) - ours.mean[asked]) / (len(ours.classes) - 1)
        self._apart = (ours.mean[asked] - self._others) * self._precision
        self._latents = speech.latents
        self._members = [places == number for number in asked]

    def agreement(self, means: Matrix) -> float:
        """How far our rows are placed apart from our others, as a share of how far our own means place them."""
        ideal = float((self._apart * self._apart / self._precision).sum())
        return float(((means - self._others) * self._apart).sum()) / max(ideal, _TINY)

    def auc(self, means: Matrix) -> FloatArray:
        """Area under the ROC curve of each asked class."""
        scores = self._latents @ ((means - self._others) * self._precision).T
        return np.array([auc_against_rest(own, member) for own, member in zip(scores.T, self._members, strict=True)])


def informed(ours: ClassMeans, donors: Sequence[Aligned]) -> Informed:
    """Shrink our class means towards those of the donors that are near.

    Donors are averaged by precision. What their average misses our means by, left out in turn, is the prior's
    variance, and so a class's own mean weighs the more, the more rows and speakers it rests on.
    """
    n_classes, n_latents = ours.mean.shape
    precision, sampling = np.zeros((len(donors), n_classes)), np.zeros((len(donors), n_classes))
    moved = np.zeros((len(donors), n_classes, n_latents))
    for number, donor in enumerate(donors):
        places = [ours.classes.index(name) for name in donor.classes]
        sampling[number, places], moved[number, places] = donor.sampling, donor.mean
        precision[number, places] = donor.is_near / np.maximum(donor.miss + donor.sampling, _TINY)
    told = precision.sum(axis=0) > 0.0
    shares = precision[:, told] / precision[:, told].sum(axis=0)
    told_mean = np.einsum("jc,jcd->cd", shares, moved[:, told])
    noise = (shares * sampling[:, told]).sum(axis=0)
    own_variance = ours.variance[told]
    own = np.ones(n_classes)
    if told.any():
        squares = np.square(told_mean - ours.mean[told]).mean(axis=1)
        prior = beyond(squares, own_variance + noise) + noise
        own[told] = np.maximum(prior, _TINY) / np.maximum(prior + own_variance, _TINY)
    mean, of_donors = ours.mean.copy(), np.zeros((len(donors), n_classes))
    mean[told] = own[told, None] * ours.mean[told] + (1.0 - own[told, None]) * told_mean
    of_donors[:, told] = shares * (1.0 - own[told])
    return Informed(mean, own, of_donors)
