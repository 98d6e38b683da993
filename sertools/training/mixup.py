"""Mixup: rows and their classes mixed in pairs (Zhang et al. 2018, "mixup: beyond empirical risk minimization")."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sertools.nets.devices import onto


def mix(x: Tensor, targets: Tensor, alpha: float, seed: int) -> tuple[Tensor, Tensor]:
    """Mix each row of a batch with another one, by a share of its own.

    Parameters
    ----------
    x
        Scaled pictures [shape=(B, 1, n_mels, n_frames), in [-1, 1]]; mixed as they are, so in dB.
    targets
        Class shares [shape=(B, n_classes)].
    alpha
        A row's share is drawn from Beta(alpha, alpha): near 0 or 1 for a small alpha, near 1/2 for a large one.
    seed
        Decides shares and partners, the same on every device.

    Returns
    -------
    Mixed pictures and class shares, of the same shapes.
    """
    rng = np.random.default_rng(seed)
    share = onto(x.device, torch.from_numpy(rng.beta(alpha, alpha, len(x)).astype(np.float32)))
    partner = onto(x.device, torch.from_numpy(rng.permutation(len(x))))
    of_row, of_target = share.view(-1, *[1] * (x.ndim - 1)), share[:, None]
    return (
        torch.lerp(x[partner], x, of_row),
        torch.lerp(targets[partner], targets, of_target),
    )
