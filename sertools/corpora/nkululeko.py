"""CSV databases of nkululeko: ``file,emotion,speaker,gender,…``, often one CSV a split (``x_train.csv``).

They are labels tables such as `extract` reads itself; this reader joins the splits and says which is which.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sertools.corpora.sources import read_table
from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError, warn

_SPLIT = re.compile(r"(?:(?P<name>.*)[_.-])?(?P<split>train|dev|test\d*)", re.IGNORECASE)


def read(path: Path) -> list[Recording]:
    """List what a CSV of nkululeko holds, or the CSVs of a folder, one a split.

    Columns are read as by `read_labels`; files lie relative to the working folder or to the CSV's. Further columns:
    those of the CSV, and ``split``, from a column of that name or the end of the CSV's name (train, dev, test).

    Parameters
    ----------
    path : Path
        A CSV, or a folder with one CSV or those of one database's splits.

    Raises
    ------
    CorpusError
        No such file or folder, no CSV in it or more than one database; a CSV that cannot be read; a file that is not
        there; a recording in two CSVs.

    Warns
    -----
    CorpusWarning
        A folder's CSV without a split left out beside those with one.
    """
    if not path.exists():
        raise CorpusError(f"{path}: no such folder or CSV; check the path")
    recordings: list[Recording] = []
    table_of: dict[tuple[str, float, float | None], Path] = {}
    for table in _tables(path) if path.is_dir() else [path]:
        for recording in _with_split(table):
            span = (os.path.realpath(recording.file), recording.start or 0.0, recording.end)
            if (other := table_of.setdefault(span, table)) != table:
                raise CorpusError(f"{table}: {recording.file!r} stands in {other} too; remove one of them")
            recordings.append(recording)
    return recordings


def _tables(folder: Path) -> list[Path]:
    """The CSVs of the splits if there are any, else the only CSV."""
    tables = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".csv" and not p.name.startswith("."))
    if not tables:
        raise CorpusError(f"{folder}: no CSV in it that could name audio files; check the path")
    if len(tables) == 1:
        return tables
    parts = [(table, part) for table in tables if (part := _SPLIT.fullmatch(table.stem))]
    if len({part["name"] for _, part in parts}) != 1:
        raise CorpusError(f"{folder}: CSVs of several databases; name one: {', '.join(map(str, tables))}")
    splits = [table for table, _ in parts]
    if others := [str(table) for table in tables if table not in splits]:
        warn(f"{folder}: left out {', '.join(others)} beside the splits", CorpusWarning)
    return splits


def _with_split(table: Path) -> Iterator[Recording]:
    part = _SPLIT.fullmatch(table.stem)
    by_name = part["split"].lower() if part else ""
    for recording in read_table(table):
        extra = {
            "split" if column.lower() == "split" else column: cell
            for column, cell in recording.extra.items()
            if column != "duration"  # `extract` measures it itself
        }
        if split := extra.get("split") or by_name:
            extra["split"] = split
        yield replace(recording, extra=extra)
