"""Metrics against scikit-learn and against numbers worked by hand; the vote and its ties."""

import json
from random import Random

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st

from sertools.errors import ModelError, UsageError
from sertools.metrics import (
    accuracy,
    auc_against_rest,
    confusion_matrix,
    macro_f1,
    recalls,
    scores,
    uar,
)
from sertools.voting import vote

CLASSES = ("angry", "happy", "sad", "neutral")


@pytest.fixture(params=range(5))
def labels(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes, imbalanced, half of them right."""
    rng = np.random.default_rng(request.param)
    truth = rng.choice(4, size=300, p=[0.05, 0.15, 0.3, 0.5])
    truth[:4] = range(4)
    return truth, np.where(rng.random(300) < 0.5, truth, rng.integers(0, 4, 300))


def test_scores_agree_with_scikit_learn(labels: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = labels
    confusion = confusion_matrix(truth, predicted, 4)
    np.testing.assert_array_equal(confusion, reference.confusion_matrix(truth, predicted))
    np.testing.assert_allclose(recalls(confusion), reference.recall_score(truth, predicted, average=None))
    assert uar(confusion) == pytest.approx(reference.balanced_accuracy_score(truth, predicted))
    assert macro_f1(confusion) == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    assert accuracy(confusion) == pytest.approx(reference.accuracy_score(truth, predicted))


@pytest.mark.parametrize("decimals", [1, 2, 16])
def test_auc_agrees_with_scikit_learn_with_and_without_ties(
    labels: tuple[np.ndarray, np.ndarray], decimals: int
) -> None:
    truth, _ = labels
    score = np.round(np.random.default_rng(7).random(300) + 0.2 * (truth == 1), decimals)
    assert auc_against_rest(score, truth == 1) == pytest.approx(reference.roc_auc_score(truth == 1, score))


def test_auc_by_hand() -> None:
    # Members 3 and 1, others 2 and 1: three pairs won, lost or shared: 1 + 1 + 0 + 1/2 of 4.
    assert auc_against_rest([3, 1, 2, 1], [True, True, False, False]) == 2.5 / 4
    assert auc_against_rest([5, 5, 5], [True, False, False]) == 0.5


def test_auc_needs_both_sides() -> None:
    assert np.isnan(auc_against_rest([1, 2], [True, True]))
    assert np.isnan(auc_against_rest([1, 2], [False, False]))


def test_confusion_matrix_by_hand() -> None:
    np.testing.assert_array_equal(confusion_matrix([0, 0, 2], [1, 1, 2], 3), [[0, 2, 0], [0, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize(("truth", "predicted"), [([0, 2], [0, 1]), ([0, 1], [0, -1])])
def test_a_label_that_is_no_class_is_refused(truth: list[int], predicted: list[int]) -> None:
    with pytest.raises(ModelError, match="none of the 2 classes"):
        confusion_matrix(truth, predicted, 2)


def test_macro_f1_is_the_mean_of_the_classes_f1() -> None:
    confusion = [[8, 2], [1, 1]]
    # F1 of the classes 16/19 and 2/5; the F1 of mean precision and mean recall would be 0.631.
    assert macro_f1(confusion) == pytest.approx((16 / 19 + 2 / 5) / 2)


def test_a_class_that_does_not_occur_has_no_recall_and_enters_no_average() -> None:
    confusion = confusion_matrix([0, 0, 0, 1], [0, 0, 2, 1], 3)
    np.testing.assert_array_equal(recalls(confusion), [2 / 3, 1, np.nan])
    assert uar(confusion) == pytest.approx((2 / 3 + 1) / 2)
    assert macro_f1(confusion) == pytest.approx((4 / 5 + 1) / 2)


def test_nothing_to_count_gives_nan() -> None:
    empty = np.zeros((3, 3), dtype=int)
    assert np.isnan([uar(empty), macro_f1(empty), accuracy(empty)]).all()


def test_scores_are_plain_json_and_say_what_does_not_exist() -> None:
    posterior = np.array([[0.7, 0.2, 0.05, 0.05], [0.1, 0.8, 0.05, 0.05], [0.6, 0.3, 0.05, 0.05]])
    found = scores([0, 1, 1], [0, 1, 0], posterior, CLASSES)
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "uar": 0.75,
        "macro_f1": pytest.approx(2 / 3),
        "accuracy": pytest.approx(2 / 3),
        "recall": {"angry": 1.0, "happy": 0.5, "sad": None, "neutral": None},
        "auc": {"angry": 1.0, "happy": 1.0, "sad": None, "neutral": None},
        "confusion": [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        "n_classes": 2,
        "n_utterances": 3,
    }


def test_the_majority_of_the_segments_wins_whatever_their_confidence() -> None:
    found = vote([[0.6, 0.4], [0.55, 0.45], [0.01, 0.99]], [0, 0, 0], 1)
    assert (found.predicted[0], found.tied[0], found.n_segments[0]) == (0, False, 3)
    np.testing.assert_allclose(found.posterior, [[1.16 / 3, 1.84 / 3]])


def test_the_mean_rule_weighs_confidence() -> None:
    found = vote([[0.6, 0.4], [0.55, 0.45], [0.01, 0.99]], [0, 0, 0], 1, rule="mean")
    assert (found.predicted[0], found.tied[0]) == (1, False)


def test_a_tie_goes_to_the_larger_summed_posterior_and_is_counted() -> None:
    found = vote([[0.6, 0.4], [0.1, 0.9], [0.9, 0.1], [0.3, 0.7]], [0, 0, 1, 1], 2)
    assert found.predicted.tolist() == [1, 0]
    assert found.tied.tolist() == [True, True]


def test_a_class_without_the_votes_cannot_win_a_tie() -> None:
    # The third class has the largest sum, 0.8, but no segment chose it.
    found = vote([[0.46, 0.14, 0.40], [0.15, 0.45, 0.40]], [0, 0], 1)
    assert found.predicted.tolist() == [0]


def test_what_nothing_can_part_goes_to_the_first_class() -> None:
    found = vote([[0.25, 0.75], [0.75, 0.25]], [0, 0], 1)
    assert (found.predicted[0], found.tied[0]) == (0, True)
    found = vote([[0.25, 0.75], [0.75, 0.25]], [0, 0], 1, rule="mean")
    assert (found.predicted[0], found.tied[0]) == (0, True)


def test_segments_come_in_any_order() -> None:
    found = vote([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2]], [1, 0, 1], 2)
    assert found.predicted.tolist() == [1, 0]
    assert found.n_segments.tolist() == [1, 2]


def test_vote_refuses_what_it_cannot_count() -> None:
    with pytest.raises(ModelError, match="segment 1 is not finite"):
        vote([[0.5, 0.5], [np.nan, 0.5]], [0, 0], 1)
    with pytest.raises(ModelError, match="utterance 1 has no segment"):
        vote([[0.5, 0.5], [0.5, 0.5]], [0, 2], 3)
    with pytest.raises(ModelError, match="only 1"):
        vote([[0.5, 0.5]], [1], 1)
    with pytest.raises(UsageError, match="'soft'"):
        vote([[0.5, 0.5]], [0], 1, rule="soft")  # type: ignore[arg-type]


# Posteriors in 64ths add up exactly, in any order.
SEGMENTS = st.lists(st.tuples(st.integers(0, 4), st.tuples(*[st.integers(0, 64)] * 3)), min_size=1, max_size=20).map(
    lambda drawn: (np.array([p for _, p in drawn]) / 64, np.unique([u for u, _ in drawn], return_inverse=True)[1])
)


@given(SEGMENTS, st.randoms(use_true_random=False))
def test_vote_properties(drawn: tuple[np.ndarray, np.ndarray], random: Random) -> None:
    posteriors, owner = drawn
    n = owner.max() + 1
    found = vote(posteriors, owner, n)
    order = list(range(len(owner)))
    random.shuffle(order)
    shuffled = vote(posteriors[order], owner[order], n)
    for name in ("predicted", "posterior", "n_segments", "tied"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(found, name))
    for u in range(n):
        own = posteriors[owner == u]
        counts = np.bincount(own.argmax(axis=1), minlength=3)
        winners = np.flatnonzero(counts == counts.max())
        assert found.predicted[u] in winners
        assert found.tied[u] == (len(winners) > 1)
        assert own.sum(axis=0)[found.predicted[u]] == own.sum(axis=0)[winners].max()
    assert found.n_segments.sum() == len(owner)


PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40).map(np.array)


@given(PAIRS, st.integers(0, 3), st.integers(2, 5))
def test_uar_does_not_depend_on_how_often_a_class_occurs(pairs: np.ndarray, k: int, times: int) -> None:
    copies = np.concatenate([pairs, *[pairs[pairs[:, 0] == k]] * (times - 1)])
    before, after = (confusion_matrix(p[:, 0], p[:, 1], 4) for p in (pairs, copies))
    assert uar(after) == pytest.approx(uar(before))
    assert 0 <= uar(before) <= 1
    assert before.sum() == len(pairs)


@given(st.lists(st.tuples(st.integers(-50, 50), st.booleans()), min_size=2, max_size=40))
def test_auc_is_about_order_alone(drawn: list[tuple[int, bool]]) -> None:
    score, member = np.array([s for s, _ in drawn]), np.array([m for _, m in drawn])
    area = auc_against_rest(score, member)
    np.testing.assert_equal(auc_against_rest(score.astype(float) ** 3 + 7, member), area)
    if member.any() and not member.all():
        assert auc_against_rest(-score, member) == pytest.approx(1 - area)
        assert auc_against_rest(score, ~member) == pytest.approx(1 - area)
