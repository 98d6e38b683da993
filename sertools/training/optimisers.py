"""Adam and AdamW without torch's compiler.

torch wraps their methods for `torch.compile`, and the first call of a wrapper imports the compiler: two seconds of
every training process that never compiles anything. Here the same methods are called without the wrappers. `fused`
is torch's own single kernel for all parameters, on a CPU as on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


def _unwrapped(method: Callable[..., Any]) -> Callable[..., Any]:
    inner: Callable[..., Any] = getattr(method, "__wrapped__", method)
    return inner


class _Direct(torch.optim.Optimizer):
    add_param_group = _unwrapped(torch.optim.Optimizer.add_param_group)
    zero_grad = _unwrapped(torch.optim.Optimizer.zero_grad)
    state_dict = _unwrapped(torch.optim.Optimizer.state_dict)
    load_state_dict = _unwrapped(torch.optim.Optimizer.load_state_dict)


class Adam(_Direct, torch.optim.Adam):
    """Adam (Kingma and Ba 2015)."""

    step = torch.no_grad()(_unwrapped(torch.optim.Adam.step))

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(parameters, lr=lr, betas=betas, fused=True)


class AdamW(_Direct, torch.optim.AdamW):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    step = torch.no_grad()(_unwrapped(torch.optim.AdamW.step))

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, fused=True)
