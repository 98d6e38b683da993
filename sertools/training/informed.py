"""From donor stores to class means that know more: which classes are whose, and what is told of that.

Donors speak by words: their `anxiety` is our `fearful`, but nobody's `calm` is `neutral` unless it is said so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sertools.arrays import Index, Matrix
from sertools.corpora import licences
from sertools.corpora.emotions import canonical_emotion
from sertools.errors import LineageError, StoreError, UsageError, warn
from sertools.training.batches import Rows
from sertools.training.class_means import ClassMeans, Speech, class_means
from sertools.training.donors import PERMUTATIONS, Aligned, align, informed

_DIGITS = 4  # of what is told

# What a latents file tells of donors, ready for JSON: `own`, class → its own rows and what they weigh; and `donors`,
# of each its name, what was matched, how near it is, and class → weight.
Told = Mapping[str, Any]


def speech_of(rows: Rows, latents: Matrix) -> Speech:
    """Say of each row what it is and who says it."""
    return Speech(latents, rows.emotion.astype(np.str_), rows.full_names("speaker")[rows.utterance].astype(np.str_))


def matched(theirs: Iterable[str], ours: Sequence[str], relabel: Mapping[str, str]) -> dict[str, str]:
    """Match a donor's classes to ours.

    Parameters
    ----------
    theirs, ours
        Words.
    relabel
        Word of a donor → the one that it counts as.

    Returns
    -------
    dict of str to str
        Their word → ours; those that we lack are left out.
    """
    counts_as = {canonical_emotion(old): new for old, new in relabel.items()}
    meanings = Counter(map(canonical_emotion, ours))
    # Two of our classes that mean the same are told apart by their spelling alone.
    meant = {canonical_emotion(word): word for word in ours if meanings[canonical_emotion(word)] == 1}
    found = {}
    for word in theirs:
        said = counts_as.get(canonical_emotion(word), word)
        own = said if said in ours else meant.get(canonical_emotion(said))
        if own:
            found[word] = own
    return found


def check_donors(rows: Rows, donors: Sequence[Rows], relabel: Mapping[str, str]) -> None:
    """Refuse donors that are, or stem from, what they are to inform, or each other; and words that none has.

    Raises
    ------
    LineageError
        Naming how many utterances two stores share.
    UsageError
        If no donor has an emotion of `relabel`.
    """
    known = [rows]
    for donor in donors:
        for other in known:
            seen = donor.seen & other.seen
            if seen - {""}:
                raise LineageError(
                    f"{donor.name}: holds, or was made from, {len(seen - {''})} utterances of {other.name}; a donor "
                    "is another corpus, each given once"
                )
        known.append(donor)
    words = sorted({word for donor in donors for word in donor.emotion.tolist()} - {""})
    for old, new in relabel.items():
        if canonical_emotion(old) not in map(canonical_emotion, words):
            raise UsageError(f"--relabel {old}={new}: no donor has {old!r}; they have {', '.join(words)}")


def informed_means(
    rows: Rows,
    latents: Matrix,
    donors: Sequence[Rows],
    relabel: Mapping[str, str],
    encode: Callable[[Rows, Index], Matrix],
) -> tuple[Matrix, Told]:
    """Shrink the class means of our rows towards those of donors.

    Parameters
    ----------
    rows, latents
        Ours; every row has a label [shape=(N, latent_size)].
    donors
        A set of rows each; those that are real and have a label are looked at.
    relabel
        As in `matched`.
    encode
        Gives latents of some of a donor's rows.

    Returns
    -------
    mean : ndarray [shape=(n_classes, latent_size)]
        Of the classes, sorted.
    told : dict
        What was matched, how near each donor is, and what each weighs in each class.

    Raises
    ------
    StoreError
        If no donor has two of our classes, or one has one row of each class.

    Warns
    -----
    SertoolsWarning
        Of donors whose map rests on one class, of those that are far, and where all are.
    """
    speech = speech_of(rows, latents)
    ours = class_means(speech)
    names = donor_names(donors)
    words = [sorted(set(donor.emotion[donor.real].tolist()) - {""}) for donor in donors]
    matches = [matched(own, ours.classes, relabel) for own in words]
    if not any(len(set(match.values())) > 1 for match in matches):
        has = "; ".join(
            f"{donor.name} has {', '.join(sorted(set(match.values()))) or 'none'} of them"
            for donor, match in zip(donors, matches, strict=True)
        )
        raise StoreError(
            f"--donor: {rows.name} has {', '.join(ours.classes)}, and {has}; a class is placed by another that both "
            "have, so two are needed: rename a donor's by --relabel OLD=NEW, or leave --donor out"
        )
    aligned: list[Aligned | None] = []
    for name, donor, match in zip(names, donors, matches, strict=True):
        aligned.append(_aligned(name, donor, match, speech, ours, encode))
    telling = [each for each in aligned if each]
    found = informed(ours, telling)
    if not any(each.is_near for each in telling):
        warn(f"{rows.name}: all donors are far; the means are those of its own rows")
    weights = iter(found.of_donors)
    described = [
        _described(name, donor, match, each, dict(zip(ours.classes, next(weights) if each else (), strict=False)))
        for name, donor, match, each in zip(names, donors, matches, aligned, strict=True)
    ]
    n_rows = Counter(speech.labels.tolist())
    own = {
        name: {"rows": n_rows[name], "weight": round(float(weight), _DIGITS)}
        for name, weight in zip(ours.classes, found.own, strict=True)
    }
    return found.mean, {"own": own, "donors": described}


def donor_names(donors: Sequence[Rows]) -> list[str]:
    """Call each by its file's name; those of one name are numbered."""
    stems = [donor.stores[0].path.stem for donor in donors]
    return [
        stem if stems.count(stem) == 1 else f"{stem}-{stems[: number + 1].count(stem)}"
        for number, stem in enumerate(stems)
    ]


def _aligned(
    name: str,
    donor: Rows,
    match: Mapping[str, str],
    speech: Speech,
    ours: ClassMeans,
    encode: Callable[[Rows, Index], Matrix],
) -> Aligned | None:
    """Align a donor, and warn of what makes its word doubtful; None if it has no two of our classes."""
    shared = sorted(set(match.values()))
    if len(shared) < 2:
        warn(f"donor {name}: has {', '.join(shared) or 'none'} of our classes, and tells nothing without another")
        return None
    if len(shared) == 2:
        warn(f"donor {name}: has {' and '.join(shared)} alone of our classes; the map of each is that of the other")
    index = donor.real[np.isin(donor.emotion[donor.real], list(match))]
    own = speech_of(donor, np.empty((len(donor), 0)))
    words = np.array([match[word] for word in own.labels[index].tolist()])
    try:
        found = align(speech, ours, Speech(encode(donor, index), words, own.speakers[index]))
    except ValueError as error:
        raise StoreError(f"{donor.name}: {error}; leave it out") from error
    if not found.is_near:
        warn(
            f"donor {name}: is far: its classes differ as ours by {found.agreement:.2f}, and by {found.chance:.2f} "
            f"with one of {PERMUTATIONS} permutations of its labels; it has no weight"
        )
    return found


def _described(
    name: str, donor: Rows, match: Mapping[str, str], aligned: Aligned | None, weights: Mapping[str, float]
) -> dict[str, Any]:
    emotion = donor.emotion[donor.real].tolist()
    counts = Counter(match[word] for word in emotion if word in match)
    told: dict[str, Any] = {
        "name": name,
        "matched": {own: sorted(word for word in match if match[word] == own) for own in sorted(counts)},
        "ignored": sorted(set(emotion) - {""} - set(match)),
        "rows": {own: counts[own] for own in sorted(counts)},
        "near": bool(aligned and aligned.is_near),
        "licences": licences(donor.utterance_column("corpus").tolist()),
    }
    if aligned:
        told |= {
            "auc": _rounded(dict(zip(aligned.classes, aligned.auc, strict=True))),
            "agreement": round(aligned.agreement, _DIGITS),
            "chance": round(aligned.chance, _DIGITS),
            "miss": round(aligned.miss, _DIGITS),
            "weight": _rounded({own: weights[own] for own in aligned.classes}),
        }
    return told


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), _DIGITS) for name, value in values.items()}
