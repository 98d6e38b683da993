"""What `generate` writes, some rows of one class at a time, and the plainest way to draw it: from latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from sertools.arrays import Matrix, Pictures

BLOCK = 64  # rows held at once


@dataclass(frozen=True)
class Drawn:
    """Some new rows of one class.

    Attributes
    ----------
    pictures
        Scaled [shape=(n, n_mels, n_frames), in [-1, 1]].
    columns
        What the segment table says of each beyond the usual [each of length n].
    """

    pictures: Pictures
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)


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
            yield Drawn(np.clip(decode_latents(self._decoder, z, self._device), -1.0, 1.0))


@torch.inference_mode()
def decode_latents(decoder: nn.Module, z: Matrix, device: torch.device) -> Pictures:
    """Decode latents [shape=(n, latent_size)] to scaled pictures [shape=(n, n_mels, n_frames)]."""
    made: Pictures = decoder(torch.from_numpy(z).float().to(device))[:, 0].cpu().contiguous().numpy()
    return made
