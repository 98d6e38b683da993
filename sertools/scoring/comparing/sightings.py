"""Whether the utterances and people of several results are those that their names say.

An utterance is its corpus and id, in whatever file and by whatever front end; the digest of the audio, where results
have it, tells if one name stands for two recordings or one recording under two names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sertools.errors import ModelError
from sertools.scoring.results.result import Result, Utterance
from sertools.scoring.results.tags import TAGS
from sertools.store.identity import alike_within, called, remarks_on_speakers

_MOST_NAMES = 3


@dataclass(frozen=True)
class _Sighting:
    """An utterance, and the result that it is in."""

    utterance: Utterance
    result: Result

    @property
    def where(self) -> str:
        return f"{self.result.source}: its utterance {self.utterance.name!r}"


def check_identities(results: Sequence[Result], *, same_speakers: bool = False) -> list[str]:
    """Refuse results whose utterances cannot be told apart; say what else a reader must know of their names.

    Parameters
    ----------
    results : sequence of Result
        All of a table.
    same_speakers : bool
        Whether speakers of one name are one person in all corpora.

    Returns
    -------
    list of str
        Sentences for below the table.

    Raises
    ------
    ModelError
        If one name stands for two recordings in the results of a method, for two labels or speakers, or for an
        utterance whose corpus only some results name.
    """
    sightings: dict[tuple[str, str], list[_Sighting]] = {}
    for result in results:
        for utterance in (*result.utterances, *result.validation):
            sightings.setdefault(utterance.key, []).append(_Sighting(utterance, result))
    for seen in sightings.values():
        _check_facts(seen)
    _check_corpora(sightings)
    utterances = [seen[0].utterance for seen in sightings.values()]
    return [
        *_other_audio(sightings.values()),
        *_two_names(seen.utterance for same in sightings.values() for seen in same),
        *_several_folds(results),
        *_speakers(results, same_speakers),
        *_almost_alike(results, utterances),
    ]


def _check_facts(seen: Sequence[_Sighting]) -> None:
    """Refuse two labels or speakers of one utterance, and other audio within a method."""
    first, method_audio = seen[0], dict[str, _Sighting]()
    for each in seen:
        for what in ("emotion", "speaker"):
            one, other = getattr(first.utterance, what), getattr(each.utterance, what)
            if one != other and (what == "emotion" or (one and other)):
                raise ModelError(
                    f"{each.where} has the {what} {other!r}, but {one!r} in {first.result.source}; if these are two "
                    "corpora, name them by `extract --corpus NAME` and evaluate again, else correct the labels"
                )
        if each.utterance.digest:
            known = method_audio.setdefault(each.result.tags.get("method", ""), each)
            if known.utterance.digest != each.utterance.digest:
                raise ModelError(
                    f"{each.where} is another recording than in {known.result.source}; name their corpora by "
                    "`extract --corpus NAME` and evaluate again"
                )


def _check_corpora(sightings: dict[tuple[str, str], list[_Sighting]]) -> None:
    """Refuse an utterance whose corpus some results name and others do not, unless its audio says that it is two."""
    named: dict[str, list[_Sighting]] = {}
    for (corpus, name), seen in sightings.items():
        if corpus:
            named.setdefault(name, []).append(seen[0])
    for (corpus, name), seen in sightings.items():
        for other in named.get(name, ()) if not corpus else ():
            here, there = seen[0].utterance.digest, other.utterance.digest
            if not (here and there and here != there):
                raise ModelError(
                    f"{seen[0].where} is of no named corpus, but of {other.utterance.corpus!r} in "
                    f"{other.result.source}; evaluate both on stores that name the corpus"
                )


def _other_audio(same: Iterable[Sequence[_Sighting]]) -> Iterator[str]:
    """Methods that heard other recordings under the names that they share."""
    differing = [seen for seen in same if len({s.utterance.digest for s in seen} - {""}) > 1]
    if differing:
        of_digest = {s.utterance.digest: s for s in reversed(differing[0]) if s.utterance.digest}
        first, second, *_ = sorted(of_digest.values(), key=lambda s: s.result.source)
        yield (
            f"{len(differing)} utterances have other audio in some methods than in others, such as "
            f"{first.utterance.name!r} in {first.result.source} and {second.result.source}: they count as the same, "
            "which holds only if one was made of the other."
        )


def _two_names(utterances: Iterable[Utterance]) -> Iterator[str]:
    """Recordings that count as several utterances."""
    names: dict[str, dict[tuple[str, str], str]] = {}
    for u in utterances:
        if u.digest:
            names.setdefault(u.digest, {})[u.key] = u.name
    several = [sorted(found.values()) for found in names.values() if len(found) > 1]
    if several:
        who = "1 recording has" if len(several) == 1 else f"{len(several)} recordings have"
        yield (
            f"{who} several names, such as {' and '.join(map(repr, several[0]))}: they count as different utterances."
        )


def _several_folds(results: Sequence[Result]) -> Iterator[str]:
    """Names that are tested in several folds of one experiment, where no audio says that they are one recording."""
    folds: dict[tuple[str, ...], dict[tuple[str, str], list[Utterance]]] = {}
    for result in results:
        experiment = tuple(result.tags.get(tag, "") for tag in TAGS if tag != "fold")
        for u in result.utterances:
            folds.setdefault(experiment, {}).setdefault(u.key, []).append(u)
    doubtful = sorted(
        {
            seen[0].name
            for tested in folds.values()
            for seen in tested.values()
            if len(seen) > 1 and not all(u.digest for u in seen)
        }
    )
    if doubtful:
        yield (
            f"{len(doubtful)} utterances are tested in several folds of a method, such as {doubtful[0]!r}: if they "
            "are of several corpora, name these in a column corpus."
        )


def _speakers(results: Sequence[Result], same_speakers: bool) -> list[str]:
    tested = {(u.corpus, u.speaker, u.gender) for r in results for u in r.utterances}
    corpora, speakers, genders = zip(*sorted(tested), strict=True) if tested else ((), (), ())
    remarks = remarks_on_speakers(corpora, speakers, genders, same_speakers=same_speakers)
    return [f"{text[0].upper()}{text[1:]}." for text in remarks]


def _almost_alike(results: Sequence[Result], utterances: Sequence[Utterance]) -> Iterator[str]:
    """Names that differ only in case, blanks, or as numbers are written."""
    words: dict[str, Iterable[str]] = {
        f"{tag} tags": {r.tags.get(tag, "") for r in results} for tag in TAGS if tag != "reduced"
    }
    words["classes"] = results[0].classes
    words["corpora"] = {u.corpus for u in utterances}
    words["speakers"] = {called(u.person) for u in utterances}
    words["utterances"] = {u.name for u in utterances}
    for what, names in words.items():
        if groups := alike_within(names):
            told = "; ".join(" and ".join(map(repr, group)) for group in groups[:_MOST_NAMES])
            more = f" and {len(groups) - _MOST_NAMES} more" if len(groups) > _MOST_NAMES else ""
            yield f"{what.capitalize()} of almost one name count as different: {told}{more}."
