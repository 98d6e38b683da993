"""Rows as points in which distances mean something: 64 principal components, or what a judge makes of them.

Of a judge that is its last hidden layer, or of a linear one, which has none, its logits: the directions in which the
classes differ, without all else that a vector holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sertools.arrays import Index, Matrix, Pictures
from sertools.errors import UsageError
from sertools.scoring.synthetic.nearness import JUDGE
from sertools.scoring.synthetic.samples import Draw, Samples
from sertools.store.format import same_front_end
from sertools.training.batches import Rows
from sertools.training.classifier import Posteriors, features, load_classifier
from sertools.training.runtime import place
from sertools.training.scaling import Scaler

COMPONENTS = 64
_MOST_FITTED = 2000  # rows that the components are fitted to
_BLOCK_ROWS = 256


@dataclass(frozen=True)
class Embedding:
    """The drawn rows as points, centred and scaled by the real ones: a squared norm is the number of dimensions.

    Attributes
    ----------
    name
        ``pixels``, ``vectors`` or ``judge``.
    real, heldout, synth
        [shape=(n, n_dimensions)]
    beside
        Real and held-out rows of the classes that have no generated ones; empty if all have.
    """

    name: str
    real: Matrix
    heldout: Matrix
    synth: Matrix
    beside: tuple[Matrix, ...] = ()

    def sides(self, chosen: Index) -> tuple[Matrix, Matrix, Matrix]:
        """Real, held-out and generated points of some of the drawn rows."""
        return self.real[chosen], self.heldout[chosen], self.synth[chosen]


class ComponentSpace:
    """Principal components of scaled pictures, or of standardised vectors.

    Parameters
    ----------
    rows, index
        What to fit them to: as many of these rows as 2000, evenly spread.
    """

    def __init__(self, rows: Rows, index: Index, scaler: Scaler) -> None:
        self._rows, self._scaler = rows, scaler
        fitted = index[np.linspace(0, len(index) - 1, min(len(index), _MOST_FITTED)).astype(np.int64)]
        flat = _flat(scaler.scale(rows.pictures(fitted)))
        self._mean = flat.mean(0)
        flat -= self._mean
        # The smaller of two matrices that have the same components: rows are fewer than pixels.
        by_rows = len(flat) < flat.shape[1]
        values, vectors = np.linalg.eigh((flat @ flat.T if by_rows else flat.T @ flat).astype(np.float64))
        kept = np.flatnonzero(values > values[-1] * 1e-6)[-COMPONENTS:][::-1]
        self._axes = flat.T @ vectors[:, kept] / np.sqrt(values[kept]) if by_rows else vectors[:, kept]
        points = self._project(flat)
        # Rows that are all the same have no spread.
        self._unit = float(np.sqrt((points**2).mean())) or 1.0

    def points(self, rows: Rows, index: Index) -> Matrix:
        """Rows of a file as points [shape=(n, n_components)]."""
        parts = [
            self._project(_flat(self._scaler.scale(rows.pictures(index[first : first + _BLOCK_ROWS]))) - self._mean)
            for first in range(0, len(index), _BLOCK_ROWS)
        ]
        return np.concatenate(parts) / self._unit

    def _project(self, centred: Pictures) -> Matrix:
        projected: Matrix = centred.astype(np.float64) @ self._axes
        return projected


def _flat(pictures: Pictures) -> Pictures:
    return pictures.reshape(len(pictures), -1)


def embed(name: str, samples: Samples, draw: Draw, points: Callable[[Rows, Index], Matrix]) -> Embedding:
    """Embed the drawn rows of all sides."""
    return Embedding(
        name,
        points(samples.real.rows, draw.real),
        points(samples.heldout.rows, draw.heldout),
        points(samples.synth.rows, draw.synth),
        _beside(samples, draw, points),
    )


def _beside(samples: Samples, draw: Draw, points: Callable[[Rows, Index], Matrix]) -> tuple[Matrix, ...]:
    if not draw.beside.size:
        return ()
    return points(samples.real.rows, draw.beside[1]), points(samples.heldout.rows, draw.beside[2])


@dataclass(frozen=True)
class Judgement:
    """What a judge says of the drawn rows.

    Attributes
    ----------
    embedding
        Its last hidden layer, or its logits.
    heldout, synth
        Class that it takes each row for [shape=(n,)].
    generated_rows
        Generated rows that it was trained on itself.
    """

    embedding: Embedding
    heldout: Index
    synth: Index
    generated_rows: int


def ask_judge(path: Path, samples: Samples, draw: Draw, device: torch.device) -> Judgement:
    """Let a classifier look at the drawn rows.

    Raises
    ------
    ModelError
        If the file is no classifier.
    StoreError
        If its front end is not the stores'.
    UsageError
        If it knows other classes than REAL holds.
    LineageError
        If it was trained on held-out rows.
    """
    header, net = load_classifier(path)
    same_front_end(header.front_end, samples.real.rows.front_end, str(path), samples.real.rows.name)
    strange = sorted(set(samples.classes) - set(header.classes))
    if strange:
        raise UsageError(
            f"{path}: does not know the class {strange[0]!r} of {samples.real.rows.name}; "
            "give --judge a classifier that was trained on these classes"
        )
    if not samples.halved:
        samples.heldout.rows.check_unseen_by(
            header.lineage,
            model=str(path),
            remedy="give --judge a classifier trained on REAL alone, or --heldout other utterances",
        )
    net = place(net, device)
    number = np.array([samples.classes.index(name) if name in samples.classes else -1 for name in header.classes])

    def look(rows: Rows, index: Index) -> tuple[Matrix, Posteriors]:
        return features(net, rows, index, header.scaler, device)

    (real, _), (heldout_points, heldout_said), (synth, synth_said) = (
        look(samples.real.rows, draw.real),
        look(samples.heldout.rows, draw.heldout),
        look(samples.synth.rows, draw.synth),
    )
    mean = real.mean(0)
    unit = float(np.sqrt(((real - mean) ** 2).mean())) or 1.0
    n_rows = header.facts["n_train_rows"]
    beside = _beside(samples, draw, lambda rows, index: (look(rows, index)[0] - mean) / unit)
    return Judgement(
        Embedding(JUDGE, (real - mean) / unit, (heldout_points - mean) / unit, (synth - mean) / unit, beside),
        number[heldout_said.argmax(1)],
        number[synth_said.argmax(1)],
        int(n_rows.get("generated", 0)),
    )
