"""Work that falls into independent parts, done by several processes or ahead in a thread, in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from itertools import islice
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from sertools.errors import SertoolsError

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Outcome = TypeVar("Outcome")

_ITEMS_A_TASK = 8
_TASKS_AHEAD = 3  # of each process


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # Looking for the libraries of the process takes longer than a segment's transform.
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Hold BLAS to one thread: the same bytes, however many processes share the machine."""
    limiter: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limiter


def read_ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Yield `items` in order, while a thread makes the next one; its errors are raised where that item is due."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - as below

    iterator = iter(items)
    end: Any = object()
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, iterator, end)
        while (item := following.result()) is not end:
            following = thread.submit(next, iterator, end)
            yield item


def ordered_map(work: Callable[[Item], Outcome], items: Sequence[Item], n_processes: int) -> Iterator[Outcome]:
    """Yield ``work(item)`` of each item in order, whatever the number of processes.

    Raises
    ------
    SertoolsError
        If a process was killed.
    """
    if n_processes == 1 or len(items) <= _ITEMS_A_TASK:
        yield from map(work, items)
        return
    yield from _pooled(work, items, n_processes, _ITEMS_A_TASK)


def placed_map(
    prepare: Callable[[Item], Prepared],
    size: Callable[[Prepared], int],
    finish: Callable[[int, Prepared], Outcome],
    items: Sequence[Item],
    n_processes: int,
) -> Generator[Outcome, None, None]:
    """Yield ``finish(place, prepare(item))`` of each item in order, whatever the number of processes.

    The place is the sum of the sizes of all items before, so that each process can write what it makes where it
    belongs. One process prepares the next item in a thread while it finishes the one before.

    Raises
    ------
    SertoolsError
        If a process was killed.
    """
    if n_processes == 1 or len(items) == 1:
        place = 0
        for prepared in read_ahead(map(prepare, items)):
            yield finish(place, prepared)
            place += size(prepared)
        return
    from multiprocessing import get_context  # noqa: PLC0415 - as below

    spawn = get_context("spawn")
    turns = _Turns(spawn.Condition(), spawn.RawArray("q", 2))
    work = partial(_in_turn, prepare, size, finish)
    yield from _pooled(work, list(enumerate(items)), n_processes, 1, turns)


class _Turns:
    """Places handed out in the order of the items, to whichever process asks.

    Items are begun in order, so the process with the first item that has no place yet never waits.
    """

    def __init__(self, condition: Any, state: Any) -> None:
        self._condition = condition
        self._state = state  # the item whose turn it is, the first place that is free

    def take(self, number: int, size: int) -> int:
        """Wait for item `number`'s turn, take `size` places, and return the first."""
        with self._condition:
            self._condition.wait_for(lambda: self._state[0] == number)
            place = int(self._state[1])
            self._state[:] = [number + 1, place + size]
            self._condition.notify_all()
        return place


# Of a worker process; locks can only be inherited.
_turns: list[_Turns] = []


def _begin(turns: _Turns | None) -> None:
    # Ctrl-C reaches every process of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if turns:
        _turns.append(turns)


def _in_turn(
    prepare: Callable[[Item], Prepared],
    size: Callable[[Prepared], int],
    finish: Callable[[int, Prepared], Outcome],
    numbered: tuple[int, Item],
) -> Outcome:
    number, item = numbered
    needed = 0
    try:
        prepared = prepare(item)
        needed = size(prepared)
    finally:
        # Also when it failed: others wait for their turn.
        place = _turns[0].take(number, needed)
    return finish(place, prepared)


def _each(work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
    return [*map(work, items)]


def _pooled(
    work: Callable[[Item], Outcome],
    items: Sequence[Item],
    n_processes: int,
    at_once: int,
    turns: _Turns | None = None,
) -> Iterator[Outcome]:
    # With one process these would be a tenth of the start, for nothing.
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    # spawn: safe whatever threads this process has started, and the same on every system.
    pool = ProcessPoolExecutor(n_processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(turns,))
    tasks = (items[first : first + at_once] for first in range(0, len(items), at_once))
    try:
        # No more is begun than is soon asked for: who asks may be slower than those who work.
        waiting = deque(pool.submit(_each, work, task) for task in islice(tasks, _TASKS_AHEAD * n_processes))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(_each, work, task) for task in islice(tasks, 1))
            yield from done
    except BrokenProcessPool as error:
        raise SertoolsError("a worker process was killed, perhaps for lack of memory; use fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)
