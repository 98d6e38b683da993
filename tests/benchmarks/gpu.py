"""Training steps of the full nets on a GPU against the naive eager step, and what they leave of the machine's speed.

Prints one line, and nothing for the table, where there is no GPU.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pairs import Figure, of_ratios
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from training_steps import RIVAL, SIDES, make_step

from sertools.presets import PRESETS

BATCH, N_WARM, N_STEPS = 64, 5, 20
STEPS = ("autoencoder", "GAN", "vgg19")
N_GANS, N_CLASSIFIERS = 15, 60  # of Table 2: five folds of three reduced classes, by four methods
Update = Callable[[], object]


class BytesCounter(TorchDispatchMode):
    """Counts what operators read and write if each reads its inputs and writes its outputs once."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
            self.total += sum(tensor.nbytes for tensor in tensors)
        return result


@dataclass(frozen=True)
class Work:
    """What a step does: operations (a multiplication and an addition are two), and bytes read and written."""

    flops: int
    moved: int


def work_of(update: Update) -> Work:
    with FlopCounterMode(display=False) as flops:
        update()
    with BytesCounter() as moved:
        update()
    return Work(flops.get_total_flops(), moved.total)


def seconds_each(update: Update, n_steps: int) -> float:
    """Return the seconds of a step on the GPU, the mean of some in a row."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(n_steps):
        update()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000 / n_steps


def matmul_peak(device: torch.device, size: int = 8192) -> float:
    """Operations a second of a large product in bf16."""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    product = torch.empty_like(a)
    seconds = fastest(lambda: torch.mm(a, a, out=product))
    return 2 * size**3 / seconds


def bandwidth(device: torch.device, n_bytes: int = 1 << 30) -> float:
    """Bytes a second that a large copy within the device reads and writes."""
    source = torch.zeros(n_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * n_bytes / fastest(lambda: target.copy_(source))


def fastest(work: Update) -> float:
    seconds_each(work, N_WARM)
    return min(seconds_each(work, N_WARM) for _ in range(5))


def figures_of(step: str, device: torch.device, rounds: int, peak: float, copied: float) -> list[Figure]:
    """Time the naive step and ours in bf16 in turn."""
    updates = {name: make_step(step, SIDES[name], 1.0, BATCH, device) for name in ("naive", "bf16")}
    work = work_of(updates["bf16"])
    seconds = in_turn(updates, rounds)
    ratios = [naive / ours for naive, ours in zip(seconds["naive"], seconds["bf16"], strict=True)]
    median = {name: statistics.median(values) for name, values in seconds.items()}
    rows = f"{BATCH / median['bf16']:.0f} images a second"
    size = f"batch {BATCH}, 128×128, {rows}; {torch.cuda.get_device_name(device)}"
    bounds = {"products": work.flops / peak, "memory": work.moved / copied}
    floor = ", ".join(f"{name} alone {median['naive'] / bound:.1f}×" for name, bound in bounds.items())
    what = f"{step} step on a GPU, width 1, bf16"
    return [
        of_ratios(ratios, what=what, against=RIVAL, unit="speed", goal=None, size=size, floor=floor),
        *(
            of_ratios(
                [bound / ours for ours in seconds["bf16"]], what=f"{name} of the {what}", against=rival, unit="peak",
                goal=None, size=size,
            )
            for (name, bound), rival in zip(
                bounds.items(),
                (f"a large product in bf16, {peak / 1e12:.0f} TFLOP/s", f"a large copy, {copied / 1e12:.2f} TB/s"),
                strict=True,
            )
        ),
    ]  # fmt: skip


def in_turn(updates: dict[str, Update], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step in each round."""
    for update in updates.values():
        seconds_each(update, N_WARM)
    seconds: dict[str, list[float]] = {name: [] for name in updates}
    for number in range(rounds):
        for name in updates if number % 2 else reversed(updates):
            seconds[name].append(seconds_each(updates[name], N_STEPS))
    return seconds


def table_2(device: torch.device, rounds: int) -> Figure:
    """Reckon the training of the paper's Table 2 from the seconds of its steps at the batches of its preset."""
    paper = PRESETS["paper"]
    stages = (
        ("autoencoder", N_GANS * paper.autoencoder.steps, paper.autoencoder.batch_size),
        ("GAN", N_GANS * paper.gan.steps, paper.gan.batch_size),
        (paper.classifier.arch, N_CLASSIFIERS * paper.classifier.steps, paper.classifier.batch_size),
    )
    totals = {name: [0.0] * rounds for name in ("naive", "bf16")}
    for step, n_steps, batch in stages:
        updates = {name: make_step(step, SIDES[name], 1.0, batch, device) for name in totals}
        for name, seconds in in_turn(updates, rounds).items():
            totals[name] = [total + n_steps * each for total, each in zip(totals[name], seconds, strict=True)]
    ratios = [ours / naive for naive, ours in zip(totals["naive"], totals["bf16"], strict=True)]
    hours = {name: statistics.median(values) / 3600 for name, values in totals.items()}
    return of_ratios(
        ratios, what="training of IEMOCAP's Table 2, reckoned from its steps", against=RIVAL, unit="time", goal=None,
        size=f"{N_GANS} autoencoders and GANs, {N_CLASSIFIERS} classifiers, preset paper: "
        f"{hours['bf16']:.1f} h against {hours['naive']:.1f} h",
    )  # fmt: skip


def main(rounds: int, steps: Sequence[str] = STEPS) -> None:
    if not torch.cuda.is_available():
        print("gpu: no GPU here, nothing measured", file=sys.stderr)
        return
    device = torch.device("cuda")
    peak, copied = matmul_peak(device), bandwidth(device)
    for step in steps:
        for figure in figures_of(step, device, rounds, peak, copied):
            figure.say()
    table_2(device, rounds).say()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
