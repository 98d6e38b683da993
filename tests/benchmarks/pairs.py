"""Paired timings: ours and a rival in turn, so that a drift of the machine meets both."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    what, rival : str
        What was timed, and against what.
    ratio : float
        Ours to the rival's: of times (lower is better), or of speeds (higher is better).
    unit : {"time", "speed"}
        Which of the two.
    goal : float
    low, high : float
        Smallest and largest ratio of a pair.
    size : str
        Of the work.
    """

    what: str
    rival: str
    ratio: float
    unit: str
    goal: float
    low: float
    high: float
    size: str

    def say(self) -> None:
        """Print as one line of JSON."""
        print(json.dumps(asdict(self)), flush=True)


def compare(
    ours: Callable[[], float], rival: Callable[[], float], *, pairs: int, what: str, against: str, unit: str,
    goal: float, size: str,
) -> Figure:  # fmt: skip
    """Time both in turn; each call returns its seconds. The ratio is the median of the pairs' ratios."""
    ratios = []
    for number in range(pairs):
        first, second = (ours, rival) if number % 2 else (rival, ours)
        times = {first: first(), second: second()}
        ratio = times[ours] / times[rival]
        ratios.append(1 / ratio if unit == "speed" else ratio)
    return Figure(
        what=what,
        rival=against,
        ratio=statistics.median(ratios),
        unit=unit,
        goal=goal,
        low=min(ratios),
        high=max(ratios),
        size=size,
    )


def wall_seconds(command: Sequence[str]) -> float:
    """Run a command to its end.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def python(*arguments: str) -> list[str]:
    """Return the command of this very Python."""
    return [sys.executable, *arguments]
