"""Losses that make up for rare classes, as one formula with three parameters.

Targets are class shares, so that mixed rows (mixup) go with every loss; a plain row has all its share in one class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from sertools.arrays import IntArray
from sertools.classifier_config import ClassifierConfig, LinearConfig


@dataclass(frozen=True, eq=False)
class Loss:
    """−Σ t · w · (1 − p)^gamma · log p / Σ t · w, over rows and classes, with p = softmax(logits + shift).

    Attributes
    ----------
    weight
        w of each class [shape=(n_classes,)]; in the denominator too, as torch's own weighted mean has it.
    shift
        What is added to the logits in training alone [shape=(n_classes,)].
    gamma
        How much less a row counts that is classified well already (Lin et al. 2017, focal loss).
    """

    weight: Tensor
    shift: Tensor
    gamma: float

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar.

        Parameters
        ----------
        logits
            [shape=(B, n_classes)].
        targets
            Share of each class in each row, with sums of 1 [shape=(B, n_classes)].
        """
        log_p = F.log_softmax(logits + self.shift, dim=1)
        share = targets * self.weight
        cost = -share * log_p
        if self.gamma:
            # A gamma below 1 has no finite slope at p = 1.
            cost = cost * (-log_p.expm1()).clamp_min(1e-7) ** self.gamma
        return cost.sum() / share.sum()


def make_loss(config: ClassifierConfig | LinearConfig, counts: IntArray, device: torch.device) -> Loss:
    """Build the loss that `config` names, for training rows of these counts per class, each at least 1."""
    weight, shift, gamma = loss_numbers(config, counts)
    return Loss(_on(weight, device), _on(shift, device), gamma)


def loss_numbers(
    config: ClassifierConfig | LinearConfig, counts: IntArray
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Return what `Loss` has: weight and shift of each class, and gamma."""
    weight, shift, gamma = np.ones(len(counts)), np.zeros(len(counts)), 0.0
    if config.loss == "weighted":
        weight = class_weights(counts)
    elif config.loss == "focal":
        gamma = config.focal_gamma
    elif config.loss == "logit-adjust":
        shift = config.logit_tau * log_prior(counts)
    return weight, shift, gamma


def implied_prior(loss: Loss, drawn: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Give the class shares that a classifier's posteriors take for granted, by how it was trained.

    A net that fits its loss says of a row: the share of each class among rows like it, as they are drawn and
    weighted, less what the loss added to the logits in training alone. So the prior is drawn · weight / exp(shift),
    over its sum: uniform where draws or loss make up for rare classes already, so that nothing is made up for twice.
    The focal loss and mixup leave it as it is.

    Parameters
    ----------
    loss
        Of the training.
    drawn
        Share of each class among the rows that are drawn, or anything in proportion to it [shape=(n_classes,)].

    Returns
    -------
    ndarray of float64 [shape=(n_classes,)]
        Shares, each above 0, with a sum of 1.
    """
    weight, shift = (part.double().cpu().numpy() for part in (loss.weight, loss.shift))
    shares: npt.NDArray[np.float64] = np.asarray(drawn, dtype=np.float64) * weight / np.exp(shift)
    shares /= shares.sum()
    return shares


def class_weights(counts: IntArray) -> npt.NDArray[np.float64]:
    """N / (K · N_c): every class weighs the same in sum, and the rows 1 on average."""
    weights: npt.NDArray[np.float64] = counts.sum() / (len(counts) * counts)
    return weights


def log_prior(counts: IntArray) -> npt.NDArray[np.float64]:
    """Log of each class's share of the rows.

    Added to the logits in training (Menon et al. 2021, "Long-tail learning via logit adjustment", §5), so that the
    bare logits rank the classes as if all were equally frequent.
    """
    priors: npt.NDArray[np.float64] = np.log(counts / counts.sum())
    return priors


def _on(values: npt.NDArray[np.float64], device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device, torch.float32)
