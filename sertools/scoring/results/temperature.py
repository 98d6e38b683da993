"""One temperature for a classifier: posteriors that are as often right as they say, and the same decisions.

A net that was trained to its end is surer than it is right, and one that learnt from few rows may be less sure. The
posterior becomes softmax(log posterior / T), which keeps the order of the classes; T is the one that minimises the
log loss of a validation set (Guo et al., "On calibration of modern neural networks", 2017).

Where a classifier makes no error on a few utterances the best T would be 0. So what an utterance should be is never
quite certain, as in Platt's scaling of an SVM's scores: n of them give it 1 / (n + 1) of every class in equal parts.
Posteriors below 5e-7 count as that, as at an operating point.
"""

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray
from sertools.errors import ModelError
from sertools.scoring.results.operating_point import log_softmax, logs

_RANGE = (1e-3, 1e3)
_HALVINGS = 60


def fit_temperature(truth: npt.ArrayLike, posterior: npt.ArrayLike) -> float:
    """Fit the temperature on a validation set.

    Parameters
    ----------
    truth : array_like of int [shape=(n,)]
        Class of each validation utterance.
    posterior : array_like of float [shape=(n, n_classes), range=0…1]
        Their mean posteriors.

    Returns
    -------
    float [range=0.001…1000]
        Above 1 where the classifier is too sure of itself.

    Raises
    ------
    ModelError
        If there is no utterance.
    """
    labels, logits = np.asarray(truth, dtype=np.int64), logs(posterior)
    if not labels.size:
        raise ModelError("no validation utterance to fit a temperature on")
    n, n_classes = logits.shape
    wanted = (n * np.eye(n_classes)[labels] + 1 / n_classes) / (n + 1)
    # The loss is convex in 1 / T: where its slope is 0 is found by halving, on a logarithmic scale.
    low, high = (1 / _RANGE[1], 1 / _RANGE[0])
    for _ in range(_HALVINGS):
        inverse = float(np.sqrt(low * high))
        slope = float(((np.exp(log_softmax(inverse * logits)) - wanted) * logits).sum())
        low, high = (low, inverse) if slope > 0 else (inverse, high)
    return float(1 / np.sqrt(low * high))


def tempered(posterior: npt.ArrayLike, temperature: float) -> FloatArray:
    """Give posteriors a temperature.

    Parameters
    ----------
    posterior : array_like of float [shape=(n, n_classes), range=0…1]
        Of rows or utterances.
    temperature : float
        1 changes nothing but those below 5e-7.

    Returns
    -------
    ndarray of float64 [shape=(n, n_classes), range=0…1]
        With sums of 1; the largest stays the largest.
    """
    found: FloatArray = np.exp(log_softmax(logs(posterior) / temperature))
    return found


def log_loss(truth: npt.ArrayLike, posterior: npt.ArrayLike) -> float:
    """Return the mean of minus the log of the true class's posterior [range=0…14.6]."""
    labels = np.asarray(truth, dtype=np.int64)
    return -float(logs(posterior)[np.arange(len(labels)), labels].mean())
