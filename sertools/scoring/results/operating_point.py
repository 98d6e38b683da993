"""A classifier at its own operating point: one bias on its log posteriors, chosen on a validation set.

Recall of a rare class can be bought by predicting it more often, with no better classifier behind it. So methods are
compared a second time after each has been given the bias that suits it best: what remains is not the operating point.

**The rule.** To the log of an utterance's mean posterior, b times a direction is added, and the largest entry wins.
The direction is 1 for the reduced class and 0 for the others; where nothing was reduced it is minus the log of each
class's share of the validation set, and b = 1 is the textbook prior correction (Menon et al., "Long-tail learning via
logit adjustment", 2021). b is the point of the grid -15, -14.9 … 15 with the highest UAR on the validation set. Of
several, 0 if it is one of them: no change without evidence. Else they form plateaus, runs without a gap, and b is the
middle of that plateau whose middle lies nearest to 0, the lower of two: a plateau's edge is where one validation
utterance tips over. Posteriors below 5e-7, half the last decimal of a result file, count as 5e-7; ±15 outweighs them.

The decision is taken on mean posteriors, also where the raw prediction is a majority vote; b = 0 is then a vote by
mean, not the raw prediction.
"""

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, IntArray
from sertools.errors import ModelError

GRID: FloatArray = np.arange(-150, 151) / 10
_FLOOR = 5e-7


def towards_class(reduced: int, n_classes: int) -> FloatArray:
    """Direction that favours one class.

    Parameters
    ----------
    reduced : int [range=0…n_classes-1]
        The class.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of float64 [shape=(n_classes,)]
        1 for the class, 0 for the others.
    """
    direction: FloatArray = np.zeros(n_classes)
    direction[reduced] = 1.0
    return direction


def towards_rare(truth: npt.ArrayLike, n_classes: int) -> FloatArray:
    """Direction that favours each class by how rare it is.

    Parameters
    ----------
    truth : array_like of int [shape=(n,), range=0…n_classes-1]
        Classes of the validation utterances.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of float64 [shape=(n_classes,)]
        Minus the log of each class's share; a class that does not occur counts as if one utterance had it.
    """
    counts = np.bincount(np.asarray(truth, dtype=np.int64), minlength=n_classes)
    direction: FloatArray = -np.log(np.maximum(counts, 1) / counts.sum())
    return direction


def decide(posterior: npt.ArrayLike, direction: npt.ArrayLike, bias: float) -> IntArray:
    """Predict with a bias.

    Parameters
    ----------
    posterior : array_like of float [shape=(n, n_classes), range=0…1]
        Mean posterior of each utterance.
    direction : array_like of float [shape=(n_classes,)]
        What the bias is multiplied with.
    bias : float
        In units of the log posterior.

    Returns
    -------
    ndarray of int64 [shape=(n,)]
        Class; the first of equal ones.
    """
    predicted: IntArray = (_logs(posterior) + bias * np.asarray(direction)).argmax(axis=1)
    return predicted


def choose_bias(truth: npt.ArrayLike, posterior: npt.ArrayLike, direction: npt.ArrayLike) -> float:
    """Find the bias with the highest UAR, by the rule of this module.

    Parameters
    ----------
    truth : array_like of int [shape=(n,)]
        Class of each validation utterance.
    posterior : array_like of float [shape=(n, n_classes), range=0…1]
        Their mean posteriors.
    direction : array_like of float [shape=(n_classes,)]
        What the bias is multiplied with.

    Returns
    -------
    float [range=-15…15]
        A point of the grid, or the middle of two.

    Raises
    ------
    ModelError
        If there is no utterance.
    """
    labels = np.asarray(truth, dtype=np.int64)
    if not labels.size:
        raise ModelError("no validation utterance to choose an operating point on")
    # All biases at once [shape=(n_biases, n, n_classes)].
    biased = _logs(posterior) + GRID[:, None, None] * np.asarray(direction)
    is_class = labels[:, None] == np.unique(labels)
    hits = (biased.argmax(axis=2) == labels).astype(np.float64) @ is_class
    found = (hits / is_class.sum(axis=0)).mean(axis=1)
    best = found > found.max() - 1e-9
    if best[len(GRID) // 2]:
        return 0.0
    places = np.flatnonzero(best)
    plateaus = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    middles = [float((GRID[p[0]] + GRID[p[-1]]) / 2) for p in plateaus]
    return min(middles, key=lambda middle: (abs(middle), middle))


def _logs(posterior: npt.ArrayLike) -> FloatArray:
    logs: FloatArray = np.log(np.maximum(np.asarray(posterior, dtype=np.float64), _FLOOR))
    return logs
