"""A variational autoencoder whose encoder and decoder are told the class (Sohn et al. 2015), of Figure 1's nets.

The encoder is the trunk, the decoder the generator; each has a learned embedding of the class beside its input, so
that the latent need not hold the class, and is drawn from the same standard normal for all.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.generator_config import CvaeConfig
from sertools.nets.devices import onto
from sertools.nets.gan import blank_generator, initialise, trunk_of

_LOG_VARIANCES = (-10.0, 4.0)  # what an encoder may say of a latent; beyond, exp() has no use


class Cvae(nn.Module):
    """Row and class → latent → row, and the loss of both.

    Parameters
    ----------
    shape
        Of a row.
    n_classes
        Real classes.
    """

    def __init__(self, shape: Shape, n_classes: int, config: CvaeConfig) -> None:
        super().__init__()
        self.config, self.n_classes = config, n_classes
        self.latent_size = config.net.latent_size
        self.embedding = nn.Embedding(n_classes, config.class_size)
        self.trunk = trunk_of(shape, config.net)
        self.head = nn.Linear(self.trunk.n_features + config.class_size, 2 * self.latent_size)
        wider = dataclasses.replace(config.net, latent_size=self.latent_size + config.class_size)
        self.decoder = blank_generator(shape, wider)
        self.apply(initialise)

    def encode(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of each row's latent, both [shape=(B, latent_size)]."""
        features = torch.cat([self.trunk(x), self.embedding(labels)], dim=1)
        mean, log_variance = self.head(features).chunk(2, dim=1)
        return mean, log_variance.clamp(*_LOG_VARIANCES)

    def losses(self, x: Tensor, labels: Tensor, progress: float, moves: Tensor | None = None) -> dict[str, Tensor]:
        """Negative evidence bound in nats per value, its two parts, and the KL divergence in nats per row.

        Parameters
        ----------
        x
            Scaled rows: pictures [shape=(B, 1, n_mels, n_frames)], or vectors [shape=(B, n_values)].
        labels
            Class of each row [shape=(B,)].
        progress
            Share of the steps that are done: the KL term has its full weight after `kl_ramp` of them.
        moves
            Not used: a latent can hold how its row was altered.

        Returns
        -------
        dict
            ``loss``, to be minimised; ``mse`` of the reconstruction; ``kl``.
        """
        mean, log_variance = self.encode(x, labels)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        made = self.decoder(torch.cat([z, self.embedding(labels)], dim=1))
        mse = (made - x).square().mean()
        # Of each dimension, on average over the batch: so what is free is so for the batch, not for each row.
        kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean(dim=0)
        paid = kl.clamp_min(self.config.free_nats).sum()
        weight = min(1.0, progress / self.config.kl_ramp) if self.config.kl_ramp else 1.0
        n_values = x[0].numel()
        loss = mse / (2.0 * self.config.pixel_sd**2) + weight * paid / n_values
        return {"loss": loss, "mse": mse.detach(), "kl": kl.sum().detach()}

    def latents(self, labels: Tensor) -> Tensor:
        """Draw what the decoder takes for rows of these classes [shape=(B, latent_size + class_size)]."""
        noise = onto(labels.device, torch.randn(len(labels), self.latent_size))
        return torch.cat([noise, self.embedding(labels)], dim=1)

    @torch.no_grad()
    def sample(self, number: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Draw the same of class `number`, from a generator of NumPy's [shape=(count, latent_size + class_size)]."""
        embedding = self.embedding.weight[number].double().cpu().numpy()
        noise = rng.standard_normal((count, self.latent_size))
        return np.concatenate([noise, np.broadcast_to(embedding, (count, len(embedding)))], axis=1)
