"""Work that falls into independent parts, done by several processes, in order."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from sertools.errors import SertoolsError

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_A_TASK = 8


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # Looking for the libraries of the process takes longer than a segment's transform.
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Hold BLAS to one thread: the same bytes, however many processes share the machine."""
    limiter: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limiter


def ordered_map(work: Callable[[Item], Result], items: Sequence[Item], n_processes: int) -> Iterator[Result]:
    """Yield ``work(item)`` of each item in order, whatever the number of processes.

    Raises
    ------
    SertoolsError
        If a process was killed.
    """
    if n_processes == 1 or len(items) <= _ITEMS_A_TASK:
        yield from map(work, items)
        return
    # spawn: safe whatever threads this process has started, and the same on every system.
    spawn = multiprocessing.get_context("spawn")
    # Ctrl-C reaches every process of a terminal; this one ends the others.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(n_processes, mp_context=spawn, initializer=signal.signal, initargs=ignore)
    try:
        yield from pool.map(work, items, chunksize=_ITEMS_A_TASK)
    except BrokenProcessPool as error:
        raise SertoolsError("a worker process was killed, perhaps for want of memory; use fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)
