"""Training logs as curves over steps: one column per log, one panel per group of numbers that share a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sertools.errors import ModelError
from sertools.reporting.plots.style import OKABE_ITO, drawn, plain
from sertools.training.log import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES = ("-", "--", "-.")
_MARKERS = "os^Dv"
_WIDTH, _HEIGHT = 6.5, 1.9  # inches of a panel with its labels and legend


@dataclass(frozen=True)
class _Panel:
    """Numbers that share a scale."""

    label: str
    prefixes: tuple[str, ...]  # of the numbers that belong here
    logarithmic: bool = False
    share: bool = False  # from 0 to 1


_LOSSES = _Panel("loss", ())  # what belongs nowhere else
_PANELS = (
    _LOSSES,
    _Panel("accuracy", ("accuracy", "d_accuracy", "val_uar"), share=True),
    _Panel("gradient norm", ("grad_norm",), logarithmic=True),
    _Panel("weight change", ("weight_change",), logarithmic=True),
    _Panel("drift per value", ("drift",), logarithmic=True),
    _Panel("called fake", ("fake_rate.",), share=True),
    _Panel("distance in class", ("pairwise",)),
    _Panel("spectral distance (dB)", ("spectral_distance",)),
)


def training_curves(logs: Sequence[tuple[str, History]], title: str = "") -> Figure:
    """Draw every number of some training logs over the steps.

    A number that is measured at the start alone is a dotted line across: the drift of the batch statistics, and the
    distance between real rows of a class. A grey line across a column is a warning.

    Parameters
    ----------
    logs
        Name and content of each log, one column each.

    Raises
    ------
    ModelError
        If a log holds no number.
    """
    columns = []
    for name, log in logs:
        series = _series(log)
        shown = [panel for panel in _PANELS if any(_panel_of(n) == panel for n in series)]
        if not shown:
            raise ModelError(f"{name}: holds no number to draw; let the training run for ten steps")
        columns.append((name, log, series, shown))
    deep = max(len(shown) for *_, shown in columns)
    with drawn((_WIDTH * len(columns), _HEIGHT * deep), title) as figure:
        for column, (name, log, series, shown) in enumerate(columns, 1):
            for row, panel in enumerate(shown):
                axes = figure.add_subplot(deep, len(columns), row * len(columns) + column)
                _draw(axes, panel, {n: points for n, points in series.items() if _panel_of(n) == panel}, log)
                if row == 0:
                    axes.set_title(plain(f"{log.verb} ({name})"), fontsize=11)
            axes.set_xlabel("step")
    return figure


def _panel_of(name: str) -> _Panel:
    return next((panel for panel in _PANELS if name.startswith(panel.prefixes)), _LOSSES)


def _series(log: History) -> dict[str, list[tuple[int, float]]]:
    series: dict[str, list[tuple[int, float]]] = {}
    for line in log.lines:
        for name, value in line.values.items():
            if np.isfinite(value):
                series.setdefault(name, []).append((line.step, value))
    return series


def _draw(axes: Axes, panel: _Panel, series: dict[str, list[tuple[int, float]]], log: History) -> None:
    """Draw one panel; what ends in the same class has the same colour."""
    keys = list(dict.fromkeys(_key(name) for name in series))
    for name, points in series.items():
        number = keys.index(_key(name))
        how: dict[str, Any] = {"color": OKABE_ITO[number % len(OKABE_ITO)], "linewidth": 1.3}
        steps, values = zip(*points, strict=True)
        if steps == (0,) and log.n_steps:
            label = "" if "." in name else "drift of batch statistics alone" if name == "drift_bn" else name
            axes.axhline(values[0], linestyle=":", label=plain(label) or None, **how)
        else:
            dashes = _DASHES[number // len(OKABE_ITO) % len(_DASHES)]
            if len(points) < 30:
                how |= {"marker": _MARKERS[number % len(_MARKERS)], "markersize": 3}
            label = plain(name.partition(".")[2] or name)
            axes.plot(steps, values, linestyle=dashes, label=label, **how)
    for line in log.lines:
        if line.warnings:
            axes.axvline(line.step, color="0.6", linewidth=1, zorder=0)
            named = plain(", ".join(line.warnings))
            axes.annotate(named, (line.step, 0.98), xycoords=("data", "axes fraction"), rotation=90, fontsize=6,
                          ha="right", va="top", color="0.35")  # fmt: skip
    if panel.share:
        axes.set_ylim(-0.03, 1.03)
    elif panel.logarithmic and all(value > 0 for points in series.values() for _, value in points):
        axes.set_yscale("log")
    dotted = any(name.startswith("pairwise_real.") for name in series)
    axes.set_ylabel(panel.label + ("\n(dotted: real rows)" if dotted else ""), fontsize=8)
    axes.set_xlim(0, max(1, log.n_steps))
    axes.grid(color="0.92")
    axes.tick_params(which="both", labelsize=7)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _key(name: str) -> str:
    """What decides the colour: the class, if it is a number of a class."""
    return name.partition(".")[2] or name
