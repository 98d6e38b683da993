"""Folds that others have published: a CSV, or a corpus's folder of EmoBox.

The CSV has a column ``fold`` and one that says of what: ``id``, ``file`` or ``speaker``, of which the first that is
there counts; a row with an empty fold is never tested. In EmoBox every fold has lists of its own, one object a line
or one object in all: ``fold_1/emodb_test_fold_1.jsonl`` of what is tested, the same for ``train`` and ``valid``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sertools.errors import UsageError, printable
from sertools.provenance import digest_bytes
from sertools.spelling import spelled

COLUMNS = ("id", "file", "speaker")
_FOLD = "fold"
_MOST_SHOWN = 10
_LISTS = ("test", "train", "valid")
_FOLDER = re.compile(r"fold_(\d+)")


@dataclass(frozen=True)
class PublishedFold:
    """One fold.

    Attributes
    ----------
    source : str
        The file or folder, for messages.
    name : str
        Of the fold.
    column : str
        What is named: one of `COLUMNS`.
    tested : mapping of str to bool
        Every name, and whether it is tested or trained on.
    digest : str
        Of the bytes that were read.
    """

    source: str
    name: str
    column: str
    tested: Mapping[str, bool]
    digest: str


def read_fold(path: Path, name: str) -> PublishedFold:
    """Read one fold.

    Parameters
    ----------
    path
        The CSV, or a folder with ``fold_1``.
    name
        Of the fold.

    Raises
    ------
    UsageError
        If nothing can be read, there is no such fold, or a name is in two.
    """
    known = fold_names(path)
    if name not in known:
        more = ", …" if len(known) > _MOST_SHOWN else ""
        raise UsageError(f"--fold {name!r}: {path} has no such fold; it has {', '.join(known[:_MOST_SHOWN])}{more}")
    if path.is_dir():
        lists = dict(_emobox(path / f"fold_{name}", name))
        tested: dict[str, bool] = {}
        for part, content in lists.items():
            for file in _files_of(content, f"{path}: {part} of fold {name}"):
                if tested.setdefault(file, part == "test") != (part == "test"):
                    raise UsageError(f"{path}: {file!r} of fold {name} is both tested and trained on; correct it")
        return PublishedFold(str(path), name, "file", tested, digest_bytes(*lists.values()))
    content, column, rows = _table(path)
    return PublishedFold(
        str(path), name, column, {named: fold == name for named, fold in rows.items()}, digest_bytes(content)
    )


def fold_names(path: Path) -> list[str]:
    """List the folds of a CSV or folder, numbers in their order, with the errors of `read_fold`."""
    if path.is_dir():
        folders = (_FOLDER.fullmatch(entry.name) for entry in path.iterdir() if entry.is_dir())
        found = {match[1] for match in folders if match}
        remedy = "expected fold_1, as in EmoBox's data/emodb"
    else:
        found = set(_table(path)[2].values()) - {""}
        remedy = f"every {_FOLD} is empty"
    if not found:
        raise UsageError(f"{path}: holds no folds; {remedy}")
    return sorted(found, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def _emobox(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for part in _LISTS:
        endings = (f"{part}_fold_{name}.jsonl", f"{part}_fold_{name}.json", f"{part}_fold{name}.jsonl")
        found = [path for ending in endings for path in sorted(folder.glob(f"*_{ending}"))]
        if found:
            yield part, _content(found[0])
        elif part != "valid":
            raise UsageError(f"{folder}: holds no list *_{endings[0]}; copy the whole folder")


def _files_of(content: bytes, where: str) -> Iterator[str]:
    """Give the audio that a list of EmoBox names."""
    try:
        for entry in _objects(content.decode("utf-8")):
            if not isinstance(entry["wav"], str):
                raise TypeError
            yield entry["wav"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{where}: is no list of EmoBox: expected objects with a 'wav'") from None


def _objects(text: str) -> list[Any]:
    try:
        whole = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, dict):
        return [whole] if isinstance(whole.get("wav"), str) else [*whole.values()]
    return [*whole]


def _table(path: Path) -> tuple[bytes, str, dict[str, str]]:
    """Read a CSV: its bytes, what its names are of, and the fold of each."""
    content = _content(path)
    if content.lstrip().startswith((b"{", b"[")):
        raise UsageError(
            f"{path}: is one list of EmoBox; name the folder that holds fold_1, such as EmoBox/data/emodb"
        )
    try:
        lines = csv.DictReader(
            io.StringIO(content.decode("utf-8-sig"), newline=""), skipinitialspace=True, strict=True
        )
        header = [spelled(name).lower() for name in lines.fieldnames or ()]
        lines.fieldnames = header
        column = next((name for name in COLUMNS if name in header), "")
        if not column or _FOLD not in header:
            raise UsageError(
                f"{path}: its columns are {printable(', '.join(header)) or 'none'}; expected {_FOLD}, and "
                f"{', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}"
            )
        folds: dict[str, str] = {}
        for row in lines:
            name, fold = (row[column] or "").strip(), spelled(row[_FOLD] or "")
            if not name:
                raise UsageError(f"{path}, line {lines.line_num}: has no {column}; complete it or leave it out")
            if folds.setdefault(name, fold) != fold:
                raise UsageError(
                    f"{path}, line {lines.line_num}: {name!r} is in fold {fold!r}, and in {folds[name]!r} before; "
                    "leave one out"
                )
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: is no CSV in UTF-8 ({error})") from None
    return content, column, folds


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); check the path") from None
