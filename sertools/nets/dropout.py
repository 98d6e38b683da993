"""Dropout (Srivastava et al. 2014) whose masks cost little on a CPU."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.nets.parts import current_part

_LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """Drop each value with probability `p`, and scale the rest up; nothing in eval mode.

    On a CPU torch draws one mask value after the other, a quarter of a step of the thin autoencoder. Here a quarter
    of a 64-bit word decides on a value: `p` is met within 1/131072, values are as independent as the words of NumPy's
    SFC64, and torch's own generator seeds that, so seeds mean what they did. Masks are those of the whole batch, even
    where this process has only a part of its rows.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop values."""
        if not self.training or self.p == 0.0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        below = round(self.p * _LEVELS)
        part, a_row = current_part(), x.numel() // len(x)
        first, total = (part.first, part.total) if part else (0, len(x))
        words = np.random.SFC64(int(torch.randint(1 << 62, ()))).random_raw(-(-total * a_row // 4))
        kept = torch.from_numpy(words.view(np.uint16)[first * a_row :][: x.numel()] >= below)
        mask = kept.to(x.dtype).mul_(_LEVELS / (_LEVELS - below))
        return x * _in_layout_of(x, mask)


def _in_layout_of(x: Tensor, flat: Tensor) -> Tensor:
    """Shape a flat tensor as `x`, in its order in memory, so that a product runs straight through both."""
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        n, c, h, w = x.shape
        return flat.view(n, h, w, c).permute(0, 3, 1, 2)
    return flat.view(x.shape)
