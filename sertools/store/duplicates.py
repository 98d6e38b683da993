"""Rows that are in two stores, by whatever name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sertools.errors import StoreError
from sertools.store.format import Contents


def row_keys(contents: Contents) -> list[tuple[object, ...]]:
    """Say what each row is, so that it is found in another store, whatever corpus a recording is said to be of.

    Returns
    -------
    list of tuple
        Recording, id, start, origin, parent, parameters, digest; each once, in order.
    """
    utterances, segments = contents.utterances, contents.segments
    columns = (utterances[name].tolist() for name in ("digest", "corpus", "id"))
    recordings = [(digest or corpus, name) for digest, corpus, name in zip(*columns, strict=True)]
    # A row that was made has a picture of its own; of a recording, equal silence is no equal row.
    details = (segments[name].tolist() for name in ("start", "origin", "parent", "params", "digest"))
    rows = zip(segments["utterance"].tolist(), *details, strict=True)
    return list(dict.fromkeys((*recordings[number], *rest) for number, *rest in rows))


def refuse_twice(stores: Iterable[tuple[Path, Contents]]) -> None:
    """Refuse a row that is in two stores, whether it was recorded or made.

    Raises
    ------
    StoreError
        Naming its utterance, and both stores.
    """
    stores = list(stores)
    digests = [set(contents.segments["digest"].tolist()) for _, contents in stores]
    if len(set().union(*digests)) == sum(map(len, digests)):
        return
    seen: dict[tuple[object, ...], Path] = {}
    for path, contents in stores:
        for key in row_keys(contents):
            if key in seen:
                _, name, _, origin, *_ = key
                remedy = "an augmented store already holds its source" if origin == "real" else "leave one out"
                where = f"{path}: utterance {name!r} is also in {seen[key]}"
                raise StoreError(f"{where}, and would count twice; {remedy}")
            seen[key] = path
