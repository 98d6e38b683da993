"""The labels table: one row a recording, as a CSV file and in memory.

Every reader of this package returns a list of `Recording`; `write_labels` and `read_labels` are its CSV
form, by which `sertools corpus`, `sertools extract`, spreadsheets and scripts talk to each other.

**Conventions.** Emotions are adjectives in lower case (`EMOTIONS`); words beyond these pass as they are.
Times are seconds. File names that are not UTF-8 are carried as `surrogateescape` carries them, so open
streams with ``encoding="utf-8", errors="surrogateescape", newline=""``.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TextIO

from sertools.corpora.cells import canonical_gender, parse_seconds
from sertools.corpora.emotions import EMOTIONS, canonical_emotion
from sertools.corpora.files import AUDIO_SUFFIXES, find_audio
from sertools.errors import CorpusError, SertoolsWarning, printable

__all__ = [
    "AUDIO_SUFFIXES",
    "EMOTIONS",
    "CorpusWarning",
    "Recording",
    "canonical_emotion",
    "find_audio",
    "looks_like_labels",
    "read_labels",
    "write_labels",
]

_COLUMNS = ("file", "emotion", "speaker", "session", "gender")
_COLUMN_ALIASES = {"speaker_id": "speaker", "label": "emotion", "sex": "gender"}
_HEADER = ",".join(_COLUMNS)


class CorpusWarning(SertoolsWarning):
    """A corpus that can be read but is not as published."""


@dataclass(frozen=True)
class Recording:
    """One row of the labels table: a recording, or the span of one, and what is known about it.

    Attributes
    ----------
    file : str
        Path of the audio, as found or as read.
    emotion : str
        One of `EMOTIONS` or the corpus's own word; empty if unknown.
    speaker, session : str
        Names within the corpus; empty if unknown.
    gender : str
        "female", "male" or empty; other words of a labels file are kept.
    start, end : float or None
        Span in seconds; None is from the beginning, to the end.
    extra : Mapping of str to str
        Further columns, in order.
    """

    file: str
    emotion: str = ""
    speaker: str = ""
    session: str = ""
    gender: str = ""
    start: float | None = None
    end: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


def write_labels(recordings: Iterable[Recording], stream: TextIO) -> None:
    r"""Write recordings as a labels CSV: ``file,emotion,speaker,session,gender[,start,end][,…]``.

    Lines end in ``\n``. The columns ``start`` and ``end`` (seconds) are written if any recording has
    either; further columns stand in the order in which they first occur.
    """
    recordings = list(recordings)
    spans = any(r.start is not None or r.end is not None for r in recordings)
    extras = list(dict.fromkeys(column for r in recordings for column in r.extra))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(("start", "end") if spans else ()), *extras])
    for r in recordings:
        times = ["" if time is None else repr(float(time)) for time in (r.start, r.end)] if spans else []
        known = [r.file, r.emotion, r.speaker, r.session, r.gender]
        writer.writerow([*known, *times, *(r.extra.get(column, "") for column in extras)])


def looks_like_labels(first_line: str) -> bool:
    """Tell whether the first line of a text is a labels CSV's header rather than the path of a file."""
    line = first_line.removeprefix("\ufeff").rstrip("\r\n")
    # Semicolons and tabs are no labels CSV, but `read_labels` then says so better than "no such file".
    names = [_column(cell.strip().strip('"')) for cell in re.split("[,;\t]", line)]
    return "file" in names and (len(names) == 1 or any(n in (*_COLUMNS[1:], "start", "end") for n in names))


def read_labels(stream: Iterable[str], name: str) -> list[Recording]:
    r"""Read a labels CSV, whoever wrote it.

    Columns may stand in any order and in any case, and all but ``file`` and ``emotion`` may be missing;
    ``speaker_id``, ``label`` and ``sex`` stand for speaker, emotion and gender. A byte order mark,
    ``\r\n``, blank lines, blanks around cells and a column without a name are no matter. Times are
    seconds, or as audformat writes them (``0 days 00:00:00.050000``, ``NaT``).

    Parameters
    ----------
    stream : iterable of str
        Lines, such as an open text file.
    name : str
        What to call the table in messages.

    Returns
    -------
    list of Recording
        In the order of the table; empty if it ends after its header.

    Raises
    ------
    CorpusError
        No header or no such column, a row that does not fit it, a time that is none, ``start`` not before
        ``end``, no file, or the same file and span twice.
    """
    return recordings_of(read_rows(stream, name, ("file", "emotion")), name)


# The number of a row in its table, and its cells by column, stripped; absent cells are empty.
TableRow = tuple[int, Mapping[str, str]]


def read_rows(stream: Iterable[str], name: str, needed: Sequence[str]) -> Iterator[TableRow]:
    """Read any CSV table as `read_labels` does, before its cells are made sense of.

    The columns `needed` must stand in the header, and no row may end before the last of them.
    """
    rows = csv.reader(_lines(stream, name), strict=True)
    columns: list[str] | None = None
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            where = f"{name}:{rows.line_num}"
            if columns is None:
                columns = _header(cells, where, needed)
                continue
            if len(cells) > len(columns):
                problem = f"{len(cells)} cells under {len(columns)} columns"
                raise CorpusError(f"{where}: {problem}; quote cells that hold commas")
            if cut := [column for column in needed if columns.index(column) >= len(cells)]:
                raise CorpusError(f"{where}: {len(cells)} cells, ends before {cut[0]!r}; complete the row")
            yield rows.line_num, dict(zip_longest(columns, cells, fillvalue=""))
    except csv.Error as error:
        where = f"{name}:{rows.line_num}"
        raise CorpusError(f"{where}: not a CSV row ({error}); mend its quotes or line ends") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise CorpusError(f"{name}: not UTF-8 (byte {byte:#04x}); save it as UTF-8") from error
    if columns is None:
        raise CorpusError(f"{name}: empty, without a header; its first line must be like {_HEADER}")


def recordings_of(rows: Iterable[TableRow], name: str) -> list[Recording]:
    """Make sense of the rows of a labels table; the errors are those of `read_labels`."""
    recordings: list[Recording] = []
    line_of: dict[tuple[str, float, float | None], int] = {}
    for number, cells in rows:
        recording = _recording(cells, f"{name}:{number}")
        span = (recording.file, recording.start or 0.0, recording.end)
        if span in line_of:
            raise CorpusError(
                f"{name}:{number}: {recording.file!r} stands in line {line_of[span]} too; remove one of them, "
                "or give each its own start and end"
            )
        line_of[span] = number
        recordings.append(recording)
    return recordings


def _lines(stream: Iterable[str], name: str) -> Iterator[str]:
    """Lines without a byte order mark; UTF-16, which spreadsheets like to save, shows by its NULs."""
    for number, line in enumerate(stream, start=1):
        if "\0" in line:
            raise CorpusError(f"{name}:{number}: holds NUL characters, is it UTF-16?; save it as UTF-8")
        yield line.removeprefix("\ufeff") if number == 1 else line


def _column(name: str) -> str:
    known = name.lower()
    known = _COLUMN_ALIASES.get(known, known)
    return known if known in (*_COLUMNS, "start", "end") else name


def _header(cells: list[str], where: str, needed: Sequence[str]) -> list[str]:
    """Names of the columns, aliases resolved; a column without a name stays empty."""
    shown = ", ".join(cells)
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(cells) == 1 and separator in shown:
            raise CorpusError(f"{where}: columns separated by {word}; separate them by commas")
    names = {cell.lower() for cell in cells}
    # Where "emotion" and "label" both stand, the second is a column of its own.
    columns = [cell if _column(cell) in names - {cell.lower()} else _column(cell) for cell in cells]
    for column in needed:
        if column not in columns:
            remedy = f"begin with {_HEADER}" if column == "file" else "add or rename it"
            raise CorpusError(f"{where}: no column {column!r} in the header (found: {printable(shown)}); {remedy}")
    for column in columns:
        if column and columns.count(column) > 1:
            raise CorpusError(f"{where}: {columns.count(column)} columns {column!r}; remove or rename one")
    return columns


def _recording(cells: Mapping[str, str], where: str) -> Recording:
    if not cells.get("file"):
        raise CorpusError(f"{where}: no file in column 'file'; fill it or remove the row")
    start, end = (_seconds(cells.get(column, ""), column, where) for column in ("start", "end"))
    if end is not None and (start or 0.0) >= end:
        raise CorpusError(f"{where}: start {start or 0.0:g} s is not before end {end:g} s; mend the times")
    known = {"", *_COLUMNS, "start", "end"}
    return Recording(
        file=cells["file"],
        emotion=canonical_emotion(cells.get("emotion", "")),
        speaker=cells.get("speaker", ""),
        session=cells.get("session", ""),
        gender=canonical_gender(cells.get("gender", "")),
        start=start,
        end=end,
        extra={column: cell for column, cell in cells.items() if column not in known},
    )


def _seconds(cell: str, column: str, where: str) -> float | None:
    try:
        return parse_seconds(cell)
    except ValueError as error:
        problem = f"{column} is {cell!r}; write seconds, such as 1.25, or leave it empty"
        raise CorpusError(f"{where}: {problem}") from error
