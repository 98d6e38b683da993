"""How many speakers, folds and seeds a gain would need, from the spreads that results at hand show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt

from scipy.stats import t as student_t

from sertools.scoring.comparing.anew import TRAINER_WEIGHT, Endpoint
from sertools.scoring.comparing.pairs import endpoint
from sertools.scoring.comparing.runs import Cell, ScoredRun
from sertools.scoring.comparing.statistics import Interval, jackknife_variance

POWER = 0.8
LEVEL = 0.95
_MOST_SPEAKERS = 1000


@dataclass(frozen=True)
class Design:
    """A size of the experiment."""

    n_speakers: int
    n_folds: int
    n_seeds: int


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What a difference varies with, and the design that showed it.

    Attributes
    ----------
    per_speaker : float
        Variance of the difference over speakers, one speaker's.
    per_cell : float
        Variance over seeds of the difference of one fold and reduced class.
    n_classes : int
        Reduced classes over which it is averaged.
    validation : float [range=0…1]
        Share of what is not tested that is for validation.
    design : Design
        Of the results at hand.
    """

    per_speaker: float
    per_cell: float
    n_classes: int
    validation: float
    design: Design

    def detectable(self, design: Design) -> float:
        """Give the gain that a design finds four times in five (as a fraction), as one comparison at 95 %."""
        tested = 1 / ((1 - 1 / design.n_folds) * (1 - self.validation))
        speakers = self.per_speaker / design.n_speakers * (1 + TRAINER_WEIGHT * tested)
        n_cells = design.n_folds * self.n_classes
        seeds = self.per_cell / (n_cells * design.n_seeds)
        df_seeds = n_cells * (design.n_seeds - 1)
        df = (speakers + seeds) ** 2 / (speakers**2 / (design.n_speakers - 1) + seeds**2 / df_seeds)
        return float(student_t.ppf((1 + LEVEL) / 2, df) + student_t.ppf(POWER, df)) * sqrt(speakers + seeds)

    def speakers_for(self, gain: float, n_folds: int, n_seeds: int) -> int | None:
        """Give the fewest speakers with which a design finds a gain; None where a thousand are too few."""
        for n in range(max(2, n_folds), _MOST_SPEAKERS + 1):
            if self.detectable(Design(n, n_folds, n_seeds)) <= gain:
                return n
        return None


def found_now(interval: Interval) -> float:
    """Give the gain that an experiment with this 95 % interval finds four times in five; NaN without bounds."""
    if interval.df < 1:
        return nan
    bound, beyond = student_t.ppf((1 + LEVEL) / 2, interval.df), student_t.ppf(POWER, interval.df)
    return (interval.high - interval.low) / 2 * float(1 + beyond / bound)


def spread_of(own: Mapping[Cell, ScoredRun], baseline: Mapping[Cell, ScoredRun]) -> tuple[Spread | None, str]:
    """Take the variances of a method's difference from its results.

    Parameters
    ----------
    own, baseline : mapping of cell to ScoredRun
        The runs of each.

    Returns
    -------
    spread : Spread or None
        None where the results do not tell.
    lacks : str
        Why not.

    Raises
    ------
    ModelError
        If a pair was tested on different utterances.
    """
    found = endpoint(own, baseline)
    per_cell, df = found.seed_variance()
    lacks = found.lacks() or ("" if df else "one seed, which says nothing of seeds")
    if lacks:
        return None, lacks
    cells = [cell for cell in own if cell in baseline]
    n_folds, n_speakers = len(found.by_fold), len(found.left_out)
    n_seeds = len({seed for _, _, seed in cells})
    return Spread(
        per_speaker=jackknife_variance(found.estimate, found.left_out) * n_speakers,
        per_cell=per_cell,
        n_classes=len({reduced for _, reduced, _ in cells}),
        validation=_validation(found, n_folds),
        design=Design(n_speakers, n_folds, n_seeds),
    ), ""


def _validation(found: Endpoint, n_folds: int) -> float:
    """Share that was for validation: what the training sets lack beside their tests."""
    return max(0.0, 1 - 1 / (found.tested * (1 - 1 / n_folds)))


def designs(at_hand: Sequence[Design]) -> list[tuple[int, int]]:
    """Give folds and seeds to plan with: those at hand, more seeds, and more of both."""
    folds = max((design.n_folds for design in at_hand), default=2)
    seeds = max((design.n_seeds for design in at_hand), default=2)
    return list(dict.fromkeys([(folds, seeds), (folds, max(10, seeds)), (max(10, folds), max(10, seeds))]))
