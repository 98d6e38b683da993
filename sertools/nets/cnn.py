"""A small classifier for CPUs: seconds where VGG19 takes hours. Not the paper's."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.nets.layers import scaled
from sertools.nets.parts import BatchNorm1d, BatchNorm2d

FILTERS = (16, 32, 48, 64)


def strided(blocks: Iterable[tuple[int, tuple[int, int]]], width: float) -> tuple[nn.Sequential, int]:
    """Make strided convolutions with batch normalisation, from one channel.

    Parameters
    ----------
    blocks
        Filters of each, and its strides along mel bins and frames.
    width
        Scales the filters.

    Returns
    -------
    layers, channels
        And how many channels the last of them has.
    """
    layers: list[nn.Module] = []
    channels = 1
    for filters, stride in blocks:
        wide = scaled(filters, width)
        layers += [nn.Conv2d(channels, wide, 3, stride, padding=1), BatchNorm2d(wide), nn.ReLU(inplace=True)]
        channels = wide
    return nn.Sequential(*layers), channels


class SmallCNN(nn.Module):
    """Picture [shape=(B, 1, n_mels, n_frames)] → logits [shape=(B, n_classes)].

    Each mel bin is normalised on its own (levels differ by tens of dB along frequency), four strided convolutions
    follow, and mean and maximum over time keep the frequency axis: an emotion shows in where energy lies.
    """

    def __init__(self, shape: Shape, n_classes: int, width: float = 1.0) -> None:
        super().__init__()
        # No learned scale: its gradient through a one-channel convolution would cost a sixth of the step.
        self.per_bin = BatchNorm1d(shape[0], affine=False)
        self.features, channels = strided([(filters, (2, 2)) for filters in FILTERS], width)
        self.head = nn.Linear(2 * channels * (shape[0] // 16), n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Classify."""
        maps = self.features(self.per_bin(x[:, 0])[:, None])
        pooled = torch.cat([maps.mean(dim=3), maps.amax(dim=3)], dim=1)
        logits: Tensor = self.head(pooled.flatten(1))
        return logits
