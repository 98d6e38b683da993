"""Class Gaussians in the autoencoder's latent space (§2.2, GAN Initialization).

Each class is a multivariate normal with the mean and covariance of its training rows' latents. The paper's is
the empirical covariance; a class of fewer rows than latent dimensions spans only so many directions less one, so
rank and condition are reported, and shrunk estimates can be chosen, or one that all classes share.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from sertools.arrays import Matrix
from sertools.config import COVARIANCES
from sertools.encoding import RowSource
from sertools.errors import StoreError, one_of
from sertools.store.lineage import Lineage

FEW_ROWS = 500
POOL_STRENGTH = 50  # rows at which a class's own covariance weighs as much as the pooled one


@dataclass(frozen=True)
class ClassGaussians:
    """One multivariate normal a class.

    Attributes
    ----------
    classes
        Sorted.
    mean
        [shape=(n_classes, latent_size)]
    covariance
        [shape=(n_classes, latent_size, latent_size)]; of one matrix, where all classes share it, a broadcast view.
    n_rows
        Rows each was estimated from.
    """

    classes: tuple[str, ...]
    mean: Matrix
    covariance: Matrix
    n_rows: tuple[int, ...]

    @cached_property
    def distinct(self) -> Matrix:
        """The covariances without repetition: one where all classes share it [shape=(1 or n_classes, d, d)]."""
        shared = (self.covariance == self.covariance[0]).all()
        return self.covariance[:1] if shared else self.covariance

    @property
    def rank(self) -> tuple[int, ...]:
        """Rank of each covariance."""
        size = np.abs(self._values)
        above = size > size.max(axis=1, keepdims=True) * size.shape[1] * np.finfo(float).eps
        return tuple(np.broadcast_to(above.sum(axis=1), len(self.classes)).tolist())

    @property
    def condition(self) -> tuple[float, ...]:
        """Largest over smallest eigenvalue; infinite where the covariance is singular."""
        values = np.broadcast_to(self._values, self.mean.shape)
        full = [rank == self.mean.shape[1] for rank in self.rank]
        return tuple(float(v[-1] / v[0]) if ok else float("inf") for v, ok in zip(values, full, strict=True))

    @cached_property
    def factors(self) -> Matrix:
        """A with A·Aᵀ = covariance, from the eigenvectors: a singular covariance does no harm."""
        values, vectors = np.linalg.eigh(self.distinct)
        factors: Matrix = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        return np.broadcast_to(factors, self.covariance.shape)

    def sample(self, number: int, count: int, rng: np.random.Generator) -> Matrix:
        """Draw latents of class `number` [shape=(count, latent_size)]."""
        noise = rng.standard_normal((count, self.mean.shape[1]))
        latents: Matrix = self.mean[number] + noise @ self.factors[number].T
        return latents

    @cached_property
    def _values(self) -> Matrix:
        """Eigenvalues of `distinct`, rising."""
        return np.linalg.eigvalsh(self.distinct).astype(np.float64)


@dataclass(frozen=True)
class Latents:
    """A latents file: the Gaussians, and what they were made from.

    Where donors informed the means, `donors` says what each told, and how much it weighs; see `informed.Told`.
    """

    gaussians: ClassGaussians
    method: str
    autoencoder_digest: str
    front_end: RowSource
    history: tuple[str, ...]
    lineage: Lineage
    donors: Mapping[str, Any] = field(default_factory=dict)


def fit_gaussians(latents: Matrix, labels: Sequence[str], method: str) -> ClassGaussians:
    """Estimate one Gaussian a class.

    Parameters
    ----------
    latents
        [shape=(N, latent_size)]
    labels
        Class of each row.
    method
        ``empirical`` (the paper), ``ledoit-wolf``, ``oas``, ``pooled`` (n/(n+50) of the class's own and the rest
        of the covariance within all classes), ``tied`` (that within all classes, for each), ``diagonal``.

    Raises
    ------
    UsageError
        If the method is unknown.
    StoreError
        If a class has one row, and cannot take its covariance from the others.
    """
    one_of("--cov", method, COVARIANCES)
    names = np.asarray(labels)
    classes = tuple(sorted(set(names.tolist())))
    groups = [latents[names == name] for name in classes]
    lone = [name for name, group in zip(classes, groups, strict=True) if len(group) < 2]
    if lone and (method not in ("pooled", "tied") or len(lone) == len(classes)):
        remedy = f"leave it out with `select --where emotion!={lone[0]}`"
        if len(lone) < len(classes):
            remedy = f"take it from the other classes with --cov tied or --cov pooled, or {remedy}"
        raise StoreError(f"class {lone[0]!r} has 1 row; a covariance needs at least two: {remedy}")
    mean = np.stack([group.mean(axis=0) for group in groups])
    n_rows = tuple(len(group) for group in groups)
    if method == "tied":
        return ClassGaussians(classes, mean, of_each(_within(groups)[None], classes, mean), n_rows)
    own = np.stack([_covariance(group, method) for group in groups])
    gaussians = ClassGaussians(classes, mean, own, n_rows)
    return pooled(gaussians) if method == "pooled" else gaussians


def pooled(gaussians: ClassGaussians) -> ClassGaussians:
    """Shrink each class's covariance to that within all classes: n/(n+50) of its own, the rest pooled.

    A class of one row has none of its own.
    """
    n_rows = np.array(gaussians.n_rows, dtype=float)
    degrees = n_rows - 1
    within = np.tensordot(degrees / degrees.sum(), gaussians.covariance, axes=1)
    weight = np.where(degrees > 0, n_rows / (n_rows + POOL_STRENGTH), 0.0)[:, None, None]
    return dataclasses.replace(gaussians, covariance=weight * gaussians.covariance + (1.0 - weight) * within)


def _within(groups: Sequence[Matrix]) -> Matrix:
    """Covariance within all classes, as linear discriminant analysis has it."""
    centred = np.concatenate([group - group.mean(axis=0) for group in groups])
    within: Matrix = centred.T @ centred / (len(centred) - len(groups))
    return within


def _covariance(group: Matrix, method: str) -> Matrix:
    if len(group) < 2:
        return np.zeros((group.shape[1], group.shape[1]))
    if method in ("ledoit-wolf", "oas"):
        from sklearn.covariance import ledoit_wolf, oas  # noqa: PLC0415 - a second's import, seldom needed

        shrunk: Matrix = (ledoit_wolf if method == "ledoit-wolf" else oas)(group)[0]
        return shrunk
    empirical: Matrix = np.atleast_2d(np.cov(group, rowvar=False))
    return np.diag(np.diag(empirical)) if method == "diagonal" else empirical


def of_each(covariance: Matrix, classes: Sequence[str], mean: Matrix) -> Matrix:
    """Give each class its covariance, where a file holds one for each, or one for all.

    Raises
    ------
    ValueError
        If sizes do not fit.
    """
    n, size = mean.shape
    if covariance.shape not in ((n, size, size), (1, size, size)) or len(classes) != n:
        raise ValueError("mean, covariance and classes differ in size")
    return np.broadcast_to(covariance, (n, size, size))
