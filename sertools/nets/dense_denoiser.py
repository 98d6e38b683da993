"""A small dense net from a noisy vector, its noise level and its class to a vector.

Residual blocks as in the U-Net of pictures (`unet`), with dense layers and layer normalisation: a batch holds rows
of all noise levels, which must not normalise one another. Vectors vary along a few dozen directions, noise along all,
and blocks narrower than a vector cannot take it from the others. So one linear map of the vector goes around them,
whose share the noise level decides; without it samples have 1.3 times the spread of real rows (docs/generator.md).
"""

from __future__ import annotations

from torch import Tensor, nn

from sertools.nets.conditioning import Conditioned, still
from sertools.nets.dropout import Dropout
from sertools.nets.layers import scaled

UNITS = 256
N_BLOCKS = 2


class _Block(nn.Module):
    """Two dense layers beside a shortcut; the condition scales and shifts what is between them."""

    def __init__(self, units: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.LayerNorm(units), nn.SiLU(), nn.Linear(units, units))
        self.norm = nn.LayerNorm(units)
        self.scale_and_shift = nn.Linear(units, 2 * units)
        self.second = nn.Sequential(nn.SiLU(), Dropout(dropout), still(nn.Linear(units, units)))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Change the features [shape=(B, units)]."""
        scale, shift = self.scale_and_shift(condition).chunk(2, dim=1)
        y: Tensor = x + self.second(self.norm(self.first(x)) * (1.0 + scale) + shift)
        return y


class DenseDenoiser(Conditioned):
    """Vector [shape=(B, n_values)], noise [shape=(B,)] and class [shape=(B,)] → vector.

    Parameters
    ----------
    n_classes
        Real classes; the number after the last stands for "not told".
    width
        Scales the units.
    """

    def __init__(self, n_values: int, n_classes: int, width: float, dropout: float) -> None:
        units = scaled(UNITS, width)
        super().__init__(n_classes, units)
        self.enter = nn.Linear(n_values, units)
        self.blocks = nn.ModuleList(_Block(units, dropout) for _ in range(N_BLOCKS))
        self.leave = nn.Sequential(nn.LayerNorm(units), nn.SiLU(), still(nn.Linear(units, n_values)))
        self.around = nn.Linear(n_values, n_values, bias=False)
        self.share = still(nn.Linear(units, n_values))

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor, moves: Tensor | None = None) -> Tensor:
        """Map a vector to a vector; `moves` are of pictures, and not used."""
        condition = self.condition(self.told(noise, labels))
        y = self.enter(x)
        for block in self.blocks:
            y = block(y, condition)
        vector: Tensor = self.leave(y) + self.share(condition) * self.around(x)
        return vector
