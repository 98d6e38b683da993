"""A plan carried out: the whole augmented training store (§2.5).

Rows that are copied or kept stay where they are: the output maps to them, and holds only rows that are new. A new row
belongs to its source's utterance, so any later selection keeps parent and child on the same side.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sertools.arrays import Index
from sertools.balance.alteration import TRANSFORMS, Alteration, Parent
from sertools.balance.alterers import Alterer, alterer
from sertools.balance.plan import RowPlan, plan_rows
from sertools.balance.strategies import COPIED, Strategy, options_of
from sertools.encoding import Encoding
from sertools.errors import StoreError, UsageError
from sertools.provenance import Input, history, refuse_clobber
from sertools.rehearsal import Plan, begin, counted, memory_so_far
from sertools.sound.noise import WHERE_TO_GET_IT, NoiseFolder
from sertools.sound.transforms import find_cache
from sertools.store.format import OWN_ROWS_OF, Column, Contents, Table
from sertools.store.reader import RowMap, Source, Store, open_store
from sertools.store.recorded import check_there, recorded
from sertools.store.select import moved_root
from sertools.store.writer import Spool, write_virtual

if TYPE_CHECKING:
    from sertools.encoders.encoder import FrozenEncoder

_TRIED = 4  # recordings that a rehearsal alters
_CHAINED = "chained"  # the origin of a row of several transforms


@dataclass(frozen=True)
class AugmentProgress:
    """How far an augmentation is: rows altered of all; class → (rows before, rows after)."""

    done: int
    total: int
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class _Rows:
    """The output's rows, in order."""

    source: Index  # row of the source that each is, or is made from [shape=(N,)]
    origin: npt.NDArray[np.str_]  # empty for a row that stays as it is
    made_by: dict[int, tuple[str, ...]]  # place of each new row → its transforms, or that it is copied
    entropy: dict[int, int]  # place of each new row → what seeds it


def augment_store(
    source: Path,
    output: Path,
    strategy: Strategy,
    *,
    seed: int = 0,
    noise: NoiseFolder | None = None,
    encoder: FrozenEncoder | None = None,
    audio_root: Path | None = None,
    jobs: int = 1,
    computed: Mapping[str, object] | None = None,
) -> Iterator[AugmentProgress]:
    """Write `source` with its classes balanced by `strategy`; complete when the iterator ends.

    Parameters
    ----------
    noise
        Background noise, for strategies that add it; others leave it.
    encoder
        What made the rows of a store of vectors, for strategies that alter audio; others leave it.
    audio_root
        Where the corpus lies, whatever the store says; no path may lead out of it.
    jobs
        Processes that alter audio.
    computed
        What a history says of where the encoder ran, as `training.runtime.computed_on` has it.

    Raises
    ------
    StoreError
        If the store has fewer than two labelled classes, or a row that is to be altered has no audio, or audio
        that is missing or has changed.
    CorpusError
        If a path leads out of `audio_root`.
    UsageError
        If the strategy needs noise, or an encoder, and there is none.
    """
    store = open_store(source)
    refuse_clobber(output, [source, *(s.path for s in store.row_map.sources)])
    noise = _needed_noise(strategy, noise)
    contents, front_end = store.contents, store.contents.front_end
    try:
        plan = plan_rows(contents.emotion.tolist(), strategy, seed)
    except StoreError as error:
        raise StoreError(f"{source}: {error}") from error
    rows = _lay_out(store, plan, strategy, seed)
    altered = np.flatnonzero((rows.origin != "") & (rows.origin != COPIED))
    parents = _parents(store, rows, altered, strategy.magnitude, audio_root)
    counts = _counts(contents.emotion, rows)
    if parents:
        find_cache()
    by = alterer(front_end, noise, encoder) if parents else None
    encoded_by = front_end.encoder if parents and isinstance(front_end, Encoding) else ""
    begin(output, lambda: _plan(store, output, strategy, counts, parents, by, jobs))
    yield AugmentProgress(0, len(altered), counts)
    made: dict[str, list[Any]] = {"digest": [], "params": [], "n_valid_frames": []}
    with Spool(output, contents.front_end) as spool:
        for of_parent in by.rows(parents, jobs) if by else ():
            made["digest"] += spool.add(of_parent.rows)
            made["params"] += of_parent.params
            made["n_valid_frames"] += of_parent.n_valid_frames
            yield AugmentProgress(len(made["digest"]), len(altered), counts)
        segments, utterances = _tables(contents, rows)
        row_map = store.row_map.take(rows.source)
        if len(altered):
            for name, values in made.items():
                segments = segments.with_column(name, _replaced(segments[name], altered, np.asarray(values)))
            row_map = _with_own(row_map, Source(output, OWN_ROWS_OF[front_end.kind]), altered)
        augmented = dataclasses.replace(
            contents,
            segments=segments,
            utterances=utterances,
            lineage=contents.passed_on,
            history=_history(contents, strategy, noise, encoded_by, seed, computed or {}),
            audio_root=moved_root(store, output),
            shard=None,
        )
        if len(altered):
            spool.finish(augmented, row_map)
        else:
            write_virtual(output, augmented, row_map)


def _plan(
    store: Store,
    output: Path,
    strategy: Strategy,
    counts: Mapping[str, tuple[int, int]],
    parents: Sequence[Parent],
    by: Alterer | None,
    n_processes: int,
) -> Plan:
    tried = parents[:_TRIED]
    seconds = by.seconds(tried, n_processes) if by else 0.0
    n_new = sum(len(parent.alterations) for parent in parents)
    n_tried = sum(len(parent.alterations) for parent in tried)
    processes = f" by {n_processes} processes" if n_processes > 1 else ""
    changes = ", ".join(f"{name} {before} → {after}" for name, (before, after) in counts.items())
    return Plan(
        reads=counted([store.path], {name: before for name, (before, _) in counts.items()}),
        work=f"{strategy.name}: {changes}; {n_new} rows from altered audio{processes}",
        n_rows=sum(after for _, after in counts.values()),
        writes=(str(output),),
        output_bytes=n_new * math.prod(store.shape) * 4,
        seconds=seconds * n_new / max(1, n_tried),
        measured=f"by {n_tried} altered rows" if n_tried else "no audio is altered",
        memory_bytes=memory_so_far(),
    )


def _counts(emotion: Column, rows: _Rows) -> dict[str, tuple[int, int]]:
    before, after = Counter(emotion.tolist()), Counter(emotion[rows.source].tolist())
    return {name: (before[name], after[name]) for name in sorted(before) if name}


def _tables(contents: Contents, rows: _Rows) -> tuple[Table, Table]:
    """Take the output's segments and utterances; a new row still has its source's digest, params and valid frames."""
    segments, utterances = contents.take(rows.source)
    is_new = rows.origin != ""
    origin = np.where(is_new, rows.origin, segments["origin"])
    parent = np.where(is_new, segments["digest"], segments["parent"])
    return segments.with_column("origin", origin).with_column("parent", parent), utterances


def _history(
    contents: Contents,
    strategy: Strategy,
    noise: NoiseFolder | None,
    encoder: str,
    seed: int,
    computed: Mapping[str, object],
) -> tuple[str, ...]:
    inputs = {
        "store": contents.as_input(),
        **({"noise": Input(noise.digest())} if noise else {}),
        **({"encoder": Input(encoder)} if encoder else {}),
    }
    return history("augment", {**options_of(strategy), **(computed if encoder else {})}, inputs, seed)


def _needed_noise(strategy: Strategy, noise: NoiseFolder | None) -> NoiseFolder | None:
    """Give the noise if the strategy adds any: what is not used must not change the output."""
    if not any(name in TRANSFORMS and TRANSFORMS[name].needs_noise for name in strategy.transforms):
        return None
    if noise is None:
        raise UsageError(
            f"--strategy {strategy.name}: adds background noise; give a folder of it by --noise DIR "
            f"({WHERE_TO_GET_IT}), or take a strategy without, such as SARS"
        )
    return noise


def _lay_out(store: Store, plan: RowPlan, strategy: Strategy, seed: int) -> _Rows:
    """Put the rows in order: the source's, less those removed, replaced ones at their place; then those added."""
    n = len(store)
    kept = np.setdiff1d(np.arange(n), plan.remove)
    source = np.concatenate([kept, plan.add]).astype(np.int64)
    is_new = np.concatenate([np.isin(kept, plan.replace), np.ones(len(plan.add), dtype=bool)])
    origin = np.full(len(source), "", dtype="<U32")
    made_by, entropy = {}, {}
    made: Counter[int] = Counter()
    ids, starts = store.contents.column("id"), store.contents.segments["start"]
    for at in np.flatnonzero(is_new):
        row = int(source[at])
        # The k-th row made of this one, so that two copies differ.
        made[row] += 1
        words = f"{seed}\0{ids[row]}\0{starts[row]:.6f}\0{made[row]}"
        number = int.from_bytes(hashlib.blake2b(words.encode(), digest_size=16).digest(), "little")
        draws = np.random.default_rng([number, 1]).integers(len(strategy.transforms), size=strategy.in_a_row)
        made_by[int(at)] = by = tuple(strategy.transforms[draw] for draw in draws)
        origin[at] = by[0] if len(by) == 1 else _CHAINED
        entropy[int(at)] = number
    return _Rows(source, origin, made_by, entropy)


def _parents(
    store: Store, rows: _Rows, altered: Index, magnitude: float | None, audio_root: Path | None
) -> list[Parent]:
    """Group neighbouring rows that are to be altered by utterance: each group is decoded once."""
    segments = store.contents.segments
    strange = altered[segments["origin"][rows.source[altered]] != "real"]
    if len(strange):
        row = int(rows.source[strange[0]])
        raise StoreError(
            f"{store.path}: row {row} is {segments['origin'][row]}, not real speech, and cannot be altered; "
            "augment the store that it was made from, or `select --where origin=real` first"
        )
    groups = [
        (int(utterance), [*group])
        for utterance, group in itertools.groupby(altered.tolist(), lambda at: segments["utterance"][rows.source[at]])
    ]
    found = recorded(store, (utterance for utterance, _ in groups), audio_root)
    check_there(found, store.path, audio_root, "to be altered")
    return [
        Parent(
            audio,
            tuple(
                Alteration(float(segments["start"][rows.source[at]]), rows.made_by[at], rows.entropy[at], magnitude)
                for at in group
            ),
        )
        for audio, (_, group) in zip(found, groups, strict=True)
    ]


def _replaced(column: npt.NDArray[Any], at: Index, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    result = column.astype(np.result_type(column, values))
    result[at] = values
    return result.astype(column.dtype) if column.dtype.kind != "U" else result


def _with_own(row_map: RowMap, own: Source, at: Index) -> RowMap:
    """Point the rows `at`, in order, to those of the store itself."""
    source, physical = row_map.source.copy(), row_map.row.copy()
    source[at], physical[at] = len(row_map.sources), np.arange(len(at))
    return RowMap((*row_map.sources, own), source, physical)
