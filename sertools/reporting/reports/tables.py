"""The summary of a report, as tables and as plain values.

Text, Markdown and LaTeX hold three tables: the methods' scores; their differences from the baseline in what they are
judged by, of the method and of these classifiers; and the differences of other scores, of these classifiers alone.
What else a row knows stands in CSV and JSON: UAR of each reduced class, recall of each class, pooled UAR and its
test-set noise, the difference of the recall, biases, p-values before Holm's correction, ties, training rows, updates.

Scores are fractions in a `Report` and percent with one decimal here; p-values and biases stay as they are. What does
not exist is null in JSON, empty in CSV and a dash elsewhere.
"""

from dataclasses import asdict
from math import isfinite, isnan, nan
from typing import Any

from sertools.reporting.reports.formats import DASH, TextTable, percent, rounded_percent
from sertools.scoring.comparing.comparison import NEW_SPEAKERS, NEW_TRAINING, Report, Row
from sertools.scoring.comparing.statistics import Interval

_FRACTIONS = (
    *("uar", "uar_sd", "pooled_uar", "reduced_recall", "reduced_auc", "macro_f1", "macro_f1_sd"),
    *("posthoc_uar", "adjusted_uar", "adjusted_recall", "noise_low", "noise_high", "d_auc"),
)


def summary_document(report: Report) -> dict[str, Any]:
    """Give all that a report holds as plain values, in percent."""
    rows = [_record(report, row) for row in report.rows]
    document = asdict(report) | {"rows": rows, "notes": [*report.notes, *report.cautions], "unit": "percent"}
    del document["averaged"], document["cautions"]  # both in the notes
    return {"layout": "summary", **document}


def difference_tables(report: Report) -> list[TextTable]:
    """Differences from the baseline, as head and rows of text; none without another method.

    The first table asks both questions of what methods are judged by, the second one of the other scores.
    """
    if not report.baseline or len(report.rows) < 2:
        return []
    others = _differences(report)
    return [_judged(report), *([others] if len(others[0]) > 1 else [])]


def _judged(report: Report) -> TextTable:
    rows = [row for row in report.rows if row.method != report.baseline]
    classifiers = [row.auc_difference if report.reduced else row.difference for row in rows]
    columns = [
        [f"{report.primary} vs {report.baseline}", *(row.method for row in rows)],
        [NEW_TRAINING, *(interval_text(row.anew_difference, "+") for row in rows)],
        ["p (Holm)", *(p_value_text(row.p_holm) for row in rows)],
        [NEW_SPEAKERS, *(interval_text(interval, "+") for interval in classifiers)],
    ]
    return [list(line) for line in zip(*columns, strict=True)]


def _reduced(report: Report) -> str:
    return report.reduced[0] if len(report.reduced) == 1 else "reduced"


def score_table(report: Report) -> TextTable:
    """Scores of every method, as head and rows of text."""
    rows = report.rows
    columns = [
        ["method", *(f"{row.method} (seen!)" if row.seen else row.method for row in rows)],
        ["UAR", *(percent(row.uar, row.uar_sd) for row in rows)],
    ]
    if report.reduced:
        columns.append([f"{_reduced(report)} recall", *(percent(row.reduced_recall) for row in rows)])
        columns.append([f"{_reduced(report)} AUC", *(percent(row.reduced_auc) for row in rows)])
    columns.append(["macro F1", *(percent(row.macro_f1) for row in rows)])
    if report.posthoc:
        columns.append(["posthoc UAR", *(percent(row.posthoc_uar) for row in rows)])
    if report.adjusted:
        columns.append(["adj. UAR", *(percent(row.adjusted_uar) for row in rows)])
    if report.adjusted and report.reduced:
        columns.append(["adj. recall", *(percent(row.adjusted_recall) for row in rows)])
    if any(isfinite(row.d_auc) for row in rows):
        columns.append(["D's AUC", *(percent(row.d_auc) for row in rows)])
    columns.append(["n", *(str(row.n_results) for row in rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def _differences(report: Report) -> TextTable:
    rows = [row for row in report.rows if row.method != report.baseline]
    columns = [[f"{NEW_SPEAKERS}, vs {report.baseline}", *(row.method for row in rows)]]
    if report.reduced:
        columns.append(["UAR", *(interval_text(row.difference, "+") for row in rows)])
    if report.adjusted:
        columns.append(["adj. UAR", *(interval_text(row.adjusted_difference, "+") for row in rows)])
    if any(row.closure for row in rows):
        columns.append(["gap closed", *(interval_text(row.closure, "") for row in rows)])
    return [list(line) for line in zip(*columns, strict=True)]


def _record(report: Report, row: Row) -> dict[str, Any]:
    """Give a row as plain values, in percent; None where there is no number."""
    record = asdict(row)
    for name in _FRACTIONS:
        record[name] = rounded_percent(record[name])
    for name in ("uar_by_reduced", "uar_sd_by_reduced", "recall"):
        record[name] = {c: rounded_percent(value) for c, value in record[name].items()}
    # Not percent.
    for name, digits in (("bias", 2), ("p", 4), ("p_holm", 4), ("n_updates", 1)):
        record[name] = round(record[name], digits) + 0.0 if isfinite(record[name]) else None
    record["n_train_rows"] = {origin: n if isfinite(n) else None for origin, n in row.n_train_rows.items()}
    for name in [name for name in record if name == "closure" or name.endswith("difference")]:
        bounds = record[name] or {}
        record[name] = {part: rounded_percent(bounds.get(part, nan)) for part in ("estimate", "low", "high")}
    return record


def interval_text(interval: Interval | None, sign: str) -> str:
    """Estimate and bounds in percent; the estimate alone where there are none."""
    if interval is None:
        return DASH
    low, high = (percent(bound, sign=sign) for bound in (interval.low, interval.high))
    return percent(interval.estimate, sign=sign) + (f" [{low}, {high}]" if DASH not in (low, high) else "")


def p_value_text(p: float) -> str:
    """Three digits; a dash where there is no test."""
    return DASH if isnan(p) else f"{p:.3f}" if p >= 0.0005 else "<0.001"
