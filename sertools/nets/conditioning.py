"""What a denoiser is told beside its row: the noise level and the class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_FREQUENCIES = 16  # of the noise level's sines and cosines


class Conditioned(nn.Module):
    """A net that is told noise and class by one vector.

    Parameters
    ----------
    n_classes
        Real classes; the number after the last stands for "not told".
    size
        Of that vector.
    """

    def __init__(self, n_classes: int, size: int) -> None:
        super().__init__()
        self.classes = nn.Embedding(n_classes + 1, size)
        self.noise = nn.Linear(2 * _FREQUENCIES, size)
        self.condition = nn.Sequential(nn.SiLU(), nn.Linear(size, size), nn.SiLU())

    def told(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Say noise [shape=(B,)] and class [shape=(B,)], for `condition` to go on with [shape=(B, size)]."""
        frequencies = math.pi * torch.arange(1, _FREQUENCIES + 1, device=noise.device) / 4.0
        waves = noise[:, None] * frequencies
        told: Tensor = self.noise(torch.cat([waves.cos(), waves.sin()], dim=1)) + self.classes(labels)
        return told


def still(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Let a layer add nothing at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
