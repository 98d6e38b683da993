"""Regions of pictures: where they lie, and rows of a batch that get one of another row of their class."""

import numpy as np
import pytest
import torch

from sertools.training.cut_paste import Region, cut_paste, draw_region


@pytest.mark.parametrize(
    ("region", "source", "target", "wanted"),
    [
        (Region("time", 10, 20), 32, 5, 20),
        (Region("time", 10, 20), 15, 5, 15),
        (Region("time", 10, 20), 8, 5, 5),
        (Region("time", 10, 20), 32, 30, 30),
        (Region("frequency", 10, 20), 25, 5, 25),
    ],
)
def test_columns_that_a_region_fills_are_no_padding(region, source, target, wanted):
    assert region.n_valid_frames(source, target) == wanted


def test_regions_lie_within_the_picture(rng):
    for _ in range(200):
        region = draw_region((64, 32), rng)
        side = {"frequency": 64, "time": 32}[region.axis]
        assert 0 <= region.first < region.stop <= side
        assert side / 4 <= region.stop - region.first <= side / 2


def batch(labels: np.ndarray) -> torch.Tensor:
    """Each picture is its row's number all over."""
    return torch.arange(float(len(labels)))[:, None, None, None].expand(len(labels), 1, 8, 12).clone()


def test_a_row_gets_one_region_of_another_row_of_its_class():
    labels = np.array([0, 1, 1, 0, 1, 0, 0, 1] * 4)
    x = batch(labels)
    pasted = cut_paste(x, labels, 1.0, 3)
    donors = []
    for row, (picture,) in enumerate(pasted):
        (donor,) = set(picture.unique().int().tolist()) - {row}
        assert labels[donor] == labels[row]
        donors.append(donor)
        inside = picture != row
        # Whole columns or whole rows, side by side, a quarter to a half of them.
        lines = inside.any(0) if inside.any(0).sum() < 12 else inside.any(1)
        assert inside.sum() == lines.sum() * (inside.numel() // len(lines))
        assert lines.nonzero().flatten().diff().eq(1).all()
        assert len(lines) / 4 <= lines.sum() <= len(lines) / 2
    assert sorted(donors) == list(range(len(labels)))
    assert torch.equal(x, batch(labels))


def test_the_chance_is_that_of_a_row_and_a_lonely_row_stays():
    labels = np.array([0] * 999 + [1])
    changed = (cut_paste(batch(labels), labels, 0.3, 0) != batch(labels)).any(3).any(2).any(1)
    assert changed[:-1].float().mean().item() == pytest.approx(0.3, abs=4 * (0.21 / 999) ** 0.5)
    assert torch.equal(cut_paste(batch(labels), labels, 1.0, 0)[-1], batch(labels)[-1])


def test_all_is_drawn_from_the_seed_alone():
    labels = np.array([0, 1] * 8)
    first = cut_paste(batch(labels), labels, 0.5, 3)
    torch.manual_seed(1)
    assert torch.equal(first, cut_paste(batch(labels), labels, 0.5, 3))
    assert not torch.equal(first, cut_paste(batch(labels), labels, 0.5, 4))
