"""Do generated rows teach what real rows teach? Train on synthetic, test on real (CAS, Ravuri & Vinyals 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sertools.arrays import Index, Matrix
from sertools.metrics import confusion_matrix, uar
from sertools.scoring.synthetic.embedding import Embedding

if TYPE_CHECKING:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

LEAST_OF_A_CLASS = 5  # rows to learn a class from


@dataclass(frozen=True)
class Usefulness:
    """UAR on held-out real rows of the same small classifier, trained twice.

    Attributes
    ----------
    synth, real
        Trained on the generated rows, and on as many real ones [range=0…1].
    chance
        One over the number of classes.
    standard_error
        Of an UAR, from the number of held-out rows alone.
    classes
        Numbers of the classes that took part.
    """

    synth: float
    real: float
    chance: float
    standard_error: float
    classes: tuple[int, ...]


def usefulness(embedding: Embedding, label: Index, test: Matrix, test_label: Index) -> Usefulness | None:
    """Train on generated and on real points and test both; nothing if fewer than two classes have rows enough.

    The classifier is a linear discriminant with Ledoit-Wolf covariance: it learns from few rows, draws nothing at
    random and has nothing to tune.

    Parameters
    ----------
    label
        Class of each row of the embedding [shape=(n,)].
    test, test_label
        Held-out real points [shape=(m, n_dimensions)] and their classes.
    """
    classes = [int(c) for c in np.unique(label) if (label == c).sum() >= LEAST_OF_A_CLASS]
    if len(classes) < 2:
        return None
    learnt, tested = np.isin(label, classes), np.isin(test_label, classes)
    truth = np.searchsorted(classes, test_label[tested])
    found = [
        _uar(points[learnt], np.searchsorted(classes, label[learnt]), test[tested], truth, len(classes))
        for points in (embedding.synth, embedding.real)
    ]
    recall_variance = found[1] * (1.0 - found[1]) * (1.0 / np.bincount(truth, minlength=len(classes))).sum()
    return Usefulness(
        synth=found[0],
        real=found[1],
        chance=1.0 / len(classes),
        standard_error=float(np.sqrt(recall_variance)) / len(classes),
        classes=tuple(classes),
    )


def discriminant(points: Matrix, label: Index, n_classes: int) -> LinearDiscriminantAnalysis:
    """Fit a linear discriminant with Ledoit-Wolf covariance, every class as likely as any other."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: PLC0415 - seconds, needed here only

    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(n_classes, 1.0 / n_classes))
    return model.fit(points, label)


def _uar(points: Matrix, label: Index, test: Matrix, truth: Index, n_classes: int) -> float:
    if (points == points[0]).all():
        # One row repeated teaches nothing, and has no covariance.
        return 1.0 / n_classes
    return uar(confusion_matrix(truth, discriminant(points, label, n_classes).predict(test), n_classes))
