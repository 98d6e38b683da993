"""Read the tables and attributes of an HDF5 file of this project, and check what they say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from sertools.config import FrontEnd
from sertools.encoding import Encoding, RowSource
from sertools.errors import StoreError, UsageError, warn
from sertools.store.format import (
    IF_KNOWN,
    KINDS,
    REJECTED_COLUMNS,
    ROWS_OF,
    SEGMENT_COLUMNS,
    UTTERANCE_COLUMNS,
    VERSION,
    Column,
    Contents,
    Shard,
    Table,
    make_table,
)
from sertools.store.lineage import Lineage


def read_text(thing: h5py.HLObject, name: str) -> str:
    """Read a text attribute; empty where there is none."""
    value = thing.attrs.get(name, "")
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def check_file_kind(file: h5py.File, path: Path, kinds: Sequence[str], version: int) -> str:
    """Return what an HDF5 file holds; refuse other kinds, and later versions.

    Raises
    ------
    StoreError
        Naming both kinds.
    """
    found = read_text(file, "sertools_kind") or "unknown HDF5"
    if found not in kinds:
        raise StoreError(f"{path}: holds {found}, but {' or '.join(kinds)} are wanted here")
    found_version = int(file.attrs.get("sertools_version", 0))
    if found_version != version:
        raise StoreError(f"{path}: {found} of format version {found_version}; this sertools reads version {version}")
    return found


def read_lineage(group: h5py.Group) -> Lineage:
    """Read what a file has seen; the first files name no speakers."""
    names = ("trained_on", "selected_on", *(["speakers"] if "speakers" in group else []))
    return Lineage(*(frozenset(decode_text(group[name][:]).tolist()) for name in names))


def read_front_end(group: h5py.Group) -> RowSource:
    """Read a front end from attributes."""
    kind = Encoding if "encoder" in group.attrs else FrontEnd
    values: dict[str, Any] = {}
    for each in dataclasses.fields(kind):
        if each.name not in group.attrs:
            raise ValueError(f"the front end lacks {each.name}")
        default: Any = each.default
        is_text = isinstance(default, str)
        values[each.name] = read_text(group, each.name) if is_text else type(default)(group.attrs[each.name])
    try:
        return kind(**values)
    except UsageError as error:
        raise ValueError(f"the front end: {error}") from error


def read_history(file: h5py.File) -> tuple[str, ...]:
    """Read the history lines."""
    lines = tuple(decode_text(file.attrs["history"]).tolist())
    if not all(isinstance(json.loads(line), dict) for line in lines):
        raise ValueError("the history is not JSON objects")
    return lines


def decode_text(column: npt.ArrayLike, errors: str = "strict") -> Column:
    """Decode fixed-length UTF-8, or h5py's variable-length text, to a text column."""
    column = np.asarray(column)
    if column.dtype.kind == "S":
        return np.char.decode(column, "utf-8", errors) if column.size else np.empty(0, dtype="<U1")
    if column.dtype.kind == "O":
        texts = [value.decode("utf-8", errors) if isinstance(value, bytes) else str(value) for value in column]
        return np.array(texts, dtype=np.str_)
    raise ValueError(f"text expected, found {column.dtype}")


def read_contents(file: h5py.File, path: Path) -> Contents:
    """Read all of a store but its pictures.

    Raises
    ------
    StoreError
        If the file is of another kind or version.
    ValueError, KeyError
        If a table or attribute is missing or misshapen; the caller names the file.
    """
    kind = check_file_kind(file, path, KINDS, VERSION)
    front_end = read_front_end(file["front_end"])
    if front_end.kind != kind:
        raise ValueError(f"holds {kind}, but the front end of {front_end.kind}")
    dataset = file[ROWS_OF[kind]]
    if dataset.shape[1:] != front_end.shape or dataset.dtype.kind != "f":
        raise ValueError(f"{ROWS_OF[kind]} has shape {dataset.shape}, type {dataset.dtype}")
    segments = _read_table(file["segment"], SEGMENT_COLUMNS, path, dataset.shape[0])
    utterances = _read_table(file["utterance"], UTTERANCE_COLUMNS, path)
    owner = segments["utterance"]
    if len(owner) and not 0 <= owner.min() <= owner.max() < len(utterances):
        raise ValueError("/segment/utterance points outside /utterance")
    return Contents(
        front_end=front_end,
        segments=segments,
        utterances=utterances,
        history=read_history(file),
        lineage=read_lineage(file["lineage"]),
        rejected=_read_table(file["rejected"], REJECTED_COLUMNS, path)
        if "rejected" in file
        else make_table(REJECTED_COLUMNS, []),
        audio_root=read_text(file, "audio_root"),
        shard=_read_shard(file),
    )


def _read_shard(file: h5py.File) -> Shard | None:
    if "shard" not in file.attrs:
        return None
    k, n = (int(number) for number in file.attrs["shard"])
    if "n_listed" not in file.attrs:
        return Shard(k, n)
    return Shard(k, n, int(file.attrs["n_listed"]), read_text(file, "listed_files"), read_text(file, "listed_labels"))


def _read_table(group: h5py.Group, schema: Mapping[str, str | None], path: Path, length: int | None = None) -> Table:
    columns: dict[str, Column] = {}
    for name in schema:
        if name in IF_KNOWN and name not in group:
            columns[name] = np.full(length or 0, "", dtype=np.str_)
            continue
        dataset = group[name]
        if dataset.ndim != 1 or (length is not None and len(dataset) != length):
            raise ValueError(f"{dataset.name} has shape {dataset.shape}")
        length = len(dataset)
        kind = schema.get(name)
        column = decode_text(dataset[:]) if kind is None else dataset[:].astype(kind, casting="safe")
        if column.dtype.kind == "f" and not np.isfinite(column).all():
            raise ValueError(f"{dataset.name} holds NaN or infinite values")
        columns[name] = column
    for name in (name for name in group if name not in schema):
        further = _further_column(group[name], length)
        if further is None:
            warn(f"{path}: {group[name].name} holds no word or number for each row, and is left out")
        else:
            columns[name] = further
    return Table(columns)


def _further_column(thing: h5py.HLObject, length: int | None) -> Column | None:
    """Read a column that somebody has added, as text; None if it is none."""
    if not isinstance(thing, h5py.Dataset) or thing.shape != (length,):
        return None
    if h5py.check_string_dtype(thing.dtype):
        return decode_text(thing[:], "backslashreplace")
    if thing.dtype.kind not in "biuf":
        return None
    numbers = thing[:]
    return np.where(np.isnan(numbers), "", numbers.astype(np.str_))
