"""Fonts for names that matplotlib's own font has no letters for, such as Chinese ones: those of the system."""

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from sertools.errors import SertoolsWarning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OWN = "DejaVu Sans"
# A warning stays one readable line.
_MOST_SHOWN = 12


def spell_out(figure: "Figure") -> None:
    """Give the texts of a figure fonts that have all their characters, and warn of those that no font here has.

    Texts of matplotlib's own font stay as they are.
    """
    from matplotlib.text import Text  # noqa: PLC0415 - half a second that only pictures need

    texts = [each for each in figure.findobj(Text) if isinstance(each, Text)]
    wanted = frozenset(c for text in texts for c in text.get_text() if c.isprintable() and not c.isspace())
    lacking, families = _fonts_for(wanted)
    for text in texts if families else ():
        text.set_fontfamily([_OWN, *families])
    if lacking:
        shown = "".join(sorted(lacking)[:_MOST_SHOWN]) + "…" * (len(lacking) > _MOST_SHOWN)
        warnings.warn(
            f"no font of this system has {shown}, drawn as boxes; install one that has, such as fonts-noto-cjk for "
            "Chinese, Japanese and Korean",
            SertoolsWarning,
            stacklevel=4,
        )


@lru_cache(maxsize=8)
def _fonts_for(wanted: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Find what no font has, and the fonts that have the rest, the one that has most of it first."""
    from matplotlib import font_manager  # noqa: PLC0415

    lacking = wanted - _characters(font_manager.findfont(_OWN))
    if not lacking:
        return lacking, ()
    known = {path: _characters(path) for path in sorted(font_manager.findSystemFonts())}
    families = []
    while lacking:
        best = max(known, key=lambda path: len(lacking & known[path]), default="")
        if not best or not lacking & known[best]:
            break
        lacking -= known[best]
        font_manager.fontManager.addfont(best)
        families.append(font_manager.FontProperties(fname=best).get_name())
    return lacking, tuple(families)


def _characters(path: str) -> frozenset[str]:
    """Say which characters a font file draws; none if it cannot be used."""
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    # Fonts of pictures, as of coloured emoji, have no outlines.
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
