"""Which class is taken for which: a confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, IntArray
from sertools.errors import ModelError
from sertools.reporting.plots.style import plain, plain_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def shares_of_truth(counts: IntArray) -> FloatArray:
    """Give the cells of a confusion matrix as shares of the true class; NaN where it does not occur."""
    total = counts.sum(axis=1, keepdims=True)
    share: FloatArray = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    return share


def confusion(matrix: npt.ArrayLike, classes: Sequence[str], title: str = "") -> "Figure":
    """Draw a confusion matrix: colour is the share of the true class, the cell also holds the count.

    Parameters
    ----------
    matrix : array_like of int [shape=(n_classes, n_classes)]
        Counts, rows are the truth.
    classes : sequence of str [length=n_classes]
        Names.
    title : str
        Line above.

    Returns
    -------
    Figure
        For `save`. A class that does not occur has an empty row.

    Raises
    ------
    ModelError
        If the matrix does not fit the classes.
    """
    counts = np.asarray(matrix)
    n = len(classes)
    if counts.shape != (n, n):
        raise ModelError(f"a confusion matrix of shape {counts.shape} does not fit {n} classes: evaluate again")
    share = shares_of_truth(counts)
    with plain_style():
        from matplotlib.figure import Figure  # noqa: PLC0415

        side = 0.75 * n
        # The page is cut to what is drawn, so names of any length may hang over its edge.
        width = side + 0.5
        figure = Figure(figsize=(width, side))
        axes = figure.add_axes((0, 0, side / width, 1))
        bar = figure.add_axes(((side + 0.2) / width, 0.1, 0.15 / width, 0.8))
        image = axes.imshow(100 * share, cmap="cividis", vmin=0, vmax=100)
        for i in range(n):
            for j in range(n):
                text = f"{100 * share[i, j]:.0f}\n({counts[i, j]})" if counts[i].any() else ""
                ink = "black" if share[i, j] > 0.5 else "white"
                axes.text(j, i, text, ha="center", va="center", fontsize=9, color=ink)
        names = [plain(c) for c in classes]
        turned = n > 4 or max(map(len, classes)) > 9
        axes.set_xticks(range(n), names, rotation=45 if turned else 0, ha="right" if turned else "center")
        axes.set_yticks(range(n), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_title(plain(title), fontsize=11)
        figure.colorbar(image, cax=bar, label="% of the true class")
    return figure
