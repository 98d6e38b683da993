"""A generator whose batch normalisation is told the class (Dumoulin et al. 2017, de Vries et al. 2017).

The paper's G knows its class by the Gaussian that its latent comes from, and by nothing else. Here every class has
scale and shift of its own in each layer as well; all start as the autoencoder's, so that G starts as the decoder. The
class comes as ones and zeros behind the latent, so that whatever feeds a generator has one thing to hand on.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.arrays import Index, Matrix
from sertools.errors import UsageError
from sertools.nets.parts import BatchNorm1d, BatchNorm2d


class ConditionalNorm(nn.Module):
    """Batch normalisation with a scale and a shift for each class, which start as those of a plain one.

    Attributes
    ----------
    gamma, beta
        Scale and shift [shape=(n_classes, n_channels)].
    labels
        Classes of the rows that come next [shape=(B,)].
    """

    def __init__(self, plain: BatchNorm1d | BatchNorm2d, n_classes: int) -> None:
        super().__init__()
        self.norm = type(plain)(plain.num_features, eps=plain.eps, momentum=plain.momentum, affine=False)
        self.norm.load_state_dict(plain.state_dict(), strict=False)
        self.gamma = nn.Parameter(plain.weight.detach().repeat(n_classes, 1))
        self.beta = nn.Parameter(plain.bias.detach().repeat(n_classes, 1))
        self.labels: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        shape = (len(x), -1, *[1] * (x.dim() - 2))
        y: Tensor = self.gamma[self.labels].view(shape) * self.norm(x) + self.beta[self.labels].view(shape)
        return y


class ToldGenerator(nn.Module):
    """Latent and, behind it, class as ones and zeros [shape=(B, latent_size + n_classes)] → row.

    Parameters
    ----------
    plain
        A generator, which this one takes over and is at first.

    Raises
    ------
    UsageError
        If it has no batch normalisation.
    """

    def __init__(self, plain: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.net, self.n_classes = plain, n_classes
        for parent in [module for module in plain.modules() if isinstance(module, nn.Sequential)]:
            for name, layer in parent.named_children():
                if isinstance(layer, BatchNorm1d | BatchNorm2d):
                    setattr(parent, name, ConditionalNorm(layer, n_classes))
        if not self._norms():
            raise UsageError(
                "--condition-g batch-norm: the autoencoder has no batch normalisation; leave it out, or start from "
                "one of `pretrain-ae --norm`"
            )

    def _norms(self) -> list[ConditionalNorm]:
        return [module for module in self.net.modules() if isinstance(module, ConditionalNorm)]

    def forward(self, z: Tensor) -> Tensor:
        """Generate."""
        labels = z[:, -self.n_classes :].argmax(dim=1)
        norms = self._norms()
        for norm in norms:
            norm.labels = labels
        row: Tensor = self.net(z[:, : -self.n_classes])
        for norm in norms:
            norm.labels = None  # no state, and not in a copy
        return row


def with_classes(z: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Put the classes behind latents [shape=(B, latent_size + n_classes)]."""
    return torch.cat([z, F.one_hot(labels, n_classes).to(z.dtype)], dim=1)


def as_told(generator: nn.Module, z: Matrix, labels: Index) -> Matrix:
    """Put the classes [shape=(B,)] behind latents [shape=(B, latent_size)], if the generator is told."""
    if not isinstance(generator, ToldGenerator):
        return z
    told: Matrix = np.concatenate([z, np.eye(generator.n_classes)[labels]], axis=1)
    return told
