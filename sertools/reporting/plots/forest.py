"""A comparison of methods as a picture: differences from the baseline with their intervals (a forest plot)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from sertools.errors import UsageError, printable
from sertools.reporting.plots.style import OKABE_ITO, drawn, plain
from sertools.scoring.comparing.comparison import Report, Row
from sertools.scoring.comparing.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL, _LINE = 4.2, 0.3  # inches: width of a panel, height of a method
_MOST_LETTERS = 28  # of a name; the tables have it whole
_MARGIN = 1.0  # inches above and below the methods


@dataclass(frozen=True)
class Measure:
    """What is compared: its name as the table heads it, and the field of `Row` that holds its interval."""

    name: str
    field: str

    def of(self, row: Row) -> Interval | None:
        """Give a method's difference from the baseline, as a fraction."""
        found: Interval | None = getattr(row, self.field)
        return found if found is not None and isfinite(found.estimate) else None


def measures(report: Report) -> list[Measure]:
    """Name what the report compares: UAR, and AUC and adjusted UAR where it has them."""
    reduced = report.reduced[0] if len(report.reduced) == 1 else "reduced"
    known = (
        Measure("UAR", "difference"),
        Measure(f"{reduced} AUC", "auc_difference"),
        Measure("adj. UAR", "adjusted_difference"),
    )
    return [measure for measure in known if any(measure.of(row) for row in report.rows)]


def forest(report: Report, shown: Sequence[Measure] | None = None, title: str = "") -> Figure:
    """Draw each method's differences from the baseline with their 95 % intervals.

    A filled point has an interval on one side of zero; a hollow one leaves open which method is better.

    Parameters
    ----------
    report
        With a baseline and another method.
    shown
        One panel each; by default all that `measures` names.

    Raises
    ------
    UsageError
        If there is nothing to compare.
    """
    panels = measures(report) if shown is None else list(shown)
    rows = [row for row in report.rows if row.method != report.baseline]
    if not panels or not rows:
        raise UsageError(
            "nothing to compare: give results of two methods at least, and name the one that the others are compared "
            "with by --baseline if none is called imbalanced"
        )
    names = [plain(_short(printable(row.method))) for row in rows]
    size = (0.09 * max(map(len, names)) + _PANEL * len(panels), _LINE * len(rows) + _MARGIN)
    with drawn(size, title) as figure:
        for number, measure in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), number + 1)
            _draw(axes, [measure.of(row) for row in rows])
            axes.set_yticks(range(len(rows)), names if number == 0 else [])
            axes.set_xlabel(plain(f"{measure.name}, points from {report.baseline}"))
    return figure


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"


def _draw(axes: Axes, intervals: Sequence[Interval | None]) -> None:
    axes.axvline(0, color="black", linewidth=0.8)
    for place, interval in enumerate(intervals):
        if interval is None:
            continue
        estimate, low, high = (100 * bound for bound in (interval.estimate, interval.low, interval.high))
        if isfinite(low) and isfinite(high):
            axes.plot([low, high], [place, place], color=OKABE_ITO[0], linewidth=1.8)
        face = OKABE_ITO[0] if interval.excludes_zero else "white"
        axes.plot(estimate, place, "o", ms=6, color=OKABE_ITO[0], mfc=face, mew=1.4, zorder=3)
    axes.set_ylim(len(intervals) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.5", alpha=0.25)
    axes.spines[["top", "left", "right"]].set_visible(False)
