"""A comparison of methods as a picture: differences from the baseline with their intervals (a forest plot).

The first panel is what methods are judged by, and answers both questions of `comparison`: a thick line for the method
that is trained anew, a thin one below it for the classifiers that are there. Other scores have the second alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from sertools.errors import UsageError, printable
from sertools.reporting.plots.style import OKABE_ITO, drawn, plain
from sertools.scoring.comparing.comparison import NEW_SPEAKERS, NEW_TRAINING, Report, Row
from sertools.scoring.comparing.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL, _NARROW, _LINE = 4.2, 3.0, 0.36  # inches: width of a panel, also on a phone; height of a method
_MOST_LETTERS = 28  # of a name; the tables have it whole
_MARGIN = 1.5  # inches above and below the methods
_THICK, _THIN = 3.2, 1.2  # points
_BELOW = 0.26  # of a method's height: the classifiers' line
_INK = OKABE_ITO[0]


@dataclass(frozen=True)
class Measure:
    """What is compared.

    Attributes
    ----------
    name : str
        As the table heads it.
    field : str
        Of `Row`: the difference of these classifiers.
    judged : bool
        Whether methods are judged by it, so that `Row.anew_difference` is of it too.
    """

    name: str
    field: str
    judged: bool = False

    def of(self, row: Row) -> Interval | None:
        """Give a method's difference from the baseline, as a fraction, with the classifiers' interval."""
        return _known(getattr(row, self.field))

    def anew(self, row: Row) -> Interval | None:
        """Give the same with the method's interval; None where there is none."""
        return _known(row.anew_difference) if self.judged else None


def measures(report: Report) -> list[Measure]:
    """Name what the report compares: what methods are judged by, then other scores that it has."""
    known = [
        Measure("UAR", "difference", judged=not report.reduced),
        Measure("adj. UAR", "adjusted_difference"),
    ]
    if report.reduced:
        known.insert(0, Measure(report.primary, "auc_difference", judged=True))
    return [measure for measure in known if any(measure.of(row) for row in report.rows)]


def forest(
    report: Report, shown: Sequence[Measure] | None = None, title: str = "", *, narrow: bool = False
) -> Figure:
    """Draw each method's differences from the baseline with their 95 % intervals.

    A filled point is a method that differs for certain (`Row.differs`); a hollow one leaves it open.

    Parameters
    ----------
    report
        With a baseline and another method.
    shown
        One panel each; by default all that `measures` names.
    title
        Above them.
    narrow
        For a page that a phone shows too: narrow panels, so that letters stay large, and no legend.

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
    size = (0.09 * max(map(len, names)) + (_NARROW if narrow else _PANEL) * len(panels), _LINE * len(rows) + _MARGIN)
    with drawn(size, title) as figure:
        for number, measure in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), number + 1)
            _draw(axes, rows, measure)
            axes.set_yticks(range(len(rows)), names if number == 0 else [])
            axes.set_xlabel(plain(f"{measure.name}, points from {report.baseline}"))
        if not narrow:
            _legend(figure, judged=any(measure.judged for measure in panels))
    return figure


def _known(found: Interval | None) -> Interval | None:
    return found if found is not None and isfinite(found.estimate) else None


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"


def _draw(axes: Axes, rows: Sequence[Row], measure: Measure) -> None:
    axes.axvline(0, color="black", linewidth=0.8)
    for place, row in enumerate(rows):
        classifiers, anew = measure.of(row), measure.anew(row)
        _line(axes, anew, place, _THICK)
        _line(axes, classifiers, place + _BELOW * measure.judged, _THIN)
        if found := anew or classifiers:
            face = _INK if measure.judged and row.differs else "white"
            axes.plot(100 * found.estimate, place, "o", ms=6, color=_INK, mfc=face, mew=1.4, zorder=3)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.5", alpha=0.25)
    axes.spines[["top", "left", "right"]].set_visible(False)


def _line(axes: Axes, interval: Interval | None, place: float, width: float) -> None:
    if interval is not None and isfinite(interval.low) and isfinite(interval.high):
        ends = [100 * interval.low, 100 * interval.high]
        axes.plot(ends, [place, place], color=_INK, linewidth=width, solid_capstyle="butt")


def _legend(figure: Figure, *, judged: bool) -> None:
    """Say which line is of what, as the table heads it."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - half a second that only pictures need

    known = [(NEW_TRAINING, _THICK)] * judged + [(NEW_SPEAKERS, _THIN)]
    handles = [Line2D([], [], color=_INK, linewidth=width, label=label) for label, width in known]
    figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize="small")
