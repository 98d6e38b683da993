"""A plan carried out: the whole augmented training store (§2.5).

Rows that are copied or kept stay where they are; the output maps to them. A new row belongs to its source's
utterance, so any later selection keeps parent and child on the same side.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from sertools.balance.plan import plan_rows
from sertools.balance.strategies import Strategy
from sertools.errors import StoreError
from sertools.provenance import history_line, join_histories, refuse_clobber
from sertools.store.reader import open_store
from sertools.store.select import moved_root
from sertools.store.writer import write_virtual


def augment_store(source: Path, output: Path, strategy: Strategy, *, seed: int = 0) -> dict[str, tuple[int, int]]:
    """Write `source` with its classes balanced by `strategy`.

    Returns
    -------
    Class → (rows before, rows after).

    Raises
    ------
    StoreError
        If the store has fewer than two labelled classes.
    """
    store = open_store(source)
    refuse_clobber(output, [source, *(s.path for s in store.row_map.sources)])
    contents = store.contents
    try:
        plan = plan_rows(contents.emotion.tolist(), strategy, seed)
    except StoreError as error:
        raise StoreError(f"{source}: {error}") from error
    index = np.concatenate([np.arange(len(store)), plan.add])
    segments = contents.segments.take(index)
    is_new = np.arange(len(index)) >= len(store)
    (origin,) = strategy.transforms
    segments = segments.with_column("origin", np.where(is_new, origin, segments["origin"]))
    segments = segments.with_column("parent", np.where(is_new, segments["digest"], segments["parent"]))
    augmented = dataclasses.replace(
        contents,
        segments=segments,
        lineage=contents.lineage.trained(contents.utterances["digest"].tolist()),
        history=join_histories(
            [contents.history],
            history_line("augment", {"strategy": strategy.name}, {"store": contents.digest()}, seed),
        ),
        audio_root=moved_root(store, output),
        shard=None,
    )
    write_virtual(output, augmented, store.row_map.take(index))
    before, after = contents.emotion, augmented.emotion
    return {name: (int((before == name).sum()), int((after == name).sum())) for name in contents.classes()}
