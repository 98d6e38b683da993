"""What D and G learn from D's outputs: the paper's cross-entropy, or the hinge loss of a projection discriminator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Softmax:
    """D names one class of all and "fake" (§2.2), by outputs [shape=(B, n_classes + 1)]."""

    n_classes: int

    @property
    def real_per_fake(self) -> int:
        """How many real rows weigh as much as a fake one: as if fake were one class more."""
        return self.n_classes

    def real(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of real rows of these classes."""
        return F.cross_entropy(outputs, labels)

    def fake(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of rows that were made for these classes."""
        return F.cross_entropy(outputs, torch.full_like(labels, self.n_classes))

    def made(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """G's loss of the rows that it made for these classes."""
        return F.cross_entropy(outputs, labels)

    def realness(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """How real D takes rows of these classes for [shape=(B,)]: the log-odds of any class against "fake"."""
        return outputs[:, :-1].logsumexp(dim=1) - outputs[:, -1]

    def right_of_real(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Whether D is right about real rows of these classes [shape=(B,)]."""
        return outputs.argmax(1) == labels

    def right_of_fake(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Whether D is right about rows that were made for these classes [shape=(B,)]."""
        return outputs.argmax(1) == self.n_classes


@dataclass(frozen=True)
class Projected(Softmax):
    """D says of a row and a class whether it is real (Miyato and Koyama 2018), by the hinge loss.

    The outputs are the scores of all classes, and 0 for "fake". Of a row that of its own class counts: above 0 it
    says real.
    """

    @property
    def real_per_fake(self) -> int:
        """One: D is asked the same question of each row."""
        return 1

    def real(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of real rows of these classes."""
        return F.relu(1.0 - _of(outputs, labels)).mean()

    def fake(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of rows that were made for these classes."""
        return F.relu(1.0 + _of(outputs, labels)).mean()

    def made(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """G's loss of the rows that it made for these classes."""
        return -_of(outputs, labels).mean()

    def realness(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's scores of these rows as their classes [shape=(B,)]."""
        return _of(outputs, labels)

    def right_of_real(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Whether D takes these rows for real, as their classes [shape=(B,)]."""
        return _of(outputs, labels) > 0.0

    def right_of_fake(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Whether D takes these rows for fake, as their classes [shape=(B,)]."""
        return _of(outputs, labels) <= 0.0


def judging_of(condition_d: str, n_classes: int) -> Softmax:
    """How a discriminator judges that is told the class by one of ``config.CONDITIONS_D``."""
    return (Projected if condition_d == "projection" else Softmax)(n_classes)


def _of(outputs: Tensor, labels: Tensor) -> Tensor:
    """Scores of the rows' own classes [shape=(B,)]."""
    return outputs.gather(1, labels[:, None])[:, 0]
