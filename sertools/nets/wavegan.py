"""WaveGAN (Donahue et al. 2019): sound from a latent by 1-D transposed convolutions, and a critic of the same sizes.

Both know the class. The generator has its embedding beside the latent; the critic adds to its score how well the
features fit the class, as a projection (Miyato and Koyama 2018). Without that they are those of the paper's Tables 3
and 4, whose `d` is 64.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.generator_config import WaveganConfig
from sertools.nets.layers import scaled

KERNEL, STRIDE = 25, 4
LATENT = 100
_FIRST = 16  # samples of the shortest layer
_PADDING = 11  # a stride of 4 then shortens by 4 exactly, as TensorFlow's "same" does
_DIM = 64
_SLOPE = 0.2
_SHUFFLE = 2  # samples that phase shuffle moves a layer by, at the most
_LOG_VARIANCES = (-8.0, 4.0)  # what an encoder may say of a latent; beyond, exp() has no use


def _channels(config: WaveganConfig) -> list[int]:
    """Channels of each layer of the critic, from the first to the last: d, 2 d, 4 d and so on."""
    n_layers = round(math.log(config.samples / _FIRST, STRIDE))
    return [scaled(_DIM, config.width) * 2**layer for layer in range(n_layers)]


class WaveGenerator(nn.Module):
    """Latent, uniform in [-1, 1], and class → samples in [-1, 1].

    Attributes
    ----------
    level
        What 1 stands for in the recordings that it learnt, emphasised as its config says.
    """

    level: Tensor

    def __init__(self, n_classes: int, config: WaveganConfig) -> None:
        super().__init__()
        self.config = config
        channels = _channels(config)[::-1]
        self.embedding = nn.Embedding(n_classes, config.class_size)
        self.dense = nn.Linear(LATENT + config.class_size, _FIRST * channels[0])
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(own, following, KERNEL, STRIDE, _PADDING, output_padding=1)
            for own, following in zip(channels, [*channels[1:], 1], strict=True)
        )
        self.register_buffer("level", torch.tensor(1.0))
        self.apply(_initialise)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Make sound [shape=(B, samples)] of latents [shape=(B, LATENT)] and classes [shape=(B,)]."""
        y: Tensor = self.dense(torch.cat([z, self.embedding(labels)], dim=1)).view(len(z), -1, _FIRST)
        for layer in self.layers:
            y = layer(F.relu(y))
        return torch.tanh(y)[:, 0]


class WaveCritic(nn.Module):
    """Sound and class → how real it is."""

    def __init__(self, n_classes: int, config: WaveganConfig) -> None:
        super().__init__()
        channels = _channels(config)
        self.layers = nn.ModuleList(
            nn.Conv1d(before, own, KERNEL, STRIDE, _PADDING)
            for before, own in zip([1, *channels[:-1]], channels, strict=True)
        )
        self.dense = nn.Linear(_FIRST * channels[-1], 1)
        self.classes = nn.Embedding(n_classes, _FIRST * channels[-1])
        self.apply(_initialise)
        # At first the critic does not look at the class.
        nn.init.zeros_(self.classes.weight)

    def forward(self, y: Tensor, labels: Tensor) -> Tensor:
        """Score sounds [shape=(B, samples)] of classes [shape=(B,)]; the higher, the more real [shape=(B,)]."""
        features = _features(self.layers, y, shuffled=self.training)
        score: Tensor = self.dense(features)[:, 0] + (self.classes(labels) * features).sum(dim=1)
        return score


class WaveEncoder(nn.Module):
    """Sound → mean and log variance of its latent, by the layers of a critic, which learn here too."""

    def __init__(self, critic: WaveCritic) -> None:
        super().__init__()
        self.layers = critic.layers
        self.dense = nn.Linear(critic.dense.in_features, 2 * LATENT)
        nn.init.normal_(self.dense.weight, std=0.01)
        nn.init.zeros_(self.dense.bias)

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Tell mean and log variance [shape=(B, LATENT)] of sounds [shape=(B, samples)]."""
        mean, log_variance = self.dense(_features(self.layers, y, shuffled=False)).chunk(2, dim=1)
        return mean, log_variance.clamp(*_LOG_VARIANCES)


def uniform(z: Tensor) -> Tensor:
    """Turn standard normal latents into what the generator takes, uniform in [-1, 1]."""
    return torch.erf(z / math.sqrt(2.0))


def _features(layers: nn.ModuleList, y: Tensor, *, shuffled: bool) -> Tensor:
    y = y[:, None]
    for number, layer in enumerate(layers):
        y = F.leaky_relu(layer(y), _SLOPE)
        if shuffled and number < len(layers) - 1:
            y = phase_shuffle(y)
    return y.flatten(1)


def phase_shuffle(y: Tensor) -> Tensor:
    """Move features [shape=(B, channels, n)] by up to two samples, and fill the gap by reflection.

    All rows of a batch alike, as in the original's code.
    """
    by = int(torch.randint(-_SHUFFLE, _SHUFFLE + 1, ()))
    left, right = max(by, 0), max(-by, 0)
    return F.pad(y, (left, right), mode="reflect")[:, :, right : right + y.shape[2]]


def _initialise(module: nn.Module) -> None:
    """Initialise as TensorFlow does, in which the original is written."""
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.ConvTranspose1d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
