"""The optimal-transport map between class Gaussians, and rows moved by it in a GAN's latent space.

The map between two Gaussians is the affine one that carries mean and covariance and moves the least (Peyré and
Cuturi 2019, remark 2.31). The paper does not do this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sertools.arrays import Index, Matrix, Pictures
from sertools.errors import StoreError
from sertools.training.autoencoder import encode
from sertools.training.batches import Rows
from sertools.training.checkpoint import Header
from sertools.training.drawing import decode_latents
from sertools.training.latents import ClassGaussians, fit_gaussians, pooled

_SINGULAR = 1e-10  # of the largest eigenvalue, below which a direction has no variance to carry


def transport_matrix(source: Matrix, target: Matrix) -> Matrix:
    """Matrix A of the optimal-transport map between two centred Gaussians: A·source·A = target.

    A = S⁻½ (S½ T S½)½ S⁻½, symmetric and positive semidefinite. Directions along which the source has no variance
    hold nothing to carry, and are left as they are.

    Parameters
    ----------
    source, target
        Covariances S and T [shape=(d, d)].
    """
    values, vectors = np.linalg.eigh(source)
    varying = values > _SINGULAR * max(float(values[-1]), np.finfo(float).tiny)
    along, still = vectors[:, varying], vectors[:, ~varying]
    root = np.sqrt(values[varying])
    middle = _root(root[:, None] * (along.T @ target @ along) * root)
    matrix: Matrix = along @ (middle / root[:, None] / root) @ along.T + still @ still.T
    return (matrix + matrix.T) / 2.0


def _root(matrix: Matrix) -> Matrix:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: Matrix = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def speaker_offsets(latents: Matrix, labels: Sequence[str], speakers: Sequence[str]) -> Matrix:
    """How far each row's speaker lies from the means of the classes, on average [shape=(N, latent_size)].

    The classes' means come off first, so that a speaker is no further away because some classes are missing.
    """
    return _group_means(latents - _group_means(latents, labels), speakers)


def _group_means(values: Matrix, groups: Sequence[str]) -> Matrix:
    names, group = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, group, values)
    means: Matrix = (sums / np.bincount(group)[:, None])[group]
    return means


class GaussianMap:
    """Moves rows between the class Gaussians of a GAN.

    Parameters
    ----------
    gaussians
        The GAN's, in whose latent space rows are moved.
    shrink
        Whether their covariances are still to be shrunk to the one within classes: few rows span few directions.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, gaussians: ClassGaussians, device: torch.device, *, shrink: bool
    ) -> None:
        self._encoder, self._decoder, self._device = encoder.to(device), decoder, device
        self._gaussians = pooled(gaussians) if shrink else gaussians
        self._offsets: Matrix | None = None
        self._matrices: dict[tuple[int, int], Matrix] = {}

    def centre(self, rows: Rows, header: Header) -> None:
        """Take every speaker's own offset out of the latents, and fit the Gaussians to what is left.

        Parameters
        ----------
        rows
            A store; its real rows are looked at.
        header
            The GAN's.

        Raises
        ------
        StoreError
            If a real row has no speaker, or a class has fewer than two.
        """
        real = np.flatnonzero(rows.origin == "real")
        speakers = rows.full_names("speaker")[rows.utterance][real]
        if (speakers == "").any():
            raise StoreError(
                f"{rows.name}: {int((speakers == '').sum())} real rows have no speaker; leave out --within-speaker, "
                "or extract with --labels that have a speaker column"
            )
        names = rows.emotion[real].tolist()
        lacking = sorted(set(header.classes) - set(names))
        if lacking:
            raise StoreError(
                f"{rows.name}: has no real row of {lacking[0]!r}, which --within-speaker needs; leave that out"
            )
        latents = encode(self._encoder, rows, header.scaler, self._device)[real]
        self._offsets = speaker_offsets(latents, names, speakers.tolist())
        try:
            self._gaussians = fit_gaussians(latents - self._offsets, names, "pooled")
        except StoreError as error:
            raise StoreError(f"{rows.name}: {error}") from error

    def change(self, x: Tensor, places: Index, labels: Index, number: int) -> Pictures:
        """Difference of two decoded latents: the moved one and the row's own."""
        z = self._encoder(x).double().cpu().numpy()
        mean = self._gaussians.mean
        offset = np.zeros_like(z) if self._offsets is None else self._offsets[places]
        moved = np.empty_like(z)
        for source in np.unique(labels).tolist():
            here = labels == source
            # Symmetric: from the right as from the left.
            centred = (z[here] - offset[here] - mean[source]) @ self._matrix(source, number)
            moved[here] = mean[number] + centred + offset[here]
        return decode_latents(self._decoder, moved, self._device) - decode_latents(self._decoder, z, self._device)

    def _matrix(self, source: int, target: int) -> Matrix:
        if (source, target) not in self._matrices:
            covariance = self._gaussians.covariance
            self._matrices[source, target] = transport_matrix(covariance[source], covariance[target])
        return self._matrices[source, target]
