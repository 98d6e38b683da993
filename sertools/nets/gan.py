"""Figure 1: trunk, encoder, generator, discriminator (§2.2, §2.3).

The paper states eight (transposed) convolutions per side, two dense layers before the generator's, a stride that
doubles in every second one, batch normalisation, dropout 0.2 and leaky ReLU after each, a final convolution with
tanh, and a latent of 100. Filters and kernels are unstated; BAGAN's own builder (Mariani et al. 2018), run at
128×128, gives exactly the stated counts, so its sizes are taken: 3×3 in the trunk; in the generator 5×5 at stride
1, and 4×4 at stride 2, where 5×5 would leave a checkerboard.

The trunk is shared by name: Encoder = Trunk + Dense(100), Discriminator = Trunk + Dense(classes + 1), so that
starting the GAN from the autoencoder is two `load_state_dict` calls. `bagan` has the blocks of the original, which
the switches of `NetConfig` (§2.4) put in place of these; `dense` has trunk and generator for rows that are vectors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import register_parametrization

from sertools.arrays import Shape
from sertools.config import NetConfig
from sertools.nets import bagan
from sertools.nets.dense import DenseGenerator, DenseTrunk
from sertools.nets.dropout import Dropout
from sertools.nets.layers import activation_of, after, scaled
from sertools.nets.parts import BatchNorm2d

TRUNK_FILTERS = (32, 64, 128, 256, 256, 256, 256, 256)
TRUNK_STRIDES = (2, 1, 2, 1, 2, 1, 2, 1)
GENERATOR_FILTERS = (256, 256, 256, 256, 256, 256, 128, 128)
GENERATOR_STRIDES = (1, 2, 1, 2, 1, 2, 1, 2)
GENERATOR_DENSE = 1024
SEED_FILTERS = 128
SHRINK = 16  # four halvings


def _after(filters: int, config: NetConfig, activation: nn.Module) -> list[nn.Module]:
    return after(BatchNorm2d(filters, momentum=config.bn_momentum), config, activation)


class Trunk(nn.Sequential):
    """Eight convolutions from a picture to a flat vector [shape=(B, n_features)]."""

    def __init__(self, shape: Shape, config: NetConfig) -> None:
        layers: list[nn.Module] = []
        channels = 1
        for filters, stride in zip(TRUNK_FILTERS, TRUNK_STRIDES, strict=True):
            filters = scaled(filters, config.width)
            after = _after(filters, config, nn.LeakyReLU(config.leaky_slope))
            # The original's trunk had its dropout before §2.4.
            kept = [] if config.norm else [Dropout(config.dropout)]
            layers += [nn.Conv2d(channels, filters, 3, stride, padding=1), *after, *kept]
            channels = filters
        super().__init__(*layers, nn.Flatten())
        self.n_features = channels * (shape[0] // SHRINK) * (shape[1] // SHRINK)


def trunk_of(shape: Shape, config: NetConfig) -> Trunk | DenseTrunk:
    """Make the trunk for rows of a shape: pictures, or vectors of one size."""
    return Trunk(shape, config) if len(shape) > 1 else DenseTrunk(shape[0], config)


class _Headed(nn.Module):
    def __init__(self, shape: Shape, n_outputs: int, config: NetConfig) -> None:
        super().__init__()
        self.trunk = trunk_of(shape, config)
        self.head = nn.Linear(self.trunk.n_features, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Encode, or classify."""
        outputs: Tensor = self.head(self.trunk(x))
        return outputs


class Encoder(_Headed):
    """Picture [shape=(B, 1, n_mels, n_frames)], or vector, → latent [shape=(B, latent_size)]."""

    def __init__(self, shape: Shape, config: NetConfig) -> None:
        super().__init__(shape, config.latent_size, config)


class Discriminator(_Headed):
    """Row → logits over the classes and, last, fake [shape=(B, n_classes + 1)]."""

    def __init__(self, shape: Shape, n_classes: int, config: NetConfig) -> None:
        super().__init__(shape, n_classes + 1, config)


class ProjectionDiscriminator(_Headed):
    """Row → a score for each class and, last, 0 for fake [shape=(B, n_classes + 1)] (Miyato and Koyama 2018).

    A score is ψ(φ) + v·φ, with the trunk's features φ, a linear ψ of all classes, and the class's embedding v.
    """

    def __init__(self, shape: Shape, n_classes: int, config: NetConfig) -> None:
        super().__init__(shape, 1, config)
        self.embedding = nn.Linear(self.trunk.n_features, n_classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Judge the row as each class."""
        features = self.trunk(x)
        scores = self.head(features) + self.embedding(features)
        return F.pad(scores, (0, 1))


def _transposed(channels: int, config: NetConfig) -> Iterator[tuple[int, list[nn.Module]]]:
    """Make the eight transposed convolutions, each after the number of its filters."""
    for filters, stride in zip(GENERATOR_FILTERS, GENERATOR_STRIDES, strict=True):
        filters = scaled(filters, config.width)
        kernel, padding = (5, 2) if stride == 1 else (4, 1)
        yield filters, [nn.ConvTranspose2d(channels, filters, kernel, stride, padding, bias=config.bias)]
        channels = filters


class Generator(nn.Module):
    """Latent → picture in [-1, 1] [shape=(B, 1, n_mels, n_frames)]."""

    def __init__(self, shape: Shape, config: NetConfig) -> None:
        super().__init__()
        dense = scaled(GENERATOR_DENSE, config.width)
        channels = scaled(SEED_FILTERS, config.width)
        self.seed_shape = (channels, shape[0] // SHRINK, shape[1] // SHRINK)
        self.dense = nn.Sequential(
            nn.Linear(config.latent_size, dense, bias=config.bias),
            activation_of(config),
            nn.Linear(dense, channels * self.seed_shape[1] * self.seed_shape[2], bias=config.bias),
            activation_of(config),
        )
        convolutions = bagan.upsampled if config.up == "upsample" else _transposed
        layers: list[nn.Module] = []
        for filters, convolution in convolutions(channels, config):
            layers += [*convolution, *_after(filters, config, activation_of(config))]
            channels = filters
        self.deconvolutions = nn.Sequential(*layers)
        # 2×2 cannot be centred: one row and one column of zeros at the far edges keep the size.
        self.to_picture = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, 1, 2, bias=config.bias), nn.Tanh()
        )

    def forward(self, z: Tensor) -> Tensor:
        """Generate."""
        picture: Tensor = self.to_picture(self.deconvolutions(self.dense(z).view(-1, *self.seed_shape)))
        return picture


AnyGenerator = Generator | DenseGenerator
AnyDiscriminator = Discriminator | ProjectionDiscriminator


def blank_generator(shape: Shape, config: NetConfig) -> AnyGenerator:
    """Make the generator for rows of a shape, with weights as torch draws them."""
    return Generator(shape, config) if len(shape) > 1 else DenseGenerator(shape[0], config)


class Autoencoder(nn.Module):
    """Encoder and decoder; the decoder is the generator-to-be."""

    def __init__(self, shape: Shape, config: NetConfig) -> None:
        super().__init__()
        self.encoder = Encoder(shape, config)
        self.decoder = blank_generator(shape, config)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct."""
        row: Tensor = self.decoder(self.encoder(x))
        return row


def initialise(module: nn.Module) -> None:
    """Glorot initialisation with zero biases, Keras' and BAGAN's own."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def discriminator_from(
    encoder: Encoder,
    shape: Shape,
    n_classes: int,
    config: NetConfig,
    *,
    norm: bool = True,
    spectral: bool = False,
    projection: bool = False,
) -> AnyDiscriminator:
    """Start D from the encoder: its trunk as it is, a fresh head (§2.2, GAN initialization).

    Parameters
    ----------
    norm
        Whether D keeps the encoder's batch normalisation; without it, what that does in eval mode goes into the
        layers before it, so that D starts with the same features.
    spectral
        Whether every layer's largest singular value is held where it starts (Miyato et al. 2018, who hold it at 1: in
        nine thin layers that leaves nothing of the signal).
    projection
        Whether D is a projection discriminator.
    """
    build = ProjectionDiscriminator if projection else Discriminator
    discriminator = build(shape, n_classes, dataclasses.replace(config, norm=config.norm and norm))
    discriminator.apply(initialise)
    if config.norm and not norm:
        _fold(encoder.trunk, discriminator.trunk)
    else:
        discriminator.trunk.load_state_dict(encoder.trunk.state_dict())
    return _held(discriminator) if spectral else discriminator


def _held(discriminator: AnyDiscriminator) -> AnyDiscriminator:
    """Hold every layer's largest singular value where it is."""
    for module in list(discriminator.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            start = torch.linalg.matrix_norm(module.weight.detach().flatten(1), ord=2)
            spectral_norm(module)
            register_parametrization(module, "weight", _Gain(start))
    return discriminator


class _Gain(nn.Module):
    """Times a number that is not learnt."""

    gain: Tensor

    def __init__(self, gain: Tensor) -> None:
        super().__init__()
        self.register_buffer("gain", gain)

    def forward(self, weight: Tensor) -> Tensor:
        """Scale the weights."""
        return self.gain * weight


@torch.no_grad()
def _fold(source: nn.Sequential, target: nn.Sequential) -> None:
    """Give a trunk without normalisation the layers of one with it, scaled and shifted as that does."""
    layers = ([m for m in trunk if isinstance(m, nn.Conv2d | nn.Linear)] for trunk in (source, target))
    for own, new, norm in zip(*layers, batch_norms(source), strict=True):
        assert own.bias is not None and new.bias is not None and norm.running_mean is not None  # noqa: PT018
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        new.weight.copy_(own.weight * scale.view(-1, *[1] * (own.weight.dim() - 1)))
        new.bias.copy_((own.bias - norm.running_mean) * scale + norm.bias)


def generator_from(decoder: AnyGenerator, shape: Shape, config: NetConfig) -> AnyGenerator:
    """Start G from the decoder (§2.2, GAN initialization)."""
    generator = blank_generator(shape, config)
    generator.load_state_dict(decoder.state_dict())
    return generator


def batch_norms(net: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    """All batch normalisations of a net."""
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]


@torch.no_grad()
def clamp_dropout(net: nn.Module, training: bool) -> None:
    """Switch dropout alone, whatever mode the rest of the net is in."""
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.train(training)
