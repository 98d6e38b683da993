"""SMOTE in the latent space: new points between a row and one of its nearest of the same class (Chawla et al. 2002).

The free rival of the class Gaussians: it needs no covariance, and never leaves the line between two real rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sertools.arrays import Matrix
from sertools.errors import StoreError
from sertools.training.autoencoder import encode
from sertools.training.batches import Rows
from sertools.training.checkpoint import Header
from sertools.training.gan_file import load_encoder

N_NEIGHBOURS = 5  # Chawla et al. 2002


class LatentSmote:
    """Draws latents between neighbours.

    Parameters
    ----------
    latents
        Of real rows [shape=(N, latent_size)].
    labels
        Class of each row.
    classes
        In the order of their numbers.
    """

    def __init__(self, latents: Matrix, labels: Sequence[str], classes: Sequence[str]) -> None:
        names = np.asarray(labels)
        self._classes = tuple(classes)
        self._points = [latents[names == name] for name in classes]
        self._neighbours = [_nearest(points) for points in self._points]

    def sample(self, number: int, count: int, rng: np.random.Generator) -> Matrix:
        """Draw latents of class `number` [shape=(count, latent_size)]; every row starts equally often.

        Raises
        ------
        StoreError
            If the class has fewer than two rows.
        """
        points, neighbours = self._points[number], self._neighbours[number]
        if len(points) < 2:
            raise StoreError(
                f"class {self._classes[number]!r} has {len(points)} row, and SMOTE draws between two at the least; "
                "leave out --smote, or move rows of other classes by --translate"
            )
        start = np.concatenate([rng.permutation(len(points)) for _ in range(-(-count // len(points)))])[:count]
        other = neighbours[start, rng.integers(neighbours.shape[1], size=count)]
        share = rng.random((count, 1))
        drawn: Matrix = points[start] + share * (points[other] - points[start])
        return drawn


def _nearest(points: Matrix) -> npt.NDArray[np.intp]:
    """Number the nearest points of each [shape=(n, min(5, n - 1))]."""
    squares = np.square(points).sum(axis=1)
    distance = squares[:, None] - 2.0 * points @ points.T + squares
    np.fill_diagonal(distance, np.inf)
    k = min(N_NEIGHBOURS, max(0, len(points) - 1))
    return np.argsort(distance, axis=1, kind="stable")[:, :k]


def fit_smote(gan_path: Path, header: Header, rows: Rows, device: torch.device) -> LatentSmote:
    """Encode rows by the encoder that a GAN started from.

    Raises
    ------
    ModelError
        If the GAN file is damaged.
    StoreError
        If a row has no label, or one that the GAN does not know.
    """
    rows.labels(header.classes)
    latents = encode(load_encoder(gan_path, header).to(device), rows, header.scaler, device)
    return LatentSmote(latents, rows.emotion.tolist(), header.classes)
