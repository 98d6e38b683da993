"""What D is asked and shown beyond the paper: real or fake before which class, gradients, changed pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sertools.config import SpecAugment
from sertools.training.spec_augment import spec_augment


def cross_entropy(logits: Tensor, labels: Tensor, ramp: float) -> Tensor:
    """Cross-entropy over the classes and fake, blended with that over real and fake.

    Parameters
    ----------
    logits
        Of the classes and, last, fake [shape=(B, n_classes + 1)].
    labels
        [shape=(B,)].
    ramp
        Weight of the former, from 0 to 1. Conditioning from the first step on collapses where rows are few
        (Shahbazi et al. 2022), so classes may come in slowly.
    """
    fine = F.cross_entropy(logits, labels)
    if ramp >= 1.0:
        return fine
    log_p = F.log_softmax(logits, dim=1)
    real, fake = log_p[:, :-1].logsumexp(dim=1), log_p[:, -1]
    coarse = -torch.where(labels < logits.shape[1] - 1, real, fake).mean()
    return ramp * fine + (1.0 - ramp) * coarse


def r1_penalty(real: Tensor, logits: Tensor) -> Tensor:
    """Half the squared gradient of how real a row is, on average over real rows (Mescheder et al. 2018).

    Parameters
    ----------
    real
        What D was shown, with `requires_grad` [shape=(B, 1, n_mels, n_frames)].
    logits
        What it said, by log-odds of all classes against fake.
    """
    realness = logits[:, :-1].logsumexp(dim=1) - logits[:, -1]
    (gradient,) = torch.autograd.grad(realness.sum(), real, create_graph=True)
    return 0.5 * gradient.square().sum(dim=(1, 2, 3)).mean()


def changes(names: tuple[str, ...]) -> SpecAugment:
    """Say how large the changes of these names are; the others are none.

    Those of images are wrong for log-mel pictures: brightness would be 20 dB, a cut-out mid-grey, and a shift along
    the mel axis by an eighth another voice.
    """
    mask, shift = ("mask" in names), ("shift" in names)
    return SpecAugment(
        n_masks=int(mask),
        time_mask=16 / 128,
        frequency_mask=16 / 128,
        time_shift=16 / 128 if shift else 0.0,
        frequency_shift=2 / 128 if shift else 0.0,
        gain_db=4.0 if "gain" in names else 0.0,
    )


def changed(x: Tensor, names: tuple[str, ...], range_db: float) -> Tensor:
    """Change real and generated pictures alike before D sees them (Zhao et al. 2020); gradients go through."""
    return spec_augment(x, changes(names), range_db) if names else x
