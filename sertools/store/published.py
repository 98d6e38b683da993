"""Which utterances of a store a published fold names: by id, by speaker, or by file without its suffix.

Folds are published with paths of another computer, and a store's begin at its own root. So a file is found by its
base name where that is one recording's on both sides, and else by as many folders above it as both have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from sertools.arrays import Mask
from sertools.corpora.files import AUDIO_SUFFIXES
from sertools.errors import UsageError, warn
from sertools.published_folds import PublishedFold
from sertools.spelling import spelled
from sertools.store.escapes import escape_name
from sertools.store.format import Contents
from sertools.store.identity import called

_Parts = tuple[str, ...]


def sides(contents: Contents, fold: PublishedFold) -> tuple[Mask, Mask]:
    """Say which utterances a fold tests, and which it names at all [both shape=(U,)].

    Raises
    ------
    UsageError
        If it names none, a name may be several files, or two names on different sides are one utterance.

    Warns
    -----
    SertoolsWarning
        Of utterances that are not named, names that are of none, and speakers on both sides.
    """
    utterances = contents.utterances
    real = utterances["path"] != ""
    keys = _keys(contents, fold.column)
    index: dict[str, list[int]] = {}
    for row in np.flatnonzero(real).tolist():
        index.setdefault(keys[row], []).append(row)
    tested, named = np.zeros(len(utterances), dtype=bool), np.zeros(len(utterances), dtype=bool)
    name_of: dict[str, str] = {}
    strangers: list[str] = []
    for name, key in _matched(fold, index):
        if key is None:
            strangers.append(name)
            continue
        other = name_of.setdefault(key, name)
        if fold.tested[other] != fold.tested[name]:
            raise UsageError(
                f"{fold.source}: {other!r} and {name!r} are both {key!r}, of which fold {fold.name} tests one; leave "
                "one out"
            )
        named[index[key]] = True
        tested[index[key]] = fold.tested[name]
    _report(contents, fold, tested, named, strangers)
    return tested, named


def _keys(contents: Contents, column: str) -> list[str]:
    """Give what a fold names each utterance by; speakers as `info` does, with their corpora if there are several."""
    if column == "speaker" and len(set(contents.utterances["corpus"].tolist())) > 1:
        return [called(name) for name in contents.full_names(column).tolist()]
    keys: list[str] = contents.utterances["path" if column == "file" else column].tolist()
    return keys


def _matched(fold: PublishedFold, index: Mapping[str, list[int]]) -> Iterator[tuple[str, str | None]]:
    """Give each name with the key of the index that it is."""
    if fold.column != "file":
        known = {spelled(key): key for key in index if key}
        for name in fold.tested:
            yield name, known.get(spelled(escape_name(name) if fold.column == "id" else name))
        return
    paths = {key: _parts(key) for key in index}
    by_stem: dict[str, list[str]] = {}
    for key, parts in paths.items():
        by_stem.setdefault(parts[-1], []).append(key)
    names = {name: _parts(escape_name(name)) for name in fold.tested}
    of_stem = Counter(parts[-1] for parts in names.values())
    for name, parts in names.items():
        candidates = by_stem.get(parts[-1], [])
        if len(candidates) > 1 or of_stem[parts[-1]] > 1:
            candidates = [key for key in candidates if _alike(paths[key], parts)]
            longest = max((len(paths[key]) for key in candidates), default=0)
            candidates = [key for key in candidates if len(paths[key]) >= min(longest, len(parts))]
        if len(candidates) > 1:
            raise UsageError(
                f"{fold.source}: {name!r} may be {candidates[0]!r} or {candidates[1]!r}; write more of its path"
            )
        yield name, candidates[0] if candidates else None


def _parts(path: str) -> _Parts:
    """Give folders and base name, without the suffix of audio."""
    parts = PurePosixPath(path.replace("\\", "/")).parts or ("",)
    stem, dot, suffix = parts[-1].rpartition(".")
    return (*parts[:-1], stem) if f"{dot}{suffix}".lower() in AUDIO_SUFFIXES else parts


def _alike(one: _Parts, other: _Parts) -> bool:
    """Whether the shorter of two paths is the end of the longer."""
    n = min(len(one), len(other))
    return one[-n:] == other[-n:]


def _report(contents: Contents, fold: PublishedFold, tested: Mask, named: Mask, strangers: list[str]) -> None:
    utterances = contents.utterances
    real = utterances["path"] != ""
    if not named.any():
        own = [key for key, recorded in zip(_keys(contents, fold.column), real, strict=True) if recorded and key]
        raise UsageError(
            f"{fold.source}: none of its {len(fold.tested)} names is of an utterance of the store (the first is "
            f"{next(iter(fold.tested))!r}, the store's {own[0] if own else ''!r}); check that both are of one corpus"
        )
    if strangers:
        warn(
            f"{fold.source}: {len(strangers)} of {len(fold.tested)} names are of no utterance of the store, such as "
            f"{strangers[0]!r}"
        )
    if unnamed := np.flatnonzero(real & ~named).tolist():
        warn(
            f"{fold.source}: left out {len(unnamed)} of {int(real.sum())} utterances that it does not name, such as "
            f"{str(utterances['id'][unnamed[0]])!r}"
        )
    people = contents.full_names("speaker")
    speakers = set(people[tested].tolist()) - {""}
    if both := speakers & set(people[named & ~tested].tolist()):
        warn(
            f"{fold.source}: fold {fold.name} tests {len(speakers)} speakers, of whom {len(both)} are also trained "
            "on: a score there says nothing of new voices"
        )
