"""The labels table: one row a recording, as a CSV file and in memory.

Every reader of this package returns a list of `Recording`; `write_labels` and `read_labels` are its CSV
form, by which `sertools corpus`, `sertools extract`, spreadsheets and scripts talk to each other.

**Conventions.** Emotions are adjectives in lower case (`EMOTIONS`); words beyond these pass as they are, in one
spelling (`sertools.spelling`). Times are seconds. File names that are not UTF-8 are carried as `surrogateescape`
carries them, so open streams with ``encoding="utf-8", errors="surrogateescape", newline=""``; other cells must be
UTF-8.
"""

import csv
import re
import shlex
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

from sertools.corpora.cells import parse_seconds
from sertools.corpora.emotions import EMOTIONS, canonical_emotion
from sertools.corpora.files import AUDIO_SUFFIXES, find_audio
from sertools.corpora.recording import Recording
from sertools.corpora.vocabulary import USUAL, Vocabulary, settle
from sertools.errors import CorpusError, SertoolsWarning, printable
from sertools.spelling import is_utf_8, spelled

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
_IF_KNOWN = ("corpus", "start", "end")
_COLUMN_ALIASES = {"speaker_id": "speaker", "label": "emotion", "sex": "gender"}
HEADER = ",".join(_COLUMNS)
LABELLED, UNLABELLED = ("file", "emotion"), ("file",)
STDIN = "standard input"
_MOST_SHOWN = 120
# Cells that are paths, whose spelling is the disk's.
_PATHS = ("file", "filename")
_QUOTES = "\"'\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019"


class CorpusWarning(SertoolsWarning):
    """A corpus that can be read but is not as published."""


def write_labels(recordings: Iterable[Recording], stream: TextIO) -> None:
    r"""Write recordings as a labels CSV: ``file,emotion,speaker,session,gender[,corpus][,start,end][,…]``.

    Lines end in ``\n``. The column ``corpus`` is written if any recording has one, ``start`` and ``end`` (seconds) if
    any has either; further columns stand in the order in which they first occur.
    """
    recordings = list(recordings)
    named = any(r.corpus for r in recordings)
    spans = any(r.start is not None or r.end is not None for r in recordings)
    extras = list(dict.fromkeys(column for r in recordings for column in r.extra))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(("corpus",) if named else ()), *(("start", "end") if spans else ()), *extras])
    for r in recordings:
        times = ["" if time is None else repr(float(time)) for time in (r.start, r.end)] if spans else []
        known = [r.file, r.emotion, r.speaker, r.session, r.gender, *((r.corpus,) if named else ())]
        writer.writerow([*known, *times, *(r.extra.get(column, "") for column in extras)])


def looks_like_labels(first_line: str) -> bool:
    """Tell whether the first line of a text is a labels CSV's header rather than the path of a file."""
    line = first_line.removeprefix("\ufeff").rstrip("\r\n")
    # Semicolons and tabs are no labels CSV, but `read_labels` then says so better than "no such file".
    names = [_column(cell.strip().strip('"')) for cell in re.split("[,;\t]", line)]
    return "file" in names and (len(names) == 1 or any(n in (*_COLUMNS[1:], *_IF_KNOWN) for n in names))


def read_labels(stream: Iterable[str], name: str, vocabulary: Vocabulary = USUAL) -> list[Recording]:
    r"""Read a labels CSV, whoever wrote it.

    Columns may stand in any order and in any case, and all but ``file`` and ``emotion`` may be missing;
    ``speaker_id``, ``label`` and ``sex`` stand for speaker, emotion and gender. A byte order mark,
    ``\r\n``, blank lines, blanks around cells and a column without a name are no matter. Times are
    seconds, or as audformat writes them (``0 days 00:00:00.050000``, ``NaT``). Words are settled as by `settle`, with
    its warnings.

    Parameters
    ----------
    stream : iterable of str
        Lines, such as an open text file.
    name : str
        What to call the table in messages.
    vocabulary : Vocabulary
        How its words are read.

    Returns
    -------
    list of Recording
        In the order of the table; empty if it ends after its header.

    Raises
    ------
    CorpusError
        No header or no such column, a row that does not fit it, a time that is none, ``start`` not before
        ``end``, no file, the same file and span twice, or a word that is not UTF-8 or in quotes of its own.
    """
    return settle(listed(stream, name), name, vocabulary)


def listed(stream: Iterable[str], name: str, needed: Sequence[str] = LABELLED) -> list[Recording]:
    """Read a labels CSV as `read_labels` does, with words as the corpus writes them, and the columns that must be."""
    return recordings_of(read_rows(stream, name, needed), name)


# The number of a row in its table, and its cells by column, `spelled` but for paths; absent cells are empty.
TableRow = tuple[int, Mapping[str, str]]


def rows_of(table: Path, needed: Sequence[str]) -> list[TableRow]:
    """Read all rows of a CSV file as `read_rows` does.

    Raises
    ------
    CorpusError
        It cannot be opened, or is none of those tables.
    """
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            return list(read_rows(stream, str(table), needed))
    except OSError as error:
        raise CorpusError(f"{table}: {error.strerror}") from error


def read_rows(stream: Iterable[str], name: str, needed: Sequence[str]) -> Iterator[TableRow]:
    """Read any CSV table as `read_labels` does, before its cells are made sense of.

    The columns `needed` must stand in the header, and no row may end before the last of them.
    """
    rows = csv.reader(_lines(stream, name), strict=True, skipinitialspace=True)
    columns: list[str] | None = None
    try:
        for row in rows:
            where = f"{name}:{rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns = _header(row, where, needed)
                continue
            if len(row) > len(columns):
                problem = f"{len(row)} cells under {len(columns)} columns"
                raise CorpusError(f"{where}: {problem}; quote cells that hold commas")
            if cut := [column for column in needed if columns.index(column) >= len(row)]:
                raise CorpusError(f"{where}: {len(row)} cells, ends before {cut[0]!r}; complete the row")
            cells = dict(zip_longest(columns, row, fillvalue=""))
            yield (
                rows.line_num,
                {
                    column: cell.strip(string.whitespace) if column.lower() in _PATHS else _word(cell, column, where)
                    for column, cell in cells.items()
                },
            )
    except csv.Error as error:
        where = f"{name}:{rows.line_num}"
        raise CorpusError(f"{where}: not a CSV row ({error}); mend its quotes or line ends") from error
    except UnicodeDecodeError as error:
        # Whole lines that were decoded before have been read.
        line = rows.line_num + 1 + error.object.count(b"\n", 0, error.start)
        byte = error.object[error.start]
        raise CorpusError(f"{name}:{line}: not UTF-8 (byte {byte:#04x}); {conversion(name)}") from error
    if columns is None:
        raise CorpusError(f"{name}: empty, without a header; its first line must be like {HEADER}")


def _word(cell: str, column: str, where: str) -> str:
    """Give a cell that is no path in its one form; refuse one that is not UTF-8."""
    word = spelled(cell)
    if not is_utf_8(word):
        name = where.rpartition(":")[0]
        raise CorpusError(f"{where}: {printable(column)} '{printable(word)}' is not UTF-8; {conversion(name)}")
    return word


def conversion(name: str) -> str:
    """Say how a table becomes UTF-8."""
    file = "" if name == STDIN else f" {shlex.quote(name)} > utf-8.csv"
    return f"save it as UTF-8, or convert it, such as by: iconv -f WINDOWS-1252 -t UTF-8{file}"


def recordings_of(rows: Iterable[TableRow], name: str) -> list[Recording]:
    """Make recordings of the rows of a labels table, with their words; the errors are those of `read_labels`."""
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
    return known if known in (*_COLUMNS, *_IF_KNOWN) else name


def _header(row: list[str], where: str, needed: Sequence[str]) -> list[str]:
    """Names of the columns, aliases resolved; a column without a name stays empty."""
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(row) == 1 and separator in row[0].strip():
            raise CorpusError(f"{where}: columns separated by {word}; separate them by commas")
    cells = [_word(cell, "column", where) for cell in row]
    shown = printable(", ".join(cell.strip() for cell in row))
    shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
    names = {cell.lower() for cell in cells}
    # Where "emotion" and "label" both stand, the second is a column of its own.
    columns = [cell if _column(cell) in names - {cell.lower()} else _column(cell) for cell in cells]
    for column in needed:
        if column not in columns:
            remedy = f"begin with {HEADER}" if column == "file" else "add or rename it"
            raise CorpusError(f"{where}: no column {column!r} in the header (found: {shown}); {remedy}")
    for column in columns:
        if column and columns.count(column) > 1:
            raise CorpusError(f"{where}: {columns.count(column)} columns {column!r}; remove or rename one")
    return columns


def _recording(cells: Mapping[str, str], where: str) -> Recording:
    if not cells.get("file"):
        raise CorpusError(f"{where}: no file in column 'file'; fill it or remove the row")
    start, end = (parse_seconds(cells.get(column, ""), column, where) for column in ("start", "end"))
    if end is not None and (start or 0.0) >= end:
        raise CorpusError(f"{where}: start {start or 0.0:g} s is not before end {end:g} s; mend the times")
    words = {column: cells.get(column, "") for column in (*_COLUMNS[1:], "corpus")}
    for column, word in words.items():
        if len(word) > 1 and word[0] in _QUOTES and word[-1] in _QUOTES:
            raise CorpusError(
                f"{where}: {column} is {printable(word)!r}, in quotes that are none of CSV's; "
                'write "…" directly between the commas, or no quotes'
            )
    known = {"", *_COLUMNS, *_IF_KNOWN}
    extra = {column: cell for column, cell in cells.items() if column not in known}
    return Recording(file=cells["file"], **words, start=start, end=end, extra=extra)
