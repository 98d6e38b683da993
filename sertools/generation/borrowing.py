"""Rows of other corpora in our domain: what informed class means are compared with.

Donors' rows stand beside a training store as rows that were made do. The map between two corpora is fitted on the other
classes than the rare one, where rows are plenty; so the few rows that are left are not asked where their class lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sertools.arrays import Index, Mask, Pictures
from sertools.errors import StoreError, UsageError, did_you_mean, one_of, warn
from sertools.provenance import canonical_json, history, refuse_clobber
from sertools.store.format import Contents, Table, concatenate, same_front_end
from sertools.store.identity import called, in_corpus
from sertools.store.lineage import Lineage, union
from sertools.store.writer import Spool
from sertools.training.batches import Rows, open_rows
from sertools.training.donors import brought
from sertools.training.informed import check_donors, donor_names, matched
from sertools.training.scaling import Scaler, fit_standardiser
from sertools.verb_config import MEAN_MAP, NO_MAP, ROW_MAPS

ORIGIN = "borrowed"


@dataclass(frozen=True)
class Borrowing:
    """What is borrowed, and how it is brought into our domain.

    Attributes
    ----------
    emotion
        The rare class; the map is fitted without it.
    map
        One of `verb_config.ROW_MAPS`: `mean` moves each class so that the means of the others agree, with a slope for
        how strongly the donor's contrasts show in ours; `standardise` takes mean and deviation of each value from
        the donor's and puts on ours; `none` leaves rows as they are.
    all_classes
        Whether rows of every class that both have are borrowed, and not of the rare one alone.
    relabel
        As of `informed.matched`.
    """

    emotion: str
    map: str = MEAN_MAP
    all_classes: bool = False
    relabel: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Donor:
    """One corpus, and those of its rows that are looked at: real ones of our classes.

    Attributes
    ----------
    index
        Their numbers [shape=(N,)].
    emotion
        The class of each by our words [shape=(N,)].
    taken
        Which are borrowed [shape=(N,)].
    """

    name: str
    rows: Rows
    index: Index
    emotion: np.ndarray[tuple[int], np.dtype[np.str_]]
    taken: Mask


def borrow(train_path: Path, donor_paths: Sequence[Path], output: Path, borrowing: Borrowing) -> dict[str, int]:
    """Write a store of donors' rows, to train on beside ours or alone.

    Returns
    -------
    dict of str to int
        Class → rows.

    Raises
    ------
    LineageError
        If a donor shares utterances with the store, or with another donor.
    StoreError
        If a store has another front end or encoder or holds pictures, a donor has no other class of ours, or no donor
        has the class.
    UsageError
        If the store has no such class, or no donor has a word of `relabel`.

    Warns
    -----
    SertoolsWarning
        Of donors without the class, and of those with one other class alone.
    """
    one_of("--map", borrowing.map, ROW_MAPS)
    rows, donors = open_rows([train_path]), [open_rows([path]) for path in donor_paths]
    refuse_clobber(output, [path for each in (rows, *donors) for path in each.files])
    if not rows.are_vectors:
        raise StoreError(f"{rows.name}: its rows are pictures; borrow moves vectors of an encoder (see embed)")
    for donor in donors:
        same_front_end(rows.front_end, donor.front_end, rows.name, donor.name)
    check_donors(rows, donors, borrowing.relabel)
    classes = rows.classes()
    if borrowing.emotion not in classes:
        hint = did_you_mean(borrowing.emotion, classes)
        raise UsageError(
            f"--class {borrowing.emotion!r}: {rows.name} has no such class, but {', '.join(classes)}{hint}"
        )
    opened = [
        _opened(name, donor, classes, borrowing) for name, donor in zip(donor_names(donors), donors, strict=True)
    ]
    lending = [donor for donor in opened if donor.taken.any()]
    if not lending:
        raise StoreError(f"no donor has rows of {borrowing.emotion!r}, or of a word that means it; see --relabel")
    options = {"emotion": borrowing.emotion, "map": borrowing.map}
    options |= {"all_classes": True} if borrowing.all_classes else {}
    options |= {"relabel": dict(borrowing.relabel)} if borrowing.relabel else {}
    inputs = {"train": rows.inputs, "donors": [one for donor in donors for one in donor.inputs]}
    tables: list[tuple[Table, Table]] = []
    with Spool(output, rows.front_end) as spool:
        for donor in lending:
            digests = spool.add(_in_our_domain(donor, rows, borrowing))
            tables.append(_tables(donor, digests, borrowing.map, sum(len(own) for _, own in tables)))
        segments, utterances = (concatenate(list(parts)) for parts in zip(*tables, strict=True))
        contents = Contents(
            front_end=rows.front_end,
            segments=segments,
            utterances=utterances,
            history=history("borrow", options, inputs),
            lineage=union([rows.lineage(), *map(_lineage, opened)]),
        )
        spool.finish(contents)
    counts = Counter(contents.emotion.tolist())
    return {name: counts[name] for name in sorted(counts)}


def _opened(name: str, rows: Rows, classes: Sequence[str], borrowing: Borrowing) -> _Donor:
    """Match a donor's classes to ours; refuse one that nothing can be fitted on, and say if it lacks the class."""
    real = rows.real
    words = rows.emotion[real].tolist()
    match = matched(sorted(set(words) - {""}), classes, borrowing.relabel)
    here = np.isin(rows.emotion[real], list(match))
    emotion = np.array([match[word] for word in words if word in match], dtype=np.str_)
    others = sorted(set(emotion.tolist()) - {borrowing.emotion})
    if not others and borrowing.map != NO_MAP:
        raise StoreError(
            f"{rows.name}: shares no class with ours but {borrowing.emotion!r}, and others place it: rename its words by "
            "--relabel OLD=NEW, or leave it out"
        )
    if len(others) == 1 and borrowing.map != NO_MAP:
        warn(f"donor {name}: the map is that of {others[0]} alone, the one other class that both have")
    if borrowing.emotion not in emotion:
        warn(f"donor {name}: has no {borrowing.emotion}")
    taken = np.full(len(emotion), True) if borrowing.all_classes else emotion == borrowing.emotion
    return _Donor(name, rows, real[here], emotion, taken)


def _in_our_domain(donor: _Donor, rows: Rows, borrowing: Borrowing) -> Pictures:
    """Map a donor's rows that are taken [shape=(n, n_values)]."""
    theirs = donor.rows.pictures(donor.index)
    if borrowing.map == NO_MAP:
        return theirs[donor.taken]
    others = sorted(set(donor.emotion.tolist()) - {borrowing.emotion})
    real = rows.real
    emotion = rows.emotion[real]
    ours = rows.pictures(real)
    if borrowing.map == MEAN_MAP:
        return _moved(donor, theirs, ours, emotion, others, rows.fit_scaler())
    own, other = (
        fit_standardiser(lambda known=values[np.isin(names, others)]: [known])
        for values, names in ((ours, emotion), (theirs, donor.emotion))
    )
    return own.unscale(other.scale(theirs[donor.taken]))


def _moved(
    donor: _Donor,
    theirs: Pictures,
    ours: Pictures,
    emotion: np.ndarray[tuple[int], np.dtype[np.str_]],
    others: Sequence[str],
    scaler: Scaler,
) -> Pictures:
    """Move each class of a donor to where the others say that its mean lies in our domain."""
    # Of standardised values, as class Gaussians are: no value counts more for the slope because its numbers are large.
    x, own = (scaler.scale(values).astype(np.float64) for values in (theirs, ours))
    their_means = {name: x[donor.emotion == name].mean(axis=0) for name in sorted(set(donor.emotion.tolist()))}
    shared = np.stack([own[emotion == name].mean(axis=0) for name in others])
    known = np.stack([their_means[name] for name in others])
    for name, mean in their_means.items():
        x[donor.emotion == name] += brought(shared, known, mean) - mean
    return scaler.unscale(x[donor.taken].astype(np.float32))


def _tables(donor: _Donor, digests: Sequence[str], how: str, first: int) -> tuple[Table, Table]:
    """Segments and utterances of a donor's rows, whose utterances are counted from `first`."""
    (store,) = donor.rows.stores
    segments, utterances = store.contents.take(donor.index[donor.taken])
    emotion = np.empty(len(utterances), dtype=donor.emotion.dtype)
    emotion[segments["utterance"]] = donor.emotion[donor.taken]
    corpora = _corpora(donor)[np.unique(store.contents.segments["utterance"][donor.index[donor.taken]])]
    ids = [f"{corpus}/{name}" for corpus, name in zip(corpora, utterances["id"].tolist(), strict=True)]
    params = canonical_json({"donor": donor.name, "map": how})
    segments = (
        segments.with_column("utterance", (segments["utterance"] + first).astype("<i4"))
        .with_column("origin", np.full(len(segments), ORIGIN))
        .with_column("parent", segments["digest"])
        .with_column("params", np.full(len(segments), params))
        .with_column("digest", np.array(digests, dtype=np.str_))
    )
    utterances = (
        utterances.with_column("id", np.array(ids, dtype=np.str_))
        # No audio sounds like them any more.
        .with_column("path", np.full(len(utterances), ""))
        .with_column("emotion", emotion)
        .with_column("corpus", corpora)
    )
    return segments, utterances


def _corpora(donor: _Donor) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Corpus of each of a donor's utterances; a donor that names none is one of its own."""
    corpora = donor.rows.utterance_column("corpus")
    return np.where(corpora == "", donor.name, corpora).astype(np.str_)


def _lineage(donor: _Donor) -> Lineage:
    """What has been seen of a donor; its speakers are told apart from ours."""
    speakers = in_corpus(_corpora(donor).tolist(), donor.rows.utterance_column("speaker").tolist())
    digests = donor.rows.utterance_column("digest").tolist()
    return donor.rows.own_lineage.trained(digests, map(called, speakers))
