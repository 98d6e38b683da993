"""A classifier at its operating point: one bias for each class on its log posteriors, fitted on a validation set.

Recall of a rare class can be bought by predicting it more often, with no better classifier behind it. So methods are
compared a second time after each has been given the biases that suit it: what remains is not the operating point. A
classifier that differs from another by factors of its posteriors alone must come out the same, whichever classes the
factors favour; one bias for one class cannot do that.

**The rule.** To the log of an utterance's mean posterior a bias is added for each class, and the largest entry wins.
The biases start at minus the log of the prior that the training implied: the textbook correction (Menon et al.,
"Long-tail learning via logit adjustment", 2021). From there they move by the d, with a sum of 0, that minimises the
log loss of the validation utterances, softmax(log posterior + start + d), where every class weighs 1 in all, plus
that of one more utterance, which is of every class in equal parts and of which the start knows nothing: softmax(d).
It weighs as much as an utterance of the rarest validated class. The function is strictly convex and has one minimum,
which Newton's method finds.

What the rule is made for: classes are weighed alike, as the UAR does. The biases of few utterances stay near the
start and those of many forget it. The pull of the added utterance is bounded, so that a start that is far off, where
the recorded prior is not the one in the posteriors, is left behind; and where a prior is divided out of the
posteriors and the record alike, nothing changes at all. A class that no validation utterance has keeps its start.
Posteriors below 5e-7, half the last decimal of a result file, count as 5e-7.

The decision is taken on mean posteriors, also where the raw prediction is a majority vote.
"""

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, IntArray
from sertools.errors import ModelError

_FLOOR = 5e-7
_STEPS = 100  # Newton needs about ten
_TOLERANCE = 1e-9


def corrected(prior: npt.ArrayLike) -> FloatArray:
    """Give the biases that undo a prior: the start of the fit, and all of post-hoc logit adjustment.

    Parameters
    ----------
    prior : array_like of float [shape=(n_classes,)]
        Class shares that the posteriors imply, each above 0.

    Returns
    -------
    ndarray of float64 [shape=(n_classes,)]
        Minus the log of each share, with a sum of 0.
    """
    shares: FloatArray = np.log(np.asarray(prior, dtype=np.float64))
    biases: FloatArray = shares.mean() - shares
    return biases


def divided(posterior: npt.ArrayLike, prior: npt.ArrayLike) -> FloatArray:
    """Divide posteriors by the prior that they imply: post-hoc logit adjustment.

    Parameters
    ----------
    posterior : array_like of float [shape=(n, n_classes), range=0…1]
        Of rows or utterances.
    prior : array_like of float [shape=(n_classes,)]
        Class shares, each above 0.

    Returns
    -------
    ndarray of float64 [shape=(n, n_classes), range=0…1]
        With sums of 1.
    """
    ratio: FloatArray = np.asarray(posterior, dtype=np.float64) / np.asarray(prior, dtype=np.float64)
    ratio /= ratio.sum(axis=1, keepdims=True)
    return ratio


def decide(posterior: npt.ArrayLike, biases: npt.ArrayLike) -> IntArray:
    """Predict with biases.

    Parameters
    ----------
    posterior : array_like of float [shape=(n, n_classes), range=0…1]
        Mean posterior of each utterance.
    biases : array_like of float [shape=(n_classes,)]
        In units of the log posterior.

    Returns
    -------
    ndarray of int64 [shape=(n,)]
        Class; the first of equal ones.
    """
    predicted: IntArray = (logs(posterior) + np.asarray(biases)).argmax(axis=1)
    return predicted


def fit_biases(truth: npt.ArrayLike, posterior: npt.ArrayLike, prior: npt.ArrayLike) -> FloatArray:
    """Fit the biases on a validation set, by the rule of this module.

    Parameters
    ----------
    truth : array_like of int [shape=(n,)]
        Class of each validation utterance.
    posterior : array_like of float [shape=(n, n_classes), range=0…1]
        Their mean posteriors.
    prior : array_like of float [shape=(n_classes,)]
        Class shares that the training implied, each above 0.

    Returns
    -------
    ndarray of float64 [shape=(n_classes,)]
        With a sum of 0.

    Raises
    ------
    ModelError
        If there is no utterance.
    """
    labels = np.asarray(truth, dtype=np.int64)
    if not labels.size:
        raise ModelError("no validation utterance to fit an operating point on")
    biases = corrected(prior)
    known, label = np.unique(labels, return_inverse=True)
    started = (logs(posterior) + biases)[:, known]
    n_known = len(known)
    counts = np.bincount(label)
    # The utterances, then one that is of every class.
    logits = np.vstack([started, np.zeros(n_known)])
    of_class = np.vstack([np.eye(n_known)[label], np.full(n_known, 1 / n_known)])
    weight = np.append(1 / counts[label], 1 / counts.min())
    biases[known] += _minimum(logits, of_class, weight)
    return biases


def _minimum(logits: FloatArray, of_class: FloatArray, weight: FloatArray) -> FloatArray:
    """Find the shifts, with a sum of 0, that minimise the weighted log loss of softmax(logits + shifts)."""
    n_classes = logits.shape[1]
    shifts: FloatArray = np.zeros(n_classes)
    for _ in range(_STEPS):
        log_p = log_softmax(logits + shifts)
        p = np.exp(log_p)
        slope = weight @ (p - of_class)
        curvature = np.diag(weight @ p) - (p * weight[:, None]).T @ p
        # A shift of all classes changes nothing: 1 / n_classes gives that direction a curvature, and so no step.
        step = np.linalg.solve(curvature + 1 / n_classes, slope)
        loss, size = _loss(log_p, of_class, weight), 1.0
        while size > _TOLERANCE and _loss(log_softmax(logits + shifts - size * step), of_class, weight) > loss:
            size /= 2
        shifts -= size * step
        if np.abs(step).max() < _TOLERANCE:
            break
    shifts -= shifts.mean()
    return shifts


def _loss(log_p: FloatArray, of_class: FloatArray, weight: FloatArray) -> float:
    return -float(weight @ (log_p * of_class).sum(axis=1))


def log_softmax(logits: FloatArray) -> FloatArray:
    """Normalise logits [shape=(n, n_classes)] to the logs of posteriors."""
    normalised: FloatArray = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return normalised


def logs(posterior: npt.ArrayLike) -> FloatArray:
    """Take the logs of posteriors; those below 5e-7 count as that."""
    found: FloatArray = np.log(np.maximum(np.asarray(posterior, dtype=np.float64), _FLOOR))
    return found
