"""Latents of given classes on the device, and a generator's batch statistics on them."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from sertools.nets.conditional import with_classes
from sertools.nets.devices import onto
from sertools.nets.gan import batch_norms, clamp_dropout
from sertools.training.gaussians import ClassGaussians
from sertools.training.runtime import seed_torch

_CALIBRATION_BATCH = 64


class DrawsLatents(Protocol):
    """Anything that draws a generator's input for rows of given classes."""

    n_classes: int

    def latents(self, labels: Tensor) -> Tensor:
        """Draw one latent per label [shape=(B, latent_size)]."""


class LatentSampler:
    """Draws latents of given classes on the device."""

    def __init__(self, gaussians: ClassGaussians, device: torch.device) -> None:
        self.classes, self.n_classes = gaussians.classes, len(gaussians.classes)
        self._mean = torch.from_numpy(gaussians.mean).float().to(device)
        self._factors = torch.tensor(gaussians.factors).float().to(device)
        self._device = device

    def uniform_labels(self, count: int) -> Tensor:
        """Draw labels, uniform over the real classes [shape=(count,)]."""
        return onto(self._device, torch.randint(self.n_classes, (count,)))

    def latents(self, labels: Tensor) -> Tensor:
        """Draw one latent per label [shape=(B, latent_size)]."""
        noise = onto(self._device, torch.randn(len(labels), self._mean.shape[1]))
        return self._mean[labels] + torch.einsum("bij,bj->bi", self._factors[labels], noise)


class ToldSampler(LatentSampler):
    """The same, with the classes behind the latents."""

    def latents(self, labels: Tensor) -> Tensor:
        """Draw one latent per label [shape=(B, latent_size + n_classes)]."""
        return with_classes(super().latents(labels), labels, self.n_classes)


@torch.no_grad()
def calibrate(generator: nn.Module, sampler: DrawsLatents, n_batches: int, seed: int) -> None:
    """Estimate G's batch statistics again, on class-uniform latents and without dropout.

    The statistics then are those of what `generate` feeds it, as one plain mean over all batches.
    """
    seed_torch(seed, "gan", "calibrate")
    norms = batch_norms(generator)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    generator.train()
    clamp_dropout(generator, False)
    for batch in torch.arange(n_batches * _CALIBRATION_BATCH).split(_CALIBRATION_BATCH):
        labels = batch % sampler.n_classes
        generator(sampler.latents(labels.to(next(generator.parameters()).device)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.eval()
