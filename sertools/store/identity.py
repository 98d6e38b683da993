"""What a name stands for: ids, speakers and sessions are names within a corpus.

An utterance is the same in two stores if corpus and id are; who speaks is the same if corpus and name are. A corpus
without a name is one of its own. The digest of the audio tells where that is wrong; the file never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sertools.spelling import alike

_MARK = "\t"  # in no word: `spelled` makes a space of it
_MOST_NAMES = 4


def in_corpus(corpora: Iterable[str], names: Iterable[str]) -> list[str]:
    """Tell names of different corpora apart; one that is empty, or of a corpus without a name, stays as it is."""
    return [
        f"{corpus}{_MARK}{name}" if corpus and name else name for corpus, name in zip(corpora, names, strict=True)
    ]


def called(name: str) -> str:
    """Write a name that `in_corpus` made for people: ``ravdess:03``."""
    return name.replace(_MARK, ":", 1)


def plain_names(names: Iterable[str]) -> set[str]:
    """Give the names that `called` wrote without their corpora."""
    return {name.partition(":")[2] or name for name in names}


def alike_within(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Find names of a corpus that are almost one, as `alike` does, and corpora that are; as full names or shown."""
    known = set(names)
    of_corpus: dict[str, dict[str, str]] = {}
    for name in known:
        corpus, _, own = name.replace(_MARK, ":", 1).partition(":")
        if own:
            of_corpus.setdefault(corpus, {})[own] = name
    within = (tuple(sorted(own[word] for word in group)) for own in of_corpus.values() for group in alike(own))
    return sorted({*alike(known), *within})


def remarks_on_speakers(
    corpora: Sequence[str], speakers: Sequence[str], genders: Sequence[str], *, same_speakers: bool = False
) -> list[str]:
    """Say which speakers may be two people, or one, by what is known of their utterances; one sentence each.

    Parameters
    ----------
    corpora, speakers, genders
        Of utterances, in the same order.
    same_speakers
        Whether speakers of one name are one person in all corpora.
    """
    corpora_of: dict[str, set[str]] = {}
    genders_of: dict[str, set[str]] = {}
    people = list(speakers) if same_speakers else in_corpus(corpora, speakers)
    for corpus, speaker, gender, person in {*zip(corpora, speakers, genders, people, strict=True)}:
        if speaker:
            corpora_of.setdefault(speaker, set()).add(corpus)
            genders_of.setdefault(person, set()).update({gender} - {""})
    remarks = []
    if shared := sorted(name for name, found in corpora_of.items() if len(found) > 1):
        where = " and ".join(corpus or "one without a name" for corpus in sorted(corpora_of[shared[0]]))
        remarks.append(
            f"{len(shared)} names of speakers are in several corpora, {shared[0]!r} in {where}; they "
            f"count as {'one person each' if same_speakers else 'different people'}"
        )
    if two := sorted(person for person, found in genders_of.items() if len(found) > 1):
        names = ", ".join(repr(called(person)) for person in two[:_MOST_NAMES]) + "…" * (len(two) > _MOST_NAMES)
        remarks.append(
            f"{len(two)} speakers have more than one gender ({names}): if they are people of several corpora, name "
            "these by `extract --corpus NAME`"
        )
    return remarks
