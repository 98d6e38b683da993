"""The bias of an operating point: by hand, against a search with scikit-learn, and the rule for ties."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from sertools.errors import ModelError
from sertools.scoring.results.operating_point import GRID, choose_bias, decide, towards_class, towards_rare


@pytest.fixture
def validation(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True classes, and posteriors that are too shy of class 0."""
    truth = np.array([0] * 12 + [1] * 40 + [2] * 30)
    logits = rng.normal(0, 1, (82, 3)) + 1.5 * np.eye(3)[truth] - [2.5, 0, 0]
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_directions() -> None:
    assert towards_class(1, 3).tolist() == [0, 1, 0]
    # Shares 1/8, 1/8, 3/4; the class without utterances counts as if it had one.
    np.testing.assert_allclose(towards_rare([1, 2, 2, 2, 2, 2, 2, 1], 3), np.log([8, 4, 4 / 3]))


def test_a_bias_is_added_to_the_log_posterior() -> None:
    posterior = [[0.3, 0.7], [0.1, 0.9]]
    # log(7/3) = 0.847, log 9 = 2.197.
    for bias, expected in ((0.0, [1, 1]), (0.8, [1, 1]), (0.9, [0, 1]), (2.1, [0, 1]), (2.2, [0, 0])):
        assert decide(posterior, [1, 0], bias).tolist() == expected


def test_a_bias_of_one_towards_rare_classes_undoes_the_prior() -> None:
    truth = np.array([0] * 10 + [1] * 90)
    likelihood = np.array([0.6, 0.4])
    posterior = likelihood * [0.1, 0.9] / (likelihood * [0.1, 0.9]).sum()
    assert decide([posterior], towards_rare(truth, 2), 0.0).tolist() == [1]
    assert decide([posterior], towards_rare(truth, 2), 1.0).tolist() == [0]


def test_the_grid_outweighs_any_posterior() -> None:
    assert (GRID[0], GRID[-1], GRID[len(GRID) // 2]) == (-15, 15, 0)
    assert decide([[0.0, 1.0]], [1, 0], GRID[-1]).tolist() == [0]
    assert decide([[1.0, 0.0]], [1, 0], GRID[0]).tolist() == [1]


@pytest.mark.parametrize("towards", ["class", "rare"])
def test_the_chosen_bias_has_the_highest_uar_of_all(validation: tuple[np.ndarray, np.ndarray], towards: str) -> None:
    truth, posterior = validation
    direction = towards_class(0, 3) if towards == "class" else towards_rare(truth, 3)

    def uar(bias: float) -> float:
        return balanced_accuracy_score(truth, (np.log(posterior) + bias * direction).argmax(axis=1))

    bias = choose_bias(truth, posterior, direction)
    assert bias > 0
    assert uar(bias) == pytest.approx(max(uar(b) for b in GRID))
    assert uar(bias) > uar(0) + 0.05


def test_the_middle_of_the_plateau() -> None:
    # Class 0 is right from log(7/3) = 0.847 on, class 1 up to log 9 = 2.197: 0.9 … 2.1 are best.
    assert choose_bias([0, 1], [[0.3, 0.7], [0.1, 0.9]], [1, 0]) == pytest.approx(1.5)
    assert choose_bias([1, 0], [[0.7, 0.3], [0.9, 0.1]], [1, 0]) == pytest.approx(-1.5)


def test_no_change_without_evidence() -> None:
    # The best plateau runs from -0.8 to 2.1: right as it is.
    assert choose_bias([0, 1], [[0.7, 0.3], [0.1, 0.9]], [1, 0]) == 0.0
    assert choose_bias([1, 1], [[0.3, 0.7], [0.1, 0.9]], [1, 0]) == 0.0


def test_of_several_plateaus_the_nearest_and_of_two_as_near_the_lower() -> None:
    # Class 0 against 1, in margins: a member counts 1/2 from its margin on, a non-member 1/2 until its own.
    def posterior(margin: float) -> list[float]:
        return [1 / (1 + np.exp(margin)), 1 - 1 / (1 + np.exp(margin))]

    # Best at 1…2 and again at 4…5.
    margins = [(0, 0.95), (1, 2.05), (0, 3.95), (1, 5.05)]
    assert choose_bias([c for c, _ in margins], [posterior(m) for _, m in margins], [1, 0]) == pytest.approx(1.5)
    # Best at -2…-1 and at 1…2.
    margins = [(0, -2.05), (1, -0.95), (0, 0.95), (1, 2.05)]
    assert choose_bias([c for c, _ in margins], [posterior(m) for _, m in margins], [1, 0]) == pytest.approx(-1.5)


def test_a_class_that_validation_lacks_is_left_out_of_its_uar() -> None:
    posterior = [[0.3, 0.6, 0.1], [0.1, 0.8, 0.1]]
    # 0.7 … 2.0, from log 2 to log 8; the third class has no recall.
    assert choose_bias([0, 1], posterior, towards_class(0, 3)) == pytest.approx(1.35)


def test_nothing_to_choose_on_is_refused() -> None:
    with pytest.raises(ModelError, match="no validation utterance"):
        choose_bias([], np.empty((0, 3)), [1, 0, 0])
