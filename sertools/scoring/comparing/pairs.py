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
from sertools.scoring.comparing.anew import Endpoint, trained_anew
from sertools.scoring.comparing.endpoints import area_endpoint, uar_endpoint
from sertools.scoring.comparing.resampling import utterance_bootstrap
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
        As `uar`, each at its own operating point, which is kept as it is when a speaker is left out.
    anew : Interval or None
        What the method does when it is trained anew: of the reduced class's AUC, or of the UAR where none is reduced.
    anew_uar : Interval or None
        The same of the UAR, whatever is reduced.
    p : float [range=0…1]
        Of that difference; NaN if there is no test.
    lacks : str
        Why `anew` has no bounds.
    """

    uar: Interval | None
    recall: Interval | None
    auc: Interval | None
    adjusted_uar: Interval | None
    anew: Interval | None
    anew_uar: Interval | None
    p: float
    lacks: str


NO_DIFFERENCES = Differences(
    uar=None, recall=None, auc=None, adjusted_uar=None, anew=None, anew_uar=None, p=nan, lacks=""
)


def paired_differences(
    own: Mapping[Cell, ScoredRun], baseline: Mapping[Cell, ScoredRun], *, adjusted: bool
) -> Differences:
    """Compare a method with another.

    Parameters
    ----------
    own, baseline : mapping of cell to ScoredRun
        The runs of each.
    adjusted : bool
        Compare at each one's own operating point too; every result must hold a validation set and a prior.

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
    found = endpoint(own, baseline)
    anew, p = trained_anew(found)
    reduced = [own[cells[0]].result.classes.index(r) for r, _ in experiments] if _all_reduced(cells) else []
    return Differences(
        uar=_difference(counts, pooled_uar),
        recall=_difference(counts, lambda c: float(recalls(c)[range(len(reduced)), reduced].mean()))
        if reduced
        else None,
        auc=_known(jackknife_interval(found.estimate, found.left_out)) if reduced else None,
        adjusted_uar=_difference(pooled_counts([own, baseline], adjusted=True), pooled_uar) if adjusted else None,
        anew=_known(anew),
        anew_uar=_known(
            trained_anew(uar_endpoint(own, baseline, cells, counts, known=bool(_speakers(own, cells))))[0]
        ),
        p=p,
        lacks=found.lacks(),
    )


def endpoint(own: Mapping[Cell, ScoredRun], baseline: Mapping[Cell, ScoredRun]) -> Endpoint:
    """Give the difference that methods are judged by: the reduced class's AUC, or the UAR where none is reduced.

    Raises
    ------
    ModelError
        If a pair was tested on different utterances.
    """
    cells = shared_cells([own, baseline])
    speakers = _speakers(own, cells)
    if _all_reduced(cells):
        return area_endpoint(own, baseline, cells, speakers)
    return uar_endpoint(own, baseline, cells, pooled_counts([own, baseline]), known=bool(speakers))


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
            confusions = runs[cell].adjusted if adjusted else runs[cell].confusions
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
    return _known(jackknife_t(counts, lambda c: score(c[0]) - score(c[1])))


def _known(found: Interval) -> Interval | None:
    return None if isnan(found.estimate) else found


def _speakers(runs: Mapping[Cell, ScoredRun], cells: Sequence[Cell]) -> list[str]:
    """All speakers, sorted; nobody where some utterance names none."""
    speakers = sorted({s for cell in cells for s in runs[cell].confusions})
    return [] if "" in speakers else speakers


def _all_reduced(cells: Sequence[Cell]) -> bool:
    return bool(cells) and all(reduced for _, reduced, _ in cells)
