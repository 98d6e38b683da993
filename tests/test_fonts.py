"""Names that matplotlib's own font has no letters for are drawn in a font of the system, or said to be boxes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from chains import noise, write_rows
from conftest import process_environment
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

import sertools

# Khitan small script, which few people have a font for.
STRANGE = "\U00018b00\U00018b01"


def make_font(path: Path, characters: str) -> None:
    """Write a font of triangles."""
    names = [f"g{ord(c):x}" for c in characters]
    pen = TTGlyphPen(None)
    for at, corner in enumerate(((100, 0), (900, 0), (500, 800))):
        (pen.lineTo if at else pen.moveTo)(corner)
    pen.closePath()
    glyph = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(c): name for c, name in zip(characters, names, strict=True)})
    builder.setupGlyf(dict.fromkeys([".notdef", *names], glyph))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (1000, 100)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)


@pytest.fixture
def store(tmp_path: Path, rng: np.random.Generator) -> Path:
    return write_rows(tmp_path / "s.h5", noise(rng, 4), ["Grün", STRANGE] * 2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where matplotlib keeps what it takes seconds to find."""
    return tmp_path_factory.mktemp("cache")


def plot(store: Path, output: str, fonts: Path, cache: Path) -> tuple[bytes, str]:
    """Plot where the system has the fonts of a folder, too."""
    done = subprocess.run(
        [sys.executable, "-m", "sertools", "plot", store.name, "-o", output, "--kind", "balance"],
        env=process_environment() | {"XDG_DATA_HOME": os.fspath(fonts), "MPLCONFIGDIR": os.fspath(cache)},
        cwd=store.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return (store.parent / output).read_bytes(), done.stderr


@pytest.mark.parametrize("output", ["p.png", "p.svg", "p.pdf"])
def test_a_font_of_the_system_is_taken_and_boxes_are_said(
    store: Path, tmp_path: Path, cache: Path, output: str
) -> None:
    (tmp_path / "none").mkdir()
    boxes, said = plot(store, output, tmp_path / "none", cache)
    assert f"warning: no font of this system has {STRANGE}, drawn as boxes; install one that has, such as " in said
    assert said.count("warning") == 1
    for number, character in enumerate(STRANGE):
        make_font(tmp_path / "some" / "fonts" / f"Strange{number}.ttf", character)
    (tmp_path / "some" / "fonts" / "broken.ttf").write_bytes(b"no font")
    drawn, said = plot(store, output, tmp_path / "some", cache)
    assert said == ""
    assert drawn != boxes


def test_other_texts_stay_in_matplotlibs_own_font(tmp_path: Path, rng: np.random.Generator) -> None:
    store = write_rows(tmp_path / "s.h5", noise(rng, 4), ["Grün", "\u03b1 → \u03b2"] * 2)
    figure = sertools.plot(store)
    assert {
        tuple(text.get_fontfamily()) for text in figure.findobj(lambda each: hasattr(each, "get_fontfamily"))
    } == {("sans-serif",)}
