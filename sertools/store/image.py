"""HDF5 files built in memory, then written in one plain pass.

libhdf5 crashes when the disk is full, and a plain write is just refused; so it never writes to the disk itself.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from sertools.provenance import atomic_output

# The first format with virtual datasets; its metadata carry checksums.
LIBVER = ("v110", "v110")


class Image(io.RawIOBase):
    """A file in memory, with room only for the pages that were written."""

    _PAGE = 1 << 10

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._at = self._size = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as a file does."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Set the size, to the place if it is not given."""
        self._size = self._at if size is None else size
        return self._size

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; what was never written is zeros."""
        for part, page, start in self._parts(len(buffer)):
            held = self._pages.get(page)
            length = part.stop - part.start
            buffer[part] = held[start : start + length] if held else bytes(length)
        self._at += len(buffer)
        return len(buffer)

    def write(self, data: Any) -> int:
        """Write at the place."""
        for part, page, start in self._parts(len(data)):
            held = self._pages.setdefault(page, bytearray(self._PAGE))
            held[start : start + part.stop - part.start] = data[part]
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def _parts(self, length: int) -> Iterator[tuple[slice, int, int]]:
        """Split the next `length` bytes by pages: the part of a buffer, the page's number, the place in it."""
        done = 0
        while done < length:
            page, start = divmod(self._at + done, self._PAGE)
            end = min(length, done + self._PAGE - start)
            yield slice(done, end), page, start
            done = end

    def save(self, path: Path, kept: range = range(0)) -> None:
        """Write the file to the disk; what was never written stays what it was there, or a hole.

        Parameters
        ----------
        kept
            Bytes that lie in the file already: they stay, also within a page.
        """
        with path.open("r+b") as stream:
            for page, held in sorted(self._pages.items()):
                first, end = page * self._PAGE, (page + 1) * self._PAGE
                around = [(first, min(end, kept.start)), (max(first, kept.stop), end)] if kept else [(first, end)]
                for start, stop in around:
                    if start < stop:
                        stream.seek(start)
                        stream.write(held[start - first : stop - first])
            stream.truncate(self._size)


@contextmanager
def hdf5_output(path: Path) -> Iterator[h5py.File]:
    """Give an HDF5 file that stands under `path` when the block has succeeded.

    Raises
    ------
    SertoolsError
        If it cannot be written; nothing is left under `path` then, and an older file stays.
    """
    with atomic_output(path) as part:
        image = Image()
        with h5py.File(image, "w", libver=LIBVER) as file:
            yield file
        image.save(part)
