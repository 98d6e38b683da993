"""Autoencoders by name: ``conv`` is Figure 1, ``pca`` its linear rival; files of both are used alike."""

from __future__ import annotations

from torch import nn

from sertools.arrays import Shape
from sertools.config import NetConfig
from sertools.nets.gan import Autoencoder, Encoder, Generator
from sertools.nets.linear import LinearAutoencoder, LinearDecoder, LinearEncoder

AnyAutoencoder = Autoencoder | LinearAutoencoder


def build_autoencoder(shape: Shape, config: NetConfig) -> AnyAutoencoder:
    """Build the autoencoder that `config.latent` names, one of ``architectures.LATENTS``."""
    return LinearAutoencoder(shape, config.latent_size) if config.latent == "pca" else Autoencoder(shape, config)


def build_encoder(shape: Shape, config: NetConfig) -> nn.Module:
    """Build its encoder alone: picture [shape=(B, 1, n_mels, n_frames)] → latent [shape=(B, latent_size)]."""
    return LinearEncoder(shape, config.latent_size) if config.latent == "pca" else Encoder(shape, config)


def build_decoder(shape: Shape, config: NetConfig) -> nn.Module:
    """Build its decoder alone, which is the generator of a GAN file."""
    return LinearDecoder(shape, config.latent_size) if config.latent == "pca" else Generator(shape, config)
