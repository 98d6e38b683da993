"""Paired timings: ours and a rival in turn, so that a drift of the machine meets both."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    what, rival : str
        What was timed, and against what.
    ratio : float
        Ours to the rival's: of times or memory (lower is better), or of speeds (higher is better).
    unit : {"time", "memory", "speed", "peak"}
        Which of them; the peak is a speed, that of the machine.
    goal : float or None
        None where nothing was promised.
    low, high : float
        Smallest and largest ratio of a pair.
    size : str
        Of the work.
    floor : str
        What bounds the ratio, and where it would end.
    """

    what: str
    rival: str
    ratio: float
    unit: str
    goal: float | None
    low: float
    high: float
    size: str
    floor: str = ""

    def say(self) -> None:
        """Print as one line of JSON."""
        print(json.dumps(asdict(self)), flush=True)


def compare(
    ours: Callable[[], float], rival: Callable[[], float], *, pairs: int, what: str, against: str, unit: str,
    goal: float | None, size: str, floor: str = "", bound: Callable[[], float] | None = None,
) -> Figure:  # fmt: skip
    """Time both in turn; each call returns its seconds. The ratio is the median of the pairs' ratios.

    Parameters
    ----------
    floor, bound
        Words for what ours cannot do without, and its seconds: its ratio to the rival goes behind them.
    """
    ratios, floors = [], []
    for number in range(pairs):
        first, second = (ours, rival) if number % 2 else (rival, ours)
        times = {first: first(), second: second()}
        ratios.append(_ratio(times[ours], times[rival], unit))
        if bound:
            floors.append(_ratio(bound(), times[rival], unit))
    if floors:
        floor = f"{floor} {statistics.median(floors):.2f}×"
    return of_ratios(ratios, what=what, against=against, unit=unit, goal=goal, size=size, floor=floor)


def _ratio(ours: float, rival: float, unit: str) -> float:
    return rival / ours if unit == "speed" else ours / rival


def of_ratios(
    ratios: Sequence[float], *, what: str, against: str, unit: str, goal: float | None, size: str, floor: str = ""
) -> Figure:
    """Make the line of some ratios: their median and range."""
    return Figure(
        what=what,
        rival=against,
        ratio=statistics.median(ratios),
        unit=unit,
        goal=goal,
        low=min(ratios),
        high=max(ratios),
        size=size,
        floor=floor,
    )


def peak_bytes(command: Sequence[str]) -> int:
    """Run a command to its end; the most memory that it and its children held at once (Linux), sampled.

    Pages that several processes share count once for each: the figure is high rather than low.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, _resident_bytes(process.pid))
            time.sleep(0.02)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def _resident_bytes(pid: int) -> int:
    own = Path(f"/proc/{pid}")
    try:
        pages = int((own / "statm").read_text().split()[1])
        children = " ".join(file.read_text() for file in own.glob("task/*/children")).split()
    except (OSError, IndexError):
        # It has ended.
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident_bytes(int(child)) for child in children)


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
