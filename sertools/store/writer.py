"""Write a store: tables by HDF5, pictures by plain file writes at their place in the file.

A store is made beside its name and renamed when complete. HDF5 writes to memory and never to the disk: libhdf5
crashes when the disk is full, and a plain write is just refused. Pictures are one contiguous float32 block, so that
any program can map them, and come before the tables: the number of rows is known only when decoding ends. Nothing in
the file depends on the clock or on where it lies: equal content gives equal bytes.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sertools.arrays import Pictures
from sertools.encoding import RowSource
from sertools.errors import StoreError
from sertools.provenance import cannot_write, part_beside, put_in_place
from sertools.store.escapes import escape_name
from sertools.store.format import (
    OWN_DIGESTS,
    OWN_ROWS_OF,
    REJECTED_COLUMNS,
    ROWS_OF,
    SEGMENT_COLUMNS,
    TABLES_DIGEST,
    UTTERANCE_COLUMNS,
    VERSION,
    Contents,
    Table,
)
from sertools.store.image import LIBVER, Image, hdf5_output
from sertools.store.lineage import Lineage
from sertools.store.reader import RowMap
from sertools.store.row_file import FIRST_ROW, RowFile

# Bytes of the smallest picture: rows that take as many begin at a page.
_SMALLEST = 1 << 10


class Spool:
    """A store whose pictures are written as they are made, at their place in the file, and the tables at the end.

    The file lies beside the output and vanishes with the `with` block, unless `finish` has put it in its place.
    """

    def __init__(self, output: Path, front_end: RowSource) -> None:
        self._output = output
        try:
            handle, self._part = part_beside(output, ".rows.part")
        except OSError as error:
            raise cannot_write(output, error) from error
        os.close(handle)
        self.rows = RowFile(self._part, output, front_end.shape)
        self._digests: list[str] = []

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._part.unlink(missing_ok=True)

    def add(self, pictures: Pictures) -> list[str]:
        """Append pictures [shape=(n, n_mels, n_frames)], in dB, and return their digests.

        Raises
        ------
        StoreError
            If a picture holds NaN or infinite values.
        SertoolsError
            If the disk is full.
        """
        digests = self.rows.write(len(self._digests), pictures)
        self._digests += digests
        return digests

    def finish(self, contents: Contents, row_map: RowMap | None = None) -> None:
        """Write the tables around the pictures, and give the file the output's name.

        Parameters
        ----------
        row_map
            Of a virtual store, which holds only new rows itself: those that were added, named as
            ``Source(output, OWN_ROWS_OF[kind])``.

        Raises
        ------
        SertoolsError
            If it cannot be written; nothing is left under the output then, and an older file stays.
        """
        image, kind = Image(), contents.front_end.kind
        name, n_rows = (OWN_ROWS_OF[kind], len(self._digests)) if row_map else (ROWS_OF[kind], len(contents))
        n_bytes = 4 * n_rows * math.prod(contents.front_end.shape)
        # A few short vectors do not begin at a page: HDF5 lays them where it likes.
        few = 0 < n_bytes < _SMALLEST
        with h5py.File(
            image, "w", libver=LIBVER, alignment_threshold=_SMALLEST, alignment_interval=FIRST_ROW
        ) as file:
            # First, so that its place depends on nothing else.
            place = _reserve(file, name, n_rows, contents.front_end)
            if few:
                file[name][...] = self.rows.read(n_rows)
            elif place not in (0, FIRST_ROW):
                raise StoreError(f"{self._output}: this libhdf5 lays files out in another way; update h5py")
            if row_map:
                file.create_dataset(OWN_DIGESTS, **text_column(self._digests), track_times=False)
                _write_tables(file, contents, self._digests)
                _map(file, self._output, contents, row_map)
            else:
                _write_tables(file, contents)
        try:
            if few:
                os.truncate(self._part, 0)
            image.save(self._part, range(0) if few else range(FIRST_ROW, FIRST_ROW + n_bytes))
            put_in_place(self._part, self._output)
        except OSError as error:
            raise cannot_write(self._output, error) from error


def write_store(path: Path, contents: Contents, pictures: Iterable[Pictures]) -> None:
    """Write a store that holds its own pictures.

    Parameters
    ----------
    pictures
        Blocks of rows in order [shape=(n, n_mels, n_frames)], in dB; as many rows as `contents` has.

    Raises
    ------
    SertoolsError
        If it cannot be written; nothing is left under `path` then, and an older file stays.
    """
    with Spool(path, contents.front_end) as spool:
        n_written = 0
        for block in pictures:
            spool.rows.place(n_written, block)
            n_written += len(block)
        if n_written != len(contents):
            raise StoreError(f"{n_written} pictures for {len(contents)} rows; nothing was written")
        spool.finish(contents)


def write_virtual(path: Path, contents: Contents, row_map: RowMap) -> None:
    """Write a store whose pictures stay where they are: an HDF5 virtual dataset over the physical stores.

    Raises
    ------
    SertoolsError
        If it cannot be written.
    """
    with hdf5_output(path) as file:
        _write_tables(file, contents)
        _map(file, path, contents, row_map)


def _reserve(file: h5py.File, name: str, n_rows: int, front_end: RowSource) -> int:
    """Make room for a contiguous block of pictures, and say where in the file it lies."""
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_layout(h5py.h5d.CONTIGUOUS)
    create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    shape = (n_rows, *front_end.shape)
    dataset = file.create_dataset(name, shape, "<f4", track_times=False, dcpl=create)
    return dataset.id.get_offset() or 0


def _map(file: h5py.File, path: Path, contents: Contents, row_map: RowMap) -> None:
    """Lay the virtual dataset over the files that hold the pictures."""
    shape = (len(contents), *contents.front_end.shape)
    rest = (0,) * len(shape[1:])
    names = [_name_of(source.path, path) for source in row_map.sources]
    # The low-level call: h5py's create_virtual_dataset writes the time of day.
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_obj_track_times(False)
    create.set_fill_value(np.array(np.nan, dtype="<f4"))
    here = h5py.h5s.create_simple(shape)
    for first, length in _runs(row_map):
        source = row_map.sources[row_map.source[first]]
        start = int(row_map.row[first])
        # The space need only reach the last row that is mapped; HDF5 does not compare it with the source.
        there = h5py.h5s.create_simple((start + length, *shape[1:]))
        here.select_hyperslab((first, *rest), (length, *shape[1:]))
        there.select_hyperslab((start, *rest), (length, *shape[1:]))
        name = names[row_map.source[first]]
        create.set_virtual(here, name.encode(), source.dataset.encode(), there)
    here.select_all()
    whole = ROWS_OF[contents.front_end.kind].lstrip("/")
    h5py.h5d.create(file.id, whole.encode(), h5py.h5t.IEEE_F32LE, here, create)


def _name_of(source: Path, path: Path) -> str:
    """Name a source as seen from the virtual store; HDF5 calls a store itself ``.`` and reads % as a pattern."""
    if source == path:
        return "."
    return escape_name(os.path.relpath(source.resolve(), path.resolve().parent)).replace("%", "%%")


def _runs(row_map: RowMap) -> list[tuple[int, int]]:
    """First row and length of each stretch that is contiguous in its source."""
    breaks = (np.diff(row_map.row) != 1) | (np.diff(row_map.source) != 0)
    edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(row_map.row)]
    return [(first, end - first) for first, end in itertools.pairwise(edges) if end > first]


def _write_tables(file: h5py.File, contents: Contents, own: Iterable[str] = ()) -> None:
    write_header(file, contents.front_end.kind, VERSION, contents.front_end, contents.lineage, contents.history)
    file.attrs.create("audio_root", **text_scalar(contents.audio_root))
    file.attrs.create(TABLES_DIGEST, **text_scalar(contents.tables_digest(own)))
    if contents.shard:
        shard = contents.shard
        file.attrs.create("shard", np.array([shard.k, shard.n], dtype="<i4"))
        if shard.n_listed:
            file.attrs.create("n_listed", shard.n_listed, dtype="<i4")
            file.attrs.create("listed_files", **text_scalar(shard.files))
            file.attrs.create("listed_labels", **text_scalar(shard.labels))
    _write_table(file.create_group("segment"), contents.segments, SEGMENT_COLUMNS)
    _write_table(file.create_group("utterance"), contents.utterances, UTTERANCE_COLUMNS)
    if len(contents.rejected):
        _write_table(file.create_group("rejected"), contents.rejected, REJECTED_COLUMNS)


def write_header(
    file: h5py.File, kind: str, version: int, front_end: RowSource, lineage: Lineage, history: Iterable[str]
) -> None:
    """Write what every HDF5 file of this project carries: kind, version, history, front end and lineage."""
    file.attrs.create("sertools_kind", **text_scalar(kind))
    file.attrs.create("sertools_version", version, dtype="<i4")
    file.attrs.create("history", **text_column(list(history)))
    attributes = file.create_group("front_end").attrs
    for name, value in dataclasses.asdict(front_end).items():
        attributes.create(name, **(text_scalar(value) if isinstance(value, str) else {"data": value}))
    for name in front_end.derived:
        attributes.create(name, int(getattr(front_end, name)))
    group = file.create_group("lineage")
    for name, seen in vars(lineage).items():
        if seen or name != "speakers":  # which the first files lack
            group.create_dataset(name, **text_column(sorted(seen)), track_times=False)


def _write_table(group: h5py.Group, table: Table, schema: Iterable[str]) -> None:
    own = [name for name in table.known() if name in schema]
    # Further columns by name, whichever part of an extraction had which: their order is a place in the file.
    for name in [*own, *sorted(set(table) - set(schema))]:
        column = table[name]
        described = text_column(column.tolist()) if column.dtype.kind == "U" else {"data": column}
        group.create_dataset(name, **described, track_times=False)


def text_column(texts: list[str]) -> dict[str, Any]:
    """Fixed-length UTF-8 of the longest text's width: no heap, so equal texts give equal bytes."""
    encoded = [text.encode("utf-8") for text in texts]
    width = max((len(text) for text in encoded), default=0) or 1
    return {"data": np.array(encoded, dtype=h5py.string_dtype("utf-8", width))}


def text_scalar(text: str) -> dict[str, Any]:
    """Describe one text as a fixed-length UTF-8 attribute."""
    encoded = text.encode("utf-8")
    return {"data": np.array(encoded, dtype=h5py.string_dtype("utf-8", len(encoded) or 1))}
