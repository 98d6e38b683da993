"""Principal components of a training set's scaled rows, by dense algebra or in a few passes over the file.

Exact where the rows fit into memory and are not too many. Beyond that, block power iteration from a fixed random
start (Halko, Martinsson and Tropp 2011, algorithm 4.4), which holds one block of rows and one thin matrix. Same rows,
same components, whatever the seed of a run: the sign of each is fixed by its largest loading.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from sertools.arrays import Matrix
from sertools.nets.linear import LinearAutoencoder
from sertools.training.batches import Rows
from sertools.training.scaling import Scaler

EXACT_VALUES = 1 << 24  # values held at once: 128 MiB as float64, 1,024 rows at 128×128
EXACT_SIZE = 2048  # of the Gram matrix, whose decomposition grows with the cube: twice as large takes seven seconds
OVERSAMPLING = 10  # Halko et al.
PASSES = 6  # of power iteration; Halko et al. find two enough for a spectrum that falls
_NO_VARIANCE = 1e-12  # of the largest, below which a direction is rounding
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Components:
    """An affine subspace.

    Attributes
    ----------
    mean
        [shape=(n_values,)]
    basis
        Orthonormal rows, by falling variance [shape=(size, n_values)].
    """

    mean: Matrix
    basis: Matrix


def principal_components(blocks: Callable[[], Iterable[Matrix]], n_rows: int, n_values: int, size: int) -> Components:
    """Find the directions of largest variance.

    Parameters
    ----------
    blocks
        Gives all rows, some at a time [shape=(n, n_values)]; called several times.
    size
        How many directions are wanted; fewer come back where the rows span fewer.
    """
    mean = np.zeros(n_values)
    for block in blocks():
        mean += block.sum(axis=0)
    mean /= n_rows
    if n_rows * n_values <= EXACT_VALUES and min(n_rows, n_values) <= EXACT_SIZE:
        basis = _exact(np.concatenate(list(blocks())) - mean, size)
    else:
        basis = _by_passes(lambda: (block - mean for block in blocks()), n_values, size)
    largest = np.abs(basis).argmax(axis=1)
    signs = np.sign(basis[np.arange(len(basis)), largest])
    return Components(mean, basis * signs[:, None])


def _exact(centred: Matrix, size: int) -> Matrix:
    """Right singular vectors, from the smaller of the two Gram matrices."""
    from scipy.linalg import eigh  # noqa: PLC0415 - slow to import, and most who import this measure nothing

    wide = len(centred) <= centred.shape[1]
    gram = centred @ centred.T if wide else centred.T @ centred
    n = len(gram)
    variance, vectors = eigh(gram, subset_by_index=[max(0, n - size), n - 1], overwrite_a=True)
    variance, vectors = variance[::-1], vectors[:, ::-1]
    vectors = vectors[:, _varying(variance)]
    if not wide:
        return np.ascontiguousarray(vectors.T)
    # Twice orthonormal is orthonormal to the last digit, though small singular values lost some.
    basis: Matrix = np.linalg.qr(centred.T @ vectors)[0].T
    return basis


def _by_passes(centred: Callable[[], Iterator[Matrix]], n_values: int, size: int) -> Matrix:
    """Leading right singular vectors by block power iteration."""
    width = min(size + OVERSAMPLING, n_values)
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((n_values, width)))[0]
    for _ in range(PASSES):
        image = np.zeros_like(directions)
        for block in centred():
            image += block.T @ (block @ directions)
        directions = np.linalg.qr(image)[0]
    gram = np.zeros((width, width))
    for block in centred():
        along = block @ directions
        gram += along.T @ along
    variance, turn = np.linalg.eigh(gram)
    variance, turn = variance[::-1][:size], turn[:, ::-1][:, :size]
    basis: Matrix = (directions @ turn[:, _varying(variance)]).T
    return basis


def _varying(variance: Matrix) -> npt.NDArray[np.bool_]:
    """Tell the directions along which rows differ by more than rounding."""
    varying: npt.NDArray[np.bool_] = variance > _NO_VARIANCE * max(float(variance[0]), _TINY)
    return varying


def fit_pca(rows: Rows, scaler: Scaler, size: int) -> LinearAutoencoder:
    """Make the linear autoencoder of the scaled real rows, or of all if none is real.

    Parameters
    ----------
    size
        Components that are wanted; the autoencoder has fewer where the rows span fewer directions.
    """
    index = rows.real
    n_values = math.prod(rows.shape)

    def blocks() -> Iterator[Matrix]:
        for block in rows.blocks(index):
            yield scaler.scale(block).reshape(len(block), n_values).astype(np.float64)

    found = principal_components(blocks, len(index), n_values, size)
    net = LinearAutoencoder(rows.shape, len(found.basis))
    net.set(torch.from_numpy(found.mean), torch.from_numpy(found.basis))
    return net
