"""The optimal-transport map between class Gaussians, and rows moved by it in a GAN's latent space.

The map between two Gaussians is the affine one that carries mean and covariance and moves the least (Peyré and
Cuturi 2019, remark 2.31). The paper does not do this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sertools.arrays import Index, Matrix, Pictures
from sertools.errors import StoreError
from sertools.nets.conditional import as_told
from sertools.training.autoencoder import encode
from sertools.training.batches import Rows
from sertools.training.checkpoint import Header
from sertools.training.drawing import decode_latents
from sertools.training.gaussians import ClassGaussians, fit_gaussians, pooled

_SINGULAR = 1e-10  # of the largest eigenvalue, below which a direction has no variance to carry


def transport_matrix(source: Matrix, target: Matrix) -> Matrix:
    """Matrix A of the optimal-transport map between two centred Gaussians: A·source·A = target.

    A = S⁻½ (S½ T S½)½ S⁻½, symmetric and positive semidefinite. Directions along which the source has no variance
    hold nothing to carry, and are left as they are. Between equal covariances it is the identity.

    Parameters
    ----------
    source, target
        Covariances S and T [shape=(d, d)].
    """
    if np.array_equal(source, target):
        return np.eye(len(source))
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


def speaker_offsets(latents: Matrix, labels: Index, speakers: Index, wanted: int) -> Matrix:
    """How far each row's speaker lies from the means of the classes, on average [shape=(N, latent_size)].

    The classes' means come off first, so that a speaker is no further away because some classes are missing. Rows of
    the wanted class have no say: with a few of them, what is asked for would be taken for their speakers' own.

    Parameters
    ----------
    labels, speakers
        Numbers of each row's class and speaker [shape=(N,)].
    wanted
        The class that has no say; a speaker of whom nothing else is known has the offset 0.
    """
    said = labels != wanted
    offsets = np.zeros((speakers.max() + 1, latents.shape[1]))
    residuals = latents[said] - _means(latents[said], labels[said])[labels[said]]
    own = _means(residuals, speakers[said])
    offsets[: len(own)] = own
    found: Matrix = offsets[speakers]
    return found


def _means(values: Matrix, groups: Index) -> Matrix:
    """Mean of each numbered group; 0 where it has no row."""
    sums = np.zeros((groups.max(initial=-1) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    means: Matrix = sums / np.maximum(np.bincount(groups), 1)[:, None]
    return means


@dataclass(frozen=True)
class _Speech:
    """Latents of real rows, and who says them as what."""

    latents: Matrix
    labels: Index
    speakers: Index


class GaussianMap:
    """Moves rows between the class Gaussians of a GAN.

    Parameters
    ----------
    gaussians
        The GAN's, in whose latent space rows are moved.
    method
        How their covariances were estimated. Empirical ones are still to be shrunk to the one within classes: few
        rows span few directions.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, gaussians: ClassGaussians, device: torch.device, *, method: str
    ) -> None:
        self._encoder, self._decoder, self._device = encoder.to(device), decoder, device
        self._gaussians = pooled(gaussians) if method == "empirical" else gaussians
        self._method = "tied" if method == "tied" else "pooled"
        self._speech: _Speech | None = None
        self._centred: dict[int, tuple[ClassGaussians, Matrix]] = {}
        self._matrices: dict[tuple[int, int], Matrix] = {}

    def centre(self, rows: Rows, header: Header) -> None:
        """From now on take every speaker's own offset out of the latents, and fit the Gaussians to what is left.

        The offsets are those that the classes other than the wanted one tell; see `speaker_offsets`.

        Parameters
        ----------
        rows
            A store; its real rows are looked at.
        header
            The GAN's.

        Raises
        ------
        StoreError
            If a real row has no speaker, a class has no row, or all have one.
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
        labels = rows.labels(header.classes)[real]
        self._speech = _Speech(latents, labels, np.unique(speakers, return_inverse=True)[1])
        try:
            self._without_speakers(0)
        except StoreError as error:
            raise StoreError(f"{rows.name}: {error}") from error

    def _without_speakers(self, number: int) -> tuple[ClassGaussians, Matrix]:
        """Gaussians without the speakers' offsets, and the offset of each real row, for a wanted class."""
        speech = self._speech
        assert speech is not None
        if number not in self._centred:
            offsets = speaker_offsets(speech.latents, speech.labels, speech.speakers, number)
            names = [self._gaussians.classes[label] for label in speech.labels]
            self._centred[number] = fit_gaussians(speech.latents - offsets, names, self._method), offsets
        return self._centred[number]

    def change(self, x: Tensor, places: Index, labels: Index, number: int) -> Pictures:
        """Difference of two decoded latents: the moved one and the row's own."""
        z = self._encoder(x).double().cpu().numpy()
        gaussians, offset = self._gaussians, np.zeros_like(z)
        if self._speech:
            gaussians, offsets = self._without_speakers(number)
            offset = offsets[places]
        mean = gaussians.mean
        moved = np.empty_like(z)
        for source in np.unique(labels).tolist():
            here = labels == source
            # Symmetric: from the right as from the left.
            centred = (z[here] - offset[here] - mean[source]) @ self._matrix(gaussians, source, number)
            moved[here] = mean[number] + centred + offset[here]
        return self._decode(moved, np.full_like(labels, number)) - self._decode(z, labels)

    def _decode(self, z: Matrix, labels: Index) -> Pictures:
        return decode_latents(self._decoder, as_told(self._decoder, z, labels), self._device)

    def _matrix(self, gaussians: ClassGaussians, source: int, target: int) -> Matrix:
        if (source, target) not in self._matrices:
            covariance = gaussians.covariance
            self._matrices[source, target] = transport_matrix(covariance[source], covariance[target])
        return self._matrices[source, target]
