"""What `generate` writes, some rows of one class at a time, and the plainest way to draw it: from latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sertools.arrays import PCM, Matrix, Pictures
from sertools.nets.conditional import as_told

BLOCK = 64  # rows held at once


@dataclass(frozen=True)
class Drawn:
    """Some new rows of one class.

    Attributes
    ----------
    pictures
        Scaled [shape=(n, *Shape)]; pictures that leave [-1, 1] are clipped when they are written. Of sound they are
        as the front end makes them.
    columns
        What the segment table says of each beyond the usual [each of length n].
    sounds
        What the rows were made of at 16 kHz [shape=(n, samples)]; None if there was no sound.
    """

    pictures: Pictures
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    sounds: PCM | None = None


class RowMaker(Protocol):
    """Anything that makes rows of a class."""

    def blocks(self, number: int, count: int, seed: int) -> Iterator[Drawn]:
        """Make `count` rows of class `number`, at most `BLOCK` at a time, whatever the counts of other classes."""


class Sampler(Protocol):
    """Anything that draws latents of a class."""

    def sample(self, number: int, count: int, rng: np.random.Generator) -> Matrix:
        """Draw latents of class `number` [shape=(count, latent_size)]."""


class FromLatents:
    """Decodes what a sampler draws."""

    def __init__(self, sampler: Sampler, decoder: nn.Module, device: torch.device) -> None:
        self._sampler, self._decoder, self._device = sampler, decoder, device

    def blocks(self, number: int, count: int, seed: int) -> Iterator[Drawn]:
        """Make `count` rows of class `number`."""
        rng = np.random.default_rng([seed, number])
        for first in range(0, count, BLOCK):
            z = self._sampler.sample(number, min(BLOCK, count - first), rng)
            z = as_told(self._decoder, z, np.full(len(z), number))
            yield Drawn(decode_latents(self._decoder, z, self._device))


@torch.inference_mode()
def decode_latents(decoder: nn.Module, z: Matrix, device: torch.device) -> Pictures:
    """Decode latents [shape=(n, latent_size)] to scaled rows [shape=(n, *Shape)]."""
    return without_channel(decoder(torch.from_numpy(z).float().to(device)))


def without_channel(rows: Tensor) -> Pictures:
    """Take rows from a net [shape=(n, *net_shape)] as a store holds them [shape=(n, *Shape)]."""
    plain: Pictures = (rows[:, 0] if rows.dim() == 4 else rows).cpu().contiguous().numpy()
    return plain
