"""What a method does when it is trained anew: on other training speakers, other rows, with other seeds.

`jackknife_interval` is about the classifiers at hand. Three things more would differ if all were done again: who is
trained on, which rows are kept, where nets start. Here the jackknife's variance is enlarged for the first, and the
variance between seeds is added for the others; `docs/statistics.md` says how this was chosen and how often the
interval holds the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, nan, sqrt

import numpy as np
from scipy.stats import t as student_t

from sertools.scoring.comparing.resampling import corrected_resampled_t
from sertools.scoring.comparing.statistics import Interval, jackknife_variance

# Variance of the effect of one to train on, in variances of a tested one: 2.3 for `posthoc` on rows of an encoder,
# 1.0 to 1.8 on means of mel bands (docs/statistics.md, tests/ratios.py).
TRAINER_WEIGHT = 2.0
_NOTHING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A difference of two methods, and the parts of it that tell how sure it is.

    Attributes
    ----------
    estimate : float
        The difference.
    left_out : sequence of float
        The same without each tested speaker; fewer than two where speakers are not known.
    replicates : sequence of (float, sequence of float)
        Of each fold and reduced class: its weight in the estimate, and the difference with each seed.
    by_fold : sequence of float
        The difference of each fold.
    tested : float
        Size of all test sets together, in training sets (utterances; those of validation do not count).
    """

    estimate: float
    left_out: Sequence[float]
    replicates: Sequence[tuple[float, Sequence[float]]]
    by_fold: Sequence[float]
    tested: float

    def lacks(self) -> str:
        """Say why there is no interval; empty: there is one."""
        if not isfinite(self.estimate):
            return "no scores in common"
        if len(self.by_fold) < 2:
            return "fewer than two folds"
        if not np.isfinite(self.by_fold).all():
            return "a fold without the class"
        if not (isfinite(self.tested) and self.tested > 0):
            return "folds that test the same utterances"
        if self.seed_variance()[1]:
            if len(self.left_out) < 2:
                return "fewer than two known speakers"
            if not np.isfinite(self.left_out).all():
                return "one speaker alone has a class"
        return ""

    def seed_variance(self) -> tuple[float, int]:
        """Give the variance of a fold's and class's difference over its seeds, and its degrees of freedom."""
        seeds = [np.asarray(values, dtype=np.float64) for _, values in self.replicates if len(values) > 1]
        df = sum(len(values) - 1 for values in seeds)
        total = sum(float(((values - values.mean()) ** 2).sum()) for values in seeds)
        return (total / df if df else nan), df


def trained_anew(found: Endpoint, level: float = 0.95) -> tuple[Interval, float]:
    """Interval and test of what a method does on new training sets and speakers.

    The variance has two parts. The jackknife's over speakers times (1 + 2 · tested / trained): a speaker counts as a
    tested one and as one to train on. Nadeau and Bengio's correction takes the second to weigh as much as the sizes
    of the sets do; measured, it weighs about twice as much (`TRAINER_WEIGHT`). And the variance between seeds, each
    fold's and class's divided by their number. The degrees of freedom are Satterthwaite's, rounded down. With one
    seed nothing tells how much it matters: then the folds have to, by `corrected_resampled_t`, and the interval is
    wider.

    Parameters
    ----------
    found : Endpoint
        The difference and its parts.
    level : float [range=0…1]
        Coverage of the interval.

    Returns
    -------
    interval : Interval
        Without bounds where `Endpoint.lacks` says why.
    p : float [range=0…1]
        Two-sided, that the difference is 0; NaN without bounds.
    """
    if found.lacks():
        return Interval(found.estimate, nan, nan, 0), nan
    between, df_seeds = found.seed_variance()
    if not df_seeds:
        return corrected_resampled_t(found.by_fold, found.tested / len(found.by_fold), level)
    df_speakers = len(found.left_out) - 1
    speakers = jackknife_variance(found.estimate, found.left_out) * (1 + TRAINER_WEIGHT * found.tested)
    seeds = between * sum(weight**2 / len(values) for weight, values in found.replicates)
    error = sqrt(speakers + seeds)
    if error < _NOTHING:
        same = abs(found.estimate) < _NOTHING
        return Interval(found.estimate, 0.0 if same else nan, 0.0 if same else nan, df_speakers), 1.0 if same else nan
    df = floor((speakers + seeds) ** 2 / (speakers**2 / df_speakers + seeds**2 / df_seeds))
    half = float(student_t.ppf((1 + level) / 2, df)) * error
    interval = Interval(found.estimate, found.estimate - half, found.estimate + half, df)
    return interval, float(2 * student_t.sf(abs(found.estimate) / error, df))
