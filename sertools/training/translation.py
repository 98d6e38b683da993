"""Rows of other classes moved into a class: by the Gaussian optimal-transport map in latent space.

Speaker, sentence and texture stay, for only the difference of two decoded latents is added to the source row. The
map between two Gaussians is the affine one that carries mean and covariance and moves the least (Peyré and Cuturi
2019, remark 2.31). The paper has nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sertools.errors import StoreError
from sertools.provenance import canonical_json
from sertools.training.autoencoder import encode
from sertools.training.batches import Index, Rows, balanced_indices, batch_indices
from sertools.training.checkpoint import Header
from sertools.training.latents import ClassGaussians, fit_gaussians, pooled
from sertools.training.made import BLOCK, Made
from sertools.training.runtime import mixed_seed
from sertools.training.scaling import Pictures

Matrix = npt.NDArray[np.float64]
_SINGULAR = 1e-10  # of the largest eigenvalue, below which a direction has no variance to carry
PASTED_SHARE = (0.25, 0.5)  # of a side


@dataclass(frozen=True)
class Translation:
    """How rows are translated.

    Attributes
    ----------
    train
        The store whose real rows are moved.
    paste
        Whether a region of a real row of the wanted class is pasted into each.
    within_speaker
        Whether every speaker's own offset is taken out before the map, and put back after.
    """

    train: Path
    paste: bool = False
    within_speaker: bool = False

    @property
    def name(self) -> str:
        """A word for it, for the names of utterances."""
        return "translated" + "-pasted" * self.paste + "-within-speaker" * self.within_speaker


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

    The classes' means come off first, so that a speaker who lacks a class is no further away for it.
    """
    centred = latents.copy()
    for names, values in ((np.asarray(labels), centred), (np.asarray(speakers), offsets := np.empty_like(latents))):
        for name in np.unique(names):
            rows = names == name
            mean = centred[rows].mean(axis=0)
            if values is centred:
                values[rows] -= mean
            else:
                values[rows] = mean
    return offsets


class Translator:
    """Makes rows of a class from real rows of the others."""

    def __init__(
        self,
        how: Translation,
        header: Header,
        encoder: nn.Module,
        decoder: nn.Module,
        gaussians: ClassGaussians,
        rows: Rows,
        device: torch.device,
    ) -> None:
        self._how, self._header, self._rows, self._device = how, header, rows, device
        self._encoder, self._decoder = encoder.to(device), decoder
        self._labels = rows.labels(header.classes)
        self._real = np.flatnonzero(rows.origin == "real")
        self._speakers = rows.utterance_column("speaker")[rows.utterance]
        self._digests = np.concatenate([store.contents.segments["digest"] for store in rows.stores])
        self._valid = np.concatenate([store.contents.segments["n_valid_frames"] for store in rows.stores])
        self._offsets = np.zeros((1, gaussians.mean.shape[1]))
