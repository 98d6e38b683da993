"""Losses against hand-worked values and torch's own; mixup."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from chains import CLF, CPU
from torch import Tensor

from sertools.classifier_config import LOSSES
from sertools.presets import override
from sertools.training.losses import Loss, class_weights, implied_prior, log_prior, make_loss
from sertools.training.mixup import mix

COUNTS = np.array([60, 30, 10])
LABELS = torch.tensor([0, 1, 2, 2, 0, 1, 0])
N_CLASSES = len(COUNTS)


def loss_of(name: str, **numbers: float) -> Loss:
    return make_loss(override(CLF, loss=name, **numbers), COUNTS, CPU)


def one_hot(labels: Tensor) -> Tensor:
    return F.one_hot(labels, N_CLASSES).float()


@pytest.fixture
def logits() -> Tensor:
    torch.manual_seed(0)
    return (3 * torch.randn(len(LABELS), N_CLASSES)).requires_grad_()


def test_class_weights_and_priors_by_hand():
    np.testing.assert_allclose(class_weights(COUNTS), [100 / 180, 100 / 90, 100 / 30])
    assert (class_weights(COUNTS) * COUNTS).tolist() == pytest.approx([100 / 3] * 3)
    assert class_weights(np.array([7, 7])).tolist() == [1, 1]
    np.testing.assert_allclose(np.exp(log_prior(COUNTS)), [0.6, 0.3, 0.1])


@pytest.mark.parametrize(
    ("loss", "numbers", "drawn", "expected"),
    [
        ("cross-entropy", {}, COUNTS, [0.6, 0.3, 0.1]),
        ("focal", {}, COUNTS, [0.6, 0.3, 0.1]),
        ("cross-entropy", {}, [1, 1, 1], [1 / 3] * 3),
        ("weighted", {}, COUNTS, [1 / 3] * 3),
        ("logit-adjust", {}, COUNTS, [1 / 3] * 3),
        # Half of the correction leaves the root of the shares: 0.775, 0.548, 0.316 of 1.639.
        ("logit-adjust", {"logit_tau": 0.5}, COUNTS, [0.473, 0.334, 0.193]),
    ],
)
def test_the_prior_that_a_training_implies(loss, numbers, drawn, expected):
    np.testing.assert_allclose(implied_prior(loss_of(loss, **numbers), drawn), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("loss", "drawn"), [("cross-entropy", COUNTS), ("weighted", COUNTS), ("logit-adjust", COUNTS)]
)
def test_a_net_that_knows_nothing_of_its_rows_says_the_implied_prior(loss, drawn):
    labels = torch.repeat_interleave(torch.arange(N_CLASSES), torch.from_numpy(drawn))
    bare = torch.zeros(N_CLASSES, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([bare], max_iter=100, tolerance_grad=1e-9)
    fitted = loss_of(loss)

    def closure():
        optimiser.zero_grad()
        cost = fitted(bare.expand(len(labels), -1), one_hot(labels))
        cost.backward()
        return cost

    optimiser.step(closure)
    np.testing.assert_allclose(bare.detach().softmax(0), implied_prior(fitted, drawn), atol=1e-3)


def test_two_classes_by_hand():
    """Class 0 with p = 3/4; 30 rows of it and 10 of class 1."""
    config, counts = override(CLF, batch_size=2), np.array([30, 10])
    logits, targets = torch.tensor([[3.0, 1.0]]).log(), torch.tensor([[1.0, 0.0]])
    by_hand = {
        "cross-entropy": -np.log(3 / 4),
        # One row alone: its weight is in the denominator too.
        "weighted": -np.log(3 / 4),
        "focal": -((1 / 4) ** 2) * np.log(3 / 4),
        # 3 · 3/4 against 1 · 1/4.
        "logit-adjust": -np.log(9 / 10),
    }
    assert by_hand.keys() == set(LOSSES)
    for name, expected in by_hand.items():
        assert make_loss(override(config, loss=name), counts, CPU)(logits, targets).item() == pytest.approx(expected)
    # Both classes, p = 3/4 each: weights 2/3 and 2.
    both = torch.tensor([[3.0, 1.0], [1.0, 1 / 3]]).log()
    found = make_loss(override(config, loss="weighted"), counts, CPU)(both, torch.eye(2))
    assert found.item() == pytest.approx(-(2 / 3 * np.log(3 / 4) + 2 * np.log(1 / 4)) / (2 / 3 + 2))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_are_torchs_own(name, logits):
    targets = one_hot(LABELS)
    weight = torch.tensor([5 / 9, 10 / 9, 10 / 3])
    shift = torch.tensor([0.6, 0.3, 0.1]).log()
    plain = F.cross_entropy(logits, LABELS, reduction="none")
    expected = {
        "cross-entropy": plain.mean(),
        "weighted": F.cross_entropy(logits, LABELS, weight=weight),
        "focal": ((1 - (-plain).exp()) ** 2 * plain).mean(),
        "logit-adjust": F.cross_entropy(logits + shift, LABELS),
    }[name]
    found = loss_of(name)(logits, targets)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found, logits)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])
    assert gradient.any()


def test_the_numbers_of_focal_loss_and_logit_adjustment(logits):
    targets = one_hot(LABELS)
    plain = F.cross_entropy(logits, LABELS, reduction="none")
    torch.testing.assert_close(
        loss_of("focal", focal_gamma=3.5)(logits, targets), ((1 - (-plain).exp()) ** 3.5 * plain).mean()
    )
    shift = 0.5 * torch.tensor([0.6, 0.3, 0.1]).log()
    torch.testing.assert_close(
        loss_of("logit-adjust", logit_tau=0.5)(logits, targets), F.cross_entropy(logits + shift, LABELS)
    )


def test_equal_classes_need_no_weights_and_no_adjustment(logits):
    targets = one_hot(LABELS)
    plain = loss_of("cross-entropy")(logits, targets)
    for name in ("weighted", "logit-adjust"):
        same = make_loss(override(CLF, loss=name), np.array([9, 9, 9]), CPU)(logits, targets)
        torch.testing.assert_close(same, plain)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_extreme_logits_give_finite_gradients(name, gamma):
    for right in (0, 1):
        logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
        loss = loss_of(name, focal_gamma=gamma)(logits, one_hot(torch.tensor([right])))
        loss.backward()
        assert loss.isfinite()
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_a_mixed_row_is_the_mix_of_its_losses(name, logits):
    """Share by share, before the division by the weights."""
    loss, share = loss_of(name), 0.3
    row = logits[:1]
    targets = one_hot(torch.tensor([0, 2]))
    mixed = share * targets[:1] + (1 - share) * targets[1:]
    weights = share * loss.weight[0], (1 - share) * loss.weight[2]
    alone = loss(row, targets[:1]), loss(row, targets[1:])
    expected = (weights[0] * alone[0] + weights[1] * alone[1]) / (weights[0] + weights[1])
    torch.testing.assert_close(loss(row, mixed), expected)


def test_mixup_mixes_a_row_and_its_class_by_the_same_share():
    x = torch.arange(6.0)[:, None, None, None].expand(6, 1, 2, 3)
    mixed, targets = mix(x, torch.eye(6), 0.4, 7)
    assert mixed.shape == x.shape
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    # Row i is i alone, so a picture's value is the mean of its classes.
    values = targets @ torch.arange(6.0)
    torch.testing.assert_close(mixed, values[:, None, None, None].expand_as(x))
    own = targets.diagonal()
    assert own.unique().numel() > 3, "one share for all rows"
    assert ((own >= 0) & (own <= 1)).all()
    # Each row is a partner once.
    torch.testing.assert_close((targets - own.diag()).bool().sum(0) + (own == 1), torch.ones(6, dtype=torch.int64))


@pytest.mark.parametrize(("alpha", "spread"), [(0.01, 0.5), (1.0, 12**-0.5), (1e6, 0.0)])
def test_alpha_is_that_of_a_beta_distribution(alpha, spread):
    n = 2000
    x = torch.cat([torch.zeros(n), torch.ones(n)])[:, None, None, None]
    _, targets = mix(x, torch.eye(2 * n), alpha, 0)
    share = targets.diagonal()
    assert share.mean().item() == pytest.approx(0.5, abs=0.03)
    assert share.std().item() == pytest.approx(spread, abs=0.02)


def test_mixup_draws_from_its_seed_alone():
    x, targets = torch.randn(8, 1, 4, 4), torch.eye(8)
    torch.manual_seed(1)
    first = mix(x, targets, 0.5, 3)
    torch.manual_seed(2)
    for a, b in zip(first, mix(x, targets, 0.5, 3), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first[0], mix(x, targets, 0.5, 4)[0])
