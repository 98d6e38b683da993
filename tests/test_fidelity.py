"""Distances, neighbourhoods, copies and texture against values known otherwise."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from sertools.scoring.synthetic import fidelity as f
from sertools.scoring.synthetic.texture import texture, texture_gap


def brute_kid(x: np.ndarray, y: np.ndarray) -> float:
    """KID pair by pair."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    within = [np.mean([k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]) for z in (x, y)]
    return sum(within) - 2 * np.mean([k(a, b) for a in x for b in y])


def test_kid_is_the_mean_over_pairs(rng):
    x, y = rng.standard_normal((7, 4)), rng.standard_normal((9, 4)) + 0.5
    assert f.kid(x, y) == pytest.approx(brute_kid(x, y))


def test_kid_is_unbiased_where_the_frechet_distance_is_not():
    kids, frechets = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((2, 20, 16))
        kids.append(f.kid(x, y))
        frechets.append(f.frechet(x, y))
    error = np.std(kids) / np.sqrt(len(kids))
    assert abs(np.mean(kids)) < 3 * error
    assert np.mean(frechets) > 10 * np.std(frechets) / np.sqrt(len(frechets))


def test_chance_is_what_brute_shuffling_finds(rng):
    x, y, r = rng.standard_normal((3, 12, 5))
    x = x + 0.7
    same, excess = f.kid_by_chance(x, y, rng, 4000), f.excess_by_chance(x, y, r, rng, 4000)
    pool = np.concatenate([x, y])
    shuffled = [pool[rng.permutation(24)] for _ in range(1500)]
    for found, wanted in (
        (same, [f.kid(p[:12], p[12:]) for p in shuffled]),
        (excess, [f.excess(p[:12], p[12:], r) for p in shuffled]),
    ):
        assert found.mean() == pytest.approx(np.mean(wanted), abs=5 * np.std(wanted) / np.sqrt(1500))
        assert found.std() == pytest.approx(np.std(wanted), rel=0.12)


def test_p_finds_a_shift_and_nothing_where_there_is_none():
    ps = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((2, 30, 8))
        ps.append(f.p_value(f.kid(x, y), f.kid_by_chance(x, y, rng, 99)))
        assert f.p_value(f.kid(x + 1.0, y), f.kid_by_chance(x + 1.0, y, rng, 99)) == 0.01
    assert scipy.stats.kstest(ps, "uniform").pvalue > 0.01


def test_frechet_of_gaussians(rng):
    x, y = rng.standard_normal((200, 3)) * [1, 2, 3], rng.standard_normal((200, 3)) + 1
    cx, cy = np.cov(x.T), np.cov(y.T)
    wanted = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx + cy - 2 * scipy.linalg.sqrtm(cx @ cy).real)
    assert f.frechet(x, y) == pytest.approx(wanted)
    assert f.frechet(x, x) == pytest.approx(0, abs=1e-6)
    assert f.frechet_dimensions(45, 64) == 4
    assert f.frechet_dimensions(1000, 64) == 16


def test_neighbourhoods_by_hand():
    real = np.array([[0.0], [1], [2], [3], [10], [11], [12], [13]])
    near = f.neighbourhood(real, np.array([[0.5], [1.5], [2.5], [100.0], [101], [102], [103], [104]]))
    # Third neighbours of the left four lie 3, 2, 2 and 3 away.
    assert near.precision == 3 / 8
    assert near.coverage == 4 / 8
    assert near.density == pytest.approx((4 + 4 + 4) / (3 * 8))
    same = f.neighbourhood(real, real)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)


def test_neighbourhoods_of_like_samples(rng):
    x, y = rng.standard_normal((2, 400, 4))
    near = f.neighbourhood(x, y)
    assert near.density == pytest.approx(1, abs=0.1)
    assert near.coverage == pytest.approx(1 - 0.5**5, abs=0.05)  # Naeem et al. 2020, for k = 5 and equal sizes


def test_spread_and_neighbours(rng):
    x = rng.standard_normal((30, 4))
    apart = np.linalg.norm(x[:, None] - x[None], axis=2)
    assert f.distances(x, x) == pytest.approx(apart, abs=1e-6)
    assert f.mean_distance(x) == pytest.approx(apart.sum() / (30 * 29))
    assert f.mean_distance(x[:1]) == 0
    assert f.to_nearest_other(x) == pytest.approx(np.where(np.eye(30), np.inf, apart).min(1), abs=1e-6)


def test_copies(rng):
    train, new = rng.standard_normal((2, 700, 8))
    near = np.concatenate([train[:600] + 0.01 * rng.standard_normal((600, 8)), new[:100]])
    two = f.to_nearest_two(near, train)
    assert (two[:, 0] <= two[:, 1]).all()
    assert f.copies(two)[:600].all()
    assert f.copies(two)[600:].mean() < 0.03
    own = np.eye(700, dtype=bool)
    assert f.to_nearest_two(train, train)[:, 0] == pytest.approx(0, abs=1e-6)
    assert f.to_nearest_two(train, train, own)[:, 0] == pytest.approx(f.to_nearest_other(train))


def test_copying_z_is_that_of_mann_whitney(rng):
    x, y = rng.integers(0, 9, (2, 40)).astype(float)
    u = scipy.stats.mannwhitneyu(x, y + 1).statistic
    assert f.copying_z(x, y + 1) == pytest.approx((u - 800) / np.sqrt(1600 * 81 / 12))
    assert f.copying_z(x, x) == 0


def smooth(rng: np.random.Generator, n: int = 20) -> np.ndarray:
    phase = rng.uniform(0, 6, (n, 1, 1))
    waves = np.sin(np.arange(32)[None, :, None] / 4 + phase) * np.cos(np.arange(32)[None, None] / 5 + phase)
    return (0.6 * waves).astype(np.float32)


def test_texture_of_itself_differs_by_nothing(rng):
    found = texture(smooth(rng))
    gap = texture_gap(found, found, 80.0)
    assert (gap.extreme, gap.fine, gap.checkerboard) == (1, 1, 1)
    assert (gap.mel_mean_db, gap.mel_sd_db, gap.modulation_db, gap.level_db) == (0, 0, 0, 0)


def test_levels_and_profiles_are_in_decibels(rng):
    pictures = 0.5 * smooth(rng)
    louder = texture_gap(texture(pictures + np.float32(0.1)), texture(pictures), 80.0)
    assert louder.mel_mean_db == pytest.approx(4, rel=1e-4)
    assert louder.level_db == pytest.approx(4, rel=1e-4)
    assert louder.mel_sd_db == pytest.approx(0, abs=1e-4)
    stronger = texture_gap(texture(2 * pictures), texture(pictures), 80.0)
    assert stronger.modulation_db == pytest.approx(20 * np.log10(2), rel=1e-3)


def test_extreme_pixels_are_counted():
    pictures = np.zeros((2, 8, 8), dtype=np.float32)
    pictures[0, 0] = -1.0
    pictures[1, 0, :4] = 0.99
    assert texture(pictures).extreme_share == 12 / 128


def test_fine_energy_and_checkerboards(rng):
    grain = rng.standard_normal((200, 32, 32)).astype(np.float32) / 10
    plain, noisy = texture(smooth(rng)), texture(grain)
    # White noise has the same power everywhere.
    assert noisy.fine_energy == pytest.approx(0.01, rel=0.05)
    assert noisy.fine_energy > 5 * plain.fine_energy
    assert noisy.checkerboard == pytest.approx(1, rel=0.05)
    assert plain.checkerboard < 1.1
    # What strided transposed convolutions leave: every other, or every fourth, pixel is stronger, more or less so
    # along the other axis.
    for period in (2, 4):
        comb = np.where(np.arange(32) % period, -1.0, period - 1.0) * 0.05
        along = rng.standard_normal((200, 32, 1))
        for board in (grain + along * comb, grain + (along * comb).transpose(0, 2, 1)):
            assert texture(board.astype(np.float32)).checkerboard > 1.5
