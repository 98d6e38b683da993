"""A small U-Net from a noisy picture, its noise level and its class to a picture (Ho et al. 2020).

The picture is folded two by two into channels first, which makes the net four times cheaper; two further channels
say where on the mel axis and in time a place is, as a convolution cannot tell a low band from a high one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.nets.conditioning import Conditioned, still
from sertools.nets.dropout import Dropout

FOLD = 2
CHANNELS = (64, 128, 192)  # of the levels, each at half the size of the one before
_GROUPS = 8


class _Block(nn.Module):
    """Two convolutions beside a shortcut; the condition scales and shifts what is between them."""

    def __init__(self, n_in: int, n_out: int, n_condition: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(n_in), nn.SiLU(), nn.Conv2d(n_in, n_out, 3, padding=1))
        self.norm = _norm(n_out)
        self.scale_and_shift = nn.Linear(n_condition, 2 * n_out)
        self.second = nn.Sequential(nn.SiLU(), Dropout(dropout), still(nn.Conv2d(n_out, n_out, 3, padding=1)))
        self.shortcut: nn.Module = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Change the picture [shape=(B, n_out, h, w)]."""
        scale, shift = self.scale_and_shift(condition)[:, :, None, None].chunk(2, dim=1)
        y: Tensor = self.shortcut(x) + self.second(self.norm(self.first(x)) * (1.0 + scale) + shift)
        return y


class UNet(Conditioned):
    """Picture [shape=(B, 1, n_mels, n_frames)], noise [shape=(B,)] and class [shape=(B,)] → picture.

    Parameters
    ----------
    n_classes
        Real classes; the number after the last stands for "not told".
    width
        Scales the channels.
    n_moves
        Numbers that say how a row was altered, which only a net that learns is told; 0: none.
    """

    def __init__(self, n_classes: int, width: float, dropout: float, n_moves: int = 0) -> None:
        channels = [_GROUPS * max(1, round(c * width / _GROUPS)) for c in CHANNELS]
        n_condition = 4 * channels[0]
        super().__init__(n_classes, n_condition)
        self.fold, self.unfold = nn.PixelUnshuffle(FOLD), nn.PixelShuffle(FOLD)
        self.enter = nn.Conv2d(FOLD**2 + 2, channels[0], 3, padding=1)
        ins = [channels[0], *channels[:-1]]
        self.down = nn.ModuleList(
            _Block(n_in, n_out, n_condition, dropout) for n_in, n_out in zip(ins, channels, strict=True)
        )
        self.middle = _Block(channels[-1], channels[-1], n_condition, dropout)
        self.up = nn.ModuleList(
            _Block(below + n_out, n_out, n_condition, dropout)
            for below, n_out in zip(reversed([*channels[1:], channels[-1]]), reversed(channels), strict=True)
        )
        self.leave = nn.Sequential(
            _norm(channels[0]), nn.SiLU(), still(nn.Conv2d(channels[0], FOLD**2, 3, padding=1))
        )
        # Without a bias: a row that was not altered is told by zeros, or by nothing.
        self.moves = nn.Linear(n_moves, n_condition, bias=False) if n_moves else None

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor, moves: Tensor | None = None) -> Tensor:
        """Map a picture, altered by `moves` [shape=(B, n_moves)] or not at all, to a picture."""
        told = self.told(noise, labels)
        if moves is not None and self.moves is not None:
            told = told + self.moves(moves)
        condition = self.condition(told)
        folded = self.fold(x)
        size = folded.shape[2:]
        where = torch.meshgrid(*(torch.linspace(-1.0, 1.0, n, device=x.device) for n in size), indexing="ij")
        x = self.enter(torch.cat([folded, torch.stack(where).expand(len(x), -1, -1, -1)], dim=1))
        kept = []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x, condition)
            kept.append(x)
        x = self.middle(x, condition)
        for level, block in enumerate(self.up):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0) if level else x, kept.pop()], dim=1), condition)
        picture: Tensor = self.unfold(self.leave(x))
        return picture


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(_GROUPS, channels)
