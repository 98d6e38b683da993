"""Scores of a classifier whose classes are imbalanced, and the vote that turns segments into utterances.

**Conventions.** Labels are integers 0 … n_classes - 1. A confusion matrix holds counts, rows are the truth.
A class that does not occur in the truth has no recall: it is NaN and left out of every average over classes.

**Metrics.** UAR (unweighted average recall, the paper's Table 2), macro F1 (the paper's F-score, Table 3),
accuracy, recall by class, and each class's ROC area against the rest, which no shifted threshold can buy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from sertools.errors import ModelError, UsageError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
VoteRule = Literal["majority", "mean"]


@dataclass(frozen=True)
class Vote:
    """What the segments of each utterance say together.

    Attributes
    ----------
    predicted : ndarray of int64 [shape=(n_utterances,)]
        Class.
    posterior : ndarray of float64 [shape=(n_utterances, n_classes), range=0…1]
        Mean posterior of its segments.
    n_segments : ndarray of int64 [shape=(n_utterances,)]
        How many segments it has, at least 1.
    tied : ndarray of bool [shape=(n_utterances,)]
        True where several classes shared the first place.
    """

    predicted: IntArray
    posterior: FloatArray
    n_segments: IntArray
    tied: npt.NDArray[np.bool_]


def vote(
    posteriors: npt.ArrayLike,
    utterance: npt.ArrayLike,
    n_utterances: int,
    rule: VoteRule = "majority",
) -> Vote:
    """Join the segments of each utterance (§3.2 of the paper: a majority vote).

    Two segments that disagree are a tie, and a third of the utterances of common corpora have exactly two.
    The paper does not say what then; here the summed posterior decides among the tied classes, and the number
    of ties is kept.

    Parameters
    ----------
    posteriors : array_like of float [shape=(n_segments, n_classes), range=0…1]
        Class posteriors of each segment.
    utterance : array_like of int [shape=(n_segments,), range=0…n_utterances-1]
        The utterance that each segment belongs to, in any order.
    n_utterances : int
        Number of utterances.
    rule : {"majority", "mean"}
        Count the segments' classes, or average their posteriors.

    Returns
    -------
    Vote
        One row an utterance. What the summed posterior cannot part goes to the first of the classes.

    Raises
    ------
    ModelError
        If a posterior is not finite or an utterance has no segment.
    UsageError
        If the rule is unknown.
    """
    if rule not in get_args(VoteRule):
        raise UsageError(f"vote {rule!r} is unknown: use {' or '.join(get_args(VoteRule))}")
    segments = np.asarray(posteriors, dtype=np.float64)
    owner = np.asarray(utterance, dtype=np.int64)
    if not np.isfinite(segments).all():
        row = int(np.flatnonzero(~np.isfinite(segments).all(axis=1))[0])
        raise ModelError(f"the posterior of segment {row} is not finite: the classifier is broken, train it again")
    if owner.size and (owner.min() < 0 or owner.max() >= n_utterances):
        raise ModelError(f"segments point at utterances {owner.min()}…{owner.max()} of only {n_utterances}")
    n_segments = np.bincount(owner, minlength=n_utterances)
    if not n_segments.all():
        raise ModelError(f"utterance {int(np.argmin(n_segments))} has no segment: leave it out or extract it again")

    summed = np.zeros((n_utterances, segments.shape[1]))
    np.add.at(summed, owner, segments)
    if rule == "majority":
        counts = np.zeros(summed.shape, dtype=np.int64)
        np.add.at(counts, (owner, segments.argmax(axis=1)), 1)
        first = counts == counts.max(axis=1, keepdims=True)
    else:
        first = summed == summed.max(axis=1, keepdims=True)
    return Vote(
        predicted=np.where(first, summed, -np.inf).argmax(axis=1),
        posterior=summed / n_segments[:, None],
        n_segments=n_segments,
        tied=first.sum(axis=1) > 1,
    )


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
    (Opitz and Burst, "Macro F1 and Macro F1", 2019).

    Parameters
    ----------
    confusion : array_like of int [shape=(n_classes, n_classes)]
        Counts, rows are the truth.

    Returns
    -------
    float [range=0…1]
        NaN if there is nothing to count.
    """
    counts = np.asarray(confusion)
    n_true = counts.sum(axis=-1)
    f1 = _ratio(2 * np.diagonal(counts), n_true + counts.sum(axis=-2))
    return _mean(f1[n_true > 0])


def accuracy(confusion: npt.ArrayLike) -> float:
    """Share of the utterances that are right.

    Parameters
    ----------
    confusion : array_like of int [shape=(n_classes, n_classes)]
        Counts.

    Returns
    -------
    float [range=0…1]
        NaN if there is nothing to count.
    """
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
