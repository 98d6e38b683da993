"""Copies to a GPU that no step waits for.

What a step draws is drawn on the CPU, so that several processes draw the same whatever their dropout does. A copy
from ordinary memory would hold the step up until the GPU has come that far.
"""

from __future__ import annotations

import torch
from torch import Tensor


def onto(device: torch.device, values: Tensor) -> Tensor:
    """Return `values`, which lie on the CPU, on a device; to a GPU they go by pinned memory, and nobody waits."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)
