"""SpecAugment for scaled log-mel pictures (Park et al. 2019): gain, shifts and masks, drawn anew for every row.

All draws come from torch's global generator, which every step seeds; nothing waits for the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sertools.classifier_config import SpecAugment

N_MOVES = 3  # gain, shift in frequency, shift in time
# The scaler's floor, which padding has too: what is hidden becomes silence, where 0 would be a tone of mid level.
FLOOR = -1.0


def spec_augment(x: Tensor, sizes: SpecAugment, range_db: float) -> Tensor:
    """Change each picture of a batch at random; see `told_augment`."""
    return told_augment(x, sizes, range_db)[0]


def told_augment(x: Tensor, sizes: SpecAugment, range_db: float) -> tuple[Tensor, Tensor]:
    """Change each picture of a batch at random, and say how.

    The gain comes first and leaves the floor where it is, as silence stays silent; then the shifts, which fill up
    with the floor; then the masks.

    Parameters
    ----------
    x
        Scaled pictures [shape=(B, 1, n_mels, n_frames), in [-1, 1]].
    sizes
        How large the changes may be; lengths are rounded to whole frames and bins.
    range_db
        What the scaler maps onto [-1, 1], in dB.

    Returns
    -------
    pictures
        Of the same shape and range; `x` is left alone.
    moves
        Gain and shifts in frequency and in time of each, as shares of the largest [shape=(B, N_MOVES), in [-1, 1]].
    """
    n_rows, _, n_mels, n_frames = x.shape
    loudness = 2.0 * torch.rand(n_rows, 1, 1, 1, device=x.device) - 1.0
    gain = loudness * (2.0 * sizes.gain_db / range_db)
    x = torch.where(x > FLOOR, (x + gain).clamp(-1.0, 1.0), x)
    up, bins, bins_kept = _moved_and_masked(
        n_rows, n_mels, sizes.frequency_shift, sizes.frequency_mask, sizes.n_masks, x.device
    )
    later, frames, frames_kept = _moved_and_masked(
        n_rows, n_frames, sizes.time_shift, sizes.time_mask, sizes.n_masks, x.device
    )
    rows = torch.arange(n_rows, device=x.device)[:, None, None]
    moved = x[rows, 0, bins[:, :, None], frames[:, None, :]]
    kept = bins_kept[:, :, None] & frames_kept[:, None, :]
    moves = torch.cat([loudness.view(n_rows, 1), up, later], dim=1)
    return torch.where(kept, moved, FLOOR)[:, None], moves


def _moved_and_masked(
    n_rows: int, length: int, shift: float, mask: float, n_masks: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw, along one axis of each row, its shift as a share of the largest [shape=(n_rows, 1)].

    And where every place takes its value from, and whether it keeps one [shape=(n_rows, length)] each.
    """
    furthest, longest = round(shift * length), round(mask * length)
    place = torch.arange(length, device=device)
    moved = torch.randint(-furthest, furthest + 1, (n_rows, 1), device=device)
    source = place - moved
    kept = (source >= 0) & (source < length)
    for _ in range(n_masks):
        width = torch.randint(0, longest + 1, (n_rows, 1), device=device)
        first = (torch.rand(n_rows, 1, device=device) * (length - width + 1)).long()
        kept &= (place < first) | (place >= first + width)
    return moved / max(1, furthest), source.clamp(0, length - 1), kept
