"""What the words of a corpus mean: which say nothing, which are one emotion, which people may be one.

Readers give words as the corpus writes them. `settle` is the one place that makes labels of them, and it says what it
did that a user might not expect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sertools.corpora.cells import canonical_gender
from sertools.corpora.emotions import canonical_emotion, plain_emotion
from sertools.corpora.recording import Recording
from sertools.errors import CorpusError, one_of, printable, warn
from sertools.recording_config import SYNONYMS
from sertools.spelling import MISSING, alike, is_missing, is_utf_8, spelled

_COLUMNS = ("emotion", "speaker", "session", "gender", "corpus")
# No emotion: its words are one whatever becomes of the others.
_AMBIGUOUS = "ambiguous"
# Emotions are written with any of them.
_HYPHENS = "_-"
# A warning stays one readable line.
_MOST = 4


@dataclass(frozen=True)
class Vocabulary:
    """How the words of a corpus are read.

    Attributes
    ----------
    missing : tuple of str
        Words, in any case, that say that nothing is known.
    synonyms : {"merge", "keep"}
        merge: words of one emotion, such as fear and anxiety, are one class; keep: each is a class of its own.
    """

    missing: tuple[str, ...] = MISSING
    synonyms: str = "merge"

    def __post_init__(self) -> None:
        one_of("--synonyms", self.synonyms, SYNONYMS)
        object.__setattr__(self, "missing", tuple(spelled(word).casefold() for word in self.missing))

    def lacks(self, word: str) -> bool:
        """Whether a word says that nothing is known."""
        return is_missing(word, self.missing)

    def emotion(self, word: str) -> str:
        """Give the class of a corpus's word for an emotion."""
        known = canonical_emotion(word)
        return known if self.synonyms == "merge" or known == _AMBIGUOUS else plain_emotion(word)

    def options(self) -> dict[str, str]:
        """What is not as usual, by the options' names."""
        found, usual = ({"missing": ",".join(each.missing), "synonyms": each.synonyms} for each in (self, USUAL))
        return {name: value for name, value in found.items() if value != usual[name]}


USUAL = Vocabulary()


def vocabulary_of(missing: str | Sequence[str] | None, synonyms: str) -> Vocabulary:
    """Make a vocabulary of what the options say; without `missing` its words are the usual ones.

    Raises
    ------
    UsageError
        `synonyms` is none of its choices.
    """
    words = missing.split(",") if isinstance(missing, str) else missing
    return Vocabulary(MISSING if words is None else tuple(words), synonyms)


def settle(
    recordings: Iterable[Recording],
    name: str,
    vocabulary: Vocabulary = USUAL,
    counted_as: Mapping[str, str] | None = None,
) -> list[Recording]:
    """Make labels of the words of a corpus.

    Parameters
    ----------
    recordings : iterable of Recording
        With words as the corpus writes them, or settled before: then nothing changes.
    name : str
        The corpus, for messages.
    vocabulary : Vocabulary
        How words are read.
    counted_as : mapping of str to str
        Emotions that this corpus counts as another, beside the usual synonyms.

    Returns
    -------
    list of Recording
        In the same order. Every word is `spelled`; missing ones are empty.

    Raises
    ------
    CorpusError
        A word is not UTF-8.

    Warns
    -----
    SertoolsWarning
        Of missing words; of words that became one class; of classes, speakers or sessions that may be one.
    """
    merged = counted_as if counted_as and vocabulary.synonyms == "merge" else {}
    words_of: dict[str, Counter[str]] = {}
    missing: Counter[tuple[str, str]] = Counter()
    settled, n_lacking = [], 0
    for recording in map(respelled, recordings):
        words = {column: getattr(recording, column) for column in _COLUMNS}
        lacking = [(column, word) for column, word in words.items() if word and vocabulary.lacks(word)]
        missing.update(lacking)
        n_lacking += bool(lacking)
        known = words | dict.fromkeys((column for column, _ in lacking), "")
        emotion = vocabulary.emotion(known["emotion"])
        emotion = merged.get(emotion, emotion)
        words_of.setdefault(emotion, Counter())[_plain(known["emotion"])] += 1
        known |= {"emotion": emotion, "gender": canonical_gender(known["gender"])}
        settled.append(replace(recording, **known) if known != words else recording)
    if missing:
        warn(f"{name}: {_of_missing(missing, n_lacking, len(settled))}")
    if joined := {emotion: words for emotion, words in words_of.items() if len(words) > 1}:
        told = _some([f"{_counted(words)} are {emotion!r}" for emotion, words in sorted(joined.items())])
        warn(f"{name}: words of one class: {told}; give --synonyms keep to keep them apart")
    remark_alike(settled, name)
    return settled


def respelled(recording: Recording) -> Recording:
    """Bring the words of a recording to the form in which they are stored; its path stays.

    Raises
    ------
    CorpusError
        A word is not UTF-8.
    """
    words = {column: getattr(recording, column) for column in _COLUMNS}
    forms: dict[str, Any] = {column: spelled(word) for column, word in words.items()}
    extra = {spelled(column): spelled(cell) for column, cell in recording.extra.items()}
    for column, word in (forms | extra).items():
        if not is_utf_8(column + word):
            raise CorpusError(
                f"{printable(recording.file)}: its {printable(column)} '{printable(word)}' is not UTF-8; "
                "write it, or rename the folder that is called so, in UTF-8"
            )
    if forms == words and extra == recording.extra:
        return recording
    return replace(recording, extra=extra, **forms)


def remark_alike(recordings: Sequence[Recording], name: str) -> None:
    """Warn of classes, corpora, and speakers and sessions of a corpus, that may be one by their names."""
    for column, what, blanks in (
        ("emotion", "classes", _HYPHENS),
        ("corpus", "corpora", _HYPHENS),
        ("speaker", "speakers", ""),
        ("session", "sessions", ""),
    ):
        apart = column in ("speaker", "session")
        counts: dict[str, Counter[str]] = {}
        for recording in recordings:
            counts.setdefault(recording.corpus if apart else "", Counter())[getattr(recording, column)] += 1
        told = [
            _counted({word: words[word] for word in group})
            for words in counts.values()
            for group in alike(words, blanks)
        ]
        if told:
            warn(
                f"{name}: {what} of almost one name stay apart: {_some(told)}; spell them alike if they are the same"
            )


def _plain(word: str) -> str:
    return spelled(plain_emotion(word).translate(dict.fromkeys(map(ord, _HYPHENS), " ")))


def _of_missing(missing: Counter[tuple[str, str]], n_lacking: int, n_rows: int) -> str:
    told = _some([f"{column} {word!r} ({count})" for (column, word), count in sorted(missing.items())])
    # All of them, however many other words there are: one may be somebody.
    names = " or ".join(repr(word) for column, word in sorted(missing) if column == "speaker")
    doubt = f"if a speaker is called {names}" if names else "if one is a class or a name"
    rows = f"{n_lacking} of {n_rows} rows have words that count as missing"
    return f"{rows}: {told}; {doubt}, give --missing WORDS without it"


def _counted(words: Mapping[str, int]) -> str:
    """Name words with their numbers of rows."""
    *others, last = [f"{word!r} ({count})" for word, count in sorted(words.items())]
    return f"{', '.join(others)} and {last}"


def _some(told: Sequence[str]) -> str:
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return "; ".join(told[:_MOST]) + more
