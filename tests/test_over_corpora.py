"""Several corpora in one comparison: the mean against a slow recomputation, how often it errs, what is refused."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from conftest import Outcome
from scipy.stats import t as student_t
from test_report import FOLDS, make_run

from sertools.errors import ModelError, UsageError
from sertools.reporting.reports.corpora_table import render_corpora
from sertools.scoring.comparing.corpora import mean_of, over_corpora
from sertools.scoring.comparing.statistics import Interval
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result
from sertools.scoring.results.result_file import write_result
from sertools.verb_config import Format

SEEDS = ("0", "1", "2")


def of_corpus(name: str, method: str, skill: float, seeds: Sequence[str] = SEEDS) -> list[Result]:
    """Runs of a method on every fold; other corpora, other mistakes."""
    runs = [make_run(method, fold, "angry", seed + str(len(name)), skill=skill) for fold in FOLDS for seed in seeds]
    return [
        replace(
            run,
            utterances=tuple(replace(u, corpus=name) for u in run.utterances),
            source=f"{name}-{run.source}",
        )
        for run in runs
    ]


BASE = [*of_corpus("alpha", "imbalanced", 0.4), *of_corpus("betas", "imbalanced", 0.5)]
BOTH = [*BASE, *of_corpus("alpha", "gan", 0.8), *of_corpus("betas", "gan", 0.7)]


def interval(estimate: float, error: float, df: int) -> Interval:
    half = float(student_t.ppf(0.975, df)) * error
    return Interval(estimate, estimate - half, estimate + half, df)


def test_the_mean_is_that_of_independent_estimates() -> None:
    found, p = mean_of([interval(0.04, 0.01, 9), interval(0.02, 0.03, 4), interval(0.0, 0.02, 20)])
    variances = np.array([0.01, 0.03, 0.02]) ** 2
    error = np.sqrt(variances.sum()) / 3
    df = int(variances.sum() ** 2 / (variances**2 / [9, 4, 20]).sum())
    assert found.estimate == pytest.approx(0.02)
    assert found.df == df == 9
    assert found.high - found.estimate == pytest.approx(student_t.ppf(0.975, df) * error)
    assert p == pytest.approx(2 * student_t.sf(0.02 / error, df))


def test_corpora_that_all_say_nothing_differ_by_nothing() -> None:
    assert mean_of([Interval(0.0, 0.0, 0.0, 3)] * 2) == (Interval(0.0, 0.0, 0.0, 6), 1.0)


def test_the_mean_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    errors, dfs, truth = np.array([0.01, 0.02, 0.04]), np.array([11, 9, 24]), np.array([0.03, 0.0, -0.01])
    n, hits, found = 4000, 0, 0
    for _ in range(n):
        estimates = truth + errors * rng.standard_normal(3)
        spreads = errors * np.sqrt(rng.chisquare(dfs) / dfs)
        mean, _ = mean_of([interval(*each) for each in zip(estimates, spreads, dfs.tolist(), strict=True)])
        hits += mean.low <= truth.mean() <= mean.high
        _, p = mean_of([interval(*each) for each in zip(estimates - truth, spreads, dfs.tolist(), strict=True)])
        found += p < 0.05
    assert 0.94 < hits / n < 0.97
    assert 0.03 < found / n < 0.06


def test_each_corpus_says_what_its_own_table_says() -> None:
    report = over_corpora(BOTH)
    assert list(report.reports) == ["alpha", "betas"]
    (row,) = report.rows
    for name in ("alpha", "betas"):
        alone = summarise([run for run in BOTH if run.utterances[0].corpus == name]).rows[1]
        assert row.primary[name] == alone.anew_difference
        assert row.uar[name] == alone.anew_uar_difference
    assert row.mean_primary is not None
    assert row.mean_uar is not None
    both = [each for each in row.primary.values() if each]
    assert (row.mean_primary, row.p) == mean_of(both)
    assert row.mean_uar.estimate == pytest.approx(np.mean([each.estimate for each in row.uar.values() if each]))
    assert row.p_holm == row.p


def test_a_method_that_a_corpus_lacks_has_no_mean() -> None:
    report = over_corpora([*BOTH, *of_corpus("alpha", "smote", 0.6)])
    row = next(row for row in report.rows if row.method == "smote")
    assert row.primary["betas"] is row.mean_primary is row.mean_uar is None
    assert np.isnan(row.p_holm)


@pytest.mark.parametrize("format", get_args(Format))
def test_every_format_holds_every_corpus_and_the_mean(format: Format) -> None:
    text = render_corpora(over_corpora(BOTH), format)
    assert all(name in text for name in ("alpha", "betas", "mean", "gan"))
    assert "nan" not in text.replace("imbalanced", "").lower()


def test_csv_and_json_hold_the_bounds() -> None:
    report = over_corpora(BOTH)
    mean = report.rows[0].mean_primary
    assert mean is not None
    (line,) = csv.DictReader(io.StringIO(render_corpora(report, "csv")))
    assert float(line["primary_mean_low"]) == pytest.approx(100 * mean.low, abs=0.05)
    document = json.loads(render_corpora(report, "json"))
    assert document["rows"][0]["uar_alpha"].keys() == {"estimate", "low", "high"}
    assert document["corpora"]["betas"]["n_folds"] == len(FOLDS)


@pytest.mark.parametrize(
    ("results", "baseline", "error", "said"),
    [
        (of_corpus("alpha", "imbalanced", 0.5), None, UsageError, "all results are of alpha"),
        ([*BASE, make_run("gan")], None, ModelError, "gan-1-angry-0.json: its utterances name no corpus"),
        ([run for run in BOTH if run.tags["method"] == "gan"], None, UsageError, "name it by --baseline"),
        (BOTH, "smote", UsageError, "no result has the tag method=smote"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    results: Sequence[Result], baseline: str | None, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        over_corpora(results, baseline)


def test_the_command_prints_the_table_and_info_reads_it(call: Callable[..., Outcome], tmp_path: Path) -> None:
    for run in BOTH:
        with (tmp_path / run.source).open("w", encoding="utf-8") as stream:
            write_result(run, stream)
    names = sorted(run.source for run in BOTH)
    text = call("report", *names, "--layout", "corpora", "--baseline", "gan")
    assert text.code == 0
    assert text.out.startswith("angry AUC vs gan")
    document = call("report", *names, "--layout", "corpora", "--format", "json")
    (tmp_path / "table.json").write_text(document.out, encoding="utf-8")
    shown = json.loads(call("info", "table.json").out)
    assert shown["layout"] == "corpora"
    assert shown["methods"]["gan"]["difference"].startswith("+")
    refused = call("report", *names, "--layout", "corpora", "--html", "p.html")
    assert (refused.code, refused.out) == (2, "")
