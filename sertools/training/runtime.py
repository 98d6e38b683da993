"""Device, memory, seeds, thread count: the surroundings of a training run."""

from __future__ import annotations

import ctypes
import hashlib
import os
from typing import TypeVar

import torch
from torch import nn

from sertools.config import PRECISIONS
from sertools.errors import UsageError

Net = TypeVar("Net", bound=nn.Module)

# mallopt(3)
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 64 << 20

# What PyTorch leaves to MKL's vector mathematics (its ATen/cpu/vml.h).
_VECTOR_FUNCTIONS = (
    *("acos", "asin", "atan", "cos", "erf", "erfc", "erfinv", "exp"),
    *("log", "log2", "log10", "sin", "sqrt", "tan", "tanh", "trunc"),
)


def pick_device(name: str) -> torch.device:
    """Return the device called `name`, ready to compute; ``auto`` is a GPU where there is one.

    Raises
    ------
    UsageError
        If torch does not know it, or it does not exist here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise UsageError(f"--device {name!r}: expected auto, cpu or cuda")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {name!r}: {reason}; use auto, cpu or cuda") from error
    _call_functions_once()
    if device.type == "cpu":
        _hold_freed_memory()
    return device


def pick_precision(name: str, device: torch.device) -> str:
    """Return what nets compute in, ``float32`` or ``bf16``; ``auto`` is bf16 on a GPU that has it.

    A CPU stays at float32, where one thread gives the same bytes on any machine.

    Raises
    ------
    UsageError
        If there is no such precision, or the GPU cannot compute in bf16.
    """
    if name not in PRECISIONS:
        raise UsageError(f"--precision {name!r}: expected one of {', '.join(PRECISIONS)}")
    able = device.type != "cuda" or torch.cuda.is_bf16_supported()
    if name == "bf16" and not able:
        raise UsageError("--precision bf16: this GPU computes it only in software; give float32")
    if name == "auto":
        return "bf16" if device.type == "cuda" and able else "float32"
    return name


def pick_encoder_precision(name: str, device: torch.device) -> str:
    """Return what a pretrained encoder computes in: as `pick_precision`, or float16, which needs no gradient."""
    return name if name == "float16" else pick_precision(name, device)


def computing(precision: str, device: torch.device) -> torch.autocast:
    """Compute convolutions and products in `precision` within the block; weights and their updates are float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def told(precision: str) -> dict[str, object]:
    """Return what a model's header says of the precision: nothing for float32, in which the method is described."""
    return {} if precision == "float32" else {"precision": precision}


def computed_on(device: torch.device, precision: str = "float32") -> dict[str, object]:
    """Return what a history says of where nets ran: nothing of a CPU and float32."""
    return {**({} if device.type == "cpu" else {"device": device.type}), **told(precision)}


def _hold_freed_memory() -> None:
    """Keep what tensors free for the next ones.

    glibc gives large blocks back to the system at once, and a step that gets them again pays for every page: a sixth
    of the small CNN's. Elsewhere than with glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, _TOP_PAD_BYTES)


def _call_functions_once() -> None:
    """Have MKL choose the code of its functions in one thread.

    It chooses at a function's first call. Where two threads make it together, one of them may take the code of low
    accuracy that once: tanh is 1e-4 off in half of the numbers, in one process of three (pytorch issue 188792).
    """
    for dtype in (torch.float32, torch.float64):
        one = torch.full((1,), 0.5, dtype=dtype)
        for name in _VECTOR_FUNCTIONS:
            getattr(torch, name)(one)


def free_memory(device: torch.device) -> int:
    """Bytes that a device has left; none where the system does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def place(net: Net, device: torch.device) -> Net:
    """Move a net to the device, in the memory layout that convolutions run fastest in."""
    net.to(device)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def mixed_seed(seed: int, *purpose: object) -> int:
    """Derive an independent 63-bit seed for a purpose, such as a step of a stage.

    Every step seeds itself, so going on after an interruption draws what an unbroken run draws.
    """
    text = ":".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def seed_torch(seed: int, *purpose: object) -> None:
    """Seed torch's global generators, which dropout draws from.

    `torch.manual_seed` also leaves a seed, and a stack trace, with every kind of device that may be used later: a
    tenth of a step of a dense net on a CPU.
    """
    own = mixed_seed(seed, *purpose)
    torch.default_generator.manual_seed(own)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(own)


def surroundings() -> dict[str, object]:
    """What else decides the bytes of a run on a CPU; kept in the resume state."""
    return {"threads": torch.get_num_threads(), "torch": torch.__version__.split("+")[0]}
