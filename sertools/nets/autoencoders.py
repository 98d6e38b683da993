"""Autoencoders by name: ``conv`` is Figure 1, ``pca`` its linear rival; files of both are used alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from sertools.arrays import Shape
from sertools.config import NetConfig
from sertools.nets.gan import Autoencoder, Encoder, Generator
from sertools.nets.linear import LinearAutoencoder, LinearDecoder, LinearEncoder

AnyAutoencoder = Autoencoder | LinearAutoencoder


@dataclass(frozen=True)
class _Family:
    autoencoder: Callable[[Shape, NetConfig], AnyAutoencoder]
    encoder: Callable[[Shape, NetConfig], Encoder | LinearEncoder]
    decoder: Callable[[Shape, NetConfig], Generator | LinearDecoder]


_FAMILIES: Mapping[str, _Family] = {
    "conv": _Family(Autoencoder, Encoder, Generator),
    "pca": _Family(
        lambda shape, config: LinearAutoencoder(shape, config.latent_size),
        lambda shape, config: LinearEncoder(shape, config.latent_size),
        lambda shape, config: LinearDecoder(shape, config.latent_size),
    ),
}


def build_autoencoder(shape: Shape, config: NetConfig) -> AnyAutoencoder:
    """Build the autoencoder that `config.latent` names, one of ``architectures.LATENTS``."""
    return _FAMILIES[config.latent].autoencoder(shape, config)


def build_encoder(shape: Shape, config: NetConfig) -> nn.Module:
    """Build its encoder alone: picture [shape=(B, 1, n_mels, n_frames)] → latent [shape=(B, latent_size)]."""
    return _FAMILIES[config.latent].encoder(shape, config)


def build_decoder(shape: Shape, config: NetConfig) -> nn.Module:
    """Build its decoder alone, which is the generator of a GAN file."""
    return _FAMILIES[config.latent].decoder(shape, config)
