"""Many results in one table: the paper's Tables 2 and 3, with intervals.

A run is one classifier on one test fold. Its tags place it: method (a row), fold, reduced class, seed. Runs
of two methods with the same fold, reduced class and seed are a pair. A method of which no run names a reduced
class, such as training on everything, stands in for every reduced class.

Rows stand as in `experiment.methods`, then in the order in which other methods first come among the results. No
seconds are reported: results are the same bytes on every run, so they hold no clock; rows and updates say what
training cost.

**Conventions.** Scores are fractions in memory and percent with one decimal in every format. A score that
does not exist is NaN in memory, null in JSON, empty in CSV and a dash elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite, nan
from statistics import fmean

import numpy as np

from sertools.errors import ModelError, UsageError
from sertools.experiment.methods import FULL, IMBALANCED, KNOWN
from sertools.metrics import recalls
from sertools.scoring.comparing.comparison import Report, Row
from sertools.scoring.comparing.notes import averaged_over, cautions, legend, trained_here
from sertools.scoring.comparing.pairs import (
    NO_DIFFERENCES,
    check_test_sets,
    gap_closed,
    noise_of_test_set,
    paired_differences,
    pooled_counts,
)
from sertools.scoring.comparing.power import Spread, spread_of
from sertools.scoring.comparing.resampling import holm
from sertools.scoring.comparing.runs import Cell, ScoredRun
from sertools.scoring.comparing.sightings import check_identities
from sertools.scoring.comparing.statistics import Interval, fold_mean_sd, pooled_uar
from sertools.scoring.results.discriminators import told_of_d
from sertools.scoring.results.reduction import reduction_of
from sertools.scoring.results.result import Result
from sertools.scoring.results.tags import TAGS


def summarise(results: Sequence[Result], baseline: str | None = None, *, same_speakers: bool = False) -> Report:
    """Average and compare the runs of each method.

    Parameters
    ----------
    results : sequence of Result
        Every run; the order settles that of the methods that are not in `experiment.methods`, and nothing else.
    baseline : str, optional
        Method that the others are compared with; by default "imbalanced" if there is one.
    same_speakers : bool
        Whether speakers of one name are one person in all corpora; otherwise those of each corpus are other people.

    Returns
    -------
    Report
        One row per method.

    Raises
    ------
    ModelError
        If a result has no method, two fill the same place, their classes differ, a pair was tested on
        different utterances, or one name stands for several: `check_identities`.
    UsageError
        If there is no result, or none of the baseline.
    """
    methods = _by_method(results)
    baseline = _baseline(methods, baseline)
    classes = results[0].classes
    reduced = tuple(c for c in classes if any(r.tags.get("reduced") == c for r in results))
    trained = trained_here(results)
    posthoc = bool(trained) and all(r.implied_prior for r in trained)
    adjusted = posthoc and all(r.validation for r in trained)
    runs = {id(r): ScoredRun(r, same_speakers=same_speakers) for r in results}
    cells = {name: _cells([runs[id(r)] for r in own], reduced) for name, own in methods.items()}
    check_test_sets(list(cells.values()))
    remarks = check_identities(results, same_speakers=same_speakers)
    origins = sorted({origin for r in results for origin in r.model["n_train_rows"]})
    rows = tuple(_row(name, cells, baseline, reduced, posthoc, adjusted, origins) for name in methods)
    # A reference is no strategy, and would cost the strategies power.
    corrected = holm([nan if row.method == FULL else row.p for row in rows])
    report = Report(
        rows=tuple(replace(row, p_holm=p) for row, p in zip(rows, corrected, strict=True)),
        classes=classes,
        reduced=reduced,
        baseline=baseline,
        posthoc=posthoc,
        adjusted=adjusted,
        n_folds=len({r.tags.get("fold", "") for r in results}),
        n_seeds=len({r.tags.get("seed", "") for r in results}),
        n_speakers=len({s for run in runs.values() for s in run.confusions if s}),
        n_utterances=len({u.key for r in results for u in r.utterances}),
        reduction=reduction_of(results),
        averaged="",
        notes=(),
        cautions=(*cautions(results, cells), *remarks),
    )
    averaged = averaged_over(report)
    return replace(report, averaged=averaged, notes=(averaged, *legend(report)))


def plan(
    results: Sequence[Result], baseline: str | None = None, *, same_speakers: bool = False
) -> tuple[str, dict[str, tuple[Spread | None, str]]]:
    """Take from results what an experiment of another size would need to know.

    Parameters
    ----------
    results, baseline, same_speakers
        As for `summarise`.

    Returns
    -------
    baseline : str
        The method that the others are compared with.
    spreads : dict
        Every other method → `power.spread_of` of its difference.

    Raises
    ------
    ModelError, UsageError
        As for `summarise`; `UsageError` also where there is nothing to compare with.
    """
    methods = _by_method(results)
    baseline = _baseline(methods, baseline)
    if baseline is None:
        raise UsageError("--power: there is no method 'imbalanced' to compare with; name another by --baseline")
    reduced = tuple(c for c in results[0].classes if any(r.tags.get("reduced") == c for r in results))
    cells = {
        name: _cells([ScoredRun(r, same_speakers=same_speakers) for r in own], reduced)
        for name, own in methods.items()
    }
    return baseline, {name: spread_of(own, cells[baseline]) for name, own in cells.items() if name != baseline}


def _baseline(methods: Mapping[str, Sequence[Result]], asked: str | None) -> str | None:
    if asked is None:
        return IMBALANCED if IMBALANCED in methods else None
    if asked not in methods:
        raise UsageError(f"no result has the tag method={asked}: name one of {', '.join(methods)}")
    return asked


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
    known = {name.casefold(): k for k, name in enumerate(KNOWN)}
    return {name: methods[name] for name in sorted(methods, key=lambda name: known.get(name.casefold(), len(known)))}


def _cell(result: Result) -> Cell:
    return result.tags.get("fold", ""), result.tags.get("reduced", ""), result.tags.get("seed", "")


def _cells(runs: Sequence[ScoredRun], reduced: Sequence[str]) -> dict[Cell, ScoredRun]:
    cells = {_cell(run.result): run for run in runs}
    if any(r for _, r, _ in cells):
        return cells
    return {(fold, r, seed): run for (fold, _, seed), run in cells.items() for r in (reduced or [""])}


def _row(
    method: str,
    cells: Mapping[str, Mapping[Cell, ScoredRun]],
    baseline: str | None,
    reduced: Sequence[str],
    posthoc: bool,
    adjusted: bool,
    origins: Sequence[str],
) -> Row:
    own = cells[method]
    metrics = {cell: run.result.metrics for cell, run in own.items()}
    results = list({id(run): run.result for run in own.values()}.values())
    classes = results[0].classes
    trained = trained_here(results)
    of_d = [told for r in results if isfinite((told := told_of_d(r.history)).auc)]
    uar, uar_sd = _average({cell: m["uar"] for cell, m in metrics.items()})
    by_reduced = {c: _average({cell: m["uar"] for cell, m in metrics.items() if cell[1] == c}) for c in reduced}
    macro_f1, macro_f1_sd = _average({cell: m["macro_f1"] for cell, m in metrics.items()})
    noise_low, noise_high = noise_of_test_set(own)
    posthoc = posthoc and all(r.implied_prior for r in results)
    adjusted = adjusted and all(r.validation for r in results)
    matched = own if adjusted else {}
    confusions = {cell: sum(run.adjusted.values()) for cell, run in matched.items()}
    found = NO_DIFFERENCES
    if baseline and baseline != method:
        both = adjusted and all(run.result.validation for run in cells[baseline].values())
        found = paired_differences(own, cells[baseline], adjusted=both)
    return Row(
        method=method,
        seen=any(r.allow_seen for r in results),
        uar=uar,
        uar_sd=uar_sd,
        pooled_uar=pooled_uar(pooled_counts([own]).sum(axis=0)),
        uar_by_reduced={c: mean for c, (mean, _) in by_reduced.items()},
        uar_sd_by_reduced={c: sd for c, (_, sd) in by_reduced.items()},
        reduced_recall=_average({cell: m["recall"].get(cell[1]) for cell, m in metrics.items()})[0],
        reduced_auc=_average({cell: m["auc"].get(cell[1]) for cell, m in metrics.items()})[0],
        macro_f1=macro_f1,
        macro_f1_sd=macro_f1_sd,
        recall={c: _average({cell: m["recall"][c] for cell, m in metrics.items()})[0] for c in classes},
        posthoc_uar=_average({cell: pooled_uar(sum(run.posthoc.values())) for cell, run in own.items()})[0]
        if posthoc
        else nan,
        adjusted_uar=_average({cell: pooled_uar(c) for cell, c in confusions.items()})[0],
        adjusted_recall=_average(
            {cell: float(recalls(c)[classes.index(cell[1])]) for cell, c in confusions.items() if cell[1]}
        )[0],
        bias=_average({cell: run.bias(cell[1]) for cell, run in matched.items() if cell[1]})[0],
        noise_low=noise_low,
        noise_high=noise_high,
        n_results=len(results),
        n_ties=sum(int(r.metrics["n_ties"]) for r in results),
        n_updates=fmean(r.model["updates"] for r in trained) if trained else nan,
        n_train_rows={
            origin: fmean(r.model["n_train_rows"].get(origin, 0) for r in trained) if trained else nan
            for origin in origins
        },
        d_auc=fmean(told.auc for told in of_d) if of_d else nan,
        d_auc_rows=tuple(sorted({told.rows for told in of_d})),
        difference=found.uar,
        recall_difference=found.recall,
        auc_difference=found.auc,
        adjusted_difference=found.adjusted_uar,
        anew_difference=found.anew,
        anew_uar_difference=found.anew_uar,
        p=found.p,
        p_holm=nan,
        lacks=found.lacks,
        closure=_closure(method, cells),
    )


def _average(score: Mapping[Cell, float | None]) -> tuple[float, float]:
    """Mean over folds, reduced classes and seeds, deviation over seeds; None where there is no score."""
    seeds = sorted({seed for _, _, seed in score})
    columns = sorted({cell[:2] for cell in score})
    table = np.full((len(seeds), len(columns)), nan)
    for cell, value in score.items():
        table[seeds.index(cell[2]), columns.index(cell[:2])] = nan if value is None else value
    return fold_mean_sd(table)


def _closure(method: str, cells: Mapping[str, Mapping[Cell, ScoredRun]]) -> Interval | None:
    if method in (FULL, IMBALANCED) or FULL not in cells or IMBALANCED not in cells:
        return None
    return gap_closed(cells[method], cells[IMBALANCED], cells[FULL])
