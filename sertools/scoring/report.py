"""Many results in one table: the paper's Tables 2 and 3, with intervals.

A run is one classifier on one test fold. Its tags place it: method (a row), fold, reduced class, seed. Runs
of two methods with the same fold, reduced class and seed are a pair. A method of which no run names a reduced
class, such as training on everything, stands in for every reduced class.

**Conventions.** Scores are fractions in memory and percent with one decimal in every format. A score that
does not exist is NaN in memory, null in JSON, empty in CSV and a dash elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite, isnan, nan

import numpy as np

from sertools.errors import ModelError, UsageError
from sertools.scoring.comparison import Report, Row
from sertools.scoring.metrics import IntArray, confusion_matrix
from sertools.scoring.result import EXTERNAL, TAGS, Result
from sertools.scoring.statistics import Interval, fold_mean_sd, gap_closure, jackknife_t, pooled_uar

FULL = "full"
IMBALANCED = "imbalanced"
# Rows of the table: references, the paper's Tables 1 and 3, the GAN without and with adversarial training.
ORDER = (
    *(FULL, IMBALANCED),
    *("CP", "SA", "SAR", "SARM", "SARB", "SARS", "RS0.4", "RS0.6", "RS0.8", "RS1.0"),
    *("decoder", "GAN"),
)
_Cell = tuple[str, str, str]  # fold, reduced class, seed


class _Run:
    """A result with its counts by speaker, counted once."""

    def __init__(self, result: Result):
        self.result = result
        self.test_set = frozenset((u.id, u.emotion, u.speaker) for u in result.utterances)
        truth, predicted = map(np.array, result.labels())
        speaker = np.array([u.speaker for u in result.utterances])
        self.confusions: dict[str, IntArray] = {
            str(s): confusion_matrix(truth[speaker == s], predicted[speaker == s], len(result.classes))
            for s in np.unique(speaker)
        }


def summarise(results: Sequence[Result], baseline: str | None = None) -> Report:
    """Average and compare the runs of each method.

    Parameters
    ----------
    results : sequence of Result
        Every run, in any order.
    baseline : str, optional
        Method that the others are compared with; by default "imbalanced" if there is one.

    Returns
    -------
    Report
        One row a method.

    Raises
    ------
    ModelError
        If a result has no method, two fill the same place, their classes differ, or a pair was tested on
        different utterances.
    UsageError
        If there is no result, or none of the baseline.
    """
    methods = _by_method(results)
    if baseline is None:
        baseline = IMBALANCED if IMBALANCED in methods else None
    elif baseline not in methods:
        raise UsageError(f"no result has the tag method={baseline}: name one of {', '.join(methods)}")
    classes = results[0].classes
    reduced = tuple(c for c in classes if any(r.tags.get("reduced") == c for r in results))
    runs = {id(r): _Run(r) for r in results}
    cells = {name: _cells([runs[id(r)] for r in own], reduced) for name, own in methods.items()}
    rows = tuple(_row(name, cells, baseline, reduced) for name in methods)
    report = Report(
        rows=rows,
        classes=classes,
        reduced=reduced,
        baseline=baseline,
        n_folds=len({r.tags.get("fold", "") for r in results}),
        n_seeds=len({r.tags.get("seed", "") for r in results}),
        n_speakers=len({s for run in runs.values() for s in run.confusions if s}),
        n_utterances=len({u.id for r in results for u in r.utterances}),
        averaged="",
        notes=(),
        cautions=tuple(_cautions(results, cells)),
    )
    averaged = _averaged(report)
    return replace(report, averaged=averaged, notes=(averaged, *_legend(report)))


def _by_method(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Sort the results into the rows of the table; refuse what cannot stand in one table."""
    if not results:
        raise UsageError("no results: name at least one file that 'sertools evaluate' wrote")
    methods: dict[str, list[Result]] = {}
    places: dict[tuple[str, ...], str] = {}
    for result in results:
        method = result.tags.get("method")
        if not method:
            raise ModelError(f"{result.source}: has no method tag; evaluate it with --tag method=NAME")
        if result.classes != results[0].classes:
            raise ModelError(
                f"{result.source}: has the classes {' '.join(result.classes)}, but {results[0].source} has "
                f"{' '.join(results[0].classes)}; report them apart"
            )
        place = (method, *_cell(result))
        if place in places:
            shown = " ".join(f"{tag}={value or '?'}" for tag, value in zip(TAGS, place, strict=True))
            raise ModelError(
                f"{result.source}: fills the same place as {places[place]} ({shown}); "
                "leave one out or evaluate it with another --tag fold or seed"
            )
        places[place] = result.source
        methods.setdefault(method, []).append(result)
    known = {name.casefold(): k for k, name in enumerate(ORDER)}
    return {name: methods[name] for name in sorted(methods, key=lambda name: known.get(name.casefold(), len(known)))}


def _cell(result: Result) -> _Cell:
    return result.tags.get("fold", ""), result.tags.get("reduced", ""), result.tags.get("seed", "")


def _cells(runs: Sequence[_Run], reduced: Sequence[str]) -> dict[_Cell, _Run]:
    cells = {_cell(run.result): run for run in runs}
    if any(r for _, r, _ in cells):
        return cells
    return {(fold, r, seed): run for (fold, _, seed), run in cells.items() for r in (reduced or [""])}


def _row(method: str, cells: Mapping[str, Mapping[_Cell, _Run]], baseline: str | None, reduced: Sequence[str]) -> Row:
    own = cells[method]
    metrics = {cell: run.result.metrics for cell, run in own.items()}
    results = list({id(run): run.result for run in own.values()}.values())
    uar, uar_sd = _average({cell: m["uar"] for cell, m in metrics.items()})
    by_reduced = {c: _average({cell: m["uar"] for cell, m in metrics.items() if cell[1] == c}) for c in reduced}
    macro_f1, macro_f1_sd = _average({cell: m["macro_f1"] for cell, m in metrics.items()})
    return Row(
        method=method,
        seen=any(r.allow_seen for r in results),
        uar=uar,
        uar_sd=uar_sd,
        pooled_uar=pooled_uar(_pooled([own]).sum(axis=0)),
        uar_by_reduced={c: mean for c, (mean, _) in by_reduced.items()},
        uar_sd_by_reduced={c: sd for c, (_, sd) in by_reduced.items()},
        reduced_recall=_average({cell: m["recall"].get(cell[1]) for cell, m in metrics.items()})[0],
        reduced_auc=_average({cell: m["auc"].get(cell[1]) for cell, m in metrics.items()})[0],
        macro_f1=macro_f1,
        macro_f1_sd=macro_f1_sd,
        recall={c: _average({cell: m["recall"][c] for cell, m in metrics.items()})[0] for c in results[0].classes},
        n_results=len(results),
        n_ties=sum(int(r.metrics["n_ties"]) for r in results),
        difference=_difference(own, cells[baseline]) if baseline and baseline != method else None,
        closure=_closure(method, cells),
    )


def _average(score: Mapping[_Cell, float | None]) -> tuple[float, float]:
    """Mean over folds, reduced classes and seeds, deviation over seeds; None where there is no score."""
    seeds = sorted({seed for _, _, seed in score})
    columns = sorted({cell[:2] for cell in score})
    table = np.full((len(seeds), len(columns)), nan)
    for cell, value in score.items():
        table[seeds.index(cell[2]), columns.index(cell[:2])] = nan if value is None else value
    return fold_mean_sd(table)


def _pooled(methods: Sequence[Mapping[_Cell, _Run]]) -> IntArray:
    """Add up the confusion matrices of the places that all methods fill.

    Gives counts of shape (n_speakers, n_methods, n_experiments, n_classes, n_classes); an experiment is a
    reduced class and a seed, and pools its folds. One "speaker" where some utterance names none.
    """
    shared = [cell for cell in methods[0] if all(cell in other for other in methods[1:])]
    for cell in shared:
        first, *others = (m[cell] for m in methods)
        for other in others:
            if other.test_set != first.test_set:
                raise ModelError(
                    f"{other.result.source}: was tested on other utterances than {first.result.source}, "
                    "though their fold, reduced class and seed agree; evaluate both on the same stores"
                )
    experiments = sorted({cell[1:] for cell in shared})
    speakers = sorted({s for cell in shared for s in methods[0][cell].confusions})
    known = bool(speakers) and speakers[0] != ""
    n_classes = len(next(iter(methods[0].values())).result.classes)
    counts = np.zeros(
        (len(speakers) if known else 1, len(methods), len(experiments), n_classes, n_classes), dtype=np.int64
    )
    for cell in shared:
        for m, runs in enumerate(methods):
            for speaker, confusion in runs[cell].confusions.items():
                s = speakers.index(speaker) if known else 0
                counts[s, m, experiments.index(cell[1:])] += confusion
    return counts


def _difference(own: Mapping[_Cell, _Run], baseline: Mapping[_Cell, _Run]) -> Interval | None:
    counts = _pooled([own, baseline])
    difference = jackknife_t(counts, lambda c: pooled_uar(c[0]) - pooled_uar(c[1]))
    return None if isnan(difference.estimate) else difference


def _closure(method: str, cells: Mapping[str, Mapping[_Cell, _Run]]) -> Interval | None:
    if method in (FULL, IMBALANCED) or FULL not in cells or IMBALANCED not in cells:
        return None
    counts = _pooled([cells[method], cells[IMBALANCED], cells[FULL]])
    gap = jackknife_t(counts, lambda c: pooled_uar(c[2]) - pooled_uar(c[1]))
    if not gap.low > 0:  # dividing by what may be nothing
        return None
    return jackknife_t(counts, lambda c: gap_closure(pooled_uar(c[0]), pooled_uar(c[1]), pooled_uar(c[2])))


def _averaged(report: Report) -> str:
    spread = " (± standard deviation over seeds)" if any(isfinite(row.uar_sd) for row in report.rows) else ""
    simulations = f", {len(report.reduced)} reduced classes" if len(report.reduced) > 1 else ""
    averaged = f"mean over {_number(report.n_folds, 'fold')}{simulations} and {_number(report.n_seeds, 'seed')}"
    tested = f"{_number(report.n_speakers, 'speaker')}, {_number(report.n_utterances, 'utterance')}"
    return f"All scores in percent, {averaged}{spread}; {tested}."


def _legend(report: Report) -> list[str]:
    notes = []
    if report.reduced:
        notes.append(f"Reduced: {', '.join(report.reduced)}. Recall and AUC (against the rest) are that class's.")
    if report.baseline:
        notes.append(
            f"vs {report.baseline}: difference of the UAR of the pooled folds, seeds averaged, in points "
            "[95 % delete-one-speaker jackknife t interval]; one that holds 0 leaves open which is better."
        )
    if any(row.closure for row in report.rows):
        notes.append(
            f"Gap closed: share of the pooled UAR between {IMBALANCED} and {FULL} that is won back "
            "[same interval, in percent]."
        )
    return notes


def _cautions(results: Sequence[Result], cells: Mapping[str, Mapping[_Cell, _Run]]) -> list[str]:
    """Say where the rows prove less than they seem to, or are not alike."""
    notes = []
    if any(r.allow_seen for r in results):
        notes.append("(seen!): a classifier had met rows of its test set; these numbers prove nothing.")
    trained = [r for r in results if r.model["arch"] != EXTERNAL]
    external = {r.tags["method"] for r in results if r.model["arch"] == EXTERNAL}
    rivals = [name for name in cells if name in external]
    if rivals:
        notes.append(
            f"Predicted by another tool: {', '.join(rivals)}. What it was trained on, and ties, cannot be seen here; "
            "no AUC without its posteriors."
        )
    if any(own.keys() != next(iter(cells.values())).keys() for own in cells.values()):
        notes.append("Methods differ in folds, reduced classes or seeds: compare differences, not means.")
    for what, values in (
        ("vote", {r.vote for r in trained}),
        ("architecture", {str(r.model["arch"]) for r in trained}),
        ("number of updates", {str(r.model["updates"]) for r in trained}),
    ):
        if len(values) > 1:
            notes.append(f"Classifiers differ in {what}: {', '.join(sorted(values))}.")
    n_partial = sum(None in r.metrics["recall"].values() for r in results)
    if n_partial:
        notes.append(f"{n_partial} of {len(results)} test sets lack a class; their UAR averages the others.")
    if any(not u.speaker for r in results for u in r.utterances):
        notes.append("No intervals where some utterances name no speaker.")
    return notes


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
