"""Conditions on columns of a store, as `select --where` has them: ``COL=V[,V]`` or ``COL!=V[,V]``.

Values are the cells of one line of CSV, so one that holds a comma stands in quotes.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from sertools.arrays import Mask
from sertools.errors import UsageError, did_you_mean
from sertools.spelling import spelled
from sertools.store.format import NO_WORDS, Column, Contents

_MOST_SHOWN = 12


@dataclass(frozen=True)
class Condition:
    """``COL=V[,V]`` or ``COL!=V[,V]``."""

    column: str
    values: tuple[str, ...]
    negated: bool = False

    def __str__(self) -> str:
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="").writerow(self.values)
        return f"{self.column}{'!=' if self.negated else '='}{line.getvalue()}"


def parse_condition(text: str) -> Condition:
    """Read ``COL=V[,V]`` or ``COL!=V[,V]``; a value that holds a comma stands in quotes.

    Raises
    ------
    UsageError
        If there is no ``=``, nothing before or after it, or a quote that does not end.
    """
    column, equals, values = text.partition("=")
    negated = column.endswith("!")
    column = spelled(column.removesuffix("!"))
    if not (equals and column and values):
        raise UsageError(f"--where {text!r}: expected COL=VALUE[,VALUE] or COL!=VALUE")
    try:
        (cells,) = csv.reader([values], strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise UsageError(f'--where {text!r}: {error}; write quotes around a value, as in COL="VALUE"') from None
    return Condition(column, tuple(cell.strip() for cell in cells), negated)


def matches(contents: Contents, condition: Condition) -> Mask:
    """Say which rows meet a condition [shape=(N,)].

    Raises
    ------
    UsageError
        If there is no such column, or no row has one of the values.
    """
    column = contents.column(condition.column)
    wanted = np.zeros(len(column), dtype=bool)
    for value in condition.values if condition.column in NO_WORDS else map(spelled, condition.values):
        equal = column == (value if column.dtype.kind == "U" else _number(value, condition.column))
        if not equal.any():
            raise UsageError(f"no row has {condition.column} {value!r}{instead(value, column, condition.column)}")
        wanted |= equal
    return ~wanted if condition.negated else wanted


def _number(value: str, column: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"--where {column}: {value!r} is not a number") from None


def instead(value: str, column: Column, name: str) -> str:
    """Say what a column has in place of a value that it lacks, as the end of a message."""
    known = [str(v) for v in np.unique(column) if str(v)]
    if whole := [v for v in known if "," in v and value in map(spelled, v.split(","))]:
        return f"; a value that holds a comma stands in quotes: {Condition(name, (whole[0],))}"
    if hint := did_you_mean(value, known):
        return hint
    more = ", …" if len(known) > _MOST_SHOWN else ""
    return f"; it has {', '.join(known[:_MOST_SHOWN])}{more}" if known else "; the column is empty"
