"""The interval of a method that is trained anew: by hand, and why there may be none."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student_t

from sertools.scoring.comparing.anew import Endpoint, trained_anew
from sertools.scoring.comparing.resampling import corrected_resampled_t

# Three speakers at 0.1, 0.2 and 0.3; two folds of one class with two seeds; as many tested as trained on.
FOUND = Endpoint(
    estimate=0.2,
    left_out=[0.25, 0.2, 0.15],
    replicates=[(0.5, [0.1, 0.2]), (0.5, [0.2, 0.3])],
    by_fold=[0.15, 0.25],
    tested=1.0,
)


def test_the_parts_of_the_variance_add_up() -> None:
    interval, p = trained_anew(FOUND)
    speakers = 0.01 / 3 * 3  # of three means, once as tested ones and twice as ones to train on
    seeds = 0.005 * 2 * 0.25 / 2  # of each fold, two seeds and half of the weight
    df = (speakers + seeds) ** 2 / (speakers**2 / 2 + seeds**2 / 2)
    assert interval.df == int(df) == 2
    error = np.sqrt(speakers + seeds)
    assert interval.high - interval.estimate == pytest.approx(student_t.ppf(0.975, 2) * error)
    assert interval.estimate - interval.low == pytest.approx(student_t.ppf(0.975, 2) * error)
    assert p == pytest.approx(2 * student_t.sf(0.2 / error, 2))


def test_one_seed_leaves_it_to_the_folds() -> None:
    one = replace(FOUND, replicates=[(0.5, [0.15]), (0.5, [0.25])], left_out=[])
    assert trained_anew(one) == corrected_resampled_t([0.15, 0.25], 0.5)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"estimate": np.nan}, "no scores in common"),
        ({"by_fold": [0.2]}, "fewer than two folds"),
        ({"by_fold": [0.2, np.nan]}, "a fold without the class"),
        ({"tested": np.nan}, "folds that test the same utterances"),
        ({"left_out": [0.2]}, "fewer than two known speakers"),
        ({"left_out": [0.2, np.nan, 0.2]}, "one speaker alone has a class"),
    ],
)
def test_what_cannot_be_computed_has_a_reason(changed: dict[str, object], why: str) -> None:
    found = replace(FOUND, **changed)
    interval, p = trained_anew(found)
    assert found.lacks() == why
    assert np.isnan([interval.low, interval.high, p]).all()


def test_methods_that_do_the_same_do_not_differ() -> None:
    same = replace(FOUND, estimate=0.0, left_out=[0.0] * 3, replicates=[(1.0, [0.0, 0.0])], by_fold=[0.0, 0.0])
    interval, p = trained_anew(same)
    assert (interval.low, interval.high, p) == (0, 0, 1)
