"""A rival's file: what another tool predicted, one line of CSV an utterance.

With a header, columns in any order::

    method,fold,reduced,seed,id,emotion,predicted,speaker,p_angry,p_happy,p_sad
    eGeMAPS+SVM,1,angry,0,Actor_01/03-01-05-01-01-01-01,angry,happy,01,0.31,0.52,0.17

``method``, ``id``, ``emotion`` and ``predicted`` are needed. ``fold``, ``reduced`` and ``seed`` are the tags of
`sertools evaluate`; a column that is missing is an empty tag. ``speaker`` is taken from our results where it is
missing or empty. The ``p_`` columns are posteriors, all classes or none; without them a rival has no AUC.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import BinaryIO

from sertools.corpora.emotions import canonical_emotion
from sertools.errors import ModelError, printable
from sertools.scoring.results.result import TAGS

_NEEDED = ("method", "id", "emotion", "predicted")
_KNOWN = (*TAGS, "id", "emotion", "predicted", "speaker")
POSTERIOR = "p_"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One line of a rival's CSV.

    Attributes
    ----------
    where : str
        File and line, for messages.
    place : tuple of str [length=4]
        Method, fold, reduced class, seed; all but the method may be empty.
    id, speaker : str
        As in the store; the speaker may be empty.
    emotion, predicted : str
        True and predicted class.
    posterior : mapping of str to float [range=0…1]
        Class → posterior; empty if the file has none.
    """

    where: str
    place: tuple[str, ...]
    id: str
    speaker: str
    emotion: str
    predicted: str
    posterior: Mapping[str, float]


def read_predictions(file: BinaryIO, head: bytes, name: str) -> list[Prediction]:
    """Read a rival's CSV and check each line of it.

    Parameters
    ----------
    file : binary file
        Open at its start.
    head : bytes
        How it begins, so that another kind of file is not read to its end.
    name : str
        Of the file, for messages.

    Returns
    -------
    list of Prediction
        At least one. Emotions are in sertools' words, `sertools.corpora.emotions.canonical_emotion`.

    Raises
    ------
    ModelError
        If it is no such CSV; names file and line.
    """
    first, *_ = head.decode("utf-8", "replace").splitlines() or [""]
    if not {*re.split(r"[\s\",\ufeff]+", first)} & {*_NEEDED}:
        raise ModelError(
            f"{name}: is neither a result of 'sertools evaluate' nor a comma-separated table of predictions with the "
            f"columns {', '.join(_NEEDED)}"
        )
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ModelError(f"{name}:{line}: is not UTF-8; save the table as UTF-8") from None
    rows = _rows(text, name)
    where, columns = next(rows)
    columns = [column.strip() for column in columns]
    classes = _check_header(columns, where)
    lines = []
    for where, cells in rows:
        if len(cells) != len(columns):
            raise ModelError(f"{where}: has {len(cells)} cells, the header {len(columns)}; complete the line")
        lines.append(_prediction(dict(zip(columns, cells, strict=True)), classes, where))
    if not lines:
        raise ModelError(f"{where}: no prediction follows; write one line an utterance below the header")
    return lines


def _rows(text: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """Give where each row that is not blank ends, and its cells."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield f"{name}:{reader.line_num}", cells
    except csv.Error as error:
        raise ModelError(f"{name}:{reader.line_num}: is not CSV ({error}); mend its quotes") from None


def _check_header(columns: Sequence[str], where: str) -> dict[str, str]:
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
            emotion = _emotion(column.removeprefix(POSTERIOR))
            if emotion in classes:
                raise ModelError(f"{where}: {classes[emotion]} and {shown(column)} are the same class; remove one")
            classes[emotion] = column
    return classes


def _prediction(cells: Mapping[str, str], columns: Mapping[str, str], where: str) -> Prediction:
    for name in _NEEDED:
        if not cells[name].strip():
            raise ModelError(f"{where}: the {name} is empty; fill it")
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
    method, fold, reduced, seed = (printable(cells.get(tag, "").strip()) for tag in TAGS)
    return Prediction(
        where=where,
        place=(method, fold, _emotion(reduced), seed),
        id=printable(cells["id"]),
        speaker=printable(cells.get("speaker", "").strip()),
        emotion=_emotion(cells["emotion"]),
        predicted=_emotion(cells["predicted"]),
        posterior=posterior,
    )


def _emotion(word: str) -> str:
    return printable(canonical_emotion(word))


def shown(text: str) -> str:
    """Quote a cell in a message, at a length that stays one line."""
    text = printable(text)
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"
