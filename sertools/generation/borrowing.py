"""Rows of other corpora in our domain: what informed class means are compared with.

Donors' rows stand beside a training store as rows that were made do. The map between two corpora is fitted on the
other classes than the rare one, where rows are plenty: the few rows of that one are not asked where it lies.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sertools.arrays import Index, Mask, Pictures
from sertools.donor_config import NONE, STANDARDISE, Lending
from sertools.errors import StoreError, UsageError, did_you_mean, warn
from sertools.provenance import canonical_json, history, refuse_clobber
from sertools.store.format import RECORDED_COLUMNS, Contents, Table, concatenate, same_front_end
from sertools.store.identity import called, in_corpus
from sertools.store.lineage import Lineage, union
from sertools.store.writer import Spool
from sertools.training.batches import Rows, open_rows
from sertools.training.class_means import Words
from sertools.training.donors import brought
from sertools.training.informed import check_donors, donor_names, matched
from sertools.training.scaling import fit_standardiser

ORIGIN = "borrowed"


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
    emotion: Words
    taken: Mask


def borrow(train_path: Path, donor_paths: Sequence[Path], output: Path, lending: Lending) -> dict[str, int]:
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
    rows, donors = open_rows([train_path]), [open_rows([path]) for path in donor_paths]
    refuse_clobber(output, [path for each in (rows, *donors) for path in each.files])
    if not rows.are_vectors:
        raise StoreError(f"{rows.name}: its rows are pictures; borrow moves vectors of an encoder (see embed)")
    for each in donors:
        same_front_end(rows.front_end, each.front_end, rows.name, each.name)
    check_donors(rows, donors, lending.relabel or {})
    classes = rows.classes()
    if lending.emotion not in classes:
        hint = did_you_mean(lending.emotion, classes)
        raise UsageError(
            f"--class {lending.emotion!r}: {rows.name} has no such class, but {', '.join(classes)}{hint}"
        )
    opened = [_opened(name, donor, classes, lending) for name, donor in zip(donor_names(donors), donors, strict=True)]
    lenders = [donor for donor in opened if donor.taken.any()]
    if not lenders:
        raise StoreError(f"no donor has rows of {lending.emotion!r}, or of a word that means it; see --relabel")
    options = {name: value for name, value in dataclasses.asdict(lending).items() if value}
    inputs = {"train": rows.inputs, "donors": [one for donor in donors for one in donor.inputs]}
    tables: list[tuple[Table, Table]] = []
    with Spool(output, rows.front_end) as spool:
        for donor in lenders:
            digests = spool.add(_in_our_domain(donor, rows, lending))
            tables.append(_tables(donor, digests, lending.map, sum(len(own) for _, own in tables)))
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


def _opened(name: str, rows: Rows, classes: Sequence[str], lending: Lending) -> _Donor:
    """Match a donor's classes to ours; refuse one that nothing can be fitted on, and say if it lacks the class."""
    real = rows.real
    words = rows.emotion[real].tolist()
    match = matched(sorted(set(words) - {""}), classes, lending.relabel or {})
    here = np.isin(rows.emotion[real], list(match))
    emotion = np.array([match[word] for word in words if word in match], dtype=np.str_)
    others = sorted(set(emotion.tolist()) - {lending.emotion})
    if not others and lending.map != NONE:
        raise StoreError(
            f"{rows.name}: shares no class with ours but {lending.emotion!r}, and only others can place it: rename "
            "its words by --relabel OLD=NEW, or leave it out"
        )
    if len(others) == 1 and lending.map != NONE:
        warn(f"donor {name}: the map is that of {others[0]} alone, the one other class that both have")
    if lending.emotion not in emotion:
        warn(f"donor {name}: has no {lending.emotion}")
    taken = np.full(len(emotion), True) if lending.all_classes else emotion == lending.emotion
    return _Donor(name, rows, real[here], emotion, taken)


def _in_our_domain(donor: _Donor, rows: Rows, lending: Lending) -> Pictures:
    """Map a donor's rows that are taken [shape=(n, n_values)]."""
    theirs = donor.rows.pictures(donor.index)
    if lending.map == NONE:
        return theirs[donor.taken]
    others = sorted(set(donor.emotion.tolist()) - {lending.emotion})
    ours, emotion = rows.pictures(rows.real), rows.emotion[rows.real]
    if lending.map == STANDARDISE:
        own = fit_standardiser(lambda: [ours[np.isin(emotion, others)]])
        other = fit_standardiser(lambda: [theirs[np.isin(donor.emotion, others)]])
        return own.unscale(other.scale(theirs[donor.taken]))
    # Standardised, as class Gaussians are: no value counts more for the slope because its numbers are large.
    scaler = rows.fit_scaler()
    x, y = (scaler.scale(values).astype(np.float64) for values in (theirs, ours))
    known = np.stack([x[donor.emotion == name].mean(axis=0) for name in others])
    shared = np.stack([y[emotion == name].mean(axis=0) for name in others])
    for name in sorted(set(donor.emotion.tolist())):
        here = donor.emotion == name
        mean = x[here].mean(axis=0)
        x[here] += brought(shared, known, mean) - mean
    return scaler.unscale(x[donor.taken].astype(np.float32))


def _tables(donor: _Donor, digests: Sequence[str], how: str, first: int) -> tuple[Table, Table]:
    """Segments and utterances of a donor's rows, whose utterances are counted from `first`."""
    (store,) = donor.rows.stores
    segments, utterances = store.contents.take(donor.index[donor.taken])
    emotion = np.empty(len(utterances), dtype=donor.emotion.dtype)
    emotion[segments["utterance"]] = donor.emotion[donor.taken]
    corpora = _corpora(donor)[np.unique(store.contents.segments["utterance"][donor.index[donor.taken]])]
    params = canonical_json({"donor": donor.name, "map": how})
    segments = (
        segments.with_column("utterance", (segments["utterance"] + first).astype("<i4"))
        .with_column("origin", np.full(len(segments), ORIGIN))
        .with_column("parent", segments["digest"])
        .with_column("params", np.full(len(segments), params))
        .with_column("digest", np.array(digests, dtype=np.str_))
    )
    utterances = (
        # No audio sounds like them any more.
        Table({name: column for name, column in utterances.columns.items() if name not in RECORDED_COLUMNS})
        .with_column("path", np.full(len(utterances), ""))
        .with_column("emotion", emotion)
        .with_column("corpus", corpora)
    )
    return segments, utterances


def _corpora(donor: _Donor) -> Words:
    """Corpus of each of a donor's utterances; a donor that names none is one of its own."""
    corpora = donor.rows.utterance_column("corpus")
    return np.where(corpora == "", donor.name, corpora).astype(np.str_)


def _lineage(donor: _Donor) -> Lineage:
    """What has been seen of a donor; its speakers are told apart from ours."""
    speakers = in_corpus(_corpora(donor).tolist(), donor.rows.utterance_column("speaker").tolist())
    digests = donor.rows.utterance_column("digest").tolist()
    return donor.rows.own_lineage.trained(digests, map(called, speakers))
