"""The running average of a net's weights, which makes better pictures than any of them (Karras et al. 2018)."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


class Average(Generic[Net]):
    """An exponential moving average of weights; buffers are the net's own.

    Attributes
    ----------
    net
        The average, in eval mode.

    Parameters
    ----------
    decay
        What is kept at each step, from 0 (the last weights) to below 1; less in the first steps, so that the start
        is soon forgotten.
    """

    def __init__(self, net: Net, decay: float) -> None:
        self.net, self._decay = copy.deepcopy(net).requires_grad_(False).eval(), decay

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take the weights after a step, the first of which is 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.net.parameters()), list(net.parameters()), 1.0 - decay)
        for own, new in zip(self.net.buffers(), net.buffers(), strict=True):
            own.copy_(new)
