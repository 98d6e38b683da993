"""The biases of an operating point: by hand, against scipy's minimiser, and a classifier against itself."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import balanced_accuracy_score

from sertools.errors import ModelError
from sertools.scoring.results.operating_point import corrected, decide, divided, fit_biases

PRIOR = np.array([0.04, 0.32, 0.32, 0.32])
# What is divided out of posteriors: the rare class's share, the others', all, and any.
FACTORS = ([0.04, 1, 1, 1], [1, 0.32, 0.16, 0.64], PRIOR, [0.4, 0.1, 0.3, 0.2], [0.05, 0.6, 0.05, 0.3])


class Simulated:
    """A classifier of four classes that was trained with `PRIOR`, has learnt them not quite, and is too sure."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.centres = self.rng.normal(0, 0.8, (4, 6))
        self.slips = self.rng.normal(0, 0.5, 4)

    def posteriors(self, n_per_class: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.repeat(np.arange(4), n_per_class)
        x = self.centres[truth] + self.rng.normal(0, 1, (len(truth), 6))
        fit = -((x[:, None] - self.centres) ** 2).sum(axis=2) / 2
        p = np.exp(1.5 * (fit - fit.max(axis=1, keepdims=True)) + np.log(PRIOR) + self.slips)
        return truth, p / p.sum(axis=1, keepdims=True)


def test_the_start_undoes_the_prior() -> None:
    # Logs of 1/8, 1/2, 3/8 are -2.079, -0.693, -0.981: mean -1.251.
    np.testing.assert_allclose(corrected([1 / 8, 1 / 2, 3 / 8]), [0.828, -0.558, -0.270], atol=1e-3)
    likelihood = np.array([0.6, 0.4])
    posterior = likelihood * [0.1, 0.9] / (likelihood * [0.1, 0.9]).sum()
    assert decide([posterior], [0, 0]).tolist() == [1]
    assert decide([posterior], corrected([0.1, 0.9])).tolist() == [0]
    np.testing.assert_allclose(divided([posterior, [0.1, 0.9]], [0.1, 0.9]), [likelihood, [0.5, 0.5]])


def test_biases_are_added_to_the_log_posterior() -> None:
    posterior = [[0.3, 0.7], [0.1, 0.9]]
    # log(7/3) = 0.847, log 9 = 2.197.
    for bias, expected in ((0.0, [1, 1]), (0.8, [1, 1]), (0.9, [0, 1]), (2.1, [0, 1]), (2.2, [0, 0])):
        assert decide(posterior, [bias / 2, -bias / 2]).tolist() == expected


def test_the_fit_is_the_minimum_of_what_the_rule_says() -> None:
    truth, posterior = Simulated(1).posteriors(12)
    truth, posterior = truth[5:], posterior[5:]  # 7 of the first class, 12 of the others
    start = -np.log(PRIOR)

    def log_loss(shifts: np.ndarray) -> float:
        total = 0.0
        for c, n in enumerate((7, 12, 12, 12)):
            said = posterior[truth == c] * np.exp(start + shifts)
            total -= np.log(said[:, c] / said.sum(axis=1)).sum() / n
            total -= np.log(np.exp(shifts[c]) / np.exp(shifts).sum()) / 4 / 7
        return total

    expected = start + minimize(log_loss, np.zeros(4), tol=1e-12).x
    found = fit_biases(truth, posterior, PRIOR)
    assert found.sum() == pytest.approx(0)
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-5)
    assert np.abs(found - corrected(PRIOR)).max() > 0.1


def test_few_utterances_stay_near_the_start_and_many_forget_it() -> None:
    # Undecided in truth, whatever the class, but the posteriors say 4 to 1: the biases should be log 4 apart.
    moved = []
    for n in (1, 4, 100):
        biases = fit_biases([0] * n + [1] * n, [[0.2, 0.8]] * 2 * n, [0.5, 0.5])
        moved.append(float(biases[0] - biases[1]) / np.log(4))
    assert 0.5 < moved[0] < 0.8 < moved[1] < 0.98 < moved[2] < 1
    # Where they agree with the start nothing moves.
    np.testing.assert_allclose(fit_biases([0, 1], [[0.5, 0.5]] * 2, [0.5, 0.5]), 0, atol=1e-12)


def test_the_pull_of_the_start_is_bounded() -> None:
    right = np.array([[0.9, 0.1]] * 20 + [[0.1, 0.9]] * 20)
    truth = [0] * 20 + [1] * 20
    for wrong in (1e-2, 1e-4, 1e-6):
        # A record that is far off, beside posteriors that are right as they are.
        biases = fit_biases(truth, right, [wrong, 1 - wrong])
        assert (decide(right, biases) == truth).all()
        assert not (decide(right, corrected([wrong, 1 - wrong])) == truth).all()


def test_dividing_out_a_prior_changes_nothing_where_the_record_says_so() -> None:
    world = Simulated(2)
    truth, posterior = world.posteriors(10)
    _, tested = world.posteriors(50)
    biases = fit_biases(truth, posterior, PRIOR)
    for factors in FACTORS:
        own = np.asarray(factors, dtype=float)
        implied = PRIOR / own / (PRIOR / own).sum()
        found = fit_biases(truth, divided(posterior, own), implied)
        # But for what lies below the floor.
        np.testing.assert_allclose(found - biases, np.log(own) - np.log(own).mean(), atol=1e-4)
        assert decide(divided(tested, own), found).tolist() == decide(tested, biases).tolist()


def test_a_classifier_is_no_better_than_itself_with_any_prior_divided_out() -> None:
    """The record still says what it said, so that the fit alone must find the way back."""
    changed, chosen_anew = [], []
    for seed in range(60):
        world = Simulated(seed)
        (truth, posterior), (other_truth, other), (test_truth, tested) = map(world.posteriors, (15, 15, 150))

        def uar(biases: np.ndarray, said: np.ndarray, truth: np.ndarray = test_truth) -> float:
            return float(balanced_accuracy_score(truth, decide(said, biases)))

        as_it_is = uar(fit_biases(truth, posterior, PRIOR), tested)
        # The choice's own noise: the same classifier, its point fitted on other utterances of the same number.
        chosen_anew.append(uar(fit_biases(other_truth, other, PRIOR), tested) - as_it_is)
        changed.append(
            [uar(fit_biases(truth, divided(posterior, f), PRIOR), divided(tested, f)) - as_it_is for f in FACTORS]
        )
    noise = float(np.abs(chosen_anew).mean())
    for differences in np.array(changed).T:
        assert np.abs(differences).mean() < 0.4 * noise
        assert abs(differences.mean()) < 0.004  # in points of UAR: 0.4


def test_a_class_that_validation_lacks_keeps_its_start() -> None:
    truth, posterior = Simulated(3).posteriors(10)
    there = truth != 2
    biases, start = fit_biases(truth[there], posterior[there], PRIOR), corrected(PRIOR)
    assert biases[2] == start[2]
    assert np.delete(biases - start, 2).sum() == pytest.approx(0)
    # What it says of the class that lacks plays no part.
    without = posterior[there][:, [0, 1, 3]]
    without /= without.sum(axis=1, keepdims=True)
    found = fit_biases(truth[there] - (truth[there] == 3), without, PRIOR[[0, 1, 3]])
    np.testing.assert_allclose(np.diff(found), np.diff(biases[[0, 1, 3]]), atol=1e-6)
    # One class alone says nothing of the others.
    np.testing.assert_allclose(fit_biases([1, 1], posterior[:2], PRIOR), start)


def test_posteriors_of_nothing_are_bounded() -> None:
    biases = fit_biases([0, 1, 0], [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]], [1e-9, 1 - 1e-9])
    assert np.isfinite(biases).all()


def test_nothing_to_choose_on_is_refused() -> None:
    with pytest.raises(ModelError, match="no validation utterance"):
        fit_biases([], np.empty((0, 3)), [0.2, 0.3, 0.5])
