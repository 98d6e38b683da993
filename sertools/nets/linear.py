"""Principal components as encoder and decoder: the autoencoder that every other has to beat.

Linear and orthonormal, so there is nothing to train and nothing to draw. On 500 rows the convolutional one lowers
the training error and raises the held-out one; and what the components leave out can be kept beside the latent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sertools.arrays import Shape


class _Linear(nn.Module):
    """The mean picture and the principal components, as buffers: no optimiser moves them."""

    mean: Tensor
    components: Tensor

    def __init__(self, shape: Shape, latent_size: int) -> None:
        super().__init__()
        self.shape = shape
        n_pixels = shape[0] * shape[1]
        self.register_buffer("mean", torch.zeros(n_pixels))
        self.register_buffer("components", torch.zeros(latent_size, n_pixels))


class LinearEncoder(_Linear):
    """Picture [shape=(B, 1, n_mels, n_frames)] → coordinates along the components [shape=(B, latent_size)]."""

    def forward(self, x: Tensor) -> Tensor:
        """Encode."""
        return (x.flatten(1) - self.mean) @ self.components.T


class LinearDecoder(_Linear):
    """Coordinates → picture [shape=(B, 1, n_mels, n_frames)]; it may leave [-1, 1] a little."""

    def forward(self, z: Tensor) -> Tensor:
        """Decode."""
        return (z @ self.components + self.mean).view(-1, 1, *self.shape)


class LinearAutoencoder(nn.Module):
    """Encoder and decoder that share a mean and components."""

    def __init__(self, shape: Shape, latent_size: int) -> None:
        super().__init__()
        self.encoder = LinearEncoder(shape, latent_size)
        self.decoder = LinearDecoder(shape, latent_size)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct."""
        picture: Tensor = self.decoder(self.encoder(x))
        return picture

    @torch.no_grad()
    def set(self, mean: Tensor, components: Tensor) -> None:
        """Give both halves the mean [shape=(n_pixels,)] and the components [shape=(latent_size, n_pixels)]."""
        for half in (self.encoder, self.decoder):
            half.mean.copy_(mean)
            half.components.copy_(components)
