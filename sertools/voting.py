"""The vote that turns segments into utterances."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, IntArray
from sertools.errors import ModelError, UsageError
from sertools.metrics import confusion_matrix, uar

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
        One row per utterance. Where the summed posteriors are equal too, the first of these classes wins.

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


def utterance_uar(truth: IntArray, posteriors: FloatArray, utterance: IntArray) -> float:
    """UAR per utterance from its segments' posteriors, by majority vote; what `train-clf --val` chooses on.

    Parameters
    ----------
    truth : ndarray of int64 [shape=(n_segments,)]
        The true class of each segment, which is that of its utterance.
    posteriors : ndarray of float64 [shape=(n_segments, n_classes), range=0…1]
        Class posteriors of each segment.
    utterance : ndarray of int64 [shape=(n_segments,)]
        The utterance that each segment belongs to, any numbers.

    Returns
    -------
    float [range=0…1]
        NaN if there is nothing to count.

    Raises
    ------
    ModelError
        If a posterior is not finite.
    """
    used, number = np.unique(utterance, return_inverse=True)
    of_utterance = np.zeros(len(used), dtype=np.int64)
    of_utterance[number] = truth
    predicted = vote(posteriors, number, len(used)).predicted
    return uar(confusion_matrix(of_utterance, predicted, posteriors.shape[1]))
