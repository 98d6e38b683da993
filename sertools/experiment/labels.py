"""What a labels CSV says of a corpus: its classes, which of them are rare, and folds of its speakers."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sertools.errors import UsageError

RARE = "fewer than half of the median class's recordings"
_FEWEST = 3  # recordings of a class: one is tested, and two are learnt from


@dataclass(frozen=True)
class Labels:
    """The recordings of a labels CSV that have an emotion, counted.

    Attributes
    ----------
    path : Path
        Of the CSV.
    counts : dict of (str, str) to int
        Class and speaker → recordings; the speaker of those that name none is empty.
    unlabelled : int
        Recordings without an emotion.
    """

    path: Path
    counts: Mapping[tuple[str, str], int]
    unlabelled: int

    @property
    def classes(self) -> dict[str, int]:
        """Class → recordings, the largest first."""
        return _summed(self.counts, 0)

    @property
    def speakers(self) -> dict[str, int]:
        """Speaker → recordings; those that name none are in none."""
        return {name: n for name, n in _summed(self.counts, 1).items() if name}

    @property
    def unnamed(self) -> int:
        """Recordings without a speaker."""
        return sum(n for (_, speaker), n in self.counts.items() if not speaker)

    def of(self, emotion: str) -> dict[str, int]:
        """Give the speakers of a class with their recordings of it."""
        return {speaker: n for (name, speaker), n in self.counts.items() if name == emotion and speaker}


def count_labels(path: Path, emotions: Sequence[str] = ()) -> Labels:
    """Count the recordings of a labels CSV, as ``sertools corpus`` prints it.

    Parameters
    ----------
    path
        The CSV.
    emotions
        Classes to keep; none: all.

    Raises
    ------
    UsageError
        If it is no such CSV, names fewer than two classes, or a class that is asked for has no recording.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = [(row["emotion"] or "", row["speaker"] or "") for row in csv.DictReader(file)]
    except (OSError, KeyError, csv.Error) as error:
        raise UsageError(
            f"{path}: expected what `sertools corpus` writes, with columns emotion and speaker ({error}); remove it, "
            "and make mine lists the corpus anew"
        ) from None
    counts = Counter(row for row in rows if row[0] and (not emotions or row[0] in emotions))
    labels = Labels(path, counts, sum(not emotion for emotion, _ in rows))
    for name in emotions:
        if name not in labels.classes:
            known = ", ".join(sorted({emotion for emotion, _ in rows if emotion}))
            raise UsageError(f"EMOTIONS: {path} has no recording of {name!r}; it has {known}")
    if len(labels.classes) < 2:
        named = f"only {next(iter(labels.classes))!r}" if counts else "no emotion"
        raise UsageError(
            f"{path}: the {len(rows)} recordings name {named}, and two classes are needed; put each class in a "
            "folder of its own, name the corpus's READER (`sertools corpus --list`), or give a CSV with columns "
            "file, emotion and speaker"
        )
    return labels


def rare_classes(classes: Mapping[str, int]) -> tuple[str, ...]:
    """Name the classes with fewer recordings than half of the median class, the smallest first; there may be none."""
    half = median(classes.values()) / 2
    return tuple(sorted((name for name, n in classes.items() if n < half), key=lambda name: (classes[name], name)))


def require_recordings(labels: Labels) -> None:
    """Raise `UsageError` if a class has too few recordings to learn from some and be tested on others."""
    for name, n in labels.classes.items():
        if n < _FEWEST:
            raise UsageError(
                f"{labels.path}: class {name!r} has {with_noun(n, 'recording')}, and {_FEWEST} are the fewest that "
                f"can be learnt from and tested on; record more, or leave it out by {without(labels, name)}"
            )


def with_noun(n: int, noun: str) -> str:
    """Write a number with its noun, such as ``2 speakers``."""
    return f"{n} {noun}{'s' * (n != 1)}"


def without(labels: Labels, name: str) -> str:
    """Write the setting that leaves a class out."""
    return f"EMOTIONS='{' '.join(other for other in labels.classes if other != name)}'"


def folds_of(labels: Labels, rare: Sequence[str], n_folds: int, *, fewer: bool = False) -> dict[str, int]:
    """Deal speakers into folds that have as even a share of the rare classes as can be.

    A fold that tests no recording of a rare class says nothing of it, and a report has no interval then.

    Parameters
    ----------
    labels
        Of two speakers at least.
    rare
        The classes that count first.
    n_folds
        How many; where a class would be missing from a training set, each speaker is a fold of its own.
    fewer
        Take fewer where a fold would test no recording of a rare class.

    Returns
    -------
    dict
        Speaker → fold, from 1.

    Raises
    ------
    UsageError
        If there are fewer speakers than folds, or a class cannot be both learnt from some speakers and tested on
        others.
    """
    if len(labels.speakers) < n_folds:
        raise UsageError(
            f"FOLDS {n_folds}: {labels.path} names {with_noun(len(labels.speakers), 'speaker')}; use "
            "FOLDS=speakers, or fewer"
        )
    for n in range(n_folds, 1, -1) if fewer else ():
        dealt = _dealt(labels, rare, n)
        if all(_tested_everywhere(labels, name, dealt) for name in rare) and all(
            _learnt_everywhere(labels, name, dealt) for name in labels.classes
        ):
            return dealt
    for n in dict.fromkeys((n_folds, len(labels.speakers))):
        dealt = _dealt(labels, rare, n)
        short = next((name for name in labels.classes if not _learnt_everywhere(labels, name, dealt)), "")
        if not short:
            return dealt
    who = labels.of(short)
    named = f"speaker {next(iter(who))!r}" if len(who) == 1 else f"{len(who)} speakers"
    raise UsageError(
        f"{labels.path}: the {labels.classes[short]} recordings of class {short!r} are of {named}: where one is "
        "tested, fewer than two are left to learn from; record others, leave the class out by "
        f"{without(labels, short)}, or take BY=utterance, whose figures are those of known voices"
    )


def folds_text(dealt: Mapping[str, int]) -> str:
    """Write folds as the CSV that ``select --folds`` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("speaker", "fold"))
    writer.writerows(sorted(dealt.items()))
    return text.getvalue()


def _dealt(labels: Labels, rare: Sequence[str], n_folds: int) -> dict[str, int]:
    weights = {s: (sum(labels.counts.get((name, s), 0) for name in rare), n) for s, n in labels.speakers.items()}
    held = {fold: (0, 0) for fold in range(1, n_folds + 1)}
    has = {fold: set[str]() for fold in held}
    dealt: dict[str, int] = {}
    for speaker in sorted(weights, key=lambda name: (*(-n for n in weights[name]), name)):
        own = {name for name in rare if (name, speaker) in labels.counts}
        fold = _poorest(own, has, held)
        dealt[speaker] = fold
        has[fold] |= own
        # A speaker without a rare recording still fills a fold: no fold is left empty.
        held[fold] = (held[fold][0] + weights[speaker][0], held[fold][1] + weights[speaker][1])
    return dealt


def _poorest(own: set[str], has: Mapping[int, set[str]], held: Mapping[int, tuple[int, int]]) -> int:
    """Name the fold that lacks most of a speaker's rare classes; among such, the one that holds least."""
    return min(held, key=lambda fold: (-len(own - has[fold]), held[fold], fold))


def _tested_everywhere(labels: Labels, name: str, dealt: Mapping[str, int]) -> bool:
    return {dealt[speaker] for speaker in labels.of(name)} == {*dealt.values()}


def _learnt_everywhere(labels: Labels, name: str, dealt: Mapping[str, int]) -> bool:
    who = labels.of(name)
    tested = Counter[int]()
    for speaker, n in who.items():
        tested[dealt[speaker]] += n
    return all(sum(who.values()) - n >= _FEWEST - 1 for n in tested.values())


def _summed(counts: Mapping[tuple[str, str], int], part: int) -> dict[str, int]:
    total = Counter[str]()
    for key, n in counts.items():
        total[key[part]] += n
    return dict(sorted(total.items(), key=lambda entry: (-entry[1], entry[0])))
