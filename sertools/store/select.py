"""Choose rows of a store: the toolkit's ``grep``.

Nothing is copied unless asked: the output maps to the physical store. There is no randomness but in `keep`, and
that is a ranking of utterances by a hash of (seed, id), so that a smaller fraction is a subset of a larger one
and every strategy sees the same reduced class.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sertools.arrays import Mask
from sertools.errors import StoreError, UsageError, one_of, warn
from sertools.provenance import Input, history, refuse_clobber
from sertools.published_folds import PublishedFold
from sertools.spelling import is_missing, spelled
from sertools.store.conditions import Condition, instead, matches
from sertools.store.escapes import escape_name
from sertools.store.format import Contents
from sertools.store.identity import alike_within, called
from sertools.store.published import sides
from sertools.store.reader import Store, open_store
from sertools.store.writer import write_store, write_virtual
from sertools.verb_config import GROUPINGS


@dataclass(frozen=True)
class Selection:
    """What to keep; the conditions are ANDed.

    Attributes
    ----------
    where
        Conditions on columns.
    fold
        ``(k, n)``: part k of n, counted from 1.
    by
        What a fold keeps together: speaker, session or utterance (stratified by class).
    published
        A fold that others have published, in place of `fold`: what it does not name is never chosen.
    keep
        Class → share of its utterances to keep, among those the rest selects.
    invert
        Keep exactly what this selection without it leaves out, of what `published` names.
    """

    where: tuple[Condition, ...] = ()
    fold: tuple[int, int] | None = None
    by: str = "speaker"
    published: PublishedFold | None = None
    keep: Mapping[str, float] = field(default_factory=dict)
    invert: bool = False
    seed: int = 0


def parse_part(text: str, option: str) -> tuple[int, int]:
    """Read ``K/N``, 1 ≤ K ≤ N.

    Raises
    ------
    UsageError
        If it is anything else.
    """
    k, slash, n = text.partition("/")
    if not (slash and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise UsageError(f"{option} {text!r}: expected K/N with K from 1 to N, such as 1/5")
    return int(k), int(n)


def parse_keep(texts: Iterable[str]) -> dict[str, float]:
    """Read ``CLASS=FRACTION`` pairs.

    Raises
    ------
    UsageError
        If a pair is malformed, a fraction lies outside [0, 1], or a class is given twice.
    """
    keep = {}
    for text in texts:
        name, equals, share = text.rpartition("=")
        name = spelled(name)
        try:
            fraction = float(share)
        except ValueError:
            fraction = -1.0
        if not (name and equals and 0.0 <= fraction <= 1.0):
            raise UsageError(
                f"--keep {text!r}: expected CLASS=FRACTION with a fraction from 0 to 1, such as angry=0.2"
            )
        if name in keep:
            raise UsageError(f"--keep {text!r}: {name!r} has a fraction before; leave one out")
        keep[name] = fraction
    return keep


def chosen(contents: Contents, selection: Selection) -> Mask:
    """Say which rows a selection keeps [shape=(N,)].

    Raises
    ------
    UsageError
        If a column, value, class or fold does not exist.
    """
    mask = np.ones(len(contents), dtype=bool)
    named = mask.copy()
    for condition in selection.where:
        mask &= matches(contents, condition)
    if selection.fold:
        fold = _fold_of_utterance(contents, selection.fold[1], selection.by)
        mask &= (fold == selection.fold[0])[contents.segments["utterance"]]
    if selection.published:
        tested, named = (side[contents.segments["utterance"]] for side in sides(contents, selection.published))
        mask &= tested
    for emotion, fraction in selection.keep.items():
        mask &= _kept(contents, mask, emotion, fraction, selection.seed)
    return ~mask & named if selection.invert else mask


def select_store(source: Path, output: Path, selection: Selection, *, copy: bool = False) -> int:
    """Write the chosen rows of a store, as a virtual store or, with `copy`, a standalone one.

    Returns
    -------
    The number of rows.

    Raises
    ------
    StoreError
        If nothing is selected, or the source is damaged.
    """
    store = open_store(source)
    refuse_clobber(output, [source, *(s.path for s in store.row_map.sources)])
    index = np.flatnonzero(chosen(store.contents, selection))
    if not len(index):
        raise StoreError(f"{source}: the selection keeps none of its {len(store)} rows; loosen it, or see `info`")
    _warn_of_fold(store.contents, index, selection, source)
    segments, utterances = store.contents.take(index)
    contents = dataclasses.replace(
        store.contents,
        segments=segments,
        utterances=utterances,
        history=_history(store, selection, copy),
        audio_root=moved_root(store, output),
        shard=None,
    )
    if copy:
        blocks = (store.rows(part) for part in np.array_split(index, 1 + len(index) // 256))
        write_store(output, contents, blocks)
    else:
        write_virtual(output, contents, store.row_map.take(index))
    return len(index)


def _warn_of_fold(contents: Contents, index: npt.NDArray[np.intp], selection: Selection, source: Path) -> None:
    """Warn where a fold lacks a class, or takes a word for a speaker that means none."""
    if not (selection.fold or selection.published):
        return
    lacking = sorted(set(contents.classes()) - set(contents.emotion[index].tolist()))
    if lacking and not selection.where:
        emotion = contents.of_utterances("emotion")
        counts = ", ".join(f"{name} ({int((emotion == name).sum())} utterances in all)" for name in lacking)
        own = f"fold {selection.published.name} of {selection.published.source}" if selection.published else ""
        side = own or "fold {}/{} by ".format(*selection.fold or ()) + selection.by
        remedy = "" if own else ": use fewer folds, or fold --by utterance"
        warn(
            f"{source}: {'all but ' * selection.invert}{side} holds no {counts}; a score there leaves that class "
            f"out{remedy}"
        )
    if selection.by == "utterance" or selection.published:
        return
    groups = contents.full_names(selection.by)[contents.segments["utterance"]]
    here = set(groups[index].tolist())
    if torn := [group for group in alike_within(groups.tolist()) if 0 < len(here & set(group)) < len(group)]:
        names = ", ".join(repr(called(name)) for name in torn[0])
        warn(
            f"{source}: {selection.by}s of almost one name are on both sides: {names}; if they are the same, "
            "spell them alike in the labels and extract again"
        )
    nobody = sorted(name for name in set(contents.column(selection.by).tolist()) if is_missing(name))
    if nobody and selection.by == "speaker":
        warn(
            f"{source}: speaker {nobody[0]!r} is kept together as if it were one person; leave such rows out by "
            f"`--where speaker!={nobody[0]}`"
        )


def moved_root(store: Store, output: Path) -> str:
    """Return the store's `audio_root` as seen from `output`'s folder."""
    if not store.contents.audio_root:
        return ""
    return escape_name(os.path.relpath(store.audio_root, output.resolve().parent))


def _history(store: Store, selection: Selection, copy: bool) -> tuple[str, ...]:
    options: dict[str, object] = {"where": [str(condition) for condition in selection.where]}
    if selection.fold:
        options |= {"fold": f"{selection.fold[0]}/{selection.fold[1]}", "by": selection.by}
    inputs = {"store": store.contents.as_input()}
    if selection.published:
        options["fold"] = selection.published.name
        inputs["folds"] = Input(selection.published.digest)
    if selection.keep:
        options["keep"] = dict(selection.keep)
    if selection.invert:
        options["invert"] = True
    if copy:
        options["copy"] = True
    seed = selection.seed if selection.keep else None
    return history("select", options, inputs, seed)


def _fold_of_utterance(contents: Contents, n_folds: int, by: str) -> npt.NDArray[np.int64]:
    """Number the fold, from 1, of each utterance; 0 for generated ones, which belong to none."""
    one_of("--by", by, GROUPINGS)
    utterances = contents.utterances
    real = utterances["path"] != ""
    ids, groups = utterances["id"], contents.full_names("id" if by == "utterance" else by)
    if (groups[real] == "").any():
        count = int((groups[real] == "").sum())
        raise UsageError(
            f"{count} of {int(real.sum())} utterances have no {by}; "
            f"give the labels a {by} column, fold --by utterance, or leave them out before by "
            f"`--where '{by}!=\"\"'`"
        )
    # Spread each stratum over the folds in turn, going on where the last one ended, so that no fold is left short.
    strata: dict[str, list[str]] = {}
    strata_of = contents.of_utterances("emotion" if by == "utterance" else "gender").tolist()
    first_of = {group: row for row, group in reversed(list(enumerate(groups.tolist())))}
    for group in sorted(set(groups[real].tolist())):
        stratum = "" if by == "session" else strata_of[first_of[group]]
        strata.setdefault(stratum, []).append(group)
    dealt: dict[str, int] = {}
    for stratum in sorted(strata):
        # Ids often count takes and sentences; their hash breaks that order, with or without a corpus's name.
        members = strata[stratum]
        if by == "utterance":
            members = sorted(members, key=lambda group: _hash(str(ids[first_of[group]])))
        for group in members:
            dealt[group] = 1 + len(dealt) % n_folds
    if len(dealt) < n_folds:
        raise UsageError(f"--fold of {n_folds}: there are only {len(dealt)} values of {by}; use at most {len(dealt)}")
    return np.array([dealt.get(str(g), 0) if r else 0 for g, r in zip(groups, real, strict=True)], dtype=np.int64)


def _kept(contents: Contents, mask: Mask, emotion: str, fraction: float, seed: int) -> Mask:
    """Rows that remain when only `fraction` of the class's utterances under `mask` are kept."""
    if emotion not in contents.classes():
        raise UsageError(f"--keep: no row has emotion {emotion!r}{instead(emotion, contents.emotion, 'emotion')}")
    in_class = contents.emotion == emotion
    candidates = np.unique(contents.segments["utterance"][mask & in_class])
    ids = contents.utterances["id"]
    ranked = sorted(candidates.tolist(), key=lambda u: _hash(f"{seed}:{ids[u]}"))
    n_kept = round(fraction * len(ranked))
    if fraction > 0:
        n_kept = max(1, n_kept)
    kept: Mask = ~in_class | np.isin(contents.segments["utterance"], ranked[:n_kept])
    return kept


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
