"""The scale of rows, fitted on the training set and carried in the model.

Pictures are scaled to [-1, 1] (§2.3, §3.2). The floor comes first: what lies more than 80 dB below the loudest
training pixel is clipped, or a single silent frame at -100 dB would decide the scale of all speech. Vectors are
standardised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sertools.arrays import Pictures

DYNAMIC_RANGE_DB = 80.0


@dataclass(frozen=True)
class MinMax:
    """An affine map from dB to [-1, 1], clipping what lies outside.

    Attributes
    ----------
    low_db, high_db
        What becomes -1 and 1.
    clipped_share
        Share of the training pixels below `low_db`.
    """

    low_db: float
    high_db: float
    clipped_share: float = 0.0

    def scale(self, pictures: Pictures) -> Pictures:
        """From dB to [-1, 1]."""
        unit = (pictures - np.float32(self.low_db)) / np.float32(self.high_db - self.low_db)
        scaled: Pictures = np.clip(2.0 * unit - 1.0, -1.0, 1.0, dtype=np.float32)
        return scaled

    def unscale(self, pictures: Pictures) -> Pictures:
        """From [-1, 1] to dB."""
        unit = (pictures + np.float32(1.0)) * np.float32(0.5)
        return unit * np.float32(self.high_db - self.low_db) + np.float32(self.low_db)

    @staticmethod
    def clip(pictures: Pictures) -> Pictures:
        """Bring back into [-1, 1] what a net made."""
        clipped: Pictures = np.clip(pictures, -1.0, 1.0)
        return clipped


@dataclass(frozen=True)
class Standardiser:
    """An affine map of each value of a vector, to mean 0 and standard deviation 1 over the training rows.

    Attributes
    ----------
    mean, sd
        Of each value; where rows do not differ, 1 stands for the deviation.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def scale(self, vectors: Pictures) -> Pictures:
        """From an encoder's values to standardised ones."""
        scaled: Pictures = (vectors - self._mean) / self._sd
        return scaled

    def unscale(self, vectors: Pictures) -> Pictures:
        """From standardised values to an encoder's."""
        unscaled: Pictures = vectors * self._sd + self._mean
        return unscaled

    @staticmethod
    def clip(vectors: Pictures) -> Pictures:
        """Leave what a net made as it is: standardised values have no bounds."""
        return vectors

    @cached_property
    def _mean(self) -> Pictures:
        return np.array(self.mean, dtype=np.float32)

    @cached_property
    def _sd(self) -> Pictures:
        return np.array(self.sd, dtype=np.float32)


Scaler = MinMax | Standardiser


def fit_standardiser(blocks: Callable[[], Iterable[Pictures]]) -> Standardiser:
    """Fit a standardiser to vectors, given some at a time; called twice."""
    n_rows = sum(len(block) for block in blocks())
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in blocks()) / n_rows
    square = sum(np.square(block - mean).sum(axis=0) for block in blocks()) / n_rows
    sd = np.sqrt(square)
    # Rows that are alike differ by rounding alone.
    sd[sd <= 1e-6 * np.abs(mean)] = 1.0
    sd[sd == 0.0] = 1.0
    return Standardiser(tuple(mean.tolist()), tuple(sd.tolist()))


def fit_scaler(blocks: Callable[[], Iterable[Pictures]]) -> tuple[MinMax, npt.NDArray[np.float32]]:
    """Fit a scaler to pictures in dB.

    Parameters
    ----------
    blocks
        Gives the pictures, some at a time; called twice.

    Returns
    -------
    The scaler, and the loudest pixel of each picture, so that a scale that few have set can be told.
    """
    low, loudest = np.inf, []
    for block in blocks():
        low = min(low, float(block.min()))
        loudest.append(block.reshape(len(block), -1).max(axis=1))
    of_each = np.concatenate(loudest)
    high = float(of_each.max())
    low = max(low, high - DYNAMIC_RANGE_DB)
    # Constant pictures have no range; one decibel keeps the division finite.
    high = max(high, low + 1.0)
    n_below = n_all = 0
    for block in blocks():
        n_below += int(np.count_nonzero(block < np.float32(low)))
        n_all += block.size
    return MinMax(low, high, n_below / n_all if n_all else 0.0), of_each
