"""Layers that look beyond a row, for a batch that is spread over several processes.

Each process then has a part of the rows. Batch normalisation takes its statistics over all of them, as torch's own
SyncBatchNorm does, which runs on GPUs alone; dropout cuts its part from the masks of the whole batch (`dropout`). In
one process the layers here are torch's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(frozen=True)
class Part:
    """Rows of a batch that this process has.

    Attributes
    ----------
    first, last
        From `first` to before `last`.
    total
        Rows of the whole batch.
    """

    first: int
    last: int
    total: int


_current: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def having(part: Part) -> Iterator[None]:
    """Let nets know that what they get is a part of a batch."""
    token = _current.set(part)
    try:
        yield
    finally:
        _current.reset(token)


def current_part() -> Part | None:
    """Return the part that nets get now; none where they get whole batches."""
    return _current.get()


class _Sum(torch.autograd.Function):
    """Sum over processes; each gets it, and each one's gradient counts."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        return sum_over_processes(gradients[0])


def sum_over_processes(x: Tensor) -> Tensor:
    """Add up a tensor over all processes; the gradient is that of the sum of all processes' losses."""
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return total


class _OverWholeBatch(_BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        part = current_part()
        if part is None or not self.training:
            return super().forward(x)
        dims = [0, *range(2, x.dim())]
        count = part.total * (x.numel() // (x.shape[0] * x.shape[1]))
        share = (part.last - part.first) / part.total
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        # Float64 until the end: a small variance is left over from two large squares.
        own_var, own_mean = (t.double() for t in torch.var_mean(exact, dims, correction=0))
        mean, square = sum_over_processes(torch.stack([own_mean, own_var + own_mean**2]) * share)
        var = (square - mean**2).clamp_min(0.0)
        self._follow(mean.detach(), var.detach() * (count / max(1, count - 1)))
        scale = (var + self.eps).rsqrt()
        if self.affine:
            scale = scale * self.weight
        shift = -mean * scale + (self.bias if self.affine else 0.0)
        shape = [1, -1, *[1] * (x.dim() - 2)]
        shift, scale = (t.to(exact.dtype).view(shape) for t in (shift, scale))
        return torch.addcmul(shift, exact, scale).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor) -> None:
        """Move the running statistics as torch does."""
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        step = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), step)
        self.running_var.lerp_(var.to(self.running_var.dtype), step)


class BatchNorm1d(_OverWholeBatch, nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` over the whole batch."""


class BatchNorm2d(_OverWholeBatch, nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` over the whole batch."""
