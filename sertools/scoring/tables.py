"""A report written out: as text, Markdown, LaTeX, CSV or JSON.

Scores are fractions in a `Report` and percent with one decimal here. What does not exist is null in JSON, empty in
CSV and a dash elsewhere.
"""

import csv
import io
import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite, nan
from typing import Any, Literal, get_args

from sertools.errors import UsageError
from sertools.scoring.comparison import Report, Row
from sertools.scoring.statistics import Interval

Format = Literal["text", "markdown", "csv", "latex", "json"]
_DASH = "\N{EN DASH}"


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
    if format not in get_args(Format):
        raise UsageError(f"format {format!r} is unknown: use one of {', '.join(get_args(Format))}")
    write = {"text": _text, "markdown": _markdown, "csv": _csv, "latex": _latex, "json": _json}[format]
    return "\n".join(write(report)) + "\n"


def _table(report: Report) -> list[list[str]]:
    """Head and rows as text."""
    rows = report.rows
    several = len(report.reduced) > 1
    uar = [_percent(row.uar) + (f" ± {_percent(row.uar_sd)}" if isfinite(row.uar_sd) else "") for row in rows]
    columns = [
        ["method", *(f"{row.method} (seen!)" if row.seen else row.method for row in rows)],
        ["UAR", *uar],
    ]
    if several:
        columns += [[f"UAR {c}", *(_percent(row.uar_by_reduced[c]) for row in rows)] for c in report.reduced]
    if report.reduced:
        of = "reduced" if several else report.reduced[0]
        columns.append([f"{of} recall", *(_percent(row.reduced_recall) for row in rows)])
        columns.append([f"{of} AUC", *(_percent(row.reduced_auc) for row in rows)])
    columns.append(["macro F1", *(_percent(row.macro_f1) for row in rows)])
    columns.append(["n", *(str(row.n_results) for row in rows)])
    columns.append(["ties", *(str(row.n_ties) for row in rows)])
    if report.baseline:
        columns.append([f"vs {report.baseline}", *(_interval(row.difference, "+") for row in rows)])
    if any(row.closure for row in rows):
        columns.append(["gap closed", *(_interval(row.closure, "") for row in rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def _text(report: Report) -> list[str]:
    table = _table(report)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for line in table:
        # The UAR may be followed by ±: its decimal points meet on the left.
        cells = [*map(str.ljust, line[:2], widths[:2]), *map(str.rjust, line[2:], widths[2:])]
        lines.append("  ".join(cells))
    return [*lines, "", *(textwrap.fill(note, 100, break_on_hyphens=False) for note in report.notes)]


def _markdown(report: Report) -> list[str]:
    table = [[cell.replace("|", r"\|") for cell in line] for line in _table(report)]
    table.insert(1, ["---"] + ["---:"] * (len(table[0]) - 1))
    return [*(f"| {' | '.join(line)} |" for line in table), "", *(f"- {note}" for note in report.notes)]


def _latex(report: Report) -> list[str]:
    special = str.maketrans(
        {c: rf"\{c}" for c in "&%$#_{}"}
        | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
        | {"±": r"$\pm$", _DASH: "--"}
    )
    lines = [" & ".join(cell.translate(special) for cell in line) + r" \\" for line in _table(report)]
    head, *body = [re.sub(r"(?<!\w)-(?=\d)", "$-$", line) for line in lines]  # minus, not hyphen
    columns = "l" + "r" * (len(_table(report)[0]) - 1)
    table = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\hline",
        head,
        r"\hline",
        *body,
        r"\hline",
        r"\end{tabular}",
    ]
    return [*table, *(f"% {note}" for note in report.notes)]


def _csv(report: Report) -> list[str]:
    stream = io.StringIO()
    records = [_flat(_record(report, row)) for row in report.rows]
    writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue().splitlines()


def _json(report: Report) -> list[str]:
    document = asdict(report) | {"rows": [_record(report, row) for row in report.rows], "unit": "percent"}
    return [json.dumps(document, indent=1, ensure_ascii=False)]


def _record(report: Report, row: Row) -> dict[str, Any]:
    """Give a row as plain values, in percent; None where there is no number."""
    record = asdict(row)
    for name in ("uar", "uar_sd", "pooled_uar", "reduced_recall", "reduced_auc", "macro_f1"):
        record[name] = _rounded(record[name])
    for name in ("uar_by_reduced", "recall"):
        record[name] = {c: _rounded(value) for c, value in record[name].items()}
    for name in ("difference", "closure"):
        bounds = record[name] or {}
        record[name] = {part: _rounded(bounds.get(part, nan)) for part in ("estimate", "low", "high")}
    return record


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Join nested names: {"recall": {"sad": 1}} becomes {"recall_sad": 1}."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{part}": item for part, item in value.items()}
        else:
            flat[name] = value
    return flat


def _rounded(fraction: float) -> float | None:
    return round(100 * fraction, 1) + 0.0 if isfinite(fraction) else None  # + 0.0: no -0.0


def _percent(fraction: float, sign: str = "") -> str:
    value = _rounded(fraction)
    return _DASH if value is None else f"{value:{sign}.1f}"


def _interval(interval: Interval | None, sign: str) -> str:
    if interval is None:
        return _DASH
    low, high = (_percent(bound, sign) for bound in (interval.low, interval.high))
    return _percent(interval.estimate, sign) + (f" [{low}, {high}]" if _DASH not in (low, high) else "")
