"""Dropout by words of random bits: rate, scale, independence, layout, seeds."""

import pytest
import torch

from sertools.nets.dropout import Dropout

ONES = torch.ones(40, 16, 32, 32)


@pytest.mark.parametrize("p", [0.2, 0.5])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rate_and_scale(p, layout):
    torch.manual_seed(0)
    y = Dropout(p)(ONES.contiguous(memory_format=layout))
    assert y.is_contiguous(memory_format=layout)
    share = (y == 0).double().mean().item()
    sd = (p * (1 - p) / ONES.numel()) ** 0.5
    assert abs(share - p) < 4 * sd
    assert torch.allclose(y[y != 0], torch.tensor(1 / (1 - p)), atol=1e-4)
    # Of each channel and each place too: the order of the masks is not that of the values.
    assert ((y == 0).double().mean((0, 2, 3)) - p).abs().max() < 5 * (p * (1 - p) / (40 * 32 * 32)) ** 0.5
    # Neighbours are dropped independently.
    gone = (y == 0).double() - share
    for axis in range(4):
        together = (gone.narrow(axis, 1, y.shape[axis] - 1) * gone.narrow(axis, 0, y.shape[axis] - 1)).mean().item()
        assert abs(together) < 5 * p * (1 - p) / ONES.numel() ** 0.5


def test_seeds():
    drop = Dropout(0.5)
    torch.manual_seed(1)
    first, second = drop(ONES), drop(ONES)
    torch.manual_seed(1)
    assert torch.equal(drop(ONES), first)
    assert not torch.equal(first, second)


def test_gradients_pass_where_values_do():
    x = torch.ones(7, 13, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y)


def test_nothing_is_dropped_in_eval_mode_or_at_rate_zero():
    assert Dropout(0.5).eval()(ONES) is ONES
    assert Dropout(0.0)(ONES) is ONES
