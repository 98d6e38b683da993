"""A store for other tools: NumPy arrays with a labels CSV, one .npz file, or an Arrow file.

A few rows are held at a time, whatever the size of the store. What leaves a store this way leaves its lineage behind:
a classifier that another tool trains on it is not guarded against leaks.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from sertools.encoding import RowSource
from sertools.errors import StoreError, printable
from sertools.provenance import atomic_output, make_folder, refuse_clobber
from sertools.store.format import ROWS_OF
from sertools.store.reader import Store, open_store

# Of a row, in this order; further columns of the labels follow.
_COLUMNS = ("id", "emotion", "speaker", "session", "gender", "path", "start", "duration", "origin", "n_valid_frames")
_Column = npt.NDArray[Any]


def export_store(path: Path, output: Path, form: str) -> int:
    """Write a store for other tools.

    Parameters
    ----------
    output
        ``npy``: a folder, made if it is missing, with ``spectrogram.npy``, ``labels.csv`` and ``front_end.json``;
        else a file.
    form
        ``npz``, ``npy`` or ``arrow``.

    Returns
    -------
    Rows written.

    Raises
    ------
    StoreError
        If the store has no rows, or a row holds NaN or infinite values; of ``arrow``, if pyarrow is not installed.
    """
    store = open_store(path)
    if not len(store):
        raise StoreError(f"{path}: has no rows to export")
    sources = [path, *(source.path for source in store.row_map.sources)]
    if form == "npy":
        make_folder(output)
        _npy(store, output, sources)
    else:
        refuse_clobber(output, sources)
        with atomic_output(output) as part:
            (_npz if form == "npz" else _arrow)(store, part)
    return len(store)


def columns_of(store: Store) -> dict[str, _Column]:
    """Return what the labels say of each row, one value per row."""
    contents = store.contents
    further = [n for n in contents.utterances.known() if n not in (*_COLUMNS, "digest")]
    return {name: contents.column(name) for name in (*_COLUMNS, *further)}


def front_end_as_json(end: RowSource) -> str:
    """Write all numbers of a front end, with those that follow from them."""
    derived = {name: getattr(end, name) for name in (*end.derived, *(["hop_seconds"] if end.derived else []))}
    return json.dumps({**dataclasses.asdict(end), **derived}, indent=2) + "\n"


def _name(store: Store) -> str:
    """Name the array of all rows as the store itself does."""
    return ROWS_OF[store.contents.front_end.kind].lstrip("/")


def _npy(store: Store, folder: Path, sources: list[Path]) -> None:
    writers = {
        f"{_name(store)}.npy": _write_pictures,
        "labels.csv": _write_labels,
        "front_end.json": _write_front_end,
    }
    for name in writers:
        refuse_clobber(folder / name, sources)
    for name, write in writers.items():
        with atomic_output(folder / name) as part, part.open("wb") as stream:
            write(store, stream)


def _npz(store: Store, part: Path) -> None:
    arrays = {name: np.asarray(values) for name, values in columns_of(store).items()}
    arrays["front_end"] = np.array(front_end_as_json(store.contents.front_end))
    # An entry's time is that of ZipInfo itself, 1980: the same store gives the same bytes.
    with zipfile.ZipFile(part, "w") as archive:
        with archive.open(zipfile.ZipInfo(f"{_name(store)}.npy"), "w", force_zip64=True) as stream:
            _write_pictures(store, stream)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def _write_pictures(store: Store, stream: IO[bytes]) -> None:
    shape = (len(store), *store.shape)
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    for block in store.blocks():
        stream.write(np.ascontiguousarray(block, dtype="<f4").data)


def _write_labels(store: Store, stream: IO[bytes]) -> None:
    columns = columns_of(store)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        writer.writerow([printable(cell) if isinstance(cell, str) else cell for cell in row])
    stream.write(text.getvalue().encode("utf-8"))


def _write_front_end(store: Store, stream: IO[bytes]) -> None:
    stream.write(front_end_as_json(store.contents.front_end).encode("utf-8"))


def _arrow(store: Store, part: Path) -> None:
    try:
        import pyarrow  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise StoreError("Arrow needs pyarrow: pip install 'sertools[arrow]', or take --format npz") from error
    columns = columns_of(store)
    of_row = pyarrow.float32()
    for size in reversed(store.shape):
        of_row = pyarrow.list_(of_row, size)
    schema = pyarrow.schema(
        [
            (_name(store), of_row),
            *((name, _arrow_type(pyarrow, values)) for name, values in columns.items()),
        ],
        metadata={"front_end": front_end_as_json(store.contents.front_end)},
    )

    def batches() -> Iterator[Any]:
        first = 0
        for block in store.blocks():
            rows = pyarrow.array(np.ascontiguousarray(block).ravel(), pyarrow.float32())
            for size in reversed(store.shape):
                rows = pyarrow.FixedSizeListArray.from_arrays(rows, size)
            here = slice(first, first + len(block))
            labels = [pyarrow.array(v[here].tolist(), _arrow_type(pyarrow, v)) for v in columns.values()]
            first += len(block)
            yield pyarrow.record_batch([rows, *labels], schema=schema)

    # The stream format is what Hugging Face's Dataset.from_file maps.
    with pyarrow.OSFile(str(part), "wb") as sink, pyarrow.ipc.new_stream(sink, schema) as writer:
        for batch in batches():
            writer.write_batch(batch)


def _arrow_type(pyarrow: Any, values: _Column) -> Any:
    return {"U": pyarrow.string(), "f": pyarrow.float64(), "i": pyarrow.int32()}[values.dtype.kind]
