"""A latent space, or that of vectors, on paper: class Gaussians as ellipses, with samples or rows of stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sertools.arrays import Index, Matrix
from sertools.errors import ModelError
from sertools.provenance import digest_file
from sertools.reporting.plots.style import OKABE_ITO, drawn, plain
from sertools.store.format import same_front_end

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sertools.training.gaussians import ClassGaussians, Latents

_MOST_POINTS = 200  # of a class and panel
_ROWS_PER_COMPONENT = 10
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


def _first_two(axes: Matrix, shares: Matrix) -> tuple[Matrix, Matrix]:
    """Take the first two axes, or fill up with nothing: a latent of one number has one."""
    axes = axes[:, :2]
    # A direction and its opposite are as good as each other: the largest part is positive.
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1.0, 1.0)
    missing = 2 - axes.shape[1]
    return np.pad(axes, ((0, 0), (0, missing))), np.pad(shares[:2], (0, missing))


@dataclass(frozen=True)
class Plane:
    """Two axes to draw along."""

    centre: Matrix  # mean of the classes' means [shape=(latent_size,)]
    axes: Matrix  # [shape=(latent_size, 2)]
    shares: Matrix  # that each axis has [shape=(2,)]
    what: str = "of the variance"  # what they are shares of

    @classmethod
    def of(cls, gaussians: ClassGaussians) -> Plane:
        """Find the plane along which all classes together spread most, each class counting the same."""
        centre = gaussians.mean.mean(axis=0)
        away = gaussians.mean - centre
        spread = gaussians.covariance.mean(axis=0) + away.T @ away / len(away)
        values, vectors = np.linalg.eigh(spread)
        total = max(float(values.sum()), np.finfo(float).tiny)
        return cls(centre, *_first_two(vectors[:, ::-1], values[::-1] / total))

    @classmethod
    def telling_apart(cls, gaussians: ClassGaussians, vectors: Matrix, labels: npt.NDArray[np.str_]) -> Plane:
        """Find the plane in which the classes lie farthest apart for their spread: a linear discriminant.

        In hundreds of dimensions the largest spread is that of speakers. The discriminant is one of as many principal
        components as a tenth of the rows: with more, the classes of these rows alone would lie apart, as noise does.

        Parameters
        ----------
        vectors, labels
            What the Gaussians were fitted to [shape=(n, n_values)], and the class of each.
        """
        centre = gaussians.mean.mean(axis=0)
        away = gaussians.mean - centre
        residuals = vectors - gaussians.mean[np.searchsorted(gaussians.classes, labels)]
        _, _, components = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
        components = components[: max(2, len(vectors) // _ROWS_PER_COMPONENT)].T
        apart, within = away @ components, np.atleast_2d(np.cov((residuals @ components).T, bias=True))
        # Rows that are alike have no spread.
        towards = np.linalg.solve(within + 1e-6 * np.eye(len(within)), apart.T)
        # The classes are few: their matrix has the axes of the large one.
        values, turned = np.linalg.eigh(apart @ towards)
        kept = np.flatnonzero(values > values[-1] * 1e-9)[::-1]
        axes = components @ towards @ turned[:, kept] / np.sqrt(values[kept])
        return cls(centre, *_first_two(axes, values[kept] / values[kept].sum()), "of what tells the classes apart")

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
        chosen = _some(rows.emotion, latents.gaussians.classes, seed)
        encoded = encode(encoder, rows, header.scaler, pick_device("cpu"), chosen)
        found.append(Points(name, encoded, rows.emotion[chosen]))
    return found


def map_of_vectors(stores: Sequence[Path], names: Sequence[str], seed: int, title: str = "") -> Figure:
    """Draw vectors, at most 200 of a class and store, over the class Gaussians of the first store.

    All are standardised by its real rows, and lie in the plane that tells its classes apart.

    Raises
    ------
    StoreError
        If the front ends differ, or the first store has fewer than two classes.
    """
    from sertools.training.batches import open_rows  # noqa: PLC0415 - torch, which pictures do not need
    from sertools.training.gaussians import fit_gaussians  # noqa: PLC0415

    first, *_ = opened = [open_rows([path]) for path in stores]
    classes, scaler = first.classes(), first.fit_scaler()
    labelled = np.flatnonzero(first.emotion != "")
    labels = first.emotion[labelled]
    vectors = scaler.scale(first.pictures(labelled)).astype(np.float64)
    # A class of one row has no spread of its own.
    lone = min(np.unique(labels, return_counts=True)[1]) < 2
    gaussians = fit_gaussians(vectors, labels.tolist(), "pooled" if lone else "empirical")
    panels = []
    for rows, name in zip(opened, names, strict=True):
        same_front_end(first.front_end, rows.front_end, first.name, rows.name)
        chosen = _some(rows.emotion, classes, seed)
        panels.append(Points(name, scaler.scale(rows.pictures(chosen)).astype(np.float64), rows.emotion[chosen]))
    return latent_map(gaussians, panels, title, Plane.telling_apart(gaussians, vectors, labels))


def _some(emotion: npt.NDArray[np.str_], classes: Sequence[str], seed: int) -> Index:
    """Choose at most 200 rows of each class."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(emotion == name) for name in classes]
    return np.sort(np.concatenate([rng.permutation(own)[:_MOST_POINTS] for own in members])).astype(np.int64)


def draw_samples(gaussians: ClassGaussians, seed: int) -> Points:
    """Draw 200 latents of each class from its Gaussian."""
    rng = np.random.default_rng(seed)
    drawn = [gaussians.sample(number, _MOST_POINTS, rng) for number in range(len(gaussians.classes))]
    emotion = np.repeat(np.array(gaussians.classes), _MOST_POINTS)
    return Points(f"{_MOST_POINTS} samples of each Gaussian", np.concatenate(drawn), emotion)


def latent_map(
    gaussians: ClassGaussians, panels: Sequence[Points], title: str = "", plane: Plane | None = None
) -> Figure:
    """Draw class Gaussians as ellipses that hold 95 % of them, and points over them.

    Parameters
    ----------
    gaussians
        One per class.
    panels
        Side by side, on one scale.
    plane
        To draw in; by default `Plane.of` the Gaussians.
    """
    plane = plane or Plane.of(gaussians)
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
            axes.set_xlabel(f"axis 1 ({100 * plane.shares[0]:.0f} % {plane.what})")
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
