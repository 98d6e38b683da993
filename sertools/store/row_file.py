"""Rows of a store that is being made, at their place in its file.

Several processes may write, each its own rows; HDF5 is not needed for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sertools.arrays import Pictures, Shape
from sertools.errors import StoreError
from sertools.provenance import cannot_write
from sertools.store.format import picture_digest

# Behind HDF5's own first words, at the start of a page.
FIRST_ROW = 1 << 12


@dataclass(frozen=True)
class RowFile:
    """Where the rows of an unfinished store lie.

    Attributes
    ----------
    path
        The unfinished file.
    output
        What it will be called, for messages.
    shape
        Of a row.
    """

    path: Path
    output: Path
    shape: Shape

    @property
    def _row_bytes(self) -> int:
        return 4 * math.prod(self.shape)

    def write(self, row: int, pictures: Pictures) -> list[str]:
        """Write pictures from row `row` on [shape=(n, *shape)] and return their digests.

        Raises
        ------
        StoreError
            If a picture holds NaN or infinite values.
        SertoolsError
            If the disk is full.
        """
        # One sum tells, and is faster than a look at every pixel.
        if not np.isfinite(pictures.sum(dtype=np.float64)):
            raise StoreError(f"{self.output}: a picture holds NaN or infinite values; nothing was written")
        self.place(row, pictures)
        return [picture_digest(picture) for picture in pictures]

    def place(self, row: int, pictures: Pictures) -> None:
        """Write pictures from row `row` on, whatever they hold.

        Raises
        ------
        SertoolsError
            If the disk is full.
        """
        if not pictures.size:
            return
        try:
            with self.path.open("r+b", buffering=0) as stream:
                stream.seek(FIRST_ROW + row * self._row_bytes)
                left = np.ascontiguousarray(pictures, dtype="<f4").data.cast("B")
                while left:
                    left = left[stream.write(left) :]
        except OSError as error:
            raise cannot_write(self.output, error) from error

    def read(self, n_rows: int) -> Pictures:
        """Read the first rows back [shape=(n_rows, *shape)]."""
        with self.path.open("rb") as stream:
            stream.seek(FIRST_ROW)
            rows = np.frombuffer(stream.read(n_rows * self._row_bytes), dtype="<f4")
        return rows.reshape(n_rows, *self.shape)
