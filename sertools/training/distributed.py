"""Training in several processes: torch's DistributedDataParallel, started by torchrun.

Every process prepares the same whole batch, for all draws but those on a GPU come from the same seeds; `spread` gives
it its part, and hands the outputs of all to each, so that a loss is that of the whole batch everywhere. The gradient
of every process is then that of the sum of so many equal losses, of which DistributedDataParallel takes the mean. So
one process and several take the same steps but for rounding. The first process leads: it alone writes, measures and
decides.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sertools.errors import Followed, TrainingError, UsageError
from sertools.nets.parts import Part, having, sum_over_processes
from sertools.processes import check_alone, processes
from sertools.training.runtime import computed_on, computing, mixed_seed, pick_device

# Longer than any process reads its stores while another waits.
_PATIENCE = timedelta(hours=1)


def join(device_name: str) -> torch.device:
    """Meet the other processes, if there are any; return the device of this one.

    With ``cuda``, each has the GPU of its number on its machine, or the only one that it sees.

    Raises
    ------
    UsageError
        If there is no such device, or nothing says where to meet.
    """
    here = processes()
    if here.size == 1:
        return pick_device(device_name)
    if device_name.startswith("cuda:"):
        raise UsageError(f"--device {device_name}: of several processes each has a GPU of its own; give cuda")
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UsageError(f"{missing[0]}: not in the environment, but WORLD_SIZE={here.size} is; start with torchrun")
    n_devices = torch.cuda.device_count() if device_name != "cpu" else 0
    if n_devices > 1:
        if here.local_rank >= n_devices:
            raise UsageError(f"{here.local_rank + 1} processes on a machine of {n_devices} GPUs; start fewer")
        torch.cuda.set_device(here.local_rank)
    device = pick_device(device_name)
    # What is agreed on lies on the CPU, so that the GPU need not be waited for.
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    atexit.register(dist.destroy_process_group)
    return torch.device("cuda", torch.cuda.current_device()) if device.type == "cuda" else device


def together() -> bool:
    """Whether several processes train together."""
    return dist.is_available() and dist.is_initialized()


def leads() -> bool:
    """Whether this process is the first, or the only one."""
    return not together() or dist.get_rank() == 0


def joint_surroundings() -> dict[str, object]:
    """What else decides the bytes of a run, as `runtime.surroundings`: sums of other parts round otherwise."""
    return {"processes": dist.get_world_size()} if together() else {}


def trained_with(device: torch.device, precision: str) -> dict[str, object]:
    """Return what a history says of how a net was trained: nothing of one process on a CPU in float32."""
    return {**computed_on(device, precision), **joint_surroundings()}


def parallel(net: nn.Module) -> nn.Module:
    """Return what trains a net: itself, or with the mean gradient of all processes.

    Buffers are the same everywhere already, and are not sent: a net that is run twice before its gradient is asked
    for would find them written to (pytorch/pytorch#175024).
    """
    return DistributedDataParallel(net, broadcast_buffers=False) if together() else net


def spread(net: Callable[[Tensor], Tensor], batch: Tensor, precision: str = "float32") -> Tensor:
    """Run a net on a batch, each process on its part; all get the outputs of all [first axis as of `batch`].

    Parameters
    ----------
    batch
        The whole batch, the same everywhere. Parts differ by a row where it does not divide evenly.
    precision
        What the net computes in; the outputs are float32, or wider where the batch is.

    Raises
    ------
    UsageError
        If there are more processes than rows.
    """
    if not together():
        with computing(precision, batch.device):
            return _wide(net(batch))
    rank, size, total = dist.get_rank(), dist.get_world_size(), len(batch)
    if total < size:
        raise UsageError(f"a batch of {total} rows for {size} processes; start fewer, or raise --batch-size")
    part = Part(total * rank // size, total * (rank + 1) // size, total)
    if batch.device.type == "cuda":
        # Dropout draws there; each process its own masks.
        torch.cuda.manual_seed(mixed_seed(int(torch.randint(1 << 62, ())), "part", rank))
    with having(part), computing(precision, batch.device):
        own = _wide(net(batch[part.first : part.last]))
    outside = [0, 0] * (own.dim() - 1) + [part.first, total - part.last]
    return sum_over_processes(F.pad(own, outside))


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def any_of(here: bool) -> bool:
    """Whether something holds in any process; all must ask."""
    if not together():
        return here
    flag = torch.tensor(int(here))
    dist.all_reduce(flag, op=dist.ReduceOp.MAX)
    return bool(flag)


def agree_on_start(step: int, state: str) -> None:
    """Refuse to start where processes have not met, or have not found the same resume state.

    Raises
    ------
    TrainingError
        If they have found different ones.
    UsageError
        If they have not met: each would train the whole net, into the same file.
    """
    if not together():
        check_alone("a training that has not called `join`")
    if any_of(step > 0) and any_of(step == 0):
        raise TrainingError(f"{state}: not every process finds it; write to a folder that all machines share")


def end_followers() -> None:
    """End every process but the first, for what is left to do is the first one's.

    Raises
    ------
    Followed
        In those others.
    """
    if not leads():
        raise Followed("done")
