"""Saying what a long step would do, in place of doing it: ``--dry-run`` and `sertools.rehearse`.

Every long step looks at its inputs and options first and begins to work after that. Where it would begin, it calls
`begin`, which in a rehearsal raises `Rehearsed` with its `Plan`: so a rehearsal checks what the step itself checks,
by the same lines. Time and memory are measured on the first piece of the work, or said to be unknown.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from sertools.errors import SertoolsError, printable

if sys.platform != "win32":
    import resource

_ASKED: ContextVar[bool] = ContextVar("rehearsing", default=False)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a step would do.

    Attributes
    ----------
    reads
        Each input, with what is in it.
    work
        What would be done.
    n_rows
        Rows that would be read, or made.
    writes
        Each output.
    output_bytes
        Of the output; None if unknown.
    seconds
        Of the whole step; None if unknown.
    measured
        What time was measured on, and what is not in it.
    memory_bytes
        The most that this process has held so far, its libraries among it; None if unknown.
    """

    reads: tuple[str, ...]
    work: str
    n_rows: int
    writes: tuple[str, ...]
    output_bytes: int | None = None
    seconds: float | None = None
    measured: str = ""
    memory_bytes: int | None = None

    def __str__(self) -> str:
        size = "" if self.output_bytes is None else f", about {_bytes(self.output_bytes)}"
        basis = f" ({self.measured})" if self.measured else ""
        known = "unknown" if self.seconds is None else f"about {_duration(self.seconds)}"
        held = "unknown" if self.memory_bytes is None else f"{_bytes(self.memory_bytes)} held so far"
        lines = [
            *(f"would read   {name}" for name in self.reads),
            f"would do     {self.work}",
            f"would write  {', '.join(self.writes)}{size}",
            f"time         {known}{basis}",
            f"memory       {held}",
            "nothing was written",
        ]
        return "\n".join(map(printable, lines))


class Rehearsed(Exception):  # noqa: N818 - no error: the step has said what it would do
    """Raised where a step would begin to work."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("rehearsed")
        self.plan = plan


def rehearsing() -> bool:
    """Tell whether the step that runs is only to say what it would do."""
    return _ASKED.get()


def begin(output: Path | None, plan: Callable[[], Plan]) -> None:
    """Stand where a step begins to work: in a rehearsal it ends here.

    Parameters
    ----------
    output
        What it writes; None if that is for its caller to say.

    Raises
    ------
    Rehearsed
        With the plan, in a rehearsal.
    SertoolsError
        In a rehearsal, if the output's folder cannot be written to; the step itself notices when it writes.
    """
    if rehearsing():
        if output is not None and not os.access(output.parent, os.W_OK):
            raise SertoolsError(f"{output}: the folder {output.parent} cannot be written to; write elsewhere with -o")
        raise Rehearsed(plan())


def rehearsal(step: Callable[[], object]) -> Plan | None:
    """Run a step up to where it would begin to work; None if it has no such place and has ended.

    Raises
    ------
    SertoolsError
        Whatever the step would raise before it begins.
    """
    token = _ASKED.set(True)
    try:
        step()
    except Rehearsed as rehearsed:
        return rehearsed.plan
    finally:
        _ASKED.reset(token)
    return None


def seconds_of(work: Callable[[], object]) -> float:
    """Measure how long a piece of work takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory_so_far() -> int | None:
    """Return the most bytes that this process has held; None where the system does not say."""
    if sys.platform == "win32":
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def counted(names: Iterable[object], counts: Mapping[str, int]) -> tuple[str, ...]:
    """Name some inputs, and after the last how many rows of each class they hold together."""
    *first, last = map(str, names)
    inside = ", ".join(f"{count} {name or 'without a label'}" for name, count in counts.items())
    return (*first, f"{last}: {sum(counts.values())} rows ({inside})")


def _bytes(count: int) -> str:
    size, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.3g} {unit}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
