"""The mean of each class, and how sure it is where it matters: of where the class lies among the others.

Rows of one speaker resemble each other, in all classes by the voice, and in one by how that speaker plays it. Where
every speaker has every class, voices move all means alike, and tell no class from another; where three of eight
speakers have a class, its mean is also of those three voices. So the variance of a mean has three components (a
two-way analysis of variance of unbalanced rows; Henderson 1953, "Estimation of Variance and Covariance Components",
method 3). They are averages over the latents, common to all classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, Index, Matrix

Words = npt.NDArray[np.str_]
_EMPTY = 1e-9  # of a direction that is left of none


@dataclass(frozen=True)
class Speech:
    """Rows of some classes.

    Attributes
    ----------
    latents
        [shape=(N, latent_size)]
    labels, speakers
        Of each row [shape=(N,)]; where a speaker is empty, nobody else's rows hang together with this one.
    """

    latents: Matrix
    labels: Words
    speakers: Words

    def of(self, classes: Sequence[str]) -> Speech:
        """Return the rows of some classes."""
        here = np.isin(self.labels, list(classes))
        return Speech(self.latents[here], self.labels[here], self.speakers[here])


@dataclass(frozen=True)
class ClassMeans:
    """The mean of each class, and how sure it is.

    Attributes
    ----------
    classes
        Sorted.
    mean
        [shape=(n_classes, latent_size)]
    variance
        Of each mean, against where those of the others lie, by sampling of speakers and rows [shape=(n_classes,)].
    """

    classes: tuple[str, ...]
    mean: Matrix
    variance: FloatArray

    def of(self, classes: Sequence[str]) -> ClassMeans:
        """Return the means of some classes, in their order."""
        places = [self.classes.index(name) for name in classes]
        return ClassMeans(tuple(classes), self.mean[places], self.variance[places])


@dataclass(frozen=True)
class VarianceComponents:
    """Variance of a row about its class's mean.

    Attributes
    ----------
    rows
        Between rows of one speaker and class.
    playing
        By how a speaker plays one class.
    voices
        By a speaker's voice, the same in all classes.
    """

    rows: float
    playing: float
    voices: float


def class_means(speech: Speech) -> ClassMeans:
    """Average each class, and say how sure that is.

    Raises
    ------
    ValueError
        If no class has two rows.
    """
    classes, labels = np.unique(speech.labels, return_inverse=True)
    if len(labels) == len(classes):
        raise ValueError("holds one row of each class; how far rows lie apart needs two of some class")
    names, speakers = np.unique(speech.speakers, return_inverse=True)
    speakers = np.where(speech.speakers == "", len(names) + np.arange(len(labels)), speakers)
    speakers = np.unique(speakers, return_inverse=True)[1]
    found = variance_components(speech.latents, labels, speakers)
    counts = np.zeros((len(classes), speakers.max() + 1))
    np.add.at(counts, (labels, speakers), 1.0)
    n_rows = counts.sum(axis=1)
    shares = counts / n_rows[:, None]
    # What the other classes' means have of the same voices.
    others = (shares.sum(axis=0) - shares) / max(1, len(classes) - 1)
    variance = found.rows / n_rows + found.playing * np.square(shares).sum(axis=1)
    variance += found.voices * np.square(shares - others).sum(axis=1)
    return ClassMeans(tuple(classes.tolist()), averages(speech.latents, labels), variance)


def variance_components(latents: Matrix, labels: Index, speakers: Index) -> VarianceComponents:
    """Tell the components of variance apart, by what classes, speakers and both together leave of the rows' squares.

    Where no speaker has two classes, a voice cannot be told from how it plays one, and counts as that.

    Parameters
    ----------
    latents
        [shape=(N, latent_size)]
    labels, speakers
        Numbers from 0 on, each of which occurs [shape=(N,)].
    """
    n_latents, n_classes, n_speakers = latents.shape[1], int(labels.max()) + 1, int(speakers.max()) + 1
    pairs, cell = np.unique(labels * n_speakers + speakers, return_inverse=True)
    class_of, speaker_of, sizes = pairs // n_speakers, pairs % n_speakers, np.bincount(cell).astype(float)
    means, weight = averages(latents, cell), np.sqrt(sizes)[:, None]
    rows = 0.0
    if len(latents) > len(pairs):
        rows = float(np.square(latents - means[cell]).sum()) / n_latents / (len(latents) - len(pairs))
    # Cells weigh as their rows: about their classes, about their speakers, and what classes explain of the latter.
    of_classes = weight * (means - averages(latents, labels)[class_of])
    of_speakers = weight * (means - averages(latents, speakers)[speaker_of])
    told = _directions(weight, labels, speakers, class_of, speaker_of)
    about_classes = float(np.square(of_classes).sum()) / n_latents - (len(pairs) - n_classes) * rows
    about_both = float(np.square(of_speakers).sum() - np.square(told.T @ of_speakers).sum()) / n_latents
    n_left = len(pairs) - n_speakers - told.shape[1]
    # How often a component is in each sum.
    in_classes = len(latents) - _own_share(sizes, class_of)
    in_both = len(latents) - _own_share(sizes, speaker_of) - float(sizes @ np.square(told).sum(axis=1))
    if n_left == 0:
        return VarianceComponents(rows, max(0.0, about_classes / in_classes) if in_classes > 0.0 else 0.0, 0.0)
    playing = max(0.0, (about_both - n_left * rows) / in_both)
    return VarianceComponents(rows, playing, max(0.0, about_classes / in_classes - playing))


def averages(latents: Matrix, numbers: Index) -> Matrix:
    """Mean of the rows of each number, from 0 on [shape=(numbers.max() + 1, latent_size)]."""
    sums = np.zeros((numbers.max() + 1, latents.shape[1]))
    np.add.at(sums, numbers, latents)
    found: Matrix = sums / np.bincount(numbers)[:, None]
    return found


def _directions(weight: Matrix, labels: Index, speakers: Index, class_of: Index, speaker_of: Index) -> Matrix:
    """Directions of weighted cells that classes explain beyond speakers, orthonormal [shape=(n_cells, n)]."""
    member = np.eye(labels.max() + 1)
    left = weight * (member[class_of] - averages(member[labels], speakers)[speaker_of])
    axes, lengths, _ = np.linalg.svd(left, full_matrices=False)
    return np.asarray(axes[:, lengths > _EMPTY * np.sqrt(len(labels))])


def _own_share(sizes: FloatArray, numbers: Index) -> float:
    """Sum over groups of the squared sizes of its cells, by the size of the group."""
    return float((np.bincount(numbers, sizes**2) / np.bincount(numbers, sizes)).sum())
