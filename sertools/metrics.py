"""Scores of a classifier whose classes are imbalanced.

**Conventions.** Labels are integers 0 … n_classes - 1. A confusion matrix holds counts, rows are the truth.
A class that does not occur in the truth has no recall: it is NaN and left out of every average over classes.

**Metrics.** UAR (unweighted average recall, the paper's Table 2), macro F1 (the paper's F-score, Table 3),
accuracy, recall by class, and each class's ROC area against the rest, which no shifted threshold can raise.
"""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, IntArray
from sertools.errors import ModelError


def confusion_matrix(truth: npt.ArrayLike, predicted: npt.ArrayLike, n_classes: int) -> IntArray:
    """Count the pairs of true and predicted class.

    Parameters
    ----------
    truth, predicted : array_like of int [shape=(n,), range=0…n_classes-1]
        Labels.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of int64 [shape=(n_classes, n_classes)]
        Rows are the truth, columns the prediction.

    Raises
    ------
    ModelError
        If a label is out of range.
    """
    rows = np.asarray(truth, dtype=np.int64)
    columns = np.asarray(predicted, dtype=np.int64)
    for labels in (rows, columns):
        outside = labels[(labels < 0) | (labels >= n_classes)]
        if outside.size:
            raise ModelError(f"label {outside[0]} is none of the {n_classes} classes: use 0…{n_classes - 1}")
    # One number a pair, so that one pass counts them all.
    counts: IntArray = np.bincount(rows * n_classes + columns, minlength=n_classes**2).astype(np.int64)
    return counts.reshape(n_classes, n_classes)


def recalls(confusion: npt.ArrayLike) -> FloatArray:
    """Recall of each class.

    Parameters
    ----------
    confusion : array_like of int [shape=(…, n_classes, n_classes)]
        Counts, rows are the truth.

    Returns
    -------
    ndarray of float64 [shape=(…, n_classes), range=0…1]
        NaN where a class does not occur in the truth.
    """
    counts = np.asarray(confusion)
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def uar(confusion: npt.ArrayLike) -> float:
    """Unweighted average recall over the classes that occur in the truth.

    Parameters
    ----------
    confusion : array_like of int [shape=(n_classes, n_classes)]
        Counts, rows are the truth.

    Returns
    -------
    float [range=0…1]
        NaN if there is nothing to count.
    """
    return _mean(recalls(confusion))


def macro_f1(confusion: npt.ArrayLike) -> float:
    """Arithmetic mean of the F1 of the classes that occur in the truth.

    The harmonic mean of average precision and average recall is also called macro F1 and can be far higher
    (Opitz and Burst, "Macro F1 and Macro F1", 2019). Parameters and range as of `uar`.
    """
    counts = np.asarray(confusion)
    n_true = counts.sum(axis=-1)
    f1 = _ratio(2 * np.diagonal(counts), n_true + counts.sum(axis=-2))
    return _mean(f1[n_true > 0])


def accuracy(confusion: npt.ArrayLike) -> float:
    """Share of the utterances that are right; parameters and range as of `uar`."""
    counts = np.asarray(confusion)
    return float(_ratio(np.trace(counts), counts.sum()))


def auc_against_rest(scores: npt.ArrayLike, is_class: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a member outscores a non-member, ties counting half.

    The Mann-Whitney statistic over its maximum. No threshold enters, so a bias towards the class does not
    move it.

    Parameters
    ----------
    scores : array_like of float [shape=(n,)]
        Score of the class, any monotone scale.
    is_class : array_like of bool [shape=(n,)]
        Who belongs to the class.

    Returns
    -------
    float [range=0…1]
        NaN if either side is empty.
    """
    member = np.asarray(is_class, dtype=bool)
    n_in = int(member.sum())
    n_out = member.size - n_in
    if not n_in or not n_out:
        return float("nan")
    _, place, count = np.unique(np.asarray(scores), return_inverse=True, return_counts=True)
    # Equal scores share the mean of the ranks they fill, ranks from 1.
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((ranks[member].sum() - n_in * (n_in + 1) / 2) / (n_in * n_out))


def scores(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, posterior: npt.ArrayLike, classes: Sequence[str]
) -> dict[str, Any]:
    """All metrics of one test set, ready for JSON.

    Parameters
    ----------
    truth, predicted : array_like of int [shape=(n_utterances,)]
        Labels of the utterances.
    posterior : array_like of float [shape=(n_utterances, n_classes)]
        Posteriors, for the areas under the curve; of each, the 6 decimals that a result file keeps.
    classes : sequence of str [length=n_classes]
        Names of the classes.

    Returns
    -------
    dict
        ``uar``, ``macro_f1``, ``accuracy`` (0…1), ``recall`` and ``auc`` (class → 0…1), ``confusion`` (lists
        of counts), ``n_classes`` (how many classes occur, over which UAR and macro F1 average) and
        ``n_utterances``. Plain Python numbers; None where a score does not exist.

    Raises
    ------
    ModelError
        If a label is out of range.
    """
    labels = np.asarray(truth, dtype=np.int64)
    columns = np.round(np.asarray(posterior, dtype=np.float64), 6)
    confusion = confusion_matrix(labels, predicted, len(classes))
    recall = recalls(confusion)
    return {
        "uar": _or_none(uar(confusion)),
        "macro_f1": _or_none(macro_f1(confusion)),
        "accuracy": _or_none(accuracy(confusion)),
        "recall": {name: _or_none(float(recall[k])) for k, name in enumerate(classes)},
        "auc": {name: _or_none(auc_against_rest(columns[:, k], labels == k)) for k, name in enumerate(classes)},
        "confusion": confusion.tolist(),
        "n_classes": int((confusion.sum(axis=1) > 0).sum()),
        "n_utterances": int(labels.size),
    }


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> FloatArray:
    """Divide, NaN where the whole is 0."""
    below = np.asarray(whole, dtype=np.float64)
    ratio: FloatArray = np.full(below.shape, np.nan)
    np.divide(part, below, out=ratio, where=below > 0)
    return ratio


def _mean(values: FloatArray) -> float:
    """Mean of what is there; NaN, and no warning, if nothing is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def _or_none(value: float) -> float | None:
    return None if isnan(value) else value
