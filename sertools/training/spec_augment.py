"""SpecAugment for scaled log-mel pictures (Park et al. 2019): gain, shifts and masks, drawn anew for every row.

All draws come from torch's global generator, which every step seeds; nothing waits for the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sertools.config import SpecAugment

# The scaler's floor, which padding has too: what is hidden becomes silence, where 0 would be a tone of mid level.
FLOOR = -1.0


def spec_augment(x: Tensor, sizes: SpecAugment, range_db: float) -> Tensor:
    """Change each picture of a batch at random.

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
    New pictures of the same shape and range; `x` is left alone.
    """
    n_rows, _, n_mels, n_frames = x.shape
    gain = (2.0 * torch.rand(n_rows, 1, 1, 1, device=x.device) - 1.0) * (2.0 * sizes.gain_db / range_db)
    x = torch.where(x > FLOOR, (x + gain).clamp(-1.0, 1.0), x)
    bins, bins_kept = _moved_and_masked(
        n_rows, n_mels, sizes.frequency_shift, sizes.frequency_mask, sizes.n_masks, x.device
    )
    frames, frames_kept = _moved_and_masked(
        n_rows, n_frames, sizes.time_shift, sizes.time_mask, sizes.n_masks, x.device
    )
    rows = torch.arange(n_rows, device=x.device)[:, None, None]
    moved = x[rows, 0, bins[:, :, None], frames[:, None, :]]
    kept = bins_kept[:, :, None] & frames_kept[:, None, :]
    return torch.where(kept, moved, FLOOR)[:, None]


def _moved_and_masked(
    n_rows: int, length: int, shift: float, mask: float, n_masks: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Draw, along one axis of each row, where every place takes its value from, and whether it keeps one.

    Both [shape=(n_rows, length)].
    """
    furthest, longest = round(shift * length), round(mask * length)
    place = torch.arange(length, device=device)
    source = place - torch.randint(-furthest, furthest + 1, (n_rows, 1), device=device)
    kept = (source >= 0) & (source < length)
    for _ in range(n_masks):
        width = torch.randint(0, longest + 1, (n_rows, 1), device=device)
        first = (torch.rand(n_rows, 1, device=device) * (length - width + 1)).long()
        kept &= (place < first) | (place >= first + width)
    return source.clamp(0, length - 1), kept
