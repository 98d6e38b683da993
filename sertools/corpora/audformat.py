"""Databases of audformat, saved or in audb's cache: ``db.yaml``, ``db.<table>.csv`` or ``.parquet``, and audio.

The emotion stands in one table and the speaker often in another, so tables are joined on the file. Everything is
taken from the tables; ``db.yaml`` only marks the folder, and the pickles beside the tables are never opened. What
``db.yaml`` alone knows, such as a gender in the labels of the speaker's scheme, stays empty.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from sertools.corpora.emotions import canonical_emotion
from sertools.corpora.files import on_disk
from sertools.corpora.table import AUDIO_SUFFIXES, Recording, TableRow, read_rows, recordings_of
from sertools.errors import CorpusError
from sertools.spelling import is_missing

_TABLE = re.compile(r"db\.(?P<name>.+)\.(?P<format>csv|parquet|pkl)")
_OF_SPEAKERS = ("speaker", "session", "gender", "corpus")
_SPLITS = ("train", "dev", "test")

# File, start and end; whole files are those from 0.0 to None.
_Span = tuple[str, float, float | None]
_Paths = Mapping[str, Path]


def read(path: Path) -> list[Recording]:
    """List the recordings or segments of an audformat database that have an emotion's column.

    They are those of the table ``emotion``; without it, of the only table with a column ``emotion``; else of all
    tables ``emotion.*``, which must not contradict each other. Speaker, session and gender of the file or segment
    come from there too, else from the first table by name that knows them, gender also from a misc table of
    speakers. Further columns: those of the emotion's table, and ``split`` (train, dev, test) if tables with an
    emotion are named so.

    Parameters
    ----------
    path : Path
        The folder of ``db.yaml``; in audb's cache also the folder of a version or a name, if only one database
        lies in it; or one table, ``db.<table>.csv``, to take the emotions from.

    Raises
    ------
    CorpusError
        No database, or several; no table with an emotion, or several that differ; a table that cannot be read, or
        is Parquet while pyarrow is not installed; a file that is not there, under any suffix of audio.
    """
    root, chosen = _locate(path)
    tables = _tables(root)
    rows = {name: _rows(table) for name, table in tables.items()}
    described = {
        name: {_span(r): r for r in recordings_of(table, str(tables[name]))}
        for name, table in rows.items()
        if _has(table, "file")
    }
    emotional = {name: tables[name] for name in described if _has(rows[name], "emotion")}
    picked = _pick(root, tables, emotional, chosen)
    recordings = _merged(root, {name: described[name] for name in picked}, emotional)
    genders = {
        cells["speaker"]: cells["gender"]
        for name, table in rows.items()
        if name not in described and _has(table, "speaker", "gender")
        for _, cells in table
    }
    split_of = _split_of({name: described[name] for name in emotional})
    media = _media(root, [r.file for r in recordings])
    return [
        replace(
            known,
            file=media[r.file],
            gender=_first([known.gender, genders.get(known.speaker, "")]),
            extra=({"split": split_of.get(r.file, "")} if split_of else {}) | _further(r),
        )
        for r in recordings
        for known in [_completed(r, described.values())]
    ]


def _locate(path: Path) -> tuple[Path, str | None]:
    """The folder of ``db.yaml``, and the table if `path` is one."""
    if path.is_file():
        table = _TABLE.fullmatch(path.name)
        if table is None or table["format"] == "pkl" or not (path.parent / "db.yaml").is_file():
            raise CorpusError(f"{path}: no table of an audformat database; name db.<table>.csv beside db.yaml")
        return path.parent, table["name"]
    if not path.is_dir():
        raise CorpusError(f"{path}: no such folder; check the path")
    if (path / "db.yaml").is_file():
        return path, None
    # audb's cache: <name>/<version>/<flavor>/db.yaml.
    found = sorted(p.parent for pattern in ("[!.]*/db.yaml", "[!.]*/[!.]*/db.yaml") for p in path.glob(pattern))
    if not found:
        raise CorpusError(
            f"{path}: no audformat database in it, db.yaml with db.<table>.csv and audio files; check the path"
        )
    if len(found) > 1:
        raise CorpusError(f"{path}: holds {len(found)} databases; name one: {', '.join(map(str, found))}")
    return found[0], None


def _tables(root: Path) -> dict[str, Path]:
    """Tables by name; of one that is stored twice the CSV, which needs no further package."""
    found = sorted((entry, name) for entry in root.iterdir() if (name := _TABLE.fullmatch(entry.name)))
    tables: dict[str, Path] = {}
    for path, name in found:
        if name["format"] != "pkl":
            tables.setdefault(name["name"], path)
    if not tables:
        seen = "only pickled tables, which may run code and are never opened" if found else "no table db.<table>.csv"
        raise CorpusError(f"{root}: {seen}; write them by audformat's db.save(folder, storage_format='csv')")
    return tables


def _rows(path: Path) -> list[TableRow]:
    try:
        with _open(path) as stream:
            return list(read_rows(stream, str(path), ()))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); check the file") from error


def _open(path: Path) -> AbstractContextManager[TextIO]:
    """A table as CSV text, whichever way it is stored."""
    if path.suffix == ".csv":
        return path.open(encoding="utf-8", errors="surrogateescape", newline="")
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        remedy = "pip install 'sertools[audformat]', or save the database with storage_format='csv'"
        raise CorpusError(f"{path}: Parquet, which needs pyarrow; {remedy}") from error
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except pyarrow.ArrowException as error:
        raise CorpusError(f"{path}: no Parquet table ({error}); load the database again") from error
    columns = []
    for column in table.columns:
        if pyarrow.types.is_duration(column.type):
            nanoseconds = column.cast(pyarrow.duration("ns")).cast(pyarrow.int64()).to_pylist()
            columns.append([None if time is None else time / 1e9 for time in nanoseconds])
        elif pyarrow.types.is_temporal(column.type):
            columns.append(column.cast(pyarrow.string()).to_pylist())
        else:
            columns.append(column.to_pylist())
    text = io.StringIO(newline="")
    csv.writer(text).writerows([table.column_names, *zip(*columns, strict=True)])
    text.seek(0)
    return text


def _has(table: list[TableRow], *columns: str) -> bool:
    return bool(table) and all(column in table[0][1] for column in columns)


def _span(r: Recording) -> _Span:
    return r.file, r.start or 0.0, r.end


def _pick(root: Path, tables: _Paths, emotional: _Paths, chosen: str | None) -> list[str]:
    """Names of the tables whose emotions count."""
    if chosen is not None and chosen in emotional:
        return [chosen]
    if chosen is not None or not emotional:
        where = f"{root}: none of its tables ({', '.join(tables)}) has" if chosen is None else f"{tables[chosen]}: no"
        raise CorpusError(f"{where} rows with columns 'file' and 'emotion'; write a labels CSV of your own")
    parts = [name for name in emotional if name.startswith("emotion.")]
    if "emotion" in emotional:
        return ["emotion"]
    if len(emotional) > 1 and not parts:
        raise CorpusError(f"{root}: several tables with a column 'emotion'; {_choice(emotional)}")
    return parts or list(emotional)


def _choice(tables: _Paths) -> str:
    return f"name one of them: {', '.join(map(str, tables.values()))}"


def _merged(root: Path, tables: Mapping[str, Mapping[_Span, Recording]], paths: _Paths) -> list[Recording]:
    """The rows of all tables, each file or segment once, sorted."""
    merged: dict[_Span, Recording] = {}
    for table in tables.values():
        for span, r in table.items():
            known = merged.setdefault(span, r)
            classes = [canonical_emotion(word) for word in (known.emotion, r.emotion) if _known(word)]
            if len(set(classes)) > 1:
                problem = f"its tables differ, {r.file!r} is {' and '.join(classes)}"
                raise CorpusError(f"{root}: {problem}; {_choice(paths)}")
            if not _known(known.emotion):
                merged[span] = r
    if both := [file for file, start, end in merged if (start, end) != (0.0, None) and (file, 0.0, None) in merged]:
        raise CorpusError(f"{root}: its tables differ, {both[0]!r} is whole and cut; {_choice(paths)}")
    return sorted(merged.values(), key=lambda r: (r.file, r.start or 0.0, r.end is None, r.end or 0.0))


def _completed(r: Recording, tables: Iterable[Mapping[_Span, Recording]]) -> Recording:
    """Speaker, session, gender and corpus, from the segment or its file; the first table that knows each."""
    found = (table.get(_span(r)) or table.get((r.file, 0.0, None)) for table in tables)
    rows = [r, *(row for row in found if row)]
    first: dict[str, Any] = {column: _first([getattr(row, column) for row in rows]) for column in _OF_SPEAKERS}
    return replace(r, **first)


def _known(word: str) -> bool:
    return bool(word) and not is_missing(word)


def _first(words: Sequence[str]) -> str:
    """The first word that says something, else the first there is."""
    return next((word for word in (*filter(_known, words), *words) if word), "")


def _further(r: Recording) -> dict[str, str]:
    # `extract` measures durations itself.
    return {column: cell for column, cell in r.extra.items() if column != "duration"}


def _split_of(tables: Mapping[str, Iterable[_Span]]) -> dict[str, str]:
    """The split of each file by the names of its tables; none for a file of two splits."""
    split_of: dict[str, str] = {}
    for name, spans in tables.items():
        for split in set(name.split(".")) & set(_SPLITS):
            for file, _, _ in spans:
                split_of[file] = split if split_of.get(file, split) == split else ""
    return split_of


def _media(root: Path, files: Iterable[str]) -> dict[str, str]:
    """Where each file lies; audb's converted flavors leave the old suffix in the tables."""
    media, missing = {}, []
    for file in dict.fromkeys(files):
        path = root / file
        candidates = (path, *(path.parent / (path.stem + suffix) for suffix in sorted(AUDIO_SUFFIXES)))
        spelled = (Path(on_disk(str(candidate))) for candidate in candidates)
        found = next((candidate for candidate in spelled if candidate.is_file()), None)
        if found is None:
            missing.append(file)
        else:
            media[file] = str(found)
    if missing:
        raise CorpusError(
            f"{root}: {len(missing)} of the {len(missing) + len(media)} files in its tables are not there, "
            f"{missing[0]!r} the first; load the audio too, or remove their rows"
        )
    return media
