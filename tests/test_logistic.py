"""Logistic regression on vectors: against scikit-learn, by its own gradient, and by what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression

from sertools.classifier_config import ClassifierConfig
from sertools.training.logistic import Problem
from sertools.training.losses import loss_numbers
from sertools.training.order import balanced_indices, natural_indices, row_shares

Values = NDArray[np.float64]
N, D, K = 120, 12, 3


@pytest.fixture
def x(rng: np.random.Generator) -> Values:
    return rng.normal(size=(N, D))


@pytest.fixture
def labels(x: Values, rng: np.random.Generator) -> NDArray[np.int64]:
    """Classes of 70, 40 and 10 rows, of other means."""
    found = np.repeat([0, 1, 2], [70, 40, 10])
    x += rng.normal(size=(K, D))[found]
    return found


def problem(x: Values, labels: NDArray[np.int64], loss: str = "cross-entropy", penalty: float = 0.1) -> Problem:
    numbers = loss_numbers(ClassifierConfig(loss=loss), np.bincount(labels))
    return Problem(x, labels, np.ones(len(labels)), *numbers, penalty)


def centred(weights: Values) -> Values:
    """What softmax sees of weights: a constant for all classes changes nothing."""
    return weights - weights.mean(axis=0)


@pytest.mark.parametrize("loss", ["cross-entropy", "weighted"])
def test_the_minimum_is_that_of_scikit_learn(x: Values, labels: NDArray[np.int64], loss: str) -> None:
    weights, biases, _ = problem(x, labels, loss).solve()
    other = LogisticRegression(
        C=1 / (0.1 * N), class_weight="balanced" if loss == "weighted" else None, tol=1e-10, max_iter=10_000
    ).fit(x, labels)
    np.testing.assert_allclose(centred(weights), centred(other.coef_), atol=1e-4)
    np.testing.assert_allclose(centred(biases), centred(other.intercept_), atol=1e-3)


@pytest.mark.parametrize("loss", ["cross-entropy", "weighted", "focal", "logit-adjust"])
def test_nothing_near_the_minimum_is_lower(x: Values, labels: NDArray[np.int64], loss: str) -> None:
    posed = problem(x, labels, loss)
    weights, biases, least = posed.solve()

    def loss_at(flat: Values) -> float:
        """The loss as its docstring writes it."""
        at = flat.reshape(K, D + 1)
        logits = x @ at[:, :-1].T + at[:, -1] + posed.shift
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        own = (p / p.sum(axis=1, keepdims=True))[np.arange(N), labels]
        rows = posed.share * posed.weight[labels]
        cost = (rows * (1 - own) ** posed.gamma * -np.log(own)).sum() / rows.sum()
        return float(cost + posed.penalty / 2 * (at[:, :-1] ** 2).sum())

    there = np.column_stack([weights, biases]).ravel()
    assert loss_at(there) == pytest.approx(least)
    assert np.abs(approx_fprime(there, loss_at)).max() < 1e-5


def test_a_set_with_more_of_the_same_rows_has_the_same_weights(x: Values, labels: NDArray[np.int64]) -> None:
    once, twice = problem(x, labels), problem(np.tile(x, (2, 1)), np.tile(labels, 2))
    np.testing.assert_allclose(once.solve()[0], twice.solve()[0], atol=1e-5)


def test_logit_adjustment_helps_the_rare_class(x: Values, labels: NDArray[np.int64]) -> None:
    found = {}
    for loss in ("cross-entropy", "logit-adjust"):
        weights, biases, _ = problem(x, labels, loss, penalty=1.0).solve()
        said = np.argmax(x @ weights.T + biases, axis=1)
        found[loss] = (said[labels == 2] == 2).mean()
    assert found["cross-entropy"] < found["logit-adjust"]


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_shares_are_how_often_rows_are_drawn(balanced: bool, share: float) -> None:
    labels = np.repeat([0, 1, 2], [8, 5, 6])
    made = np.zeros(19, dtype=bool)
    made[[5, 6, 7, 9, 10, 11, 12, 18]] = True
    draw = balanced_indices if balanced else natural_indices
    drawn = np.concatenate([draw(labels, 30, step, 0, made, share) for step in range(4000)])
    seen = np.bincount(drawn, minlength=19) / len(drawn)
    np.testing.assert_allclose(row_shares(labels, balanced, made, share), seen, atol=0.003)


def test_without_made_rows_shares_are_equal_or_the_classes_are() -> None:
    labels = np.repeat([0, 1], [9, 3])
    np.testing.assert_allclose(row_shares(labels, balanced=False), 1 / 12)
    np.testing.assert_allclose(row_shares(labels, balanced=True), np.repeat([1 / 18, 1 / 6], [9, 3]))


def test_two_pairs_of_rivals_are_one_here(x: Values, labels: NDArray[np.int64]) -> None:
    """The biases are free: what shifts the logits in training is made up for by them."""
    counts = np.bincount(labels)
    plain, shifted = problem(x, labels).solve(), problem(x, labels, "logit-adjust").solve()
    np.testing.assert_allclose(shifted[0], plain[0], atol=1e-4)
    np.testing.assert_allclose(centred(shifted[1]), centred(plain[1] - np.log(counts / counts.sum())), atol=1e-3)
    even = Problem(x, labels, row_shares(labels, balanced=True), np.ones(K), np.zeros(K), 0.0, 0.1).solve()
    np.testing.assert_allclose(even[0], problem(x, labels, "weighted").solve()[0], atol=1e-4)
