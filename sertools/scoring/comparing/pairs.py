"""Two methods on the same test utterances: their differences, with what speakers and folds say of them.

Runs of two methods in the same cell are a pair. An experiment is a reduced class and a seed, and pools its folds;
averages over experiments are taken before any spread is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from sertools.arrays import IntArray
from sertools.errors import ModelError
from sertools.metrics import recalls
from sertools.scoring.comparing.resampling import corrected_resampled_t, utterance_bootstrap
from sertools.scoring.comparing.runs import Cell, ScoredRun
from sertools.scoring.comparing.statistics import Interval, gap_closure, jackknife_interval, jackknife_t, pooled_uar


@dataclass(frozen=True, kw_only=True)
class Differences:
    """A method minus the baseline, over the cells that both have; None where nothing can be said.

    Attributes
    ----------
    uar : Interval or None
        Of the pooled folds, over speakers.
    recall, auc : Interval or None
        Of the reduced class, over speakers.
    adjusted_uar : Interval or None
        As `uar`, each at its own bias, which is kept as it is when a speaker is left out.
    over_folds : Interval or None
        Mean difference of the folds' UAR, by Nadeau and Bengio.
    p : float [range=0…1]
        Of that difference; NaN if there is no test.
    """

    uar: Interval | None
    recall: Interval | None
    auc: Interval | None
    adjusted_uar: Interval | None
    over_folds: Interval | None
    p: float


NO_DIFFERENCES = Differences(uar=None, recall=None, auc=None, adjusted_uar=None, over_folds=None, p=nan)


def paired_differences(
    own: Mapping[Cell, ScoredRun], baseline: Mapping[Cell, ScoredRun], *, adjusted: bool
) -> Differences:
    """Compare a method with another.

    Parameters
    ----------
    own, baseline : mapping of cell to ScoredRun
        The runs of each.
    adjusted : bool
        Compare at each one's own bias too; every result must hold a validation set.

    Returns
    -------
    Differences
        Own minus baseline.

    Raises
    ------
    ModelError
        If a pair was tested on different utterances.
    """
    cells = shared_cells([own, baseline])
    experiments = sorted({cell[1:] for cell in cells})
    counts = pooled_counts([own, baseline])
    over_folds, p = corrected_resampled_t(_by_fold(own, baseline, cells))
    reduced = [own[cells[0]].result.classes.index(r) for r, _ in experiments] if _all_reduced(cells) else []
    return Differences(
        uar=_difference(counts, pooled_uar),
        recall=_difference(counts, lambda c: float(recalls(c)[range(len(reduced)), reduced].mean()))
        if reduced
        else None,
        auc=_area_difference(own, baseline, cells) if reduced else None,
        adjusted_uar=_difference(pooled_counts([own, baseline], adjusted=True), pooled_uar) if adjusted else None,
        over_folds=None if isnan(over_folds.estimate) else over_folds,
        p=p,
    )


def shared_cells(methods: Sequence[Mapping[Cell, ScoredRun]]) -> list[Cell]:
    """Find the cells that all methods fill, and check that each was tested on the same utterances in them."""
    check_test_sets(methods)
    return sorted(cell for cell in methods[0] if all(cell in other for other in methods[1:]))


def check_test_sets(methods: Sequence[Mapping[Cell, ScoredRun]]) -> None:
    """Refuse methods that were tested on other utterances in a cell that both fill: one had the easier test.

    Raises
    ------
    ModelError
        Naming both files.
    """
    first_of: dict[Cell, ScoredRun] = {}
    for runs in methods:
        for cell, run in runs.items():
            first = first_of.setdefault(cell, run)
            if run.test_set != first.test_set:
                same = {key for key, *_ in run.test_set} == {key for key, *_ in first.test_set}
                what = "has other labels or speakers of its utterances" if same else "was tested on other utterances"
                raise ModelError(
                    f"{run.result.source}: {what} than {first.result.source}, though their fold, reduced class and "
                    "seed agree; evaluate both on the same stores"
                )


def pooled_counts(methods: Sequence[Mapping[Cell, ScoredRun]], *, adjusted: bool = False) -> IntArray:
    """Add up the confusion matrices of the cells that all methods fill.

    Returns
    -------
    ndarray of int64 [shape=(n_speakers, n_methods, n_experiments, n_classes, n_classes)]
        One "speaker" where some utterance names none.
    """
    shared = shared_cells(methods)
    experiments = sorted({cell[1:] for cell in shared})
    speakers = _speakers(methods[0], shared)
    n_classes = len(next(iter(methods[0].values())).result.classes)
    counts = np.zeros((max(len(speakers), 1), len(methods), len(experiments), n_classes, n_classes), dtype=np.int64)
    for cell in shared:
        for m, runs in enumerate(methods):
            confusions = runs[cell].adjusted(cell[1])[1] if adjusted else runs[cell].confusions
            for speaker, confusion in confusions.items():
                s = speakers.index(speaker) if speakers else 0
                counts[s, m, experiments.index(cell[1:])] += confusion
    return counts


def gap_closed(
    own: Mapping[Cell, ScoredRun], imbalanced: Mapping[Cell, ScoredRun], full: Mapping[Cell, ScoredRun]
) -> Interval | None:
    """Share of the gap between two methods that a third closes; None unless the gap's own interval excludes 0."""
    counts = pooled_counts([own, imbalanced, full])
    gap = jackknife_t(counts, lambda c: pooled_uar(c[2]) - pooled_uar(c[1]))
    if not gap.low > 0:  # dividing by what may be nothing
        return None
    return jackknife_t(counts, lambda c: gap_closure(pooled_uar(c[0]), pooled_uar(c[1]), pooled_uar(c[2])))


def noise_of_test_set(own: Mapping[Cell, ScoredRun]) -> tuple[float, float]:
    """Bounds of the pooled UAR by `utterance_bootstrap`."""
    experiments = sorted({cell[1:] for cell in own})
    place: dict[tuple[tuple[str, str], str], int] = {}
    for run in own.values():
        for u in run.result.utterances:
            place.setdefault((u.key, u.emotion), len(place))
    right, tested = np.zeros((2, len(place), len(experiments)), dtype=np.int64)
    for cell, run in own.items():
        e = experiments.index(cell[1:])
        for u in run.result.utterances:
            tested[place[u.key, u.emotion], e] += 1
            right[place[u.key, u.emotion], e] += u.predicted == u.emotion
    classes = next(iter(own.values())).result.classes
    return utterance_bootstrap(right, tested, [classes.index(emotion) for _, emotion in place])


def _difference(counts: IntArray, score: Callable[[IntArray], float]) -> Interval | None:
    found = jackknife_t(counts, lambda c: score(c[0]) - score(c[1]))
    return None if isnan(found.estimate) else found


def _area_difference(
    own: Mapping[Cell, ScoredRun], baseline: Mapping[Cell, ScoredRun], cells: Sequence[Cell]
) -> Interval | None:
    """Compare the reduced class's areas: within folds, for posteriors of two classifiers share no scale.

    Folds weigh by their utterances of the class, so that a speaker who is left out takes their weight along. Folds
    that all weigh the same would leave it to the others of the fold, and the interval of 2 speakers per fold would be
    38 % too wide (it then covers 99 times in 100 instead of 96, over 400 simulated comparisons).
    """
    if any(isnan(own[c].area(c[1])[0]) != isnan(baseline[c].area(c[1])[0]) for c in cells):
        return None  # a rival without posteriors

    def mean_area(runs: Mapping[Cell, ScoredRun], without: str | None) -> float:
        areas: dict[tuple[str, str], list[tuple[float, int]]] = {}
        for cell in cells:
            area, n = runs[cell].area(cell[1], without)
            areas.setdefault(cell[1:], [])
            if not isnan(area):
                areas[cell[1:]].append((area, n))
        if not all(areas.values()):
            return nan
        return float(np.mean([np.average([a for a, _ in e], weights=[n for _, n in e]) for e in areas.values()]))

    def difference(without: str | None) -> float:
        return mean_area(own, without) - mean_area(baseline, without)

    found = jackknife_interval(difference(None), [difference(s) for s in _speakers(own, cells)])
    return None if isnan(found.estimate) else found


def _by_fold(own: Mapping[Cell, ScoredRun], baseline: Mapping[Cell, ScoredRun], cells: Sequence[Cell]) -> list[float]:
    """Difference of the UAR of each fold, averaged over reduced classes and seeds."""
    folds: dict[str, list[float]] = {}
    for cell in cells:
        first, second = own[cell].result.metrics["uar"], baseline[cell].result.metrics["uar"]
        folds.setdefault(cell[0], []).append(first - second)
    return [float(np.mean(values)) for values in folds.values()]


def _speakers(runs: Mapping[Cell, ScoredRun], cells: Sequence[Cell]) -> list[str]:
    """All speakers, sorted; nobody where some utterance names none."""
    speakers = sorted({s for cell in cells for s in runs[cell].confusions})
    return [] if "" in speakers else speakers


def _all_reduced(cells: Sequence[Cell]) -> bool:
    return bool(cells) and all(reduced for _, reduced, _ in cells)
