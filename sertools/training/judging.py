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
    def fake_weight(self) -> float:
        """Of the loss of fake rows beside that of real ones: as if fake were one class more."""
        return 1.0 / self.n_classes

    def real(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of real rows of these classes."""
        return F.cross_entropy(outputs, labels)

    def fake(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of rows that were made for these classes."""
        return F.cross_entropy(outputs, torch.full_like(labels, self.n_classes))

    def made(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """G's loss of the rows that it made for these classes."""
        return F.cross_entropy(outputs, labels)


@dataclass(frozen=True)
class Projected(Softmax):
    """D says of a row and a class whether it is real (Miyato and Koyama 2018), by the hinge loss.

    The outputs are the scores of all classes, and 0 for "fake": a score above it says real.
    """

    @property
    def fake_weight(self) -> float:
        """As much as real ones: D is asked one question of each row."""
        return 1.0

    def real(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of real rows of these classes."""
        return F.relu(1.0 - _of(outputs, labels)).mean()

    def fake(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """D's loss of rows that were made for these classes."""
        return F.relu(1.0 + _of(outputs, labels)).mean()

    def made(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """G's loss of the rows that it made for these classes."""
        return -_of(outputs, labels).mean()


def _of(outputs: Tensor, labels: Tensor) -> Tensor:
    """Scores of the rows' own classes [shape=(B,)]."""
    return outputs.gather(1, labels[:, None])[:, 0]
