"""How far a set of rows lies from another in an embedding: distances, neighbourhoods, copies and spread.

Everything here takes matrices of shape (rows, dimensions) and knows nothing of stores, classes or nets. An estimate
that is biased at the hundreds of rows of speech emotion corpora (the Fréchet distance) is useful only beside the same
estimate between two real sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertools.arrays import Matrix

PERMUTATIONS = 500  # the smallest p is 1/501
FEW_NEIGHBOURS = 60  # below, the third neighbour decides instead of the fifth
ROWS_PER_DIMENSION = 10  # of a Fréchet distance: with fewer, its bias swamps what it measures
MOST_DIMENSIONS = 16
# Nearer to one training row than to a third of the way to the next: memorised (Gu et al. 2023, arXiv 2310.02664).
COPY_RATIO = 1 / 3
# Two generated rows this near to each other, as a share of the usual way between neighbouring real rows, are one.
REPEAT_RATIO = 0.1
_BLOCK_ROWS = 512


def distances(x: Matrix, y: Matrix) -> Matrix:
    """Euclidean distance of each row of `x` to each of `y` [shape=(len(x), len(y))]."""
    squares: Matrix = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2.0 * x @ y.T
    return np.sqrt(np.maximum(squares, 0.0))


def kernel(x: Matrix, y: Matrix) -> Matrix:
    """Cubic polynomial kernel of KID, (x·y/d + 1)³ (Bińkowski et al. 2018)."""
    values: Matrix = (x @ y.T / x.shape[1] + 1.0) ** 3
    return values


def kid(x: Matrix, y: Matrix) -> float:
    """Kernel distance of two samples: unbiased, 0 on average if both are drawn alike, and then below 0 half the time.

    Parameters
    ----------
    x, y
        At least two rows each.
    """
    return _mean_off_diagonal(kernel(x, x)) + _mean_off_diagonal(kernel(y, y)) - 2.0 * float(kernel(x, y).mean())


def kid_by_chance(x: Matrix, y: Matrix, rng: np.random.Generator, n: int = PERMUTATIONS) -> Matrix:
    """`kid` with the rows of both samples shuffled [shape=(n,)]: what it is when nothing tells them apart."""
    pool = np.concatenate([x, y])
    first = _random_halves(len(x), len(pool), rng, n)
    within_x, within_y, between = _means(kernel(pool, pool), first)
    return within_x + within_y - 2.0 * between


def excess(x: Matrix, y: Matrix, reference: Matrix) -> float:
    """How much farther `x` is from `reference` than `y` is: the difference of their `kid`."""
    return kid(x, reference) - kid(y, reference)


def excess_by_chance(
    x: Matrix, y: Matrix, reference: Matrix, rng: np.random.Generator, n: int = PERMUTATIONS
) -> Matrix:
    """`excess` with the rows of `x` and `y` shuffled [shape=(n,)]."""
    pool = np.concatenate([x, y])
    first = _random_halves(len(x), len(pool), rng, n)
    within_x, within_y, _ = _means(kernel(pool, pool), first)
    to_reference = kernel(pool, reference).mean(1)
    gap = (first @ to_reference) / len(x) - ((1.0 - first) @ to_reference) / len(y)
    values: Matrix = within_x - within_y - 2.0 * gap
    return values


def p_value(observed: float, by_chance: Matrix) -> float:
    """Share of chance values as large as the observed one, which counts itself as one of them."""
    return float((1 + np.count_nonzero(by_chance >= observed)) / (1 + len(by_chance)))


def _mean_off_diagonal(square: Matrix) -> float:
    n = len(square)
    return float((square.sum() - np.trace(square)) / (n * (n - 1)))


def _random_halves(n_first: int, n_rows: int, rng: np.random.Generator, n: int) -> Matrix:
    """1 for the rows that fall into the first sample [shape=(n, n_rows)]."""
    order = rng.permuted(np.tile(np.arange(n_rows), (n, 1)), axis=1)
    return (order < n_first).astype(np.float64)


def _means(square: Matrix, first: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Mean of the kernel within the first sample, within the second, and between them, of each split."""
    square = square - np.diag(np.diag(square))
    n_x = first[0].sum()
    n_y = len(square) - n_x
    second = 1.0 - first
    reached = first @ square
    within_x = (reached * first).sum(1) / (n_x * (n_x - 1))
    between = (reached * second).sum(1) / (n_x * n_y)
    within_y = ((second @ square) * second).sum(1) / (n_y * (n_y - 1))
    return within_x, within_y, between


def frechet(x: Matrix, y: Matrix) -> float:
    """Fréchet distance of two Gaussians fitted to the leading dimensions [range=0…∞].

    As many dimensions as a tenth of the rows, 16 at most. Still biased: of use only beside its value between two
    real samples of the same size.
    """
    d = frechet_dimensions(min(len(x), len(y)), x.shape[1])
    x, y = x[:, :d], y[:, :d]
    root = _square_root(_covariance(x))
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ _covariance(y) @ root), 0.0)).sum()
    shift = ((x.mean(0) - y.mean(0)) ** 2).sum()
    return max(0.0, float(shift + x.var(0, ddof=1).sum() + y.var(0, ddof=1).sum() - 2.0 * overlap))


def frechet_dimensions(n_rows: int, n_dimensions: int) -> int:
    """Dimensions that `frechet` looks at."""
    return max(1, min(n_rows // ROWS_PER_DIMENSION, MOST_DIMENSIONS, n_dimensions))


def _covariance(x: Matrix) -> Matrix:
    return np.atleast_2d(np.cov(x, rowvar=False))


def _square_root(covariance: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(covariance)
    root: Matrix = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


@dataclass(frozen=True)
class Neighbourhood:
    """What balls around rows, as wide as to their k-th neighbour, say of two samples.

    Attributes
    ----------
    precision, recall
        Share of generated rows in a ball of a real row, and the reverse [range=0…1] (Kynkäänniemi et al. 2019).
    density, coverage
        Real balls that a generated row lies in, over k [range=0…], and share of real balls that hold one
        [range=0…1] (Naeem et al. 2020); an odd row among the real ones does not spoil them.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhood(real: Matrix, generated: Matrix) -> Neighbourhood:
    """Compare two samples by the balls around their rows; k is 5, and 3 below 60 rows."""
    k = 5 if min(len(real), len(generated)) >= FEW_NEIGHBOURS else 3
    real_radius, generated_radius = _radius(real, k), _radius(generated, k)
    apart = distances(real, generated)
    in_real = apart <= real_radius[:, None]
    return Neighbourhood(
        precision=float(in_real.any(0).mean()),
        recall=float((apart <= generated_radius[None]).any(1).mean()),
        density=float(in_real.sum(0).mean() / k),
        coverage=float(in_real.any(1).mean()),
    )


def _radius(x: Matrix, k: int) -> Matrix:
    # The row itself comes first.
    radius: Matrix = np.partition(distances(x, x), min(k, len(x) - 1), axis=1)[:, min(k, len(x) - 1)]
    return radius


def mean_distance(x: Matrix) -> float:
    """Mean distance between two rows of a sample; 0 of a single row."""
    n = len(x)
    return float(distances(x, x).sum() / (n * (n - 1))) if n > 1 else 0.0


def to_nearest_other(x: Matrix) -> Matrix:
    """Distance of each row to the nearest other of the same sample [shape=(len(x),)]."""
    apart = distances(x, x)
    np.fill_diagonal(apart, np.inf)
    nearest: Matrix = apart.min(1)
    return nearest


def to_nearest_two(x: Matrix, train: Matrix, excluded: npt.NDArray[np.bool_] | None = None) -> Matrix:
    """Distance of each row to its nearest and second nearest of `train` [shape=(len(x), 2)].

    Parameters
    ----------
    train
        At least two rows.
    excluded
        Pairs that do not count [shape=(len(x), len(train))].
    """
    found = np.empty((len(x), 2))
    for first in range(0, len(x), _BLOCK_ROWS):
        apart = distances(x[first : first + _BLOCK_ROWS], train)
        if excluded is not None:
            apart[excluded[first : first + _BLOCK_ROWS]] = np.inf
        found[first : first + _BLOCK_ROWS] = np.partition(apart, 1, axis=1)[:, :2]
    return found


def copies(nearest_two: Matrix) -> npt.NDArray[np.bool_]:
    """Rows that sit on one training row: much nearer to it than to any other [shape=(n,)]."""
    copied: npt.NDArray[np.bool_] = nearest_two[:, 0] < COPY_RATIO * nearest_two[:, 1]
    return copied


def copying_z(generated: Matrix, reference: Matrix) -> float:
    """C_T (Meehan et al. 2020): z of the Mann-Whitney test of two sets of distances to the training rows.

    Far below 0, generated rows are nearer to the training rows than new real ones are: memorised, or too average.
    """
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, generated, "left")
    up_to = np.searchsorted(ordered, generated, "right")
    n, m = len(generated), len(reference)
    u = 0.5 * float((below + up_to).sum())
    return (u - n * m / 2.0) / float(np.sqrt(n * m * (n + m + 1) / 12.0))
