"""A rival's file: what another tool predicted, one line of CSV an utterance.

With a header, columns in any order::

    method,fold,reduced,seed,id,emotion,predicted,speaker,p_angry,p_happy,p_sad
    eGeMAPS+SVM,1,angry,0,Actor_01/03-01-05-01-01-01-01,angry,happy,01,0.31,0.52,0.17

``method``, ``id``, ``emotion`` and ``predicted`` are needed. ``fold``, ``reduced`` and ``seed`` are the tags of
`sertools evaluate`; a column that is missing is an empty tag. ``id`` and ``speaker`` are names within ``corpus``;
speaker and corpus are taken from our results where they are missing or empty. The ``p_`` columns are posteriors, all
classes or none; without them a rival has no AUC.

Words are in one spelling, and those of `sertools.spelling.MISSING` say nothing, as in a labels table.
"""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from sertools.corpora.emotions import canonical_emotion, plain_emotion
from sertools.errors import ModelError, SertoolsWarning, printable
from sertools.scoring.results.tags import TAGS, canonical_tag
from sertools.spelling import is_missing, spelled

_NEEDED = ("method", "id", "emotion", "predicted")
_KNOWN = (*TAGS, "id", "emotion", "predicted", "speaker", "corpus")
POSTERIOR = "p_"
# Cells that may be empty, and are where they hold a word that says so.
_MAY_LACK = (*TAGS[1:], "speaker", "corpus")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One line of a rival's CSV.

    Attributes
    ----------
    where : str
        File and line, for messages.
    place : tuple of str [length=4]
        Method, fold, reduced class, seed; all but the method may be empty.
    id, speaker, corpus : str
        As in the store, but `spelled`; speaker and corpus may be empty.
    emotion, predicted : str
        True and predicted class.
    posterior : mapping of str to float [range=0…1]
        Class → posterior; empty if the file has none.
    """

    where: str
    place: tuple[str, ...]
    id: str
    speaker: str
    corpus: str
    emotion: str
    predicted: str
    posterior: Mapping[str, float]


def check_head(head: bytes, name: str) -> None:
    """Refuse another kind of file by how it begins, so that it is not read to its end.

    Raises
    ------
    ModelError
        If its first line names none of the columns that are needed.
    """
    first, *_ = head.decode("utf-8", "replace").splitlines() or [""]
    if not {*re.split(r"[\s\",\ufeff]+", first)} & {*_NEEDED}:
        raise ModelError(
            f"{name}: is neither a result of 'sertools evaluate' nor a comma-separated table of predictions with the "
            f"columns {', '.join(_NEEDED)}"
        )


def read_predictions(data: bytes, name: str, classes: Sequence[str] = ()) -> list[Prediction]:
    """Read a rival's CSV and check each line of it.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        Of the file, for messages.
    classes : sequence of str
        Of our results; a word that is one of them stays.

    Returns
    -------
    list of Prediction
        At least one. Other emotions are in sertools' words, `sertools.corpora.emotions.canonical_emotion`.

    Raises
    ------
    ModelError
        If it is no such CSV; names file and line.

    Warns
    -----
    SertoolsWarning
        Of words that count as missing, and of those that became one class.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ModelError(f"{name}:{line}: is not UTF-8; save the table as UTF-8") from None
    rows = _rows(text, name)
    where, columns = next(rows)
    columns = [spelled(column) for column in columns]
    words = _Words(classes)
    posteriors = _check_header(columns, where, words)
    lines = []
    for where, cells in rows:
        if len(cells) != len(columns):
            raise ModelError(f"{where}: has {len(cells)} cells, the header {len(columns)}; complete the line")
        lines.append(_prediction(dict(zip(columns, cells, strict=True)), posteriors, words, where))
    if not lines:
        raise ModelError(f"{where}: no prediction follows; write one line an utterance below the header")
    words.remark(name)
    return lines


class _Words:
    """The words of a file: which class each means, which say nothing."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = frozenset(classes)
        self._missing: Counter[tuple[str, str]] = Counter()
        self._words_of: dict[str, set[str]] = {}

    def emotion(self, word: str) -> str:
        """Give a word's class: one of ours as it is, else sertools' word for it."""
        plain = printable(plain_emotion(word))
        return plain if plain in self._classes else printable(canonical_emotion(word))

    def said(self, word: str) -> str:
        """Give the class of a word of a prediction, and remember the word."""
        emotion = self.emotion(word)
        self._words_of.setdefault(emotion, set()).add(printable(plain_emotion(word)))
        return emotion

    def lacks(self, word: str) -> bool:
        """Whether a word for an emotion says that nothing is known, unless it is a class of ours."""
        return is_missing(spelled(word)) and plain_emotion(word) not in self._classes

    def known(self, cells: Mapping[str, str], column: str) -> str:
        """Give a cell that may be empty, in one spelling; remember a word that says that it is."""
        word = printable(canonical_tag(column, cells.get(column, "")))
        if not is_missing(word):
            return word
        self._missing[column, word] += 1
        return ""

    def remark(self, name: str) -> None:
        """Warn of what was taken for nothing, and of words that became one class."""
        if self._missing:
            told = ", ".join(f"{column} {word!r} ({n})" for (column, word), n in sorted(self._missing.items()))
            warnings.warn(f"{name}: cells that count as missing: {told}", SertoolsWarning, stacklevel=3)
        for emotion, words in sorted(self._words_of.items()):
            if len(words) > 1:
                warnings.warn(
                    f"{name}: {', '.join(map(repr, sorted(words)))} count as one class, {emotion!r}",
                    SertoolsWarning,
                    stacklevel=3,
                )


def _rows(text: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """Give where each row that is not blank ends, and its cells."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            if cells:
                yield f"{name}:{reader.line_num}", cells
    except csv.Error as error:
        raise ModelError(f"{name}:{reader.line_num}: is not CSV ({error}); mend its quotes") from None


def _check_header(columns: Sequence[str], where: str, words: _Words) -> dict[str, str]:
    """Check the columns; give those of posteriors, class → column."""
    for column, times in Counter(columns).items():
        if times > 1:
            raise ModelError(f"{where}: has the column {shown(column)} twice; remove one")
        if column not in _KNOWN and not column.startswith(POSTERIOR):
            raise ModelError(
                f"{where}: the column {shown(column)} is unknown: use {', '.join(_KNOWN)} and {POSTERIOR}CLASS"
            )
    for column in _NEEDED:
        if column not in columns:
            raise ModelError(f"{where}: lacks the column {column!r}; a rival needs {', '.join(_NEEDED)}")
    classes: dict[str, str] = {}
    for column in columns:
        if column.startswith(POSTERIOR):
            emotion = words.emotion(column.removeprefix(POSTERIOR))
            if emotion in classes:
                raise ModelError(f"{where}: {classes[emotion]} and {shown(column)} are the same class; remove one")
            classes[emotion] = column
    return classes


def _prediction(cells: Mapping[str, str], columns: Mapping[str, str], words: _Words, where: str) -> Prediction:
    for name in _NEEDED:
        if not spelled(cells[name]):
            raise ModelError(f"{where}: the {name} is empty; fill it")
    for name in ("emotion", "predicted"):
        if words.lacks(cells[name]):
            raise ModelError(f"{where}: the {name} is {shown(cells[name])}, which counts as missing; fill it")
    posterior = {}
    for emotion, column in columns.items():
        try:
            value = float(cells[column])
        except ValueError:
            value = -1.0
        if not (isfinite(value) and 0 <= value <= 1):
            raise ModelError(f"{where}: {column} is {shown(cells[column])}, not a number from 0 to 1")
        posterior[emotion] = value
    if posterior and abs(sum(posterior.values()) - 1) > 1e-3:
        raise ModelError(f"{where}: the posteriors add up to {sum(posterior.values()):.4g}, not to 1")
    fold, reduced, seed, speaker, corpus = (words.known(cells, column) for column in _MAY_LACK)
    return Prediction(
        where=where,
        place=(printable(spelled(cells["method"])), fold, words.emotion(reduced), seed),
        id=printable(spelled(cells["id"])),
        speaker=speaker,
        corpus=corpus,
        emotion=words.said(cells["emotion"]),
        predicted=words.said(cells["predicted"]),
        posterior=posterior,
    )


def shown(text: str) -> str:
    """Quote a cell in a message, at a length that stays one line."""
    text = printable(text)
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"
