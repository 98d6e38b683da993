"""The summary: every method's scores and intervals, in all formats."""

from dataclasses import asdict
from math import nan
from typing import Any

from sertools.scoring.comparison import Report, Row
from sertools.scoring.formats import DASH, Format, percent, rounded, write_table
from sertools.scoring.statistics import Interval


def render(report: Report, format: Format = "text") -> str:
    """Write a report out.

    Parameters
    ----------
    report : Report
        What `summarise` made.
    format : {"text", "markdown", "csv", "latex", "json"}
        CSV and JSON also hold the recall of every class; CSV leaves the notes out.

    Returns
    -------
    str
        Ends in a newline.

    Raises
    ------
    UsageError
        If the format is unknown.
    """
    rows = [_record(report, row) for row in report.rows]
    document = asdict(report) | {"rows": rows, "notes": [*report.notes, *report.cautions], "unit": "percent"}
    del document["averaged"], document["cautions"]  # both in the notes
    return write_table(format, _table(report), document)


def _table(report: Report) -> list[list[str]]:
    """Head and rows as text."""
    rows = report.rows
    several = len(report.reduced) > 1
    columns = [
        ["method", *(f"{row.method} (seen!)" if row.seen else row.method for row in rows)],
        ["UAR", *(percent(row.uar, row.uar_sd) for row in rows)],
    ]
    if several:
        columns += [[f"UAR {c}", *(percent(row.uar_by_reduced[c]) for row in rows)] for c in report.reduced]
    if report.reduced:
        of = "reduced" if several else report.reduced[0]
        columns.append([f"{of} recall", *(percent(row.reduced_recall) for row in rows)])
        columns.append([f"{of} AUC", *(percent(row.reduced_auc) for row in rows)])
    columns.append(["macro F1", *(percent(row.macro_f1) for row in rows)])
    columns.append(["n", *(str(row.n_results) for row in rows)])
    columns.append(["ties", *(str(row.n_ties) for row in rows)])
    if report.baseline:
        columns.append([f"vs {report.baseline}", *(_interval(row.difference, "+") for row in rows)])
    if any(row.closure for row in rows):
        columns.append(["gap closed", *(_interval(row.closure, "") for row in rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def _record(report: Report, row: Row) -> dict[str, Any]:
    """Give a row as plain values, in percent; None where there is no number."""
    record = asdict(row)
    for name in ("uar", "uar_sd", "pooled_uar", "reduced_recall", "reduced_auc", "macro_f1", "macro_f1_sd"):
        record[name] = rounded(record[name])
    for name in ("uar_by_reduced", "uar_sd_by_reduced", "recall"):
        record[name] = {c: rounded(value) for c, value in record[name].items()}
    for name in ("difference", "closure"):
        bounds = record[name] or {}
        record[name] = {part: rounded(bounds.get(part, nan)) for part in ("estimate", "low", "high")}
    return record


def _interval(interval: Interval | None, sign: str) -> str:
    if interval is None:
        return DASH
    low, high = (percent(bound, sign=sign) for bound in (interval.low, interval.high))
    return percent(interval.estimate, sign=sign) + (f" [{low}, {high}]" if DASH not in (low, high) else "")
