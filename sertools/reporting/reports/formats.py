"""Tables of text, their notes and records, written as text, Markdown, LaTeX, CSV or JSON.

Scores are fractions in memory and percent with one decimal here. What does not exist is null in JSON, empty in CSV
and a dash elsewhere.
"""

import csv
import io
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import Any

from sertools.scoring.comparing.comparison import KIND, VERSION
from sertools.verb_config import Format

DASH = "\N{EN DASH}"
TextTable = list[list[str]]  # head and rows


def write_tables(format: Format, tables: Sequence[TextTable], document: dict[str, Any], n_names: int = 1) -> str:
    """Write tables in a format.

    Parameters
    ----------
    format : {"text", "markdown", "csv", "latex", "json"}
        JSON holds the document, CSV its rows alone, the others the tables and the notes.
    tables : sequence of list of list of str
        Of each, head and rows.
    document : dict
        ``rows`` (records of the same fields, plain values, at most one deep), ``notes`` (sentences), and what else
        JSON should hold; where it has an ``answer`` (sentences), that stands below the first table.
    n_names : int
        How many of the first columns hold names and stand to the left.

    Returns
    -------
    str
        Ends in a newline.
    """
    if format == "json":
        head = {"sertools_kind": KIND, "sertools_version": VERSION}
        lines = [json.dumps(head | document, indent=1, ensure_ascii=False)]
    elif format == "csv":
        lines = _csv(document["rows"])
    else:
        write = {"text": _text, "markdown": _markdown, "latex": _latex}[format]
        said = _note(" ".join(document.get("answer", ())), format)
        blocks = [write(table, n_names) for table in tables]
        if said:
            blocks.insert(1, [said])
        lines = [line for block in blocks for line in (*block, "")]
        lines += [_note(note, format) for note in document["notes"]]
    return "\n".join(lines) + "\n"


def rounded_percent(fraction: float) -> float | None:
    """Fraction → percent with one decimal; None where there is none."""
    return round(100 * fraction, 1) + 0.0 if isfinite(fraction) else None  # + 0.0: no -0.0


def percent(fraction: float, spread: float = nan, sign: str = "") -> str:
    """Fraction → text, with ``±`` where there is a spread."""
    value = rounded_percent(fraction)
    if value is None:
        return DASH
    return f"{value:{sign}.1f}" + (f" ± {percent(spread)}" if isfinite(spread) else "")


def _note(note: str, format: Format) -> str:
    mark = {"markdown": "- ", "latex": "% "}
    return mark[format] + note if format in mark else textwrap.fill(note, 100, break_on_hyphens=False)


def _text(table: TextTable, n_names: int) -> list[str]:
    columns = []
    for k, column in enumerate(zip(*table, strict=True)):
        # Where ± may follow a number, the decimal points meet on the left.
        left = k < n_names or any("±" in cell for cell in column)
        width = max(map(len, column))
        columns.append([cell.ljust(width) if left else cell.rjust(width) for cell in column])
    return ["  ".join(line) for line in zip(*columns, strict=True)]


def _markdown(table: TextTable, n_names: int) -> list[str]:
    head, *body = [[cell.replace("|", r"\|") for cell in line] for line in table]
    rule = ["---"] * n_names + ["---:"] * (len(head) - n_names)
    return [f"| {' | '.join(line)} |" for line in (head, rule, *body)]


def _latex(table: TextTable, n_names: int) -> list[str]:
    special = str.maketrans(
        {c: rf"\{c}" for c in "&%$#_{}"}
        | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
        | {"±": r"$\pm$", "<": r"$<$", DASH: "--"}
    )
    lines = [" & ".join(cell.translate(special) for cell in line) + r" \\" for line in table]
    head, *body = [re.sub(r"(?<!\w)-(?=\d)", "$-$", line) for line in lines]  # minus, not hyphen
    columns = "l" * n_names + "r" * (len(table[0]) - n_names)
    rule = r"\hline"
    return [rf"\begin{{tabular}}{{{columns}}}", rule, head, rule, *body, rule, r"\end{tabular}"]


def _csv(records: Sequence[Mapping[str, Any]]) -> list[str]:
    stream = io.StringIO()
    flat = [_flat(record) for record in records]
    writer = csv.DictWriter(stream, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue().splitlines()


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Join nested names: {"recall": {"sad": 1}} becomes {"recall_sad": 1}."""
    return {
        name if part is None else f"{name}_{part}": item
        for name, value in record.items()
        for part, item in (value if isinstance(value, dict) else {None: value}).items()
    }
