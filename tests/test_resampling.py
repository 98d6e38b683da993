"""Tests over folds, Holm's correction and the bootstrap, against scipy, textbook numbers and slow recomputation."""

import numpy as np
import pytest
from scipy.stats import t as student_t
from scipy.stats import ttest_1samp
from sklearn.metrics import balanced_accuracy_score

from sertools.scoring.comparing.resampling import corrected_resampled_t, holm, utterance_bootstrap

FOLDS = [0.04, 0.01, -0.02, 0.05, 0.03]


def test_the_corrected_t_is_scipys_with_a_larger_variance() -> None:
    interval, p = corrected_resampled_t(FOLDS, 1 / 4)
    plain = ttest_1samp(FOLDS, 0)
    # s²/K becomes s²·(1/K + 1/(K - 1)).
    shrink = np.sqrt((1 / 5) / (1 / 5 + 1 / 4))
    assert p == pytest.approx(2 * student_t.sf(plain.statistic * shrink, 4))
    bounds = plain.confidence_interval(0.95)
    assert interval.estimate == pytest.approx(0.022)
    assert interval.high - interval.low == pytest.approx((bounds.high - bounds.low) / shrink)
    assert interval.low + interval.high == pytest.approx(0.044)
    assert interval.df == 4


def test_the_corrected_t_by_hand() -> None:
    # Two folds, 1 and 3: mean 2, s² 2, variance 2·(1/2 + 1) = 3; t with df 1 is Cauchy.
    interval, p = corrected_resampled_t([1, 3], 1)
    assert p == pytest.approx(1 - 2 * np.arctan(2 / np.sqrt(3)) / np.pi)
    assert interval.high == pytest.approx(2 + 12.706205 * np.sqrt(3))


def test_the_corrected_t_does_not_care_who_is_the_baseline() -> None:
    (first, p), (second, q) = corrected_resampled_t(FOLDS, 1 / 4), corrected_resampled_t([-d for d in FOLDS], 1 / 4)
    assert p == q
    assert (first.low, first.high) == pytest.approx((-second.high, -second.low))


@pytest.mark.parametrize("by_fold", [[], [0.1], [0.1, 0.1, 0.1]])
def test_no_folds_one_fold_or_no_spread_is_no_test(by_fold: list[float]) -> None:
    interval, p = corrected_resampled_t(by_fold, 0.5)
    assert np.isnan([p, interval.low, interval.high]).all()


def test_methods_that_do_the_same_everywhere_do_not_differ() -> None:
    interval, p = corrected_resampled_t([0.0, 0.0, 0.0], 0.5)
    assert (interval.low, interval.high, p) == (0, 0, 1)


def test_holm_by_hand() -> None:
    # 0.01·4, 0.02·3, 0.03·2 raised to its forerunner, 0.04·1 raised too.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_holm_rejects_as_the_step_down_procedure_does() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        p = rng.random(6) ** 3
        rejected = set()
        for rank, k in enumerate(np.argsort(p)):
            if p[k] > 0.05 / (6 - rank):
                break
            rejected.add(k)
        assert {k for k, value in enumerate(holm(p)) if value <= 0.05} == rejected


def test_holm_leaves_out_what_was_not_tested() -> None:
    found = holm([np.nan, 0.02, np.nan, 0.03])
    assert np.isnan([found[0], found[2]]).all()
    assert [found[1], found[3]] == pytest.approx([0.04, 0.04])


def test_the_bootstrap_is_that_of_single_utterances() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2], [30, 60, 90])
    predicted = np.where(rng.random((180, 2)) < 0.6, truth[:, None], rng.integers(0, 3, (180, 2)))
    right = predicted == truth[:, None]
    low, high = utterance_bootstrap(right, np.ones_like(right), truth)
    drawn = []
    for _ in range(1000):
        rows = np.concatenate([rng.choice(np.flatnonzero(truth == c), (truth == c).sum()) for c in range(3)])
        drawn.append(np.mean([balanced_accuracy_score(truth[rows], predicted[rows, e]) for e in range(2)]))
    # A percentile of 1000 draws has a standard error of 0.08 standard deviations; five of them, twice.
    assert np.percentile(drawn, [2.5, 97.5]) == pytest.approx([low, high], abs=0.6 * np.std(drawn))
    # Binomial noise, if the classifiers' mistakes were independent.
    recall = right.mean(axis=1)
    sd = np.sqrt(sum(recall[truth == c].var() / (truth == c).sum() for c in range(3))) / 3
    assert high - low == pytest.approx(2 * 1.96 * sd, rel=0.15)
    assert (low, high) == utterance_bootstrap(right, np.ones_like(right), truth)


def test_the_bootstrap_of_experiments_that_test_different_utterances() -> None:
    rng = np.random.default_rng(2)
    truth = np.arange(40) % 2
    right = (rng.random((40, 2)) < 0.7).astype(int)
    tested = np.ones((40, 2), dtype=int)
    tested[:20, 1] = 0
    low, high = utterance_bootstrap(right * tested, tested, truth)
    estimate = np.mean(
        [np.mean([right[(tested[:, e] > 0) & (truth == c), e].mean() for c in (0, 1)]) for e in (0, 1)]
    )
    assert low < estimate < high


def test_the_bootstrap_averages_the_classes_that_an_experiment_tests() -> None:
    tested = np.array([[1, 1], [1, 1], [1, 0], [1, 0]])
    assert utterance_bootstrap(tested, tested, [0, 0, 1, 1]) == (1, 1)


def test_the_bootstrap_of_the_certain_and_of_nothing() -> None:
    assert utterance_bootstrap([[1], [1], [1]], [[1], [1], [1]], [0, 0, 1]) == (1, 1)
    assert np.isnan(utterance_bootstrap(np.empty((0, 0)), np.empty((0, 0)), [])).all()
