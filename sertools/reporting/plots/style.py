"""What all pictures share: one style, colours, and files of the same bytes.

Figures are made with matplotlib's object interface, so nothing is left behind in pyplot and no display is
needed. Neither the user's matplotlib settings nor the clock enters a picture: the same data gives the same
bytes.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sertools.errors import ModelError, UsageError, printable
from sertools.reporting.plots.fonts import spell_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Suffix → what keeps the clock and the library's version out of the file.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "sertools"},
    "pdf": {"CreationDate": None, "Creator": "sertools", "Producer": None},
}
# Okabe and Ito's colours, told apart by the colour-blind; without yellow, which is faint on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DPI = 150


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw with matplotlib's own settings, whatever matplotlibrc says."""
    from matplotlib import style  # noqa: PLC0415 - half a second that only pictures need

    with style.context(["default", {"svg.hashsalt": "sertools", "savefig.dpi": _DPI, "savefig.bbox": "tight"}]):
        yield


@contextmanager
def drawn(size: tuple[float, float], title: str = "") -> Iterator["Figure"]:
    """Give a figure of a size in inches, with a title above it, to draw panels on."""
    with plain_style():
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(figsize=size, layout="constrained")
        if title:
            figure.suptitle(plain(title))
        yield figure


def format_of(path: str | Path) -> str:
    """Say by the suffix of its file what a picture is written as: png, svg or pdf.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in METADATA:
        raise UsageError(f"{path}: cannot draw {suffix or 'no suffix'!r}; name the output .png, .svg or .pdf")
    return suffix


def save(figure: "Figure", path: Path | BinaryIO, format: str) -> None:
    """Write a figure; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        What to write.
    path : path or binary file
        Where to.
    format : {"png", "svg", "pdf"}
        Of the file.

    Raises
    ------
    ModelError
        If the file cannot be written.
    """
    spell_out(figure)
    with plain_style(), warnings.catch_warnings():
        # Said already, and of all characters at once.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        try:
            figure.savefig(path, format=format, metadata=METADATA[format])
        except OSError as error:
            raise ModelError(f"{path}: cannot be written: {error.strerror or error}") from None


def plain(text: str) -> str:
    """Escape what cannot be shown, and keep a dollar sign from starting a formula."""
    return printable(text).replace("$", r"\$")
