"""The batches of a training, the next one read while one is used where the stores do not fit the memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from sertools.arrays import Index
from sertools.training.batches import Rows
from sertools.training.scaling import Scaler

_Batch = tuple[Index, torch.Tensor]


class BatchReader:
    """Rows of each step and their values.

    Parameters
    ----------
    rows
        The training set.
    order
        Step → the rows of its batch; a pure function, so that what is read ahead is what would be read in time.
    scaler, device
        What the rows become, and where.
    """

    def __init__(self, rows: Rows, order: Callable[[int], Index], scaler: Scaler, device: torch.device) -> None:
        self._rows, self._order, self._scaler, self._device = rows, order, scaler, device
        self._thread = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[_Batch]] | None = None

    def batch(self, step: int) -> _Batch:
        """Return the rows of a step and their scaled values [shape=(B, *net_shape)].

        Raises
        ------
        StoreError
            If a row of this step cannot be read, whoever read it.
        """
        ahead, self._ahead = self._ahead, None
        if self._rows.stay(self._scaler, self._device):
            index = self._order(step)
            return index, self._rows.tensor(index, self._scaler, self._device)
        index, x = ahead[1].result() if ahead and ahead[0] == step else self._read(step)
        self._ahead = step + 1, self._thread.submit(self._read, step + 1)
        return index, x.to(self._device, non_blocking=True)

    def _read(self, step: int) -> _Batch:
        index = self._order(step)
        x = self._rows.read(index, self._scaler)
        # Only from pinned memory does a copy to a GPU not wait.
        return index, x.pin_memory() if self._device.type == "cuda" else x
