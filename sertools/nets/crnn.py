"""Convolutions and an LSTM over time, which the paper leaves to future work (§4); the sizes are our own.

A picture's convolutions see a few tenths of a second. Emotion also lies in how speech moves over seconds, which the
LSTM follows in both directions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.nets.cnn import strided
from sertools.nets.layers import scaled
from sertools.nets.parts import BatchNorm1d

# Filters, and the strides along mel bins and frames: frequency shrinks 16-fold, time only 4-fold.
BLOCKS = ((16, (2, 2)), (32, (2, 2)), (48, (2, 1)), (64, (2, 1)))
HIDDEN = 64
# Open forget gates from the start (Jozefowicz et al. 2015): sigmoid(2) keeps most of a second.
FORGET_BIAS = 2.0


class CRNN(nn.Module):
    """Picture [shape=(B, 1, n_mels, n_frames)] → logits [shape=(B, n_classes)].

    Each mel bin is normalised on its own; four convolutions with batch normalisation leave a sequence of
    n_frames / 4 steps, 0.1 s each at the paper's front end, for a bidirectional LSTM. The mean and the maximum of
    its outputs over time go into the last layer.

    Parameters
    ----------
    shape
        ``(n_mels, n_frames)``, each a multiple of 16.
    width
        Scales the filters and the LSTM's units; 1 has 344,000 weights at 128×128 and four classes.
    """

    def __init__(self, shape: Shape, n_classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.per_bin = BatchNorm1d(shape[0])
        self.features, channels = strided(BLOCKS, width)
        hidden = scaled(HIDDEN, width)
        self.over_time = nn.LSTM(channels * (shape[0] // 16), hidden, batch_first=True, bidirectional=True)
        with torch.no_grad():
            for name, parameter in self.over_time.named_parameters():
                if name.startswith("bias_hh"):
                    parameter[hidden : 2 * hidden] = FORGET_BIAS
        self.head = nn.Linear(4 * hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Classify."""
        maps = self.features(self.per_bin(x[:, 0])[:, None])
        # (B, channels, bins, steps) → (B, steps, channels · bins)
        outputs, _ = self.over_time(maps.flatten(1, 2).transpose(1, 2))
        logits: Tensor = self.head(torch.cat([outputs.mean(dim=1), outputs.amax(dim=1)], dim=1))
        return logits
