"""Autoencoders without training: principal components, which every other has to beat, and the identity.

Components are linear and orthonormal, so there is nothing to train and nothing to draw. On 500 rows the convolutional
one lowers the training error and raises the held-out one; and what the components leave out can be kept beside the
latent.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sertools.arrays import Shape, net_shape


class _Linear(nn.Module):
    """The mean row and the principal components, as buffers: no optimiser moves them."""

    mean: Tensor
    components: Tensor

    def __init__(self, shape: Shape, latent_size: int) -> None:
        super().__init__()
        self.shape = shape
        n_values = math.prod(shape)
        self.register_buffer("mean", torch.zeros(n_values))
        self.register_buffer("components", torch.zeros(latent_size, n_values))


class LinearEncoder(_Linear):
    """Rows [shape=(B, *net_shape)] → coordinates along the components [shape=(B, latent_size)]."""

    def forward(self, x: Tensor) -> Tensor:
        """Encode."""
        return (x.flatten(1) - self.mean) @ self.components.T


class LinearDecoder(_Linear):
    """Coordinates → rows [shape=(B, *net_shape)]; pictures may leave [-1, 1] a little."""

    def forward(self, z: Tensor) -> Tensor:
        """Decode."""
        return (z @ self.components + self.mean).view(-1, *net_shape(self.shape))


class LinearAutoencoder(nn.Module):
    """Encoder and decoder that share a mean and components."""

    def __init__(self, shape: Shape, latent_size: int) -> None:
        super().__init__()
        self.encoder = LinearEncoder(shape, latent_size)
        self.decoder = LinearDecoder(shape, latent_size)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct."""
        row: Tensor = self.decoder(self.encoder(x))
        return row

    @torch.no_grad()
    def set(self, mean: Tensor, components: Tensor) -> None:
        """Give both halves the mean [shape=(n_values,)] and the components [shape=(latent_size, n_values)]."""
        for half in (self.encoder, self.decoder):
            half.mean.copy_(mean)
            half.components.copy_(components)


class IdentityAutoencoder(nn.Module):
    """No autoencoder: the latent of a vector is the vector."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Give back."""
        return x
