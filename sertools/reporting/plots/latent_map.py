"""The latent space on paper: class Gaussians as ellipses, with samples of them or rows of stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sertools.arrays import Matrix
from sertools.errors import ModelError
from sertools.provenance import digest_file
from sertools.reporting.plots.style import OKABE_ITO, drawn, plain
from sertools.store.format import same_front_end

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sertools.training.latents import ClassGaussians, Latents

_MOST_POINTS = 200  # of a class and panel
_RADIUS = 2.4477  # of an ellipse that holds 95 % of a Gaussian in the plane: √(−2 ln 0.05)
_MARKERS = "os^Dv<>P"
_DASHES = ("-", "--", "-.", ":")
_PANEL = 4.6  # inches


@dataclass(frozen=True)
class Points:
    """What is drawn into one panel of this name."""

    name: str
    latents: Matrix  # [shape=(n, latent_size)]
    emotion: npt.NDArray[np.str_]  # class of each [shape=(n,)]


@dataclass(frozen=True)
class Plane:
    """The plane of the two axes along which all classes together spread most, each class counting the same."""

    centre: Matrix  # mean of the classes' means [shape=(latent_size,)]
    axes: Matrix  # unit vectors [shape=(latent_size, 2)]
    shares: Matrix  # of the variance, along each [shape=(2,)]

    @classmethod
    def of(cls, gaussians: ClassGaussians) -> Plane:
        """Find it."""
        centre = gaussians.mean.mean(axis=0)
        away = gaussians.mean - centre
        spread = gaussians.covariance.mean(axis=0) + away.T @ away / len(away)
        values, vectors = np.linalg.eigh(spread)
        axes = vectors[:, ::-1][:, :2]
        # A direction and its opposite are as good as each other: the largest part is positive.
        axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1.0, 1.0)
        total = max(float(values.sum()), np.finfo(float).tiny)
        shares = values[::-1][:2] / total
        missing = 2 - axes.shape[1]  # a latent of one number
        return cls(centre, np.pad(axes, ((0, 0), (0, missing))), np.pad(shares, (0, missing)))

    def place(self, latents: Matrix) -> Matrix:
        """Project latents [shape=(n, 2)]."""
        placed: Matrix = (latents - self.centre) @ self.axes
        return placed


def read_points(
    latents_path: Path, latents: Latents, autoencoder: Path, stores: Sequence[Path], names: Sequence[str], seed: int
) -> list[Points]:
    """Encode rows of stores, at most 200 of a class each.

    Raises
    ------
    ModelError
        If the latents are of another autoencoder.
    StoreError
        If the front ends differ.
    """
    from sertools.training.autoencoder import encode, load_autoencoder  # noqa: PLC0415 - torch, as below
    from sertools.training.batches import open_rows  # noqa: PLC0415
    from sertools.training.runtime import pick_device  # noqa: PLC0415

    header, encoder, _ = load_autoencoder(autoencoder)
    if digest_file(autoencoder) != latents.autoencoder_digest:
        raise ModelError(f"{latents_path}: fitted with another autoencoder than {autoencoder}; give that one")
    found = []
    for path, name in zip(stores, names, strict=True):
        rows = open_rows([path])
        same_front_end(header.front_end, rows.front_end, str(autoencoder), str(path))
        rng = np.random.default_rng(seed)
        members = [np.flatnonzero(rows.emotion == c) for c in latents.gaussians.classes]
        chosen = np.sort(np.concatenate([rng.permutation(own)[:_MOST_POINTS] for own in members])).astype(np.int64)
        encoded = encode(encoder, rows, header.scaler, pick_device("cpu"), chosen)
        found.append(Points(name, encoded, rows.emotion[chosen]))
    return found


def draw_samples(gaussians: ClassGaussians, seed: int) -> Points:
    """Draw 200 latents of each class from its Gaussian."""
    rng = np.random.default_rng(seed)
    drawn = [gaussians.sample(number, _MOST_POINTS, rng) for number in range(len(gaussians.classes))]
    emotion = np.repeat(np.array(gaussians.classes), _MOST_POINTS)
    return Points(f"{_MOST_POINTS} samples of each Gaussian", np.concatenate(drawn), emotion)


def latent_map(gaussians: ClassGaussians, panels: Sequence[Points], title: str = "") -> Figure:
    """Draw class Gaussians as ellipses that hold 95 % of them, and points over them.

    Parameters
    ----------
    gaussians
        One per class.
    panels
        Side by side, on one scale.
    """
    plane = Plane.of(gaussians)
    means = plane.place(gaussians.mean)
    spreads = plane.axes.T @ gaussians.covariance @ plane.axes
    reach = np.concatenate(
        [plane.place(points.latents) for points in panels]
        + [means + sign * _RADIUS * np.sqrt(spreads.diagonal(0, 1, 2)) for sign in (-1, 1)]
    )
    low, high = reach.min(axis=0), reach.max(axis=0)
    pad = 0.05 * np.maximum(high - low, 1e-6)
    with drawn((_PANEL * len(panels) + 1.2, _PANEL), title) as figure:
        for number, points in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), number + 1)
            placed = plane.place(points.latents)
            for k, name in enumerate(gaussians.classes):
                _draw(axes, k, name, placed[points.emotion == name], means[k], spreads[k])
            axes.set_title(plain(points.name), fontsize=10)
            axes.set_xlim(low[0] - pad[0], high[0] + pad[0])
            axes.set_ylim(low[1] - pad[1], high[1] + pad[1])
            axes.set_xlabel(f"axis 1 ({100 * plane.shares[0]:.0f} % of the variance)")
            if number == 0:
                axes.set_ylabel(f"axis 2 ({100 * plane.shares[1]:.0f} %)")
            axes.grid(color="0.92")
            axes.set_axisbelow(True)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, number: int, name: str, points: Matrix, mean: Matrix, spread: Matrix) -> None:
    from matplotlib.patches import Ellipse  # noqa: PLC0415

    colour = OKABE_ITO[number % len(OKABE_ITO)]
    marker, dashes = _MARKERS[number % len(_MARKERS)], _DASHES[number % len(_DASHES)]
    axes.scatter(points[:, 0], points[:, 1], s=10, marker=marker, color=colour, alpha=0.35, linewidths=0)
    values, vectors = np.linalg.eigh(spread)
    width, height = 2 * _RADIUS * np.sqrt(np.maximum(values, 0.0))
    angle = float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])))
    centre = (float(mean[0]), float(mean[1]))
    axes.add_patch(
        Ellipse(centre, width, height, angle=angle, fill=False, edgecolor=colour, linestyle=dashes, linewidth=1.8)
    )
    label = plain(name)
    axes.plot(*centre, marker, color=colour, linestyle=dashes, markeredgecolor="black", markersize=8, label=label)
