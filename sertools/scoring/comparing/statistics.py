"""Intervals that hold for speakers who were not in the corpus.

Utterances of one speaker are alike, so the speaker is what was sampled, and few corpora have more than ten.
A percentile bootstrap over ten speakers covers too little; here each speaker is left out in turn and the
spread of the statistic enters a t interval (Tukey's jackknife; Efron and Tibshirani, "An Introduction to the
Bootstrap", ch. 11).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from sertools.arrays import FloatArray
from sertools.metrics import recalls


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; `low` and `high` are NaN where there is none.

    Attributes
    ----------
    estimate, low, high : float
        In the unit of the statistic.
    df : int
        Degrees of freedom: speakers - 1, or folds - 1.
    """

    estimate: float
    low: float
    high: float
    df: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0; False where there is none."""
        return self.low > 0 or self.high < 0


def jackknife_t(
    per_speaker: npt.NDArray[Any],
    statistic: Callable[[npt.NDArray[Any]], float],
    level: float = 0.95,
) -> Interval:
    """Delete-one-speaker jackknife t interval of a statistic of pooled counts.

    Pooling is addition: the statistic of all speakers is that of the sum of their counts, and a speaker is
    left out by subtracting theirs. With the pseudo-values p_s = n·θ - (n - 1)·θ_(s), the interval is
    θ ± t(df = n - 1) · sd(p) / √n. Its centre is the pooled estimate itself, the number in the table, not the
    mean of the pseudo-values: they differ only by the jackknife's bias correction.

    If a class belongs to one speaker alone, leaving that speaker out changes what the average is over, and
    the interval widens: it errs to the safe side.

    Parameters
    ----------
    per_speaker : ndarray [shape=(n_speakers, …)]
        Additive counts of each speaker, e.g. confusion matrices.
    statistic : callable
        From the sum over speakers [shape=(…)] to a number.
    level : float [range=0…1]
        Coverage.

    Returns
    -------
    Interval
        As `jackknife_interval` gives it.
    """
    total = per_speaker.sum(axis=0)
    left_out = [statistic(total - one) for one in per_speaker] if len(per_speaker) > 1 else []
    return jackknife_interval(float(statistic(total)), left_out, level)


def jackknife_interval(estimate: float, left_out: Sequence[float], level: float = 0.95) -> Interval:
    """Delete-one-speaker jackknife t interval, from the statistic with each speaker left out.

    **What it covers.** The classifiers at hand on new speakers like those tested: 95 times in 100, or a little more
    where folds differ (`tests/test_coverage.py`). Not their training anew on other speakers: no speaker is left out
    of training, so what the choice of training speakers does to all folds alike is invisible here. In a simulation
    where the training speakers matter as much as those tested, the interval holds what the method does on average
    over training sets only 83 times in 100. `anew.trained_anew` allows for that.

    Parameters
    ----------
    estimate : float
        Of all speakers.
    left_out : sequence of float [length=n_speakers]
        Of all but one; fewer than two where speakers are not known.
    level : float [range=0…1]
        Coverage.

    Returns
    -------
    Interval
        Without bounds if there are fewer than two speakers, or if the statistic does not exist without one of
        them.
    """
    n = len(left_out)
    variance = jackknife_variance(estimate, left_out)
    if not isfinite(variance):
        return Interval(estimate, nan, nan, max(n - 1, 0))
    half = float(student_t.ppf((1 + level) / 2, n - 1)) * sqrt(variance)
    return Interval(estimate, estimate - half, estimate + half, n - 1)


def jackknife_variance(estimate: float, left_out: Sequence[float]) -> float:
    """Variance of a statistic, from its pseudo-values; NaN where `jackknife_interval` has no bounds."""
    n = len(left_out)
    pseudo = n * estimate - (n - 1) * np.asarray(left_out, dtype=np.float64)
    return float(pseudo.var(ddof=1)) / n if n > 1 and np.isfinite(pseudo).all() else nan


def pooled_uar(confusions: npt.ArrayLike) -> float:
    """UAR of each confusion matrix, averaged over them.

    Each matrix pools the folds of one experiment; the average runs over seeds and reduced classes. Used
    inside `jackknife_t`, so that seeds are averaged before the spread over speakers is taken.

    Parameters
    ----------
    confusions : array_like of int [shape=(…, n_classes, n_classes)]
        Counts, rows are the truth.

    Returns
    -------
    float [range=0…1]
        NaN if one of them is empty: an average over fewer experiments is another statistic.
    """
    recall = recalls(confusions)
    there = ~np.isnan(recall)
    n_classes = there.sum(axis=-1)
    if not n_classes.size or not n_classes.all():
        return nan
    return float((np.where(there, recall, 0.0).sum(axis=-1) / n_classes).mean())


def fold_mean_sd(values: npt.ArrayLike) -> tuple[float, float]:
    """Mean over folds and seeds, and the standard deviation over seeds.

    Folds are averaged within each seed first: they test different speakers, and their spread says how
    speakers differ, not how much a rerun would.

    Parameters
    ----------
    values : array_like of float [shape=(n_seeds, n_folds)]
        One score per run; NaN where a run is missing.

    Returns
    -------
    mean : float
        NaN if there is no run.
    sd : float
        Over the seeds' means, with n - 1; NaN for fewer than two seeds.
    """
    table: FloatArray = np.asarray(values, dtype=np.float64)
    there = ~np.isnan(table)
    table, there = table[there.any(axis=1)], there[there.any(axis=1)]
    if not len(table):
        return nan, nan
    by_seed = np.where(there, table, 0.0).sum(axis=1) / there.sum(axis=1)
    return float(by_seed.mean()), float(by_seed.std(ddof=1)) if len(by_seed) > 1 else nan


def gap_closure(uar: float, uar_imbalanced: float, uar_full: float) -> float:
    """Share of what the imbalance cost that a method wins back.

    Parameters
    ----------
    uar : float [range=0…1]
        UAR of the method.
    uar_imbalanced : float [range=0…1]
        UAR with the class reduced and nothing done.
    uar_full : float [range=0…1]
        UAR with nothing removed.

    Returns
    -------
    float
        1 = all of it, 0 = nothing, below 0 = harm; NaN where there is no gap. Means nothing where the gap
        itself may be 0.
    """
    gap = uar_full - uar_imbalanced
    return (uar - uar_imbalanced) / gap if isfinite(gap) and gap != 0 else nan
