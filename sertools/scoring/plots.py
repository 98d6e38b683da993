"""Pictures: the confusion matrix, and real beside generated spectrograms on one scale.

Figures are made with matplotlib's object interface, so nothing is left behind in pyplot and no display is
needed. Neither the user's matplotlib settings nor the clock enters a picture: the same data gives the same
bytes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sertools.errors import ModelError, UsageError
from sertools.scoring.metrics import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pictures = Sequence[Sequence[npt.NDArray[np.floating[Any]]]]

# Suffix → what keeps the clock and the library's version out of the file.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "sertools"},
    "pdf": {"CreationDate": None, "Creator": "sertools", "Producer": None},
}
COLOURS = "magma"  # even in lightness, so it reads in grey and by the colour-blind
# Okabe and Ito's colours, told apart by the colour-blind; without yellow, which is faint on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_TICKS_HZ = {500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k", 16000: "16k"}
_DPI = 150
# Inches: a picture, the gaps between pictures, columns and classes, the margins.
_WIDTH, _HEIGHT = 1.3, 1.05
_GAP, _COLUMN_GAP, _CLASS_GAP = 0.07, 0.3, 0.22
_LEFT, _RIGHT, _TOP, _BOTTOM = 1.0, 1.0, 0.45, 0.5
_MOST_BESIDE = 4


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw with matplotlib's own settings, whatever matplotlibrc says."""
    from matplotlib import style  # noqa: PLC0415 - half a second that only pictures need

    with style.context(["default", {"svg.hashsalt": "sertools", "savefig.dpi": _DPI, "savefig.bbox": "tight"}]):
        yield


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
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
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
                text = f"{100 * share[i, j]:.0f}\n({counts[i, j]})" if total[i] else ""
                axes.text(
                    j,
                    i,
                    text,
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="black" if share[i, j] > 0.5 else "white",
                )
        names = [plain(c) for c in classes]
        turned = n > 4 or max(map(len, classes)) > 9
        axes.set_xticks(range(n), names, rotation=45 if turned else 0, ha="right" if turned else "center")
        axes.set_yticks(range(n), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_title(plain(title), fontsize=11)
        figure.colorbar(image, cax=bar, label="% of the true class")
    return figure


def spectrogram_grid(
    columns: Sequence[tuple[str, Pictures]],
    classes: Sequence[str],
    *,
    mel_frequencies: npt.ArrayLike,
    hop_seconds: float,
    n_each: int = 4,
    title: str = "",
    range_db: float = 80.0,
) -> "Figure":
    """Draw a page of spectrograms: one block of rows a class, one block of columns a source.

    Parameters
    ----------
    columns : sequence of (str, pictures)
        Name of a source, e.g. "real" or "generated", and for each class its log-mel spectrograms
        [shape=(n_mels, n_frames)], power in dB. A class may have fewer than `n_each`, or none.
    classes : sequence of str
        Names of the row blocks.
    mel_frequencies : array_like of float [shape=(n_mels,)]
        Centre of each mel band in Hz, rising.
    hop_seconds : float
        Time between frames in s.
    n_each : int
        Pictures of a class and a source, at least 1; more than four go into further rows.
    title : str
        Line above.
    range_db : float
        The colours span this much below the loudest point of the page.

    Returns
    -------
    Figure
        For `save`. One colour scale for the whole page.

    Raises
    ------
    ModelError
        If there is nothing to draw or a picture does not fit the mel bands.
    """
    hertz = np.asarray(mel_frequencies, dtype=np.float64)
    shown = [[list(own)[:n_each] for own in pictures] for _, pictures in columns]
    flat = [picture for pictures in shown for own in pictures for picture in own]
    finite = [picture[np.isfinite(picture)] for picture in flat]
    if not any(values.size for values in finite):
        raise ModelError("no spectrogram to draw: name classes that the stores hold")
    for picture in flat:
        if picture.ndim != 2 or len(picture) != hertz.size:
            raise ModelError(f"a spectrogram of shape {picture.shape} does not fit {hertz.size} mel bands")
    loudest = max(float(values.max()) for values in finite if values.size)
    deep = ceil(n_each / _MOST_BESIDE)
    beside = ceil(n_each / deep)
    block_width = beside * _WIDTH + (beside - 1) * _GAP
    block_height = deep * _HEIGHT + (deep - 1) * _GAP
    top = _TOP + (0.35 if title else 0.0)
    width = _LEFT + len(columns) * block_width + (len(columns) - 1) * _COLUMN_GAP + _RIGHT
    height = top + len(classes) * block_height + (len(classes) - 1) * _CLASS_GAP + _BOTTOM
    seconds = hop_seconds * max(picture.shape[1] for picture in flat)

    with plain_style():
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(figsize=(width, height))

        def place(x: float, y: float, w: float, h: float) -> "Axes":
            """Add axes, in inches from the upper left corner."""
            return figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))

        def write(x: float, y: float, text: str, **how: Any) -> None:
            figure.text(x / width, 1 - y / height, plain(text), ha="center", va="center", **how)

        image = None
        for c, (name, _) in enumerate(columns):
            left = _LEFT + c * (block_width + _COLUMN_GAP)
            write(left + block_width / 2, top - 0.2, name, fontsize=12)
            write(left + block_width / 2, height - 0.15, "time (s)", fontsize=9)
            for k in range(len(classes)):
                upper = top + k * (block_height + _CLASS_GAP)
                for i in range(n_each):
                    row, column = divmod(i, beside)
                    axes = place(left + column * (_WIDTH + _GAP), upper + row * (_HEIGHT + _GAP), _WIDTH, _HEIGHT)
                    _frame(
                        axes,
                        hertz,
                        seconds,
                        label_hertz=c == 0 and column == 0,
                        label_seconds=k == len(classes) - 1 and row == deep - 1,
                    )
                    if i >= len(shown[c][k]):
                        axes.set_facecolor("0.93")
                        continue
                    picture = shown[c][k][i]
                    image = axes.imshow(
                        picture,
                        origin="lower",
                        aspect="auto",
                        cmap=COLOURS,
                        interpolation="nearest",
                        vmin=loudest - range_db,
                        vmax=loudest,
                        extent=(0, picture.shape[1] * hop_seconds, -0.5, hertz.size - 0.5),
                    )
                    axes.set_xlim(0, seconds)
        for k, name in enumerate(classes):
            middle = top + k * (block_height + _CLASS_GAP) + block_height / 2
            write(0.2, middle, name, fontsize=12, rotation=90)
            write(0.48, middle, "frequency (Hz)", fontsize=8, rotation=90)
        bar = place(width - _RIGHT + 0.25, top, 0.14, height - top - _BOTTOM)
        assert image is not None
        figure.colorbar(image, cax=bar, label="power (dB)")
        if title:
            write(width / 2, 0.25, title, fontsize=13)
    return figure


def save(figure: "Figure", path: str | Path | BinaryIO, format: str | None = None) -> None:
    """Write a figure; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        What to write.
    path : path or binary file
        Where to.
    format : {"png", "svg", "pdf"}, optional
        By default the suffix of the path.

    Raises
    ------
    UsageError
        If the format or suffix is none of these.
    ModelError
        If the file cannot be written.
    """
    suffix = Path(path).suffix if isinstance(path, str | Path) else ""
    chosen = (format or suffix.lstrip(".")).lower()
    if chosen not in METADATA:
        raise UsageError(f"{path}: cannot draw {chosen or 'no suffix'!r}: name the output .png, .svg or .pdf")
    with plain_style():
        try:
            figure.savefig(path, format=chosen, metadata=METADATA[chosen])
        except OSError as error:
            raise ModelError(f"{path}: cannot be written: {error.strerror or error}") from None


def _frame(axes: "Axes", hertz: FloatArray, seconds: float, *, label_hertz: bool, label_seconds: bool) -> None:
    """Give a picture its axes: seconds, and mel bands with ticks at round frequencies."""
    # The top band's centre lies just under the top frequency.
    there = [tick for tick in _TICKS_HZ if hertz[0] <= tick <= 1.05 * hertz[-1]]
    axes.set_yticks(np.interp(there, hertz, np.arange(hertz.size)), [_TICKS_HZ[tick] for tick in there])
    axes.set_xticks(range(int(seconds) + 1))
    axes.set_xlim(0, seconds)
    axes.set_ylim(-0.5, hertz.size - 0.5)
    axes.tick_params(labelsize=7, length=2, labelleft=label_hertz, labelbottom=label_seconds)


def plain(text: str) -> str:
    """Keep a dollar sign from starting a formula."""
    return text.replace("$", r"\$")
