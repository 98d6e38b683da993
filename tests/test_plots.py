"""Pictures: the same bytes twice, the right way up, one scale, and nothing left behind."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import imread

from sertools.errors import ModelError, UsageError
from sertools.reporting.plots.confusion import confusion
from sertools.reporting.plots.spectrograms import COLOURS, spectrogram_grid
from sertools.reporting.plots.style import format_of, save

CLASSES = ("angry", "happy")
MEL_HZ = 700 * (10 ** (np.linspace(50, 2840, 64) / 2595) - 1)  # 64 bands up to 8 kHz
HOP = 0.025


def noise(seed: int, n_frames: int = 80, level_db: float = -40.0) -> np.ndarray:
    return level_db + 10 * np.random.default_rng(seed).standard_normal((64, n_frames))


def grid(**changes: Any) -> Figure:
    real = [[noise(1), noise(2)], [noise(3), noise(4)]]
    generated = [[noise(5), noise(6)], [noise(7)]]
    settings: dict[str, Any] = {
        "mel_frequencies": MEL_HZ,
        "hop_seconds": HOP,
        "n_each": 2,
        "title": "fold 1",
    } | changes
    return spectrogram_grid([("real", real), ("generated", generated)], CLASSES, **settings)


def matrix(title: str = "GAN, fold 1") -> Figure:
    return confusion([[30, 10], [1, 1]], CLASSES, title)


def as_bytes(figure: Figure, format: str) -> bytes:
    stream = io.BytesIO()
    save(figure, stream, format)
    return stream.getvalue()


def pixels(figure: Figure) -> np.ndarray:
    """Rendered page as [shape=(height, width, 3), range=0…255]."""
    drawn = imread(io.BytesIO(as_bytes(figure, "png")))
    return np.round(255 * drawn[..., :3]).astype(int)


def texts(figure: Figure) -> set[str]:
    """Every word of the figure, as shown."""
    found = list(figure.texts)
    for axes in figure.axes:
        found += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        found += [*axes.get_xticklabels(), *axes.get_yticklabels()]
    return {text.get_text() for text in found if text.get_visible()}


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
@pytest.mark.parametrize("draw", [grid, matrix])
def test_the_same_picture_has_the_same_bytes(draw: Any, format: str) -> None:
    first = as_bytes(draw(), format)
    assert first == as_bytes(draw(), format)
    assert first != as_bytes(draw(title="another"), format)
    assert b"matplotlib.org" not in first
    assert b"CreationDate" not in first


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_no_setting_of_the_user_enters_a_picture(format: str) -> None:
    plain = as_bytes(matrix(), format)
    user: Any = {
        "figure.facecolor": "red",
        "font.size": 30,
        "savefig.dpi": 20,
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
    }
    with matplotlib.rc_context(user):
        assert as_bytes(matrix(), format) == plain
        assert matplotlib.rcParams["font.size"] == 30  # and the user keeps them


def test_another_process_gives_the_same_bytes_and_leaves_pyplot_alone() -> None:
    code = (
        "import sys, io, hashlib; from sertools.reporting.plots.confusion import confusion;"
        "from sertools.reporting.plots.style import format_of, save; s = io.BytesIO();"
        "save(confusion([[30, 10], [1, 1]], ('angry', 'happy'), 'GAN, fold 1'), s, 'svg');"
        "print(hashlib.sha256(s.getvalue()).hexdigest(), 'matplotlib.pyplot' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert out.split() == [hashlib.sha256(as_bytes(matrix(), "svg")).hexdigest(), "False"]


def test_matplotlib_is_not_imported_before_it_is_needed() -> None:
    modules = ", ".join(f"sertools.reporting.plots.{name}" for name in ("confusion", "spectrograms", "forest"))
    code = f"import sys, {modules}; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")])
def test_the_suffix_chooses_the_format(suffix: str, magic: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"page.{suffix}"
    save(matrix(), path, format_of(path))
    assert path.read_bytes().startswith(magic)
    save(matrix(), tmp_path / "page.part", format_of(path))
    assert (tmp_path / "page.part").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["page.jpg", "page", "page.png.gz"])
def test_another_suffix_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{name}: cannot draw .*; name the output \.png, \.svg or \.pdf"):
        format_of(tmp_path / name)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"page\.png: cannot be written: No such file"):
        save(matrix(), tmp_path / "gone" / "page.png", "png")


def test_a_spectrogram_page_shows_the_colours_of_its_map() -> None:
    seen = {tuple(colour) for colour in pixels(grid()).reshape(-1, 3)}
    colour_map: Colormap = matplotlib.colormaps[COLOURS]
    magma = {tuple(colour) for colour in np.round(255 * colour_map(range(256))[:, :3]).astype(int)}
    assert len(magma & seen) > 200  # noise uses nearly all of it
    assert (255, 255, 255) in seen  # the paper around it


def test_low_frequencies_lie_below_and_time_runs_to_the_right() -> None:
    picture = np.full((64, 80), -80.0)
    picture[:16, :20] = 0.0  # loud, low and early
    one = [("real", [[picture]])]
    page = pixels(spectrogram_grid(one, ["sad"], mel_frequencies=MEL_HZ, hop_seconds=HOP, n_each=1))
    width = page.shape[1]
    loudest = np.round(255 * np.array(matplotlib.colormaps[COLOURS](255)[:3])).astype(int)
    quietest = np.round(255 * np.array(matplotlib.colormaps[COLOURS](0)[:3])).astype(int)
    loud = np.argwhere((abs(page - loudest) <= 2).all(axis=2)[:, : int(0.7 * width)])  # without the colour bar
    quiet = np.argwhere((abs(page - quietest) <= 2).all(axis=2)[:, : int(0.7 * width)])
    assert len(loud) > 1000
    assert loud[:, 0].mean() > quiet[:, 0].mean()
    assert loud[:, 1].mean() < quiet[:, 1].mean()


def test_all_pictures_share_one_scale_80_db_below_the_loudest() -> None:
    figure = grid()
    images = [image for axes in figure.axes for image in axes.images]
    loudest = max(noise(seed).max() for seed in range(1, 8))
    assert len(images) == 7
    assert {image.get_clim() for image in images} == {(loudest - 80, loudest)}
    assert "power (dB)" in texts(figure)


def test_the_axes_are_in_seconds_and_hertz() -> None:
    figure = grid()
    (left, *_), (image, *_) = figure.axes, figure.axes[0].images
    assert tuple(image.get_extent()) == pytest.approx((0, 80 * HOP, -0.5, 63.5))
    ticks = {label.get_text(): y for label, y in zip(left.get_yticklabels(), left.get_yticks(), strict=True)}
    assert list(ticks) == ["500", "1k", "2k", "4k", "8k"]
    for name, hertz in (("500", 500), ("1k", 1000), ("4k", 4000)):
        below = int(ticks[name])
        assert MEL_HZ[below] <= hertz <= MEL_HZ[below + 1]
    assert left.get_xticks().tolist() == [0, 1, 2]
    assert {"time (s)", "frequency (Hz)", "real", "generated", "angry", "happy", "fold 1"} <= texts(figure)


def test_a_short_row_stays_empty_and_a_long_one_is_cut_or_broken() -> None:
    figure = grid()
    assert [len(axes.images) for axes in figure.axes[:8]] == [1, 1, 1, 1, 1, 1, 1, 0]
    assert sum(len(axes.images) for axes in grid(n_each=1).axes) == 4
    six = [("real", [[noise(k) for k in range(6)]])]
    page = spectrogram_grid(six, ["sad"], mel_frequencies=MEL_HZ, hop_seconds=HOP, n_each=6)
    tops = [round(axes.get_position().y1, 3) for axes in page.axes[:6]]
    assert tops[0] == tops[1] == tops[2] > tops[3] == tops[4] == tops[5]


def test_nothing_overlaps_on_the_page() -> None:
    """No text touches another or a picture."""
    figure = grid(title="a line above")
    as_bytes(figure, "png")  # lays it out
    boxes = [text.get_window_extent() for text in figure.texts]
    boxes += [axes.get_window_extent() for axes in figure.axes]
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[i + 1 :]), i


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ModelError, match="no spectrogram to draw"):
        spectrogram_grid([("real", [[]])], ["sad"], mel_frequencies=MEL_HZ, hop_seconds=HOP)
    with pytest.raises(ModelError, match="no spectrogram to draw"):
        spectrogram_grid([("real", [[np.full((64, 9), np.nan)]])], ["sad"], mel_frequencies=MEL_HZ, hop_seconds=HOP)
    with pytest.raises(ModelError, match=r"shape \(32, 80\) does not fit 64 mel bands"):
        spectrogram_grid([("real", [[noise(1)[:32]]])], ["sad"], mel_frequencies=MEL_HZ, hop_seconds=HOP)
    with pytest.raises(ModelError, match="does not fit 3 classes"):
        confusion([[1, 2], [3, 4]], ["a", "b", "c"])


def test_the_confusion_matrix_shows_shares_and_counts() -> None:
    figure = matrix()
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[75, 25], [50, 50]])
    assert {"75\n(30)", "25\n(10)", "50\n(1)", "true", "predicted", "angry", "GAN, fold 1"} <= texts(figure)
    assert axes.images[0].get_clim() == (0, 100)
    assert axes.images[0].origin == "upper"


def test_a_class_that_does_not_occur_has_an_empty_row() -> None:
    figure = confusion([[3, 1], [0, 0]], CLASSES)
    shares = axes_array(figure)
    assert shares[1].mask.all()
    assert not shares[0].mask.any()
    assert not any("nan" in text for text in texts(figure))


def axes_array(figure: Figure) -> np.ma.MaskedArray[Any, Any]:
    return np.ma.asarray(figure.axes[0].images[0].get_array())


@pytest.mark.parametrize("n", [2, 4, 8])
def test_no_label_of_a_confusion_matrix_is_cut_off(n: int) -> None:
    names = ["surprised"] * (n - 1) + ["a name far wider than the picture of two classes"]
    page = pixels(confusion(np.eye(n, dtype=int), names, "a title far wider than its classes " * 3))
    border = np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])
    assert (border == 255).all()


def test_long_names_take_no_room_from_the_matrix_and_touch_nothing() -> None:
    figure = confusion([[30, 10], [1, 1]], ["positively surprised"] * 2)
    as_bytes(figure, "png")  # lays it out
    axes = figure.axes[0]
    assert axes.get_window_extent().size == pytest.approx(matrix().axes[0].get_window_extent().size)
    left, right = (label.get_rotation() for label in axes.get_xticklabels())
    assert left == right == 45
    assert all(label.get_rotation() == 0 for label in matrix().axes[0].get_xticklabels())
    assert not figure.axes[1].get_window_extent().overlaps(axes.get_window_extent())


def test_a_dollar_is_a_dollar() -> None:
    figure = confusion([[1, 0], [0, 1]], ["$a$", r"\$"], "from $1 to $2")
    assert len(as_bytes(figure, "png")) > 1000
    as_bytes(grid(title=r"$\frac$"), "png")
