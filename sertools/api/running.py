"""How a function of the API runs: paths of any kind, one run an output, progress by any wrapper of iterables."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sertools.claim import claimed
from sertools.processes import check_alone, processes
from sertools.rehearsal import rehearsing

Item = TypeVar("Item")
AnyPath = str | os.PathLike[str]
# A path, or several.
Paths = AnyPath | Sequence[AnyPath]
# Passes records on and shows how far they are, such as `tqdm.tqdm`; `iter` shows nothing.
Progress = Callable[[Iterable[Item]], Iterable[Item]]


def paths_of(given: Paths) -> list[Path]:
    """Make a list of one path or of several."""
    return [Path(given)] if isinstance(given, (str, os.PathLike)) else [Path(each) for each in given]


@contextmanager
def writing(output: Path, *, distributed: bool = False) -> Iterator[None]:
    """Keep other runs from an output while the block runs, unless nothing is to be written.

    Parameters
    ----------
    output
        What is written.
    distributed
        Whether several processes make it together, of which the first one writes.

    Raises
    ------
    SertoolsError
        If another run writes it at this moment.
    UsageError
        If it is not made together, and this is a process of several that is not the first.
    """
    if rehearsing():
        yield
        return
    leads = processes().leads
    if not (leads or distributed):
        check_alone(str(output))
    with claimed(output if leads else None):
        yield


def run_through(records: Iterator[Item], progress: Progress[Item]) -> Item | None:
    """Run a step to its end; return its last record."""
    last = None
    shown = progress(records)
    try:
        for record in shown:
            last = record
    finally:
        # Whatever ends this, temporary files go at once.
        for each in (shown, records):
            if isinstance(each, Generator):
                each.close()
    return last


# Hears of a training's stage, and of all its numbers.
Tell = Callable[[str, object], None]


def silent(stage: str, numbers: object) -> None:
    """Tell nobody."""


def telling(records: Iterator[Item], tell: Tell, stage: str, numbers: object) -> Iterator[Item]:
    """Tell of a stage's numbers once its first record is there: what fails before says why, and no more."""
    for first in records:
        tell(stage, numbers)
        yield first
        yield from records


def never() -> bool:
    """Never stop a training."""
    return False


def maybe(path: AnyPath | None) -> Path | None:
    """Make a path of what is given, if anything is."""
    return None if path is None else Path(path)
