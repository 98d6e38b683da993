"""Intervals against classical ones, against numbers worked by hand, and against their promise to cover."""

import numpy as np
import pytest
from scipy.stats import t as student_t

from sertools.metrics import confusion_matrix, uar
from sertools.scoring.comparing.statistics import Interval, fold_mean_sd, gap_closure, jackknife_t, pooled_uar


def ratio(total: np.ndarray) -> float:
    return float(total[0] / total[1])


def test_of_a_balanced_mean_it_is_the_classical_interval_of_the_speaker_means() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.1, (10, 25))
    found = jackknife_t(np.stack([values.sum(axis=1), np.full(10, 25)], axis=1), ratio)
    means = values.mean(axis=1)
    low, high = student_t.interval(0.95, 9, loc=means.mean(), scale=means.std(ddof=1) / np.sqrt(10))
    assert found.estimate == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.df == 9


def test_three_speakers_by_hand() -> None:
    # Speakers got 1, 2, 6: mean 3, sd √7, t(0.975, 2) = 4.3027.
    found = jackknife_t(np.array([[1, 1], [2, 1], [6, 1]]), ratio)
    half = 4.3026527 * np.sqrt(7 / 3)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half))


def test_unequal_speakers_by_hand() -> None:
    # 1 of 2, 3 of 4, 4 of 4 right. Pooled 0.8; pseudo-values 0.65, 11/15, 16/15; their sd 0.2204793.
    found = jackknife_t(np.array([[1, 2], [3, 4], [4, 4]]), ratio)
    half = 4.3026527 * 0.2204793 / np.sqrt(3)
    assert found.estimate == pytest.approx(0.8)
    assert (found.low, found.high) == pytest.approx((0.8 - half, 0.8 + half))


def test_a_lower_level_gives_a_narrower_interval() -> None:
    counts = np.array([[1, 1], [2, 1], [6, 1]])
    found = jackknife_t(counts, ratio, level=0.5)
    assert found.high - 3 == pytest.approx(0.8164966 * np.sqrt(7 / 3))  # t(0.75, 2)


def test_one_speaker_or_one_indispensable_speaker_gives_no_interval() -> None:
    alone = jackknife_t(np.array([[1, 2]]), ratio)
    assert (alone.estimate, alone.df) == (0.5, 0)
    assert np.isnan([alone.low, alone.high]).all()
    # Without the first speaker nothing is left to divide by.
    needed = jackknife_t(np.array([[1, 2], [0, 0]]), lambda t: ratio(t) if t[1] else np.nan)
    assert needed.estimate == 0.5
    assert np.isnan([needed.low, needed.high]).all()
    assert not needed.excludes_zero


def test_pairing_takes_out_what_speakers_share() -> None:
    rng = np.random.default_rng(1)
    ability = rng.normal(0.5, 0.2, 12)  # speakers differ far more than the two methods do
    first, second = ability + rng.normal(0.05, 0.01, 12), ability + rng.normal(0, 0.01, 12)
    ones = np.ones(12)
    paired = jackknife_t(np.stack([first, second, ones], axis=1), lambda t: float((t[0] - t[1]) / t[2]))
    single = jackknife_t(np.stack([first, ones], axis=1), ratio)
    assert paired.excludes_zero
    assert paired.high - paired.low < 0.2 * (single.high - single.low)


@pytest.mark.parametrize(
    ("low", "high", "excludes"), [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.2, False), (0.0, 0.2, False)]
)
def test_excluding_zero(low: float, high: float, excludes: bool) -> None:
    assert Interval(0.1, low, high, 3).excludes_zero is excludes


def test_it_covers_about_as_often_as_it_says() -> None:
    """Ten speakers whose ability differs, three imbalanced classes: the interval holds the truth 19 times in 20."""
    rng = np.random.default_rng(2)
    n_by_class, mean_recall = np.array([8, 20, 40]), np.array([0.4, 0.6, 0.7])
    n_trials, hits = 1000, 0
    for _ in range(n_trials):
        recall = np.clip(mean_recall + rng.normal(0, 0.12, (10, 1)), 0, 1)
        right = rng.binomial(n_by_class, recall)
        counts = np.zeros((10, 3, 3), dtype=int)
        counts[:, range(3), range(3)] = right
        counts[:, range(3), [1, 2, 0]] = n_by_class - right
        found = jackknife_t(counts, pooled_uar)
        hits += found.low <= mean_recall.mean() <= found.high
    assert 0.93 <= hits / n_trials <= 0.97


def test_pooled_uar_averages_the_uar_of_each_matrix() -> None:
    rng = np.random.default_rng(3)
    matrices = [confusion_matrix(rng.integers(0, 3, 50), rng.integers(0, 3, 50), 3) for _ in range(6)]
    stack = np.array(matrices).reshape(2, 3, 3, 3)
    assert pooled_uar(stack) == pytest.approx(np.mean([uar(m) for m in matrices]))
    assert pooled_uar(matrices[0]) == pytest.approx(uar(matrices[0]))


def test_pooled_uar_leaves_out_a_class_but_not_an_experiment() -> None:
    lacking = np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])
    assert pooled_uar(lacking) == pytest.approx((0.75 + 0.5) / 2)
    assert np.isnan(pooled_uar([lacking, np.zeros((3, 3))]))


def test_fold_mean_and_deviation_over_seeds() -> None:
    # Seeds' means 0.5 and 0.6, whatever their folds do.
    mean, sd = fold_mean_sd([[0.1, 0.9], [0.6, 0.6]])
    assert (mean, sd) == pytest.approx((0.55, np.sqrt(0.005)))


def test_one_seed_has_no_deviation() -> None:
    mean, sd = fold_mean_sd([[0.1, 0.5]])
    assert mean == pytest.approx(0.3)
    assert np.isnan(sd)


def test_missing_runs_are_left_out() -> None:
    mean, sd = fold_mean_sd([[0.4, np.nan], [0.2, 0.4], [np.nan, np.nan]])
    assert (mean, sd) == pytest.approx((0.35, np.sqrt(0.005)))
    assert np.isnan(fold_mean_sd(np.full((2, 3), np.nan))).all()
    assert np.isnan(fold_mean_sd(np.empty((0, 0)))).all()


def test_gap_closure() -> None:
    assert gap_closure(53.6, 49.0, 56.0) == pytest.approx(4.6 / 7)  # the paper's Table 2
    assert gap_closure(0.4, 0.5, 0.6) == pytest.approx(-1)
    assert np.isnan(gap_closure(0.5, 0.5, 0.5))
    assert np.isnan(gap_closure(0.5, np.nan, 0.5))
