"""Rows of other classes moved into a class: by the Gaussian optimal-transport map in latent space.

Speaker, sentence and texture stay, for only the difference of two decoded latents is added to the source row. The
map between two Gaussians is the affine one that carries mean and covariance and moves the least (Peyré and Cuturi
2019, remark 2.31). The paper has nothing of it.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sertools.errors import SertoolsWarning, StoreError
from sertools.provenance import canonical_json
from sertools.training.autoencoder import encode
from sertools.training.batches import Index, Rows, balanced_indices, batch_indices
from sertools.training.checkpoint import Header
from sertools.training.drawing import BLOCK, Drawn, decode
from sertools.training.latents import ClassGaussians, fit_gaussians, pooled
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

    The classes' means come off first, so that a speaker is no further away for the classes that he lacks.
    """
    return _group_means(latents - _group_means(latents, labels), speakers)


def _group_means(values: Matrix, groups: Sequence[str]) -> Matrix:
    names, group = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, group, values)
    means: Matrix = (sums / np.bincount(group)[:, None])[group]
    return means


@dataclass(frozen=True)
class Region:
    """A time span or a frequency band, over the whole of the other axis."""

    axis: str
    first: int
    stop: int

    def paste(self, source: Pictures, target: Pictures) -> None:
        """Copy the region of one picture [shape=(n_mels, n_frames)] into another."""
        here = np.s_[:, self.first : self.stop] if self.axis == "time" else np.s_[self.first : self.stop]
        target[here] = source[here]

    def n_valid_frames(self, source: int, target: int) -> int:
        """Columns that are not padding, after pasting a picture of `source` of them into one of `target`."""
        first, stop = (self.first, self.stop) if self.axis == "time" else (0, source)
        return max(target, min(stop, source)) if source > first else target


def draw_region(shape: tuple[int, int], rng: np.random.Generator) -> Region:
    """Draw a region of a quarter to a half of the picture."""
    axis = int(rng.integers(2))
    length = round(shape[axis] * rng.uniform(*PASTED_SHARE))
    first = int(rng.integers(shape[axis] - length + 1))
    return Region(("frequency", "time")[axis], first, first + length)


class Translator:
    """Makes rows of a class from real rows of the others; every class and every row has its turn.

    Parameters
    ----------
    gaussians
        The GAN's, in whose latent space rows are moved.
    shrink
        Whether their covariances are still to be shrunk to the one within classes: few rows span few directions.

    Raises
    ------
    StoreError
        If a row has no label, or one that the GAN does not know; with `how.within_speaker`, if a real row has no
        speaker or a class has fewer than two real rows.
    """

    def __init__(
        self,
        how: Translation,
        header: Header,
        encoder: nn.Module,
        decoder: nn.Module,
        gaussians: ClassGaussians,
        rows: Rows,
        device: torch.device,
        *,
        shrink: bool,
    ) -> None:
        self._how, self._header, self._rows, self._device = how, header, rows, device
        self._encoder, self._decoder = encoder.to(device), decoder
        labels = rows.labels(header.classes)
        self._real = np.flatnonzero(rows.origin == "real")
        self._labels = labels[self._real]
        self._gaussians = pooled(gaussians) if shrink else gaussians
        self._offsets: Matrix = np.zeros((len(self._real), gaussians.mean.shape[1]))
        if how.within_speaker:
            self._centre()

    def _centre(self) -> None:
        """Take the speakers' offsets out of the latents, and fit the Gaussians to what is left."""
        rows, names = self._rows, [self._header.classes[number] for number in self._labels]
        speakers = rows.utterance_column("speaker")[rows.utterance][self._real]
        if (speakers == "").any():
            raise StoreError(
                f"{rows.name}: {int((speakers == '').sum())} real rows have no speaker; leave out --within-speaker, "
                "or extract with --labels that have a speaker column"
            )
        lacking = sorted(set(self._header.classes) - set(names))
        if lacking:
            raise StoreError(
                f"{rows.name}: has no real row of {lacking[0]!r}, which --within-speaker needs; leave that out"
            )
        latents = encode(self._encoder, rows, self._header.scaler, self._device)[self._real]
        self._offsets = speaker_offsets(latents, names, speakers.tolist())
        try:
            self._gaussians = fit_gaussians(latents - self._offsets, names, "pooled")
        except StoreError as error:
            raise StoreError(f"{rows.name}: {error}") from error

    def blocks(self, number: int, count: int, seed: int) -> Iterator[Drawn]:
        """Make `count` rows of class `number`."""
        if not count:
            return
        sources = self._sources(number, count, seed)
        donors = self._donors(number, count, seed) if self._how.paste else None
        covariance = self._gaussians.covariance
        maps = {s: transport_matrix(covariance[s], covariance[number]) for s in np.unique(self._labels[sources])}
        rng = np.random.default_rng(mixed_seed(seed, "paste", number))
        for first in range(0, count, BLOCK):
            here = slice(first, first + BLOCK)
            pictures = self._moved(sources[here], number, maps)
            columns = self._columns(sources[here])
            if donors is not None:
                self._paste(donors[here], pictures, columns, rng)
            columns["params"] = [canonical_json(params) for params in columns["params"]]
            yield Drawn(pictures, columns)

    def _sources(self, number: int, count: int, seed: int) -> Index:
        """Places, among the real rows, of those to move: the other classes take turns, and their rows do."""
        others = np.flatnonzero(self._labels != number)
        name = self._header.classes[number]
        if not len(others):
            raise StoreError(f"{self._rows.name}: has no real row of another class than {name!r} to translate")
        classes = np.unique(self._labels[others], return_inverse=True)[1]
        chosen: Index = others[balanced_indices(classes, count, 0, mixed_seed(seed, "translate", number))]
        n_distinct = len(np.unique(chosen))
        if n_distinct < count and not self._how.paste:
            warnings.warn(
                f"{self._rows.name}: {count} rows of {name!r} come from {n_distinct} of other classes, some more "
                "than once; ask for fewer, or vary them by --paste",
                SertoolsWarning,
                stacklevel=4,
            )
        return chosen

    def _donors(self, number: int, count: int, seed: int) -> Index:
        """Places, among the real rows, of those of the class to paste from; each has its turn."""
        own = np.flatnonzero(self._labels == number)
        if not len(own):
            name = self._header.classes[number]
            raise StoreError(f"{self._rows.name}: has no real row of {name!r} to paste from; leave out --paste")
        chosen: Index = own[batch_indices(len(own), count, 0, mixed_seed(seed, "donors", number))]
        return chosen

    @torch.inference_mode()
    def _moved(self, sources: Index, number: int, maps: Mapping[int, Matrix]) -> Pictures:
        """Move rows into a class and keep what the decoder leaves out of them."""
        x = self._rows.tensor(self._real[sources], self._header.scaler, self._device)
        z = self._encoder(x).double().cpu().numpy()
        mean, offset = self._gaussians.mean, self._offsets[sources]
        moved = np.empty_like(z)
        for source, matrix in maps.items():
            here = self._labels[sources] == source
            # Symmetric: from the right as from the left.
            moved[here] = mean[number] + (z[here] - offset[here] - mean[source]) @ matrix + offset[here]
        change = decode(self._decoder, moved, self._device) - decode(self._decoder, z, self._device)
        pictures: Pictures = np.clip(x[:, 0].cpu().numpy() + change, -1.0, 1.0)
        return pictures

    def _columns(self, sources: Index) -> dict[str, list[Any]]:
        rows = self._real[sources]
        return {
            "parent": self._rows.segment_column("digest")[rows].tolist(),
            "n_valid_frames": self._rows.segment_column("n_valid_frames")[rows].tolist(),
            "params": [
                {"transform": "translate", "source": self._header.classes[label]} for label in self._labels[sources]
            ],
        }

    def _paste(
        self, donors: Index, pictures: Pictures, columns: dict[str, list[Any]], rng: np.random.Generator
    ) -> None:
        """Paste a region of a real row into each picture, and record which."""
        rows = self._real[donors]
        real = self._header.scaler.scale(self._rows.pictures(rows))
        digests = self._rows.segment_column("digest")[rows].tolist()
        n_valid = self._rows.segment_column("n_valid_frames")[rows].tolist()
        for i, (donor, digest, valid) in enumerate(zip(real, digests, n_valid, strict=True)):
            region = draw_region(self._rows.shape, rng)
            region.paste(donor, pictures[i])
            columns["n_valid_frames"][i] = region.n_valid_frames(valid, columns["n_valid_frames"][i])
            columns["params"][i] |= {"pasted": digest, **dataclasses.asdict(region)}
