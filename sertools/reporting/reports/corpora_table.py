"""A comparison over several corpora written out: each corpus, then their mean."""

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any

from sertools.reporting.reports.answer import answer_over
from sertools.reporting.reports.formats import TextTable, rounded_percent, write_tables
from sertools.reporting.reports.layouts import FACTS
from sertools.reporting.reports.tables import interval_text, p_value_text
from sertools.scoring.comparing.comparison import NEW_TRAINING
from sertools.scoring.comparing.corpora import CorporaReport, OverCorpora
from sertools.scoring.comparing.statistics import Interval
from sertools.verb_config import Format

_MEAN = "mean"


def render_corpora(report: CorporaReport, format: Format = "text") -> str:
    """Write a comparison over corpora; a table of what methods are judged by, and one of the UAR.

    Parameters
    ----------
    report : CorporaReport
        What `over_corpora` made.
    format : {"text", "markdown", "csv", "latex", "json"}
        CSV leaves the notes out.

    Returns
    -------
    str
        Ends in a newline.
    """
    document = {
        "layout": "corpora",
        "unit": "percent",
        "baseline": report.baseline,
        "corpora": {name: {each: getattr(own, each) for each in FACTS} for name, own in report.reports.items()},
        "rows": [_record(row) for row in report.rows],
        "answer": answer_over(report).sentences,
        "notes": _notes(report),
    }
    tables = [_table(report, report.primary, judged=True)]
    if report.primary != "UAR":
        tables.append(_table(report, "UAR", judged=False))
    return write_tables(format, tables, document)


def _table(report: CorporaReport, score: str, *, judged: bool) -> TextTable:
    columns = [[f"{score} vs {report.baseline}", *(row.method for row in report.rows)]]
    for name in report.reports:
        found = [row.primary[name] if judged else row.uar[name] for row in report.rows]
        columns.append([name, *(interval_text(each, "+") for each in found)])
    means = [row.mean_primary if judged else row.mean_uar for row in report.rows]
    columns.append([_MEAN, *(interval_text(each, "+") for each in means)])
    if judged:
        columns.append(["p (Holm)", *(p_value_text(row.p_holm) for row in report.rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def _record(row: OverCorpora) -> dict[str, Any]:
    parts: dict[str, Mapping[str, Interval | None]] = {
        "primary": {**row.primary, _MEAN: row.mean_primary},
        "uar": {**row.uar, _MEAN: row.mean_uar},
    }
    record: dict[str, Any] = {"method": row.method}
    for score, found in parts.items():
        record |= {f"{score}_{name}": _bounds(each) for name, each in found.items()}
    for name, p in (("p", row.p), ("p_holm", row.p_holm)):
        record[name] = round(p, 4) + 0.0 if isfinite(p) else None
    return record


def _bounds(found: Interval | None) -> dict[str, float | None]:
    estimate, low, high = (found.estimate, found.low, found.high) if found else (nan, nan, nan)
    return {"estimate": rounded_percent(estimate), "low": rounded_percent(low), "high": rounded_percent(high)}


def _notes(report: CorporaReport) -> list[str]:
    sizes = [
        f"{name} ({own.n_speakers} speakers, {own.n_folds} folds, {own.n_seeds} seeds"
        + (f"; reduced: {', '.join(own.reduced)})" if own.reduced else ")")
        for name, own in report.reports.items()
    ]
    notes = [
        f"Differences in points with 95 % intervals: {NEW_TRAINING}. Tested on {', '.join(sizes)}.",
        "mean: every corpus counts alike; the corpora are independent of each other, and the interval is about these "
        "corpora. p is of the mean, corrected for the number of methods.",
    ]
    for name, own in report.reports.items():
        for reason in sorted({row.lacks for row in own.rows if row.lacks}):
            methods = ", ".join(row.method for row in own.rows if row.lacks == reason)
            notes.append(f"{name}: no interval of {methods}: {reason}.")
        notes += [f"{name}: {caution}" for caution in own.cautions]
    return notes
