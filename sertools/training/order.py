"""The order in which rows are seen: as they come, or every class equally often; made rows by a share of their own.

Every order is a pure function of the step, so that a run can go on at any.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, Index, IntArray
from sertools.classifier_config import ClassifierConfig, LinearConfig
from sertools.errors import UsageError
from sertools.training.batches import Rows
from sertools.training.runtime import mixed_seed

Made = npt.NDArray[np.bool_]


def batch_indices(n_rows: int, batch_size: int, step: int, seed: int) -> Index:
    """Return the rows of one step's batch: a stream of reshuffled epochs, cut into equal batches.

    A pure function of its arguments, so a run can go on at any step; and no batch is ever short, so batch
    normalisation never meets a last batch of one row.
    """
    return _stream(np.arange(step * batch_size, (step + 1) * batch_size), n_rows, seed)


def balanced_indices(
    labels: Index,
    batch_size: int,
    step: int,
    seed: int,
    made: Made | None = None,
    share: float = 0.5,
) -> Index:
    """Return the rows of one step's batch where every class is drawn equally often.

    The classes take turns, over the ends of batches too, and each has a stream of reshuffled epochs of its own: in
    any run of batches their counts differ by one at most, and no row comes again before its whole class has come.
    As pure as `batch_indices`.

    Parameters
    ----------
    labels
        Class of each row [shape=(N,)]; every number from 0 to the largest occurs.
    made
        Whether each row was made, by altering or generating, rather than recorded [shape=(N,)]. If given, a class
        that has both kinds has a stream for each, and the made ones get `share` of its turns.
    share
        Between 0 and 1; less for a class whose made rows would come more often than its recorded ones.
    """
    n_classes = int(labels.max()) + 1
    rounds, turns = np.divmod(np.arange(step * batch_size, (step + 1) * batch_size), n_classes)
    batch = np.empty(batch_size, dtype=np.int64)
    for turn in range(n_classes):
        members, now = np.flatnonzero(labels == turn), rounds[turns == turn]
        if made is None or made[members].all() or not made[members].any():
            batch[turns == turn] = members[_stream(now, len(members), seed, "class", turn)]
            continue
        part = _share(made[members], share)
        before, after = (np.floor(part * at).astype(np.int64) for at in (now, now + 1))
        drawn = np.empty(len(now), dtype=np.int64)
        for kind, positions in ((True, before), (False, now - before)):
            here, pool = (after > before) == kind, members[made[members] == kind]
            drawn[here] = pool[_stream(positions[here], len(pool), seed, "class", turn, "made" if kind else "real")]
        batch[turns == turn] = drawn
    return batch


def natural_indices(labels: Index, batch_size: int, step: int, seed: int, made: Made, share: float) -> Index:
    """Return the rows of one step's batch where every class is drawn as often as it has rows that were recorded.

    Made rows make no class larger: they stand in for recorded ones, so that what they teach can be told from what
    drawing a class more often does. As pure as `batch_indices`.

    Parameters
    ----------
    labels
        Class of each row [shape=(N,)]; every class has a recorded row.
    made
        Whether each row was made, by altering or generating, rather than recorded [shape=(N,)].
    share
        Between 0 and 1: of the draws of a class that has both kinds; less where its made rows would come more often
        than its recorded ones.
    """
    real = np.flatnonzero(~made)
    batch = real[batch_indices(len(real), batch_size, step, seed)]
    rng = np.random.default_rng(mixed_seed(seed, "stand-ins", step))
    chance, which = rng.random(batch_size), rng.random(batch_size)
    for number in np.unique(labels[batch]):
        members = np.flatnonzero(labels == number)
        pool = members[made[members]]
        here = (labels[batch] == number) & (chance < _share(made[members], share))
        if len(pool):
            batch[here] = pool[(which[here] * len(pool)).astype(np.int64)]
    return batch


def made_rows(rows: Rows, config: ClassifierConfig | LinearConfig) -> Made | None:
    """Say which rows were made, if they are drawn by a share of their own."""
    return None if config.synthetic_share is None else rows.origin != "real"


def class_counts(rows: Rows, labels: Index, made: Made | None) -> IntArray:
    """Count the rows of each class that decide how often it is drawn: rows that stand in for others make none larger.

    Raises
    ------
    UsageError
        If a class has none.
    """
    n_classes = int(labels.max()) + 1
    counts: IntArray = np.bincount(labels if made is None else labels[~made], minlength=n_classes)
    if not counts.all():
        raise UsageError(
            f"{rows.name}: a class has no recorded row, which --synthetic-share needs; leave that out, or give "
            "--sampling balanced"
        )
    return counts


def row_shares(labels: Index, balanced: bool, made: Made | None = None, share: float = 0.5) -> FloatArray:
    """How often each row is drawn in the long run, by the orders above [shape=(N,), with sum 1].

    Parameters
    ----------
    balanced
        Whether every class is drawn equally often, as by `balanced_indices`.
    made, share
        As of the orders; without them, rows that were made are drawn as others are.
    """
    shares: FloatArray = np.empty(len(labels))
    recorded = np.ones(len(labels), dtype=bool) if made is None else ~made
    for number in np.unique(labels):
        members = np.flatnonzero(labels == number)
        of_class = 1.0 if balanced else float(recorded[members].sum())
        if made is None or made[members].all() or not made[members].any():
            shares[members] = of_class / len(members)
            continue
        part = _share(made[members], share)
        n_made = int(made[members].sum())
        shares[members] = np.where(made[members], part / n_made, (1 - part) / (len(members) - n_made)) * of_class
    shares /= shares.sum()
    return shares


def _share(made: Made, share: float) -> float:
    """Share of a class's draws that its made rows get: five beside fifty are not worth half of them."""
    return min(share, float(made.mean()))


def _stream(positions: Index, n_rows: int, seed: int, *purpose: object) -> Index:
    """Rows at these positions of an endless stream of reshuffled epochs."""
    epochs, within = np.divmod(positions, n_rows)
    return np.array(
        [_permutation(n_rows, seed, *purpose, int(epoch))[at] for epoch, at in zip(epochs, within, strict=True)],
        dtype=np.int64,
    )


# A few epochs of some classes: one batch may hold the end of one and the start of the next.
@lru_cache(maxsize=16)
def _permutation(n_rows: int, seed: int, *purpose: object) -> Index:
    return np.random.default_rng(mixed_seed(seed, "order", *purpose)).permutation(n_rows)
