"""The running average of a net's weights, which makes better pictures than any of them (Karras et al. 2018)."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


class Average(Generic[Net]):
    """An exponential moving average of weights; buffers are the net's own.

    Attributes
    ----------
    net
        The average, in eval mode.

    Parameters
    ----------
    net
        What it is of, on the device where it stays.
    decay
        What is kept at each step, from 0 (the last weights) to below 1; less in the first steps, so that the start
        is soon forgotten.
    """

    def __init__(self, net: Net, decay: float) -> None:
        self.net, self._decay = copy.deepcopy(net).requires_grad_(False).eval(), decay
        # Listed once: to walk through a net's modules takes longer than to average a small one.
        self._own: list[Tensor] = list(self.net.parameters())
        self._new: list[Tensor] = list(net.parameters())
        self._buffers = list(zip(self.net.buffers(), net.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the net's weights after a step, the first of which is 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._own, self._new, 1.0 - decay)
        for own, new in self._buffers:
            own.copy_(new)
