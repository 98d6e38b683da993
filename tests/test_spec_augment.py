"""SpecAugment: what is masked, moved and louder, and how much."""

import dataclasses

import pytest
import torch
from torch import Tensor

from sertools.classifier_config import SPEC_AUGMENTS, SpecAugment
from sertools.training.spec_augment import FLOOR, spec_augment, told_augment

NOTHING = SpecAugment(0, 0.0, 0.0, 0.0, 0.0, gain_db=0.0)
RANGE_DB = 80.0
N = 400


def changed(x: Tensor, seed: int = 0, sizes: SpecAugment = NOTHING, **numbers: float) -> Tensor:
    torch.manual_seed(seed)
    return spec_augment(x, dataclasses.replace(sizes, **numbers), RANGE_DB)


def ramp(shape: tuple[int, int], along: int) -> Tensor:
    """Pictures whose value is the place along an axis, from -0.5 to 0.5, in N rows."""
    values = torch.linspace(-0.5, 0.5, shape[along])
    return (values[:, None] if along == 0 else values[None]).expand(N, 1, *shape)


def test_the_settings_in_a_picture_of_64():
    assert SPEC_AUGMENTS.keys() == {"none", "weak", "strong"}
    assert SPEC_AUGMENTS["none"] is None
    shares = ("time_mask", "frequency_mask", "time_shift", "frequency_shift")
    for name, n_masks, sizes in (("weak", 1, (8, 6, 3, 1)), ("strong", 2, (12, 12, 6, 2))):
        setting = SPEC_AUGMENTS[name]
        assert (setting.n_masks, setting.gain_db) == (n_masks, 4.0)
        assert tuple(64 * getattr(setting, share) for share in shares) == sizes


@pytest.mark.parametrize("name", ["weak", "strong"])
@pytest.mark.parametrize("shape", [(16, 16), (64, 64), (128, 48)])
def test_shape_range_and_input_are_kept(name, shape):
    torch.manual_seed(0)
    x = torch.rand(5, 1, *shape) * 2 - 1
    x[:, :, :, -4:] = FLOOR
    before = x.clone()
    y = changed(x, sizes=SPEC_AUGMENTS[name])
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert y.min() >= -1
    assert y.max() <= 1
    assert torch.equal(x, before)
    assert not torch.equal(x, y)


def test_without_sizes_nothing_changes():
    x = torch.rand(3, 1, 16, 32) * 2 - 1
    assert torch.equal(changed(x), x)


@pytest.mark.parametrize(("mask", "other"), [("time_mask", 2), ("frequency_mask", 3)])
@pytest.mark.parametrize("n_masks", [1, 2])
def test_masks_are_runs_of_whole_lines_up_to_the_longest_anywhere(mask, other, n_masks):
    x = torch.zeros(N, 1, 64, 64)
    y = changed(x, n_masks=n_masks, **{mask: 8 / 64})
    assert set(y.unique().tolist()) == {FLOOR, 0.0}
    lines = (y == FLOOR).amax(other)[:, 0]
    assert torch.equal(lines, (y == FLOOR).amin(other)[:, 0]), "a line is masked in part"
    n_lines, n_runs = lines.sum(1), lines[:, 0].long() + (lines[:, 1:] & ~lines[:, :-1]).sum(1)
    assert int(n_runs.max()) == n_masks
    assert int(n_lines.min()) == 0
    assert int(n_lines.max()) <= 8 * n_masks
    if n_masks == 1:
        assert set(n_lines.tolist()) == set(range(9))
    # Widths 0 to 8 are equally likely, and so is every place but near the ends.
    assert n_lines.float().mean().item() == pytest.approx(4 * n_masks, abs=0.6)
    assert lines.any(0).all()


@pytest.mark.parametrize(("shift", "along"), [("frequency_shift", 0), ("time_shift", 1)])
def test_shifts_move_lines_and_fill_up_with_the_floor(shift, along):
    shape = (48, 64)
    x = ramp(shape, along)
    y = changed(x, **{shift: 3 / shape[along]})
    size = shape[along]
    found = set()
    for before, after in zip(x[:, 0], y[:, 0], strict=True):
        (by,) = (s for s in range(-3, 4) if torch.equal(after, shifted(before, s, along)))
        found.add(by)
    assert found == set(range(-3, 4))
    assert size > 6


def shifted(picture: Tensor, by: int, along: int) -> Tensor:
    moved = torch.full_like(picture, FLOOR)
    size = picture.shape[along]
    source, target = (slice(0, size - by), slice(by, size)) if by >= 0 else (slice(-by, size), slice(0, size + by))
    at = (lambda s: (s, slice(None))) if along == 0 else (lambda s: (slice(None), s))
    moved[at(target)] = picture[at(source)]
    return moved


def test_the_gain_is_in_db_and_leaves_silence_silent():
    x = torch.zeros(N, 1, 16, 16)
    x[..., 8:] = FLOOR
    x[..., 0] = 0.99
    y = changed(x, gain_db=4.0)
    assert (y[..., 8:] == FLOOR).all()
    gain_db = y[..., 4] * RANGE_DB / 2
    assert (gain_db == gain_db[:, :, :1]).all(), "one gain a row"
    assert gain_db.abs().max() <= 4.001
    assert gain_db.min() < -3.9
    assert gain_db.max() > 3.9
    assert y.max() == 1


def test_each_row_has_its_own_draws_and_the_seed_decides_them():
    x = (torch.rand(1, 1, 64, 64) - 0.5).expand(6, 1, 64, 64)
    y = changed(x, 1, SPEC_AUGMENTS["weak"])
    assert len({tuple(row.flatten().tolist()) for row in y}) == 6
    assert torch.equal(y, changed(x, 1, SPEC_AUGMENTS["weak"]))
    assert not torch.equal(y, changed(x, 2, SPEC_AUGMENTS["weak"]))


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_a_gpu_is_never_waited_for():
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    x = torch.rand(8, 1, 128, 128, device="cuda")
    changed(x, sizes=SPEC_AUGMENTS["strong"])
    torch.cuda.set_sync_debug_mode("error")
    try:
        y = changed(x, sizes=SPEC_AUGMENTS["strong"])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert y.device == x.device


def test_what_is_told_is_what_was_done():
    torch.manual_seed(0)
    x = torch.full((N, 1, 32, 64), -0.5)
    x[:, :, 10, 20] = 0.0
    sizes = SpecAugment(0, time_mask=0.0, frequency_mask=0.0, time_shift=6 / 64, frequency_shift=2 / 32)
    y, moves = told_augment(x, sizes, RANGE_DB)
    assert moves.shape == (N, 3)
    assert moves.abs().max() <= 1
    loudness, up, later = moves.T
    at = y.flatten(1).argmax(dim=1)
    assert torch.equal(at // 64 - 10, (2 * up).round().long())
    assert torch.equal(at % 64 - 20, (6 * later).round().long())
    torch.testing.assert_close(y.flatten(1).amax(dim=1), loudness * 2 * 4.0 / RANGE_DB)
    assert all(len(each.unique()) > 1 for each in moves.T)
