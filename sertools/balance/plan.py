"""From class counts to rows: pure arithmetic, no files (§2.5).

After balancing, every class has as many rows as the majority had. Under replacement, a class of N_c rows gets
N_max - N_c added and N_c - N_min replaced, so that every class holds N_max - N_min altered rows and N_min clean
ones: no class is recognisable by its share of altered rows. Under random selection rows are removed instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sertools.arrays import Index
from sertools.balance.strategies import Strategy
from sertools.errors import StoreError


@dataclass(frozen=True)
class ClassPlan:
    """How many rows of one class to add, to replace and to remove."""

    add: int = 0
    replace: int = 0
    remove: int = 0


@dataclass(frozen=True)
class RowPlan:
    """Which source rows to alter.

    Attributes
    ----------
    add
        Source row of each new row.
    replace
        Rows that give way to an altered version of themselves, sorted.
    remove
        Rows that are left out, sorted.
    """

    add: Index
    replace: Index
    remove: Index


def balance_counts(
    counts: Mapping[str, int], replace: str = "none", ratio: float | None = None
) -> dict[str, ClassPlan]:
    """Plan from the number of rows of each class.

    Parameters
    ----------
    replace
        Classes whose rows are replaced: none, all, or majority.
    ratio
        If given, nothing is added: classes are cut to at most 1/ratio times the smallest.

    Raises
    ------
    StoreError
        If there are fewer than two classes.
    """
    if len(counts) < 2:
        raise StoreError(f"only {len(counts)} class to balance ({', '.join(counts) or 'no labels'}); two are needed")
    most, least = max(counts.values()), min(counts.values())
    if ratio is not None:
        most_kept = math.floor(least / ratio)
        return {name: ClassPlan(remove=max(0, count - most_kept)) for name, count in counts.items()}
    majority = {name for name, count in counts.items() if count == most}
    replaced = {"none": set(), "all": set(counts), "majority": majority}[replace]
    return {
        name: ClassPlan(add=most - count, replace=count - least if name in replaced else 0)
        for name, count in counts.items()
    }


def draw_rows(rows: Index, count: int, rng: np.random.Generator) -> Index:
    """Draw `count` of `rows`: without repetition as long as they last, then over again (§2.5, CP).

    Each round is sorted: rows that follow each other in the file stay together.
    """
    if not count:
        return np.empty(0, dtype=np.int64)
    if not len(rows):
        raise StoreError("a class without rows cannot be filled")
    n_rounds, rest = divmod(count, len(rows))
    return np.concatenate([*([np.sort(rows)] * n_rounds), np.sort(rng.permutation(rows)[:rest])])


def plan_rows(labels: Sequence[str], strategy: Strategy, seed: int) -> RowPlan:
    """Plan which rows to add, to replace and to remove; rows without a label are left alone.

    Parameters
    ----------
    labels
        Emotion of each row.
    seed
        The classes draw independently of each other. Under one seed a smaller ratio's rows hold a larger one's.
    """
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    members = {str(name): np.flatnonzero(numbers == i) for i, name in enumerate(names) if name}
    plans = balance_counts({name: len(rows) for name, rows in members.items()}, strategy.replace, strategy.ratio)
    add, replace, remove = [], [], []
    for number, (name, rows) in enumerate(members.items()):
        rng = np.random.default_rng([seed, number])
        add.append(draw_rows(rows, plans[name].add, rng))
        replace.append(draw_rows(rows, plans[name].replace, rng))
        remove.append(rng.permutation(rows)[len(rows) - plans[name].remove :])
    return RowPlan(np.concatenate(add), np.sort(np.concatenate(replace)), np.sort(np.concatenate(remove)))
