"""How much tested speakers, trainers and seeds matter: variances estimated from results of many partitions.

The difference of two methods in one fold and class is taken as a sum of: the method's mean in that class; the mean
effect of the tested speakers; that of the training speakers; and what changes with the seed. Speakers' effects are
other ones in every class, as in `worlds.py`. The noise of a speaker's utterances is in their effect as a tested one,
for these are always the same.

The variance of seeds is the pooled one within cells. The other two maximise the restricted likelihood (REML) of the
cells' means: two folds covary as they share tested speakers, and as they share trainers. One partition cannot tell
them apart, for who is tested is not trained on; of many, the same person is tested after other trainers.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

RESULTS = Path(__file__).parents[1] / "docs" / "data" / "ravdess-partitions.csv.gz"


@dataclass(frozen=True)
class Cells:
    """Folds of one class: mean difference [shape=(F,)], and shares of tested and training speakers [shape=(F, S)]."""

    difference: np.ndarray
    tested: np.ndarray
    trained: np.ndarray


@dataclass(frozen=True)
class Variances:
    """Of the difference of two methods, in squared points of the class's AUC; `gain` in points."""

    gain: float
    tested: float
    trainer: float
    seeds: float

    @property
    def world(self) -> tuple[float, float, float]:
        """The same with tested speakers as the unit, as `worlds.py` has it."""
        return 1.0, self.trainer / self.tested, self.seeds / self.tested


def estimate(own: str, baseline: str, path: Path = RESULTS) -> Variances:
    """Estimate the variances of a method's difference from another."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    speakers = sorted({name for row in rows for name in row["tested"].split()})
    cells: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        place = tuple(row[name] for name in ("reduced", "fold", "tested", "trained"))
        cells.setdefault(place, []).append(100 * (float(row[own]) - float(row[baseline])))
    by_class = []
    for reduced in sorted({place[0] for place in cells}):
        here = [place for place in cells if place[0] == reduced]
        tested, trained = (np.array([_shares(place[k], speakers) for place in here]) for k in (2, 3))
        by_class.append(Cells(np.array([np.mean(cells[place]) for place in here]), tested, trained))
    seeds = float(np.mean([np.var(values, ddof=1) for values in cells.values()]))
    n_seeds = len(next(iter(cells.values())))
    tested, trainer = fit(by_class, seeds / n_seeds)
    return Variances(float(np.mean([c.difference.mean() for c in by_class])), tested, trainer, seeds)


def fit(cells: list[Cells], noise: float) -> tuple[float, float]:
    """Give the likeliest variances of tested speakers and of trainers; `noise` is that of a cell's mean."""
    found = minimize(
        lambda logs: sum(_loss(c, *np.exp(logs), noise) for c in cells), [0.0, 0.0], method="Nelder-Mead"
    )
    tested, trainer = np.exp(found.x)
    return float(tested), float(trainer)


def _loss(cells: Cells, tested: float, trainer: float, noise: float) -> float:
    covariance = tested * cells.tested @ cells.tested.T + trainer * cells.trained @ cells.trained.T
    precision = np.linalg.inv(covariance + noise * np.eye(len(covariance)))
    total = precision.sum()
    residual = cells.difference - precision.sum(axis=0) @ cells.difference / total
    return float((np.log(total) - np.linalg.slogdet(precision)[1] + residual @ precision @ residual) / 2)


def _shares(names: str, speakers: list[str]) -> np.ndarray:
    member = np.isin(speakers, names.split())
    return member / member.sum()
