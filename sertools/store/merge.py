"""Put stores together: the toolkit's ``cat``.

The output holds its own pictures. Merging all shards of one extraction gives the bytes of the unsharded run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sertools.arrays import Pictures
from sertools.config import SPECTROGRAMS
from sertools.errors import StoreError, warn
from sertools.provenance import canonical_json, history, refuse_clobber
from sertools.store.duplicates import row_keys
from sertools.store.escapes import escape_name
from sertools.store.format import Contents, Shard, Table, concatenate, same_front_end
from sertools.store.identity import called, remarks_on_speakers
from sertools.store.levels import Levels, levels_of, warn_of_mixture
from sertools.store.lineage import union
from sertools.store.reader import Store, open_store
from sertools.store.remarks import remarks
from sertools.store.writer import write_store

# What makes two utterances of one id the same.
_IDENTITY = ("digest", "duration", "emotion", "speaker", "session", "gender")


def merge_stores(inputs: Sequence[Path], output: Path) -> int:
    """Write all rows of `inputs`, in order, as one standalone store.

    Returns
    -------
    The number of rows.

    Raises
    ------
    StoreError
        If the front ends differ, a row occurs in two stores, two recordings share an id, or shards are not
        all of one run over the same recordings.

    Warns
    -----
    SertoolsWarning
        Of names that may be two people or one, and of recordings that are in two corpora.
    """
    stores = [open_store(path) for path in inputs]
    refuse_clobber(output, [*inputs, *(source.path for store in stores for source in store.row_map.sources)])
    for store in stores[1:]:
        same_front_end(stores[0].contents.front_end, store.contents.front_end, str(stores[0].path), str(store.path))
    sharded = any(store.contents.shard for store in stores)
    if sharded:
        stores = _in_shard_order(stores)
    _refuse_duplicates(stores)
    contents = _joined(stores, output, sharded)
    _remark(contents, output)
    loudest: list[list[npt.NDArray[np.float32]]] = [[] for _ in stores]
    write_store(output, contents, _listened(stores, loudest))
    for text in remarks(contents):
        warn(f"{output}: {text}")
    if not sharded and contents.front_end.kind == SPECTROGRAMS:
        # Parts of one extraction are of one corpus, whatever their level.
        warn_of_mixture([_levels(store, own) for store, own in zip(stores, loudest, strict=True)])
    return len(contents)


def _listened(stores: Sequence[Store], loudest: Sequence[list[npt.NDArray[np.float32]]]) -> Iterator[Pictures]:
    """Give the pictures of all stores, and note the loudest pixel of each."""
    for store, own in zip(stores, loudest, strict=True):
        for block in store.blocks():
            own.append(block.reshape(len(block), -1).max(axis=1))
            yield block


def _levels(store: Store, loudest: list[npt.NDArray[np.float32]]) -> Levels:
    real = np.flatnonzero(store.contents.segments["origin"] == "real")
    return levels_of(store, real, np.concatenate([np.empty(0, np.float32), *loudest])[real])


def _in_shard_order(stores: list[Store]) -> list[Store]:
    """Sort shards by number; refuse a set that is not whole, or not of one run over the same recordings."""
    shards = [(store.contents.shard, store.path) for store in stores]
    n_parts = max(shard.n for shard, _ in shards if shard)
    by_number = {store.contents.shard.k: store for store in stores if store.contents.shard}
    alien = [
        f"{path} is {f'shard {shard.k}/{shard.n}' if shard else 'not a shard'}"
        for shard, path in shards
        if shard is None or shard.n != n_parts
    ]
    missing = [f"shard {k}/{n_parts} is missing" for k in range(1, n_parts + 1) if k not in by_number]
    if alien or missing or len(stores) != n_parts:
        one = next(path for shard, path in shards if shard and shard.n == n_parts)
        why = [*alien, *missing, "one is given twice"][0]
        raise StoreError(f"{one}: is a shard of {n_parts}, but {why}; merge all shards of one run first")
    ordered = [by_number[k] for k in range(1, n_parts + 1)]
    _refuse_other_listings(ordered)
    for store in ordered[1:]:
        if _unsharded(store) != _unsharded(ordered[0]):
            raise StoreError(f"{store.path}: was extracted with other options than {ordered[0].path}")
    return ordered


def _unsharded(store: Store) -> tuple[str, ...]:
    """Give a shard's history as the whole extraction has it."""
    *before, line = store.contents.history
    whole = json.loads(line)
    whole["options"].pop("shard", None)
    return (*before, canonical_json(whole))


def _refuse_other_listings(ordered: list[Store]) -> None:
    """Refuse shards of different recordings or labels: else rows may be lost or doubled."""
    (first, where), *others = [(store.contents.shard or Shard(0, 0), store.path) for store in ordered]
    for shard, path in others:
        if bool(shard.n_listed) != bool(first.n_listed):
            silent, telling = (path, where) if first.n_listed else (where, path)
            why = f"does not say which recordings it is part of, as {telling} does"
            raise StoreError(f"{silent}: {why}; extract all shards again with one version of sertools")
        what = {
            "n_listed": f"{shard.n_listed} recordings, but {where} of {first.n_listed}",
            "files": f"other recordings than {where}, though of as many",
            "labels": f"recordings with other labels than {where}'s",
        }
        if differing := [what[name] for name in what if getattr(shard, name) != getattr(first, name)]:
            why = "the corpus changed between the two runs; extract all shards again"
            raise StoreError(f"{path}: is part of {differing[0]}: {why}")
    if not first.n_listed:
        warn(
            f"{where}: its shards do not say which recordings they are parts of; if the corpus changed between their "
            "runs, some of it is missing or doubled here: extract them again to be sure"
        )


def _refuse_duplicates(stores: list[Store]) -> None:
    rows: dict[tuple[object, ...], Path] = {}
    recordings: dict[str, tuple[tuple[str, ...], Path]] = {}
    for store in stores:
        ids = store.contents.full_names("id").tolist()
        columns = (store.contents.of_utterances(name).tolist() for name in _IDENTITY)
        for name, *facts in zip(ids, *columns, strict=True):
            known, where = recordings.setdefault(name, (tuple(facts), store.path))
            differing = [c for c, old, new in zip(_IDENTITY, known, facts, strict=True) if old != new]
            if differing and differing[0] in ("digest", "duration"):
                raise StoreError(
                    f"{store.path}: its utterance {called(name)!r} is another recording than {where}'s; if they are "
                    "of two corpora, name these by `extract --corpus NAME`, else rename one"
                )
            if differing:
                raise StoreError(
                    f"{store.path}: its utterance {called(name)!r} has another {differing[0]} than in {where}; "
                    "extract both with the same labels"
                )
        for key in row_keys(store.contents):
            if key in rows:
                raise StoreError(f"{store.path}: a row of utterance {key[1]!r} is also in {rows[key]}; leave one out")
            rows[key] = store.path


def _remark(contents: Contents, output: Path) -> None:
    """Warn of speakers who may be two people or one, and of recordings that two corpora have."""
    corpora, ids, digests, speakers, genders = (
        contents.of_utterances(name).tolist() for name in ("corpus", "id", "digest", "speaker", "gender")
    )
    found = remarks_on_speakers(corpora, speakers, genders)
    first_of: dict[str, int] = {}
    twice = [
        (first, row)
        for row, digest in enumerate(digests)
        if digest and corpora[first := first_of.setdefault(digest, row)] != corpora[row]
    ]
    if twice:
        names = " and ".join(repr(f"{corpora[row]}:{ids[row]}") for row in twice[0])
        found.append(f"{len(twice)} recordings are in two corpora, {names} among them; leave one of each out")
    for text in found:
        warn(f"{output}: {text}")


def _joined(stores: list[Store], output: Path, sharded: bool) -> Contents:
    root, prefixes = _common_root(stores)
    placed = list(zip(stores, prefixes, strict=True))
    utterances = concatenate([_prefixed(store.contents.utterances, prefix) for store, prefix in placed])
    rejected = concatenate([_prefixed(store.contents.rejected, prefix) for store, prefix in placed])
    if not sharded:
        # Selections of one store all carry what it had rejected.
        pairs = list(zip(rejected["path"].tolist(), rejected["reason"].tolist(), strict=True))
        rejected = rejected.take(sorted({pair: row for row, pair in reversed(list(enumerate(pairs)))}.values()))
    ids = list(zip(utterances["corpus"].tolist(), utterances["id"].tolist(), strict=True))
    first_of = {name: row for row, name in reversed(list(enumerate(ids)))}
    used = sorted(set(first_of.values()))
    renumbered = {row: number for number, row in enumerate(used)}
    offsets = np.cumsum([0, *(len(store.contents.utterances) for store in stores)])
    owner = [
        renumbered[first_of[ids[offset + row]]]
        for store, offset in zip(stores, offsets, strict=False)
        for row in store.contents.segments["utterance"].tolist()
    ]
    segments = concatenate([store.contents.segments for store in stores])
    return Contents(
        front_end=stores[0].contents.front_end,
        segments=segments.with_column("utterance", np.array(owner, dtype="<i4")),
        utterances=utterances.take(used),
        history=_unsharded(stores[0])
        if sharded
        else history("merge", {}, {"stores": [store.contents.as_input() for store in stores]}),
        lineage=union(store.contents.lineage for store in stores),
        rejected=rejected,
        audio_root=escape_name(os.path.relpath(root, output.resolve().parent)) if root else "",
    )


def _common_root(stores: list[Store]) -> tuple[Path | None, list[str]]:
    """Return the deepest folder above all audio, and what each store's paths need in front of them."""
    roots = [Path(os.path.normpath(store.audio_root)) if store.contents.audio_root else None for store in stores]
    known = [root for root in roots if root]
    if not known:
        return None, [""] * len(stores)
    root = Path(os.path.commonpath(known))
    return root, ["" if r is None or r == root else escape_name(f"{r.relative_to(root)}/") for r in roots]


def _prefixed(table: Table, prefix: str) -> Table:
    paths = [prefix + path if path else path for path in table["path"].tolist()]
    return table.with_column("path", np.array(paths, dtype=np.str_))
