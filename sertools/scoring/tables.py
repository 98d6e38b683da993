"""A report written out: as text, Markdown, LaTeX, CSV or JSON.

Text, Markdown and LaTeX hold two tables: the methods' scores, and their differences from the baseline with intervals.
What else a row knows stands in CSV and JSON: UAR of each reduced class, recall of each class, pooled UAR and its
test-set noise, the difference of the recall, biases, p-values before Holm's correction, ties, training rows, updates.

Scores are fractions in a `Report` and percent with one decimal here; p-values and biases stay as they are. What does
not exist is null in JSON, empty in CSV and a dash elsewhere.
"""

import csv
import io
import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite, isnan, nan
from typing import Any, Literal, cast, get_args

from sertools.errors import UsageError
from sertools.scoring.comparison import Report, Row
from sertools.scoring.statistics import Interval

Format = Literal["text", "markdown", "csv", "latex", "json"]
_DASH = "\N{EN DASH}"
_FRACTIONS = (
    *("uar", "uar_sd", "pooled_uar", "reduced_recall", "reduced_auc", "macro_f1"),
    *("adjusted_uar", "adjusted_recall", "noise_low", "noise_high"),
)


def render(report: Report, format: Format = "text") -> str:
    """Write a report out.

    Parameters
    ----------
    report : Report
        What `summarise` made.
    format : {"text", "markdown", "csv", "latex", "json"}
        CSV leaves the notes out.

    Returns
    -------
    str
        Ends in a newline.

    Raises
    ------
    UsageError
        If the format is unknown.
    """
    writers = {"text": _text, "markdown": _markdown, "csv": _csv, "latex": _latex, "json": _json}
    return "\n".join(writers[check_format(format)](report)) + "\n"


def check_format(name: str) -> Format:
    """Refuse a format that is unknown.

    Parameters
    ----------
    name : str
        What was asked for.

    Returns
    -------
    {"text", "markdown", "csv", "latex", "json"}
        The same.

    Raises
    ------
    UsageError
        Naming the formats there are.
    """
    for known in get_args(Format):
        if name == known:
            return cast(Format, known)
    raise UsageError(f"format {name!r} is unknown: use one of {', '.join(get_args(Format))}")


def _tables(report: Report) -> list[list[list[str]]]:
    """Scores, and differences where there is a baseline and another method; each as head and rows of text."""
    return [_scores(report)] + ([_differences(report)] if report.baseline and len(report.rows) > 1 else [])


def _reduced(report: Report) -> str:
    return report.reduced[0] if len(report.reduced) == 1 else "reduced"


def _scores(report: Report) -> list[list[str]]:
    rows = report.rows
    uar = [_percent(row.uar) + (f" ± {_percent(row.uar_sd)}" if isfinite(row.uar_sd) else "") for row in rows]
    columns = [
        ["method", *(f"{row.method} (seen!)" if row.seen else row.method for row in rows)],
        ["UAR", *uar],
    ]
    if report.reduced:
        columns.append([f"{_reduced(report)} recall", *(_percent(row.reduced_recall) for row in rows)])
        columns.append([f"{_reduced(report)} AUC", *(_percent(row.reduced_auc) for row in rows)])
    columns.append(["macro F1", *(_percent(row.macro_f1) for row in rows)])
    if report.adjusted:
        columns.append(["adj. UAR", *(_percent(row.adjusted_uar) for row in rows)])
    if report.adjusted and report.reduced:
        columns.append(["adj. recall", *(_percent(row.adjusted_recall) for row in rows)])
    columns.append(["n", *(str(row.n_results) for row in rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def _differences(report: Report) -> list[list[str]]:
    rows = [row for row in report.rows if row.method != report.baseline]
    columns = [
        [f"vs {report.baseline}", *(row.method for row in rows)],
        ["UAR", *(_interval(row.difference, "+") for row in rows)],
        ["p (Holm)", *(_p_value(row.p_holm) for row in rows)],
    ]
    if report.reduced:
        columns.append([f"{_reduced(report)} AUC", *(_interval(row.auc_difference, "+") for row in rows)])
    if report.adjusted:
        columns.append(["adj. UAR", *(_interval(row.adjusted_difference, "+") for row in rows)])
    if any(row.closure for row in rows):
        columns.append(["gap closed", *(_interval(row.closure, "") for row in rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def _text(report: Report) -> list[str]:
    lines = []
    for table, n_left in zip(_tables(report), (2, 1), strict=False):
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for line in table:
            # The UAR may be followed by ±: its decimal points meet on the left.
            cells = [*map(str.ljust, line[:n_left], widths), *map(str.rjust, line[n_left:], widths[n_left:])]
            lines.append("  ".join(cells))
        lines.append("")
    return [*lines, *(textwrap.fill(note, 100, break_on_hyphens=False) for note in report.notes)]


def _markdown(report: Report) -> list[str]:
    lines = []
    for table in _tables(report):
        rows = [[cell.replace("|", r"\|") for cell in line] for line in table]
        rows.insert(1, ["---"] + ["---:"] * (len(table[0]) - 1))
        lines += [*(f"| {' | '.join(row)} |" for row in rows), ""]
    return [*lines, *(f"- {note}" for note in report.notes)]


def _latex(report: Report) -> list[str]:
    special = str.maketrans(
        {c: rf"\{c}" for c in "&%$#_{}"}
        | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
        | {"±": r"$\pm$", "<": r"$<$", _DASH: "--"}
    )
    lines = []
    for table in _tables(report):
        rows = [" & ".join(cell.translate(special) for cell in line) + r" \\" for line in table]
        head, *body = [re.sub(r"(?<!\w)-(?=\d)", "$-$", row) for row in rows]  # minus, not hyphen
        lines += [rf"\begin{{tabular}}{{l{'r' * (len(table[0]) - 1)}}}", r"\hline", head, r"\hline", *body, r"\hline"]
        lines += [r"\end{tabular}", ""]
    return [*lines, *(f"% {note}" for note in report.notes)]


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
    for name in _FRACTIONS:
        record[name] = _rounded(record[name])
    for name in ("uar_by_reduced", "recall"):
        record[name] = {c: _rounded(value) for c, value in record[name].items()}
    # Not percent.
    for name, digits in (("bias", 2), ("p", 4), ("p_holm", 4)):
        record[name] = round(record[name], digits) + 0.0 if isfinite(record[name]) else None
    for name in [name for name in record if name == "closure" or name.endswith("difference")]:
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


def _p_value(p: float) -> str:
    return _DASH if isnan(p) else f"{p:.3f}" if p >= 0.0005 else "<0.001"
