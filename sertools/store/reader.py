"""Open a store: its tables at once, its pictures as they are asked for.

Pictures are read by memory map at their place in the file, never through HDF5: a plain store is one map, a
virtual store (made by `select`) is one map per source. A file is mapped while its tables are open, so that both are
of one file even if another takes its name meanwhile. Sources are resolved here, relative to the store, and the
digests of their rows compared with those recorded: libhdf5 would fill a missing source in silence, or take a
file of the same name from the working folder.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from sertools.arrays import Pictures, Shape
from sertools.errors import StoreError, defect
from sertools.provenance import beside
from sertools.store.escapes import unescape_name
from sertools.store.format import (
    DIGESTS_OF,
    OWN_DIGESTS,
    ROWS_OF,
    TABLES_DIGEST,
    VERSION,
    Contents,
    picture_digest,
)
from sertools.store.guard import check_hdf5
from sertools.store.parsing import check_file_kind, decode_text, read_contents, read_text

_BLOCK_ROWS = 256
# What h5py and our own checks raise on a file whose parts do not fit.
_DAMAGE = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, OSError, RuntimeError)


@dataclass(frozen=True)
class Source:
    """A dataset that physically holds rows."""

    path: Path
    dataset: str = "/spectrogram"


@dataclass(frozen=True)
class RowMap:
    """Where each row of a store physically lies: ``sources[source[i]]``, row ``row[i]``."""

    sources: tuple[Source, ...]
    source: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]

    def take(self, index: npt.ArrayLike) -> RowMap:
        """Return the map of the rows at `index`."""
        index = np.asarray(index, dtype=np.intp)
        return RowMap(self.sources, self.source[index], self.row[index])


class Store:
    """An open store.

    Attributes
    ----------
    path
        The file.
    contents
        Tables, front end, lineage and history.
    row_map
        Where the pictures lie.
    """

    def __init__(
        self, path: Path, contents: Contents, row_map: RowMap, held: list[_Held], seal: tuple[str, list[str]]
    ) -> None:
        self.path = path
        self.contents = contents
        self.row_map = row_map
        self._held = held
        self._seal = seal  # digests of the tables, empty if there is none, and of the store's own rows
        self._finite = np.zeros(len(contents), dtype=np.bool_)  # rows that were looked at

    def __len__(self) -> int:
        return len(self.contents)

    @property
    def shape(self) -> Shape:
        """Of a row."""
        return self.contents.front_end.shape

    def rows(self, index: npt.ArrayLike) -> Pictures:
        """Read the rows at `index` [shape=(n, *shape)]; pictures are in dB.

        Raises
        ------
        StoreError
            If a source is gone or cannot be decoded, or a row holds NaN or infinite values.
        """
        rows, pictures = np.asarray(index, dtype=np.intp), self._stored(index)
        if self._finite[rows].all():
            return pictures
        with np.errstate(over="ignore", invalid="ignore"):
            # Faster than a look at every pixel; infinite too where pixels are finite, but beyond 10^15.
            suspect = not np.isfinite(np.vdot(pictures, pictures))
        if suspect and len(bad := np.flatnonzero(~np.isfinite(pictures).reshape(len(pictures), -1).all(axis=1))):
            row = int(rows[bad[0]])
            what = f"row {row} (utterance {str(self.contents.column('id')[row])!r}) holds NaN or infinite values"
            raise StoreError(f"{self.path}: {what}; make it again, or see `info --verify`")
        self._finite[rows] = True
        return pictures

    def _stored(self, index: npt.ArrayLike) -> Pictures:
        """Read the pictures at `index` as they are."""
        wanted = self.row_map.take(index)
        if len(wanted.row) and (wanted.source == wanted.source[0]).all():
            return np.asarray(self._physical(int(wanted.source[0]))[wanted.row])
        pictures = np.empty((len(wanted.row), *self.shape), dtype=np.float32)
        for number in np.unique(wanted.source):
            here = wanted.source == number
            pictures[here] = self._physical(int(number))[wanted.row[here]]
        return pictures

    def blocks(self) -> Iterator[Pictures]:
        """Read all pictures in order, some at a time."""
        return map(self.rows, self._portions())

    def _portions(self) -> Iterator[npt.NDArray[np.intp]]:
        for first in range(0, len(self), _BLOCK_ROWS):
            yield np.arange(first, min(first + _BLOCK_ROWS, len(self)))

    def tables_damaged(self) -> bool | None:
        """Whether the tables are no longer those that were written; None for a store without their digest."""
        recorded, own = self._seal
        return self.contents.tables_digest(own) != recorded if recorded else None

    def damaged_rows(self) -> list[int]:
        """Rows whose picture no longer has the digest that was recorded."""
        digests = self.contents.segments["digest"]
        return [
            int(row)
            for portion in self._portions()
            for row, picture in zip(portion, self._stored(portion), strict=True)
            if picture_digest(picture) != digests[row]
        ]

    def audio_path(self, utterance: int, audio_root: Path | None = None) -> Path:
        """Where the audio of a row of ``/utterance`` lies, below `audio_root` or where the store says."""
        relative = unescape_name(str(self.contents.utterances["path"][utterance]))
        return (audio_root or beside(self.path, unescape_name(self.contents.audio_root))) / relative

    @property
    def audio_root(self) -> Path:
        """The corpus root, without links before the store's own name."""
        return beside(self.path.parent.resolve() / self.path.name, unescape_name(self.contents.audio_root))

    def _physical(self, number: int) -> Pictures:
        try:
            return self._held[number].pictures()
        except _DAMAGE as error:
            raise StoreError(defect(self.row_map.sources[number].path, error, "store")) from error


class _Held:
    """The pictures of a source, mapped while its file is open."""

    def __init__(self, file: h5py.File, source: Source) -> None:
        dataset = file[source.dataset]
        offset, handle = dataset.id.get_offset(), file.id.get_vfd_handle()
        self._source, self._file = source, _identity(os.fstat(handle))
        self._pictures: Pictures | None = None
        if offset is not None and dataset.dtype == np.dtype("<f4"):
            view = mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
            flat = np.frombuffer(view, dtype="<f4", count=math.prod(dataset.shape), offset=offset)
            self._pictures = flat.reshape(dataset.shape)

    def pictures(self) -> Pictures:
        """Give all pictures; a file repacked by someone (chunked, compressed) is read whole by HDF5 when asked."""
        if self._pictures is None:
            with h5py.File(self._source.path, "r", locking=False) as file:
                if _identity(os.fstat(file.id.get_vfd_handle())) != self._file:
                    raise StoreError(f"{self._source.path}: was replaced while it was read; run again")
                self._pictures = file[self._source.dataset][:].astype(np.float32)
        return self._pictures


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def open_store(path: Path | str) -> Store:
    """Open a store and check that it is whole.

    Raises
    ------
    StoreError
        If the file is missing, damaged, of another kind or version, or a source of a virtual store is missing
        or has changed.
    """
    path = Path(path)
    with _reading(path, "store") as file:
        contents = read_contents(file, path)
        row_map = _read_row_map(file, path, contents)
        own = decode_text(file[OWN_DIGESTS][:]).tolist() if "own" in file else []
        seal = read_text(file, TABLES_DIGEST), own
        own_rows = Source(path, ROWS_OF[contents.front_end.kind])
        here = {source: _Held(file, source) for source in row_map.sources if source == own_rows}
    held = [
        here[source] if source in here else _checked_source(path, contents, row_map, number)
        for number, source in enumerate(row_map.sources)
    ]
    return Store(path, contents, row_map, held, seal)


def hdf5_kind(path: Path) -> str:
    """Return what an HDF5 file says it is (``sertools_kind``), or nothing."""
    with _reading(path, "store") as file:
        return read_text(file, "sertools_kind")


@contextmanager
def _reading(path: Path, *words: str) -> Iterator[h5py.File]:
    """Open a file that has passed the guard; say by `words`, as `defect` does, that its parts do not fit."""
    check_hdf5(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except _DAMAGE as error:
        raise StoreError(defect(path, error, *words)) from error


def _read_row_map(file: h5py.File, path: Path, contents: Contents) -> RowMap:
    name, n = ROWS_OF[contents.front_end.kind], len(contents)
    dataset = file[name]
    if not dataset.is_virtual:
        return RowMap((Source(path, name),), np.zeros(n, dtype=np.int64), np.arange(n, dtype=np.int64))
    sources: dict[Source, int] = {}
    source, row = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    for mapping in dataset.virtual_sources():
        here, there = mapping.vspace.get_select_bounds(), mapping.src_space.get_select_bounds()
        first, last = here[0][0], here[1][0]
        if there[1][0] - there[0][0] != last - first:
            raise ValueError("a virtual mapping is not row by row")
        target = _resolve(path, mapping.file_name, mapping.dset_name)
        if target.dataset not in DIGESTS_OF:
            raise ValueError(f"a virtual mapping leads to {target.dataset}")
        if target.path == path and file[target.dataset].is_virtual:
            # Reading it would crash libhdf5.
            raise ValueError("a virtual mapping leads back to itself")
        number = sources.setdefault(target, len(sources))
        source[first : last + 1] = number
        row[first : last + 1] = np.arange(there[0][0], there[1][0] + 1)
    if n and source.min() < 0:
        raise ValueError("a virtual mapping leaves rows open")
    return RowMap(tuple(sources), source, row)


def _resolve(path: Path, file_name: str, dataset: str) -> Source:
    dataset = "/" + dataset.lstrip("/")
    if file_name == ".":
        return Source(path, dataset)
    # HDF5 reads % as a pattern, so names carry it doubled.
    return Source(beside(path, unescape_name(file_name.replace("%%", "%"))), dataset)


def _checked_source(path: Path, contents: Contents, row_map: RowMap, number: int) -> _Held:
    """Map a source; refuse one that is missing, is not a store, or does not hold the rows that were mapped."""
    source = row_map.sources[number]
    if not source.path.is_file():
        raise StoreError(
            f"{path}: its rows lie in {source.path}, which is missing; put it back, "
            "or make this store again with `select --copy`"
        )
    here = row_map.source == number
    rows, expected = row_map.row[here], contents.segments["digest"][here]
    with _reading(source.path, f"store, a source of {path}", "make it again") as file:
        check_file_kind(file, source.path, [contents.front_end.kind], VERSION)
        found = decode_text(file[DIGESTS_OF[source.dataset]][:])
        dataset = file[source.dataset]
        same = dataset.shape[1:] == contents.front_end.shape
        n_rows = min(len(found), len(dataset))
        held = None if dataset.is_virtual else _Held(file, source)
    if held is None or not same or rows.max(initial=0) >= n_rows or (found[rows] != expected).any():
        raise StoreError(
            f"{path}: {source.path} no longer holds the rows that were selected from it; "
            "put the original back, or select again"
        )
    return held
