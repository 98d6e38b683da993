"""What folds and utterances say of a difference: a test over folds, its correction for many methods, test-set noise.

The folds of a cross-validation train on nearly the same data, so their scores are not independent and a plain t test
over them, worse still over folds and seeds, finds differences where there are none (`tests/test_coverage.py` counts
how often).
"""

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from sertools.arrays import FloatArray, IntArray
from sertools.scoring.comparing.statistics import Interval

N_RESAMPLES = 1000
_SEED = 0


def corrected_resampled_t(by_fold: npt.ArrayLike, ratio: float, level: float = 0.95) -> tuple[Interval, float]:
    """Nadeau and Bengio's corrected resampled t test that the mean difference over the folds is 0.

    The variance of the mean of K folds is not s²/K, for their training sets overlap, but about
    s²·(1/K + n_test/n_train) ("Inference for the Generalization Error", Machine Learning 52, 2003). The degrees of
    freedom are K - 1: seeds on the same folds are not new splits.

    It asks whether the method is better when it is trained again on other speakers, which `jackknife_t` does not; it
    pays with few degrees of freedom. `anew.trained_anew` asks the same with more, where there are several seeds.

    Parameters
    ----------
    by_fold : array_like of float [shape=(K,)]
        Difference of each fold, averaged over its seeds.
    ratio : float
        Size of a test set divided by that of a training set, without what is for validation.
    level : float [range=0…1]
        Coverage of the interval.

    Returns
    -------
    interval : Interval
        Of the mean difference, df = K - 1.
    p : float [range=0…1]
        Two-sided. 1 where every fold says exactly 0; NaN, and no bounds, for fewer than two folds or where all say
        exactly the same other number, which leaves no spread to compare with.
    """
    folds = np.asarray(by_fold, dtype=np.float64)
    n = len(folds)
    mean = float(folds.mean()) if n else nan
    sd = float(folds.std(ddof=1)) if n > 1 else nan
    if n > 1 and not np.any(np.abs(folds) > 1e-12):
        return Interval(mean, mean, mean, n - 1), 1.0
    if not sd > 1e-12:
        return Interval(mean, nan, nan, max(n - 1, 0)), nan
    error = sd * sqrt(1 / n + ratio)
    half = float(student_t.ppf((1 + level) / 2, n - 1)) * error
    return Interval(mean, mean - half, mean + half, n - 1), float(2 * student_t.sf(abs(mean) / error, n - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several comparisons so that a false finding among all of them is as rare as it was of one.

    Holm's step-down method ("A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979); it holds however the comparisons depend on each other, as those with one baseline do.

    Parameters
    ----------
    p_values : sequence of float [range=0…1]
        NaN where there is no test; it does not count as one.

    Returns
    -------
    list of float [range=0…1]
        In the same order; NaN stays NaN.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, nan)
    order = [k for k in np.argsort(p, kind="stable") if not np.isnan(p[k])]
    least = 0.0
    for rank, k in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * float(p[k])))
        adjusted[k] = least
    return [float(value) for value in adjusted]


def utterance_bootstrap(right: npt.ArrayLike, tested: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[float, float]:
    """Percentile bootstrap of a pooled UAR over utterances, drawn anew within their class: noise of the test set.

    It says how much the UAR of these classifiers would differ on as many other utterances of the same speakers. It is
    no test of a method: speakers, training sets and seeds stay as they are, so it is narrower than what matters.
    Utterances with the same history of hits are drawn as one lot, which gives the same distribution and is faster.

    Parameters
    ----------
    right, tested : array_like of int [shape=(n_utterances, n_experiments)]
        How often an utterance was recognised in an experiment (a reduced class and a seed), and tested in it.
    truth : array_like of int [shape=(n_utterances,)]
        Class.

    Returns
    -------
    low, high : float [range=0…1]
        2.5th and 97.5th percentile of 1000 resamples with a fixed seed; NaN if there is nothing to draw from.
    """
    history = np.concatenate([np.asarray(right), np.asarray(tested)], axis=1).astype(np.int64)
    labels = np.asarray(truth)
    n_experiments = history.shape[1] // 2
    rng = np.random.default_rng(_SEED)
    total: FloatArray = np.zeros((N_RESAMPLES, n_experiments))
    n_classes: IntArray = np.zeros((N_RESAMPLES, n_experiments), dtype=np.int64)
    for c in np.unique(labels):
        lots, sizes = np.unique(history[labels == c], axis=0, return_counts=True)
        drawn = rng.multinomial(sizes.sum(), sizes / sizes.sum(), size=N_RESAMPLES) @ lots
        hits, n = drawn[:, :n_experiments], drawn[:, n_experiments:]
        total += np.divide(hits, n, out=np.zeros(hits.shape), where=n > 0)
        n_classes += n > 0
    if not n_experiments or not n_classes.all():
        return nan, nan
    low, high = np.percentile((total / n_classes).mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
