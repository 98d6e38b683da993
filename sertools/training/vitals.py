"""What is measured of a GAN while it trains, beside its losses.

All on a few fixed latents, the same number per class. Rows are compared as the batch normalises them, without
dropout: so what the running statistics do does not count, and no random number is drawn that the training would
miss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from sertools.nets.gan import batch_norms
from sertools.training.batches import Rows
from sertools.training.health import PAIRWISE, PAIRWISE_REAL
from sertools.training.scaling import Scaler

# One look is a fifth of a step or less, so this is one per cent.
MEASURE_EVERY = 20
# At most eight of a class, and no more in all than a small batch: the latents stay, so few pairs show a change.
_ROWS_A_CLASS, _ROWS = 8, 32


@contextmanager
def frozen_statistics(net: nn.Module) -> Iterator[None]:
    """Leave the running statistics of batch normalisation alone, though batches normalise themselves."""
    norms = batch_norms(net)
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


@torch.no_grad()
def plainly(net: nn.Module, x: Tensor) -> Tensor:
    """Run a net as in training, normalised by this batch, but without dropout; the next step sets the mode again."""
    net.eval()
    for norm in batch_norms(net):
        norm.train()
    with frozen_statistics(net):
        result: Tensor = net(x)
    return result


def rows_a_class(n_classes: int) -> int:
    """Say how many latents of each class are watched: at least a pair."""
    return max(2, min(_ROWS_A_CLASS, _ROWS // n_classes))


class GanVitals:
    """Compares a GAN with what it was when this was made.

    Parameters
    ----------
    latents
        The same number of each class, class by class [shape=(n_classes · n, latent_size)].
    settle
        Estimates a generator's batch statistics again, as is done at the end.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latents: Tensor,
        classes: Sequence[str],
        settle: Callable[[nn.Module], None],
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self._latents, self._classes, self._settle = latents, classes, settle
        self._first = {net: [p.detach().clone() for p in net.parameters()] for net in (generator, discriminator)}
        self._first_made = plainly(generator, latents)

    def start(self, rows: Rows, labels: Tensor, scaler: Scaler, seed: int) -> dict[str, float]:
        """Return what is measured once, before the first step.

        Returns
        -------
        dict
            ``drift_bn``: mean |G_0 with its statistics estimated again − G_0| per value, in eval mode; what the
            adversarial steps have to exceed. ``pairwise.CLASS`` and ``fake_rate.CLASS`` as in `measure`;
            ``pairwise_real.CLASS``: the same of as many real rows, where the class has two.
        """
        settled = copy.deepcopy(self.generator)
        self._settle(settled)
        with torch.no_grad():
            self.generator.eval()
            drift_bn = (settled.eval()(self._latents) - self.generator(self._latents)).abs().mean()
        values = {"drift_bn": float(drift_bn), **self._look(self._first_made)}
        rng = np.random.default_rng(seed)
        for number, name in enumerate(self._classes):
            members = np.flatnonzero(labels.cpu().numpy() == number)
            chosen = np.sort(rng.permutation(members)[: rows_a_class(len(self._classes))])
            if len(chosen) > 1:
                values[f"{PAIRWISE_REAL}{name}"] = float(_pairwise(rows.tensor(chosen, scaler, labels.device)))
        return values

    def measure(self) -> dict[str, float]:
        """Return what is measured after a step, whose gradients are still there.

        Returns
        -------
        dict
            ``grad_norm_g``, ``grad_norm_d``: Euclidean norm of the step's gradient.
            ``weight_change_g``, ``weight_change_d``: |w − w_0| / |w_0| over all weights.
            ``drift``: mean |G(z) − G_0(z)| per value, as rows are scaled.
            ``pairwise.CLASS``: mean distance per value between two generated rows of the class.
            ``fake_rate.CLASS``: share of them that D calls fake.
        """
        values: dict[str, float] = {}
        for letter, net in (("g", self.generator), ("d", self.discriminator)):
            values[f"grad_norm_{letter}"] = norm([p.grad for p in net.parameters() if p.grad is not None])
            moved = [p.detach() - first for p, first in zip(net.parameters(), self._first[net], strict=True)]
            values[f"weight_change_{letter}"] = norm(moved) / norm(self._first[net])
        made = plainly(self.generator, self._latents)
        values["drift"] = float((made - self._first_made).abs().mean())
        return values | self._look(made)

    def _look(self, made: Tensor) -> dict[str, float]:
        called_fake = plainly(self.discriminator, made).argmax(1) == len(self._classes)
        values: dict[str, float] = {}
        n = len(made) // len(self._classes)
        for name, own, fake in zip(self._classes, made.split(n), called_fake.split(n), strict=True):
            values[f"{PAIRWISE}{name}"] = float(_pairwise(own))
            values[f"fake_rate.{name}"] = float(fake.float().mean())
        return values


def _pairwise(made: Tensor) -> Tensor:
    """Mean |a − b| per value over all pairs of rows."""
    flat = made.flatten(1)
    return torch.pdist(flat, p=1).mean() / flat.shape[1]


def norm(tensors: Sequence[Tensor]) -> float:
    """Euclidean norm of all numbers of some tensors."""
    return float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(t) for t in tensors])))
