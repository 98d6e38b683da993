"""What two methods are compared by: the reduced class's area under the curve, or the UAR where no class is reduced.

Each is a difference with the parts that tell how sure it is: without each speaker, by fold, by seed.
"""

from collections.abc import Mapping, Sequence
from math import isfinite, isnan, nan

import numpy as np

from sertools.arrays import IntArray
from sertools.scoring.comparing.anew import Endpoint
from sertools.scoring.comparing.runs import Cell, ScoredRun
from sertools.scoring.comparing.statistics import pooled_uar

Runs = Mapping[Cell, ScoredRun]


def area_endpoint(own: Runs, baseline: Runs, cells: Sequence[Cell], speakers: Sequence[str]) -> Endpoint:
    """Compare the reduced class's areas: within folds, for posteriors of two classifiers share no scale.

    Folds weigh by their utterances of the class, so that a speaker who is left out takes their weight along. Folds
    that all weigh the same would leave it to the others of the fold, and the interval of 2 speakers per fold would be
    38 % too wide (it then covers 99 times in 100 instead of 96, over 400 simulated comparisons).

    Parameters
    ----------
    own, baseline : mapping of cell to ScoredRun
        The runs of each.
    cells : sequence of cell
        Those that both have; each reduces a class.
    speakers : sequence of str
        Who is tested in them; empty: not known.

    Returns
    -------
    Endpoint
        NaN where a rival has no posteriors.
    """

    def areas(cell: Cell, without: str | None = None) -> tuple[float, int]:
        (first, n), (second, _) = own[cell].area(cell[1], without), baseline[cell].area(cell[1], without)
        return first - second, n

    def mean_area(without: str | None = None) -> float:
        experiments: dict[tuple[str, str], list[tuple[float, int]]] = {}
        for cell in cells:
            difference, n = areas(cell, without)
            known = experiments.setdefault(cell[1:], [])
            if not isnan(difference):
                known.append((difference, n))
        if not all(experiments.values()):
            return nan
        return float(np.mean([sum(d * n for d, n in e) / sum(n for _, n in e) for e in experiments.values()]))

    comparable = all(isnan(own[c].area(c[1])[0]) == isnan(baseline[c].area(c[1])[0]) for c in cells)
    differences = {cell: areas(cell) for cell in cells}
    return Endpoint(
        estimate=mean_area() if comparable else nan,
        left_out=[mean_area(speaker) for speaker in speakers] if comparable else [],
        replicates=_replicates(
            {c: d for c, (d, _) in differences.items()}, {c: n for c, (_, n) in differences.items()}
        ),
        by_fold=_by_fold({cell: difference for cell, (difference, _) in differences.items()}),
        tested=_tested(own, cells),
    )


def uar_endpoint(own: Runs, baseline: Runs, cells: Sequence[Cell], counts: IntArray, *, known: bool) -> Endpoint:
    """Compare the UAR of the pooled folds.

    Parameters
    ----------
    own, baseline, cells
        As for `area_endpoint`.
    counts : ndarray of int64 [shape=(n_speakers, 2, n_experiments, n_classes, n_classes)]
        Confusion matrices of both, by speaker.
    known : bool
        Whether the speakers are.
    """

    def difference(of: IntArray) -> float:
        return pooled_uar(of[0]) - pooled_uar(of[1])

    total = counts.sum(axis=0)
    by_cell = {cell: own[cell].result.metrics["uar"] - baseline[cell].result.metrics["uar"] for cell in cells}
    return Endpoint(
        estimate=difference(total),
        left_out=[difference(total - one) for one in counts] if known else [],
        replicates=_replicates(by_cell, {cell: len(own[cell].result.utterances) for cell in cells}),
        by_fold=_by_fold(by_cell),
        tested=_tested(own, cells),
    )


def _replicates(difference: Mapping[Cell, float], n: Mapping[Cell, int]) -> list[tuple[float, list[float]]]:
    """Differences of each fold and class over its seeds, and its weight by its utterances."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in difference:
        groups.setdefault(cell[:2], []).append(cell)
    total = sum(n.values())
    return [
        (sum(n[cell] for cell in group) / total, [difference[cell] for cell in group])
        for group in groups.values()
        if isfinite(difference[group[0]])
    ]


def _by_fold(difference: Mapping[Cell, float]) -> list[float]:
    """Difference of each fold, averaged over reduced classes and seeds."""
    folds: dict[str, list[float]] = {}
    for cell, value in difference.items():
        folds.setdefault(cell[0], []).append(value)
    return [float(np.mean(values)) for values in folds.values()]


def _tested(runs: Runs, cells: Sequence[Cell]) -> float:
    """Size of all test sets together in training sets: what is neither tested nor for validation is trained on.

    Utterances are counted before any is removed: it is people and sentences that a training set has or lacks. Folds
    that were not run are missing here, and training sets seem smaller than they were: it errs to the safe side.
    """
    tests, apart = {}, {}
    for cell in cells:
        result = runs[cell].result
        tests[cell[0]] = {u.key for u in result.utterances}
        apart[cell[0]] = tests[cell[0]] | {u.key for u in result.validation}
    everything = set().union(*apart.values()) if apart else set()
    trained = [len(everything - own) for own in apart.values()]
    n_tested = sum(map(len, tests.values()))
    return n_tested / (sum(trained) / len(trained)) if trained and sum(trained) else nan
