"""How a function of the API runs: paths of any kind, one run per output, progress by any wrapper of iterables."""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sertools.claim import claimed
from sertools.fields import REQUIRED, name_of
from sertools.keywords import described, keywords
from sertools.processes import check_alone, processes
from sertools.rehearsal import rehearsing

Item = TypeVar("Item")
Function = TypeVar("Function", bound=Callable[..., Any])
AnyPath = str | os.PathLike[str]
# A path, or several.
Paths = AnyPath | Sequence[AnyPath]
# Passes records on and shows how far they are, such as `tqdm.tqdm`; `iter` shows nothing.
Progress = Callable[[Iterable[Item]], Iterable[Item]]


def path_of(given: AnyPath) -> Path:
    """Make a path of what is given."""
    return Path(name_of(given))


def paths_of(given: Paths) -> list[Path]:
    """Make a list of one path or of several."""
    return [path_of(given)] if isinstance(given, (str, os.PathLike)) else [path_of(each) for each in given]


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


def maybe(path: AnyPath | None) -> Path | None:
    """Make a path of what is given, if anything is."""
    return None if path is None else path_of(path)


def takes(verb: str) -> Callable[[Function], Function]:
    """Let a function's signature and help list its ``**options``, which are those of a verb."""

    def tell(function: Function) -> Function:
        known, signature = keywords(verb).values(), inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        listed = [
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if each.default is REQUIRED else each.default,
                annotation=f"{each.kind_name}{' | None' if each.default is None else ''}",
            )
            for each in known
        ]
        function.__dict__["__signature__"] = signature.replace(parameters=[*own, *listed])
        words = "".join(
            f"{each.name} : {each.option.choices or each.kind_name}\n"
            + textwrap.indent(textwrap.fill(described(each), 100), "    ")
            + "\n"
            for each in known
        )
        before, mark, after = (function.__doc__ or "").partition("    **options\n")
        # The line behind the mark says where the words are for who reads the source.
        _, _, after = after.partition("\n")
        function.__doc__ = before + textwrap.indent(words, "    ") + after if mark else before
        return function

    return tell
