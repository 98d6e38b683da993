"""How many rows of each class stores hold, and where these come from: before and after balancing, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sertools.errors import ModelError
from sertools.reporting.plots.style import OKABE_ITO, drawn, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Origin → colour and hatch: a print in grey tells them apart too.
_LOOKS = {
    "real": (OKABE_ITO[0], ""),
    "altered": (OKABE_ITO[4], "///"),
    "copied": (OKABE_ITO[5], "..."),
    "generated": (OKABE_ITO[1], "xxx"),
    "borrowed": (OKABE_ITO[2], "+++"),
}
_PANEL, _LINE, _MARGIN = 3.4, 0.42, 1.3  # inches: width of a panel, height of a class, the rest

Counts = Mapping[str, Mapping[str, int]]  # class → origin → rows


def count_rows(emotion: npt.NDArray[np.str_], origin: npt.NDArray[np.str_]) -> Counts:
    """Count a store's rows by class and origin; what a transform made is "altered"."""
    kinds = np.array([name if name in _LOOKS else "altered" for name in origin.tolist()], dtype=str)
    return {
        name: {kind: int(((emotion == name) & (kinds == kind)).sum()) for kind in _LOOKS}
        for name in sorted(set(emotion.tolist()))
    }


def class_balance(stores: Sequence[tuple[str, Counts]], title: str = "") -> Figure:
    """Draw the rows of each class as bars, one panel per store, on one scale.

    Parameters
    ----------
    stores
        Name of each, and its `count_rows`.

    Raises
    ------
    ModelError
        If no store has a row.
    """
    classes = sorted({name for _, counts in stores for name in counts})
    most = max((sum(own.values()) for _, counts in stores for own in counts.values()), default=0)
    if not most:
        raise ModelError("no row to count: give stores that hold some")
    shown = [kind for kind in _LOOKS if any(own[kind] for _, counts in stores for own in counts.values())]
    with drawn((_PANEL * len(stores) + 1.0, _LINE * len(classes) + _MARGIN), title) as figure:
        for number, (name, counts) in enumerate(stores):
            axes = figure.add_subplot(1, len(stores), number + 1)
            _draw(axes, counts, classes, shown, most)
            axes.set_title(f"{plain(name)}\n{_ratio(counts, len(classes))}", fontsize=10)
            if number:
                axes.set_yticklabels([])
        if len(shown) > 1:
            handles, labels = figure.axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=len(shown), frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, counts: Counts, classes: Sequence[str], shown: Sequence[str], most: int) -> None:
    places = np.arange(len(classes))
    left = np.zeros(len(classes), dtype=np.int64)
    for kind in shown:
        width = np.array([counts.get(name, {}).get(kind, 0) for name in classes])
        colour, hatch = _LOOKS[kind]
        axes.barh(
            places, width, 0.7, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=kind
        )
        left += width
    for place, total in zip(places.tolist(), left.tolist(), strict=True):
        axes.annotate(f"{total:,}", (total, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(places, [plain(name) or "no label" for name in classes])
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_xlim(0, 1.18 * most)
    axes.set_xlabel("rows")
    axes.spines[["top", "right"]].set_visible(False)


def _ratio(counts: Counts, n_classes: int) -> str:
    totals = [total for own in counts.values() if (total := sum(own.values()))]
    return f"largest / smallest class: {max(totals) / min(totals):.1f}" if len(totals) == n_classes > 1 else ""
