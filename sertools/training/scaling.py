"""Min-max scaling to [-1, 1], fitted on the training set and carried in the model (§2.3, §3.2).

The floor comes first: what lies more than 80 dB below the loudest training pixel is clipped, or a single silent
frame at -100 dB would decide the scale of all speech.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertools.arrays import Pictures

DYNAMIC_RANGE_DB = 80.0


@dataclass(frozen=True)
class Scaler:
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


def fit_scaler(blocks: Callable[[], Iterable[Pictures]]) -> tuple[Scaler, npt.NDArray[np.float32]]:
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
    return Scaler(low, high, n_below / n_all if n_all else 0.0), of_each
