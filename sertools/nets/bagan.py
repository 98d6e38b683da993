"""Blocks of the original BAGAN (Mariani et al. 2018), which §2.4 replaces one by one.

From the builder published with that paper (IBM/BAGAN, `balancing_gan.py`), at 128×128 from a seed of 8×8: the
generator is dense 1024, dense 8·8·128, four times "double by nearest neighbour, then convolve 5×5" with 256, 256,
256 and 128 filters, ReLU after each, and a 2×2 convolution with tanh; no biases, no normalisation, no dropout. Its
trunk has the eight convolutions of ours, each with leaky ReLU and dropout 0.3. Other sizes double four times as well,
so that the architectures differ in nothing else; weights start as Glorot's uniform ones in both, where the original
drew the convolutions of its generator from Glorot's normal distribution.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from sertools.config import NetConfig

FILTERS = (256, 256, 256, 128)
KERNEL = 5


def upsampled(channels: int, config: NetConfig) -> Iterator[tuple[int, list[nn.Module]]]:
    """Make the four upsampling blocks of the generator.

    Parameters
    ----------
    channels
        Of the seed picture, at least 1.
    config
        `width` scales the filters, `bias` gives the convolutions biases.

    Yields
    ------
    filters, layers
        A block and the number of its channels; it doubles height and width.
    """
    for filters in FILTERS:
        wide = max(1, round(filters * config.width))
        convolution = nn.Conv2d(channels, wide, KERNEL, padding=KERNEL // 2, bias=config.bias)
        yield wide, [nn.Upsample(scale_factor=2, mode="nearest"), convolution]
        channels = wide
