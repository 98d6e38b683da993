"""Regions of one picture pasted into another: of a row's own class while training, or into rows that are moved.

Joined utterances of one emotion are CopyPaste's idea (Pappagari et al. 2021, arXiv:2010.14602), regions of pictures
CutMix's (Yun et al. 2019), whose labels mix; within a class there is nothing to mix. The paper has neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sertools.arrays import Index, Pictures, Shape
from sertools.nets.devices import onto

PASTED_SHARE = (0.25, 0.5)  # of a side


@dataclass(frozen=True)
class Region:
    """A time span or a frequency band, over the whole of the other axis."""

    axis: str
    first: int
    stop: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Where it lies in a picture [shape=(n_mels, n_frames)]."""
        here, everything = slice(self.first, self.stop), slice(None)
        return (everything, here) if self.axis == "time" else (here, everything)

    def paste(self, source: Pictures, target: Pictures) -> None:
        """Copy the region of one picture [shape=(n_mels, n_frames)] into another."""
        target[self.place] = source[self.place]

    def n_valid_frames(self, source: int, target: int) -> int:
        """Columns that are not padding, after pasting a picture of `source` of them into one of `target`."""
        first, stop = (self.first, self.stop) if self.axis == "time" else (0, source)
        return max(target, min(stop, source)) if source > first else target


def draw_region(shape: Shape, rng: np.random.Generator) -> Region:
    """Draw a region of a quarter to a half of the picture."""
    axis = int(rng.integers(2))
    length = round(shape[axis] * rng.uniform(*PASTED_SHARE))
    first = int(rng.integers(shape[axis] - length + 1))
    return Region(("frequency", "time")[axis], first, first + length)


def cut_paste(x: Tensor, labels: Index, chance: float, seed: int) -> Tensor:
    """Paste into some rows of a batch a region of another row of their class in it; a row without one stays.

    Parameters
    ----------
    x
        Pictures [shape=(B, 1, n_mels, n_frames)].
    labels
        Class of each row [shape=(B,)].
    chance
        Of a row to get a region, between 0 and 1.
    seed
        Decides rows, partners and regions, the same on every device.

    Returns
    -------
    New pictures of the same shape; `x` is left alone.
    """
    rng = np.random.default_rng(seed)
    partner, pasted = np.arange(len(x)), np.zeros((len(x), *x.shape[2:]), dtype=bool)
    for number in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == number))
        # In a ring, so that each gives once and none to itself.
        partner[members] = np.roll(members, 1)
    for row in np.flatnonzero(rng.random(len(x)) < chance):
        pasted[row][draw_region((x.shape[2], x.shape[3]), rng).place] = True
    source = x[onto(x.device, torch.from_numpy(partner))]
    return torch.where(onto(x.device, torch.from_numpy(pasted))[:, None], source, x)
