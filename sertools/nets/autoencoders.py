"""Autoencoders by name: ``conv`` is Figure 1, ``dense`` that of vectors, ``pca`` the linear rival, ``identity`` none.

Files of all are used alike.
"""

from __future__ import annotations

from torch import nn

from sertools.arrays import Shape
from sertools.config import NetConfig
from sertools.nets.gan import Autoencoder, Encoder, blank_generator
from sertools.nets.linear import IdentityAutoencoder, LinearAutoencoder, LinearDecoder, LinearEncoder

AnyAutoencoder = Autoencoder | LinearAutoencoder | IdentityAutoencoder


def build_autoencoder(shape: Shape, config: NetConfig) -> AnyAutoencoder:
    """Build the autoencoder that `config.latent` names, one of ``architectures.LATENTS``."""
    if config.latent == "identity":
        return IdentityAutoencoder()
    return LinearAutoencoder(shape, config.latent_size) if config.latent == "pca" else Autoencoder(shape, config)


def build_encoder(shape: Shape, config: NetConfig) -> nn.Module:
    """Build its encoder alone: rows [shape=(B, *net_shape)] → latents [shape=(B, latent_size)]."""
    if config.latent == "identity":
        return nn.Identity()
    return LinearEncoder(shape, config.latent_size) if config.latent == "pca" else Encoder(shape, config)


def build_decoder(shape: Shape, config: NetConfig) -> nn.Module:
    """Build its decoder alone, which is the generator of a GAN file."""
    if config.latent == "identity":
        return nn.Identity()
    return LinearDecoder(shape, config.latent_size) if config.latent == "pca" else blank_generator(shape, config)
