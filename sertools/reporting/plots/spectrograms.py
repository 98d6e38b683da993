"""Real beside generated spectrograms, on one scale of colours."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray
from sertools.errors import ModelError
from sertools.reporting.plots.style import plain, plain_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PictureGrid = Sequence[Sequence[npt.NDArray[np.floating[Any]]]]

COLOURS = "magma"  # even in lightness, so it reads in grey and by the colour-blind
_TICKS_HZ = {500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k", 16000: "16k"}
# Inches: a picture, the gaps between pictures, columns and classes, the margins.
_WIDTH, _HEIGHT = 1.3, 1.05
_GAP, _COLUMN_GAP, _CLASS_GAP = 0.07, 0.3, 0.22
_LEFT, _RIGHT, _TOP, _BOTTOM = 1.0, 1.0, 0.45, 0.5
_MOST_BESIDE = 4
_RANGE_DB = 80.0  # below the loudest point of the page


def spectrogram_grid(
    columns: Sequence[tuple[str, PictureGrid]],
    classes: Sequence[str],
    *,
    mel_frequencies: npt.ArrayLike,
    hop_seconds: float,
    n_each: int = 4,
    title: str = "",
) -> "Figure":
    """Draw a page of spectrograms: one block of rows per class, one block of columns per source.

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
                        vmin=loudest - _RANGE_DB,
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


def _frame(axes: "Axes", hertz: FloatArray, seconds: float, *, label_hertz: bool, label_seconds: bool) -> None:
    """Give a picture its axes: seconds, and mel bands with ticks at round frequencies."""
    # The top band's centre lies just under the top frequency.
    there = [tick for tick in _TICKS_HZ if hertz[0] <= tick <= 1.05 * hertz[-1]]
    axes.set_yticks(np.interp(there, hertz, np.arange(hertz.size)), [_TICKS_HZ[tick] for tick in there])
    axes.set_xticks(range(int(seconds) + 1))
    axes.set_xlim(0, seconds)
    axes.set_ylim(-0.5, hertz.size - 0.5)
    axes.tick_params(labelsize=7, length=2, labelleft=label_hertz, labelbottom=label_seconds)
