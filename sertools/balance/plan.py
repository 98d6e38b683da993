"""From class counts to rows: pure arithmetic, no files (§2.5).

After balancing, every class has as many rows as the majority had. Under replacement, a class of N_c rows gets
N_max - N_c added and N_c - N_min replaced, so that every class holds N_max - N_min altered rows and N_min clean
ones: no class is recognisable by its share of altered rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertools.balance.strategies import Strategy
from sertools.errors import StoreError

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassPlan:
    """How many rows of one class to add, and how many to replace."""

    add: int
    replace: int


@dataclass(frozen=True)
class RowPlan:
    """Which source rows to alter.

    Attributes
    ----------
    add
        Source row of each new row.
    replace
        Rows that give way to an altered version of themselves.
    """

    add: Rows
    replace: Rows


def balance_counts(counts: Mapping[str, int], replace: str = "none") -> dict[str, ClassPlan]:
    """Plan from the number of rows a class.

    Raises
    ------
    StoreError
        If there are fewer than two classes.
    """
    if len(counts) < 2:
        raise StoreError(f"only {len(counts)} class to balance ({', '.join(counts) or 'no labels'}); two are needed")
    most, least = max(counts.values()), min(counts.values())
    majority = {name for name, count in counts.items() if count == most}
    replaced = {"none": set(), "all": set(counts), "majority": majority}[replace]
    return {
        name: ClassPlan(add=most - count, replace=count - least if name in replaced else 0)
        for name, count in counts.items()
    }


def draw(rows: Rows, count: int, rng: np.random.Generator) -> Rows:
    """Draw `count` of `rows`: without repetition as long as they last, then over again (§2.5, CP)."""
    if not count:
        return np.empty(0, dtype=np.int64)
    if not len(rows):
        raise StoreError("a class without rows cannot be filled")
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(rounds)[:count]


def plan_rows(labels: Sequence[str], strategy: Strategy, seed: int) -> RowPlan:
    """Plan which rows to add and to replace; rows without a label are left alone.

    Parameters
    ----------
    labels
        Emotion of each row.
    seed
        The classes draw independently of each other.
    """
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    members = {str(name): np.flatnonzero(numbers == i) for i, name in enumerate(names) if name}
    plans = balance_counts({name: len(rows) for name, rows in members.items()}, strategy.replace)
    add, replace = [], []
    for number, (name, rows) in enumerate(members.items()):
        rng = np.random.default_rng([seed, number])
        add.append(draw(rows, plans[name].add, rng))
        replace.append(np.sort(draw(rows, plans[name].replace, rng)))
    return RowPlan(np.concatenate(add), np.concatenate(replace))
