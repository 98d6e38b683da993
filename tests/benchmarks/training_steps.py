"""Training steps on the CPU against the naive eager step: NCHW, float32, torch's own dropout, Adam and memory.

Each side runs in a process of its own, since memory settings last; `python training_steps.py STEP SIDE WIDTH` prints
the seconds of one, `python training_steps.py peak` the share of the machine's speed that convolutions reach.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pairs import of_ratios, python
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from sertools.config import NetConfig
from sertools.nets.classifiers import build_classifier
from sertools.nets.gan import Autoencoder, discriminator_from, generator_from
from sertools.training.distributed import spread
from sertools.training.optimisers import Adam
from sertools.training.runtime import pick_device, place

SHAPE, N_CLASSES = (128, 128), 4
CPU = torch.device("cpu")
CONVOLUTIONS = ("aten::convolution", "aten::convolution_backward")
RIVAL = "naive eager NCHW float32 step"


@dataclass(frozen=True)
class Side:
    """How a step is computed."""

    ours: bool
    precision: str = "float32"


SIDES = {"naive": Side(ours=False), "float32": Side(ours=True), "bf16": Side(ours=True, precision="bf16")}


@dataclass(frozen=True)
class Work:
    """What is timed, the goals of float32 and bf16 (none: not timed), and the work that there is time for."""

    step: str
    width: float
    float32: float | None
    bf16: float | None
    batch: int
    n_steps: int
    rounds: int


WORKS = (
    Work("cnn", 1.0, 1.5, None, 32, 5, 3),
    Work("autoencoder", 1 / 8, 1.5, 4.0, 32, 5, 3),
    Work("GAN", 1 / 8, 1.5, 4.0, 32, 5, 3),
    Work("vgg19", 1 / 4, 1.5, None, 32, 3, 3),
    # Large layers fill the machine at any batch; VGG19's 140 million weights want some rows to an update.
    Work("autoencoder", 1.0, 1.5, 3.0, 8, 2, 2),
    Work("GAN", 1.0, 1.5, 2.5, 8, 1, 2),
    Work("vgg19", 1.0, 1.5, 2.8, 16, 2, 2),
)


def prepared(net: nn.Module, ours: bool, device: torch.device) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return a net and its optimiser, as the trainers have them or, with torch's dropout, as torch gives them."""
    if ours:
        net = place(net, device)
        return net, Adam(net.parameters(), 1e-4, (0.5, 0.999))
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Dropout(child.p))
    net.to(device)
    return net, torch.optim.Adam(net.parameters(), 1e-4, (0.5, 0.999))


def make_step(step: str, side: Side, width: float, batch: int, device: torch.device) -> Callable[[], None]:
    """Return what does one update on random rows."""
    torch.manual_seed(0)
    config = NetConfig(width=width)
    x = (torch.rand(batch, 1, *SHAPE) * 2 - 1).to(device)
    labels = torch.randint(N_CLASSES, (batch,)).to(device)

    def run(net: nn.Module, rows: torch.Tensor) -> torch.Tensor:
        return spread(net, rows, side.precision) if side.ours else net(rows)

    if step == "GAN":
        autoencoder = Autoencoder(SHAPE, config)
        g, adam_g = prepared(generator_from(autoencoder.decoder, SHAPE, config), side.ours, device)
        d, adam_d = prepared(discriminator_from(autoencoder.encoder, SHAPE, N_CLASSES, config), side.ours, device)
        fake_label = torch.full_like(labels, N_CLASSES)

        def latents() -> torch.Tensor:
            return torch.randn(batch, config.latent_size, device=device)

        def update() -> None:
            with torch.no_grad():
                fake = run(g, latents())
            adam_d.zero_grad()
            F.cross_entropy(run(d, x), labels).backward()
            (F.cross_entropy(run(d, fake), fake_label) / N_CLASSES).backward()
            adam_d.step()
            adam_g.zero_grad()
            F.cross_entropy(run(d, run(g, latents())), labels).backward()
            adam_g.step()

        return update
    autoencodes = step == "autoencoder"
    built = Autoencoder(SHAPE, config) if autoencodes else build_classifier(step, SHAPE, N_CLASSES, width)
    net, adam = prepared(built, side.ours, device)

    def update_one() -> None:
        adam.zero_grad()
        out = run(net, x)
        (F.mse_loss(out, x) if autoencodes else F.cross_entropy(out, labels)).backward()
        adam.step()

    return update_one


def seconds_a_step(work: Work, side: Side) -> float:
    if side.ours:
        pick_device("cpu")  # which sets how memory is kept
    update = make_step(work.step, side, work.width, work.batch, CPU)
    update()
    return statistics.median(timed(update) for _ in range(work.n_steps))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare_sides(work: Work) -> None:
    """Time the naive step, ours, and ours in bf16 in turn."""
    goals = {name: goal for name, goal in (("float32", work.float32), ("bf16", work.bf16)) if goal}
    flops = flops_of_convolutions(make_step(work.step, SIDES["naive"], work.width, work.batch, torch.device("meta")))
    ratios: dict[str, list[float]] = {name: [] for name in goals}
    floors: dict[str, list[float]] = {name: [] for name in goals}
    for number in range(work.rounds):
        names = ["naive", *goals]
        seconds = {
            name: float(
                subprocess.run(
                    python(__file__, work.step, name, str(work.width)), check=True, capture_output=True, text=True
                ).stdout
            )
            for name in (names if number % 2 else reversed(names))
        }
        for name in goals:
            ratios[name].append(seconds["naive"] / seconds[name])
            floors[name].append(seconds["naive"] / flops * peak_of_convolutions(SIDES[name].precision))
    for name, goal in goals.items():
        of_ratios(
            ratios[name], what=f"{work.step} step, width {work.width:g}, {name}", against=RIVAL, unit="speed",
            goal=goal, size=f"batch {work.batch}, 128×128, {torch.get_num_threads()} threads",
            floor=f"convolutions alone, at the peak {statistics.median(floors[name]):.1f}×",
        ).say()  # fmt: skip


def flops_of_convolutions(update: Callable[[], object]) -> int:
    """Operations of a step, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter:
        update()
    counts = counter.get_flop_counts()["Global"]
    return sum(count for operator, count in counts.items() if "convolution" in str(operator))


def peak_of_convolutions(precision: str) -> float:
    """Operations a second of a wide convolution, forward, channels last."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    wide = nn.Conv2d(128, 128, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)
    rows = torch.randn(8, 128, 64, 64, dtype=dtype).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        return 2 * rows.numel() * 128 * 9 / min(timed(lambda: wide(rows)) for _ in range(10))


def share_of_peak(rounds: int, width: float = 1.0, batch: int = 8) -> None:
    """How near the convolutions of a bf16 step come to a wide one, in the same process."""
    pick_device("cpu")
    update = make_step("autoencoder", SIDES["bf16"], width, batch, CPU)
    flops = flops_of_convolutions(update)
    shares = []
    for _ in range(rounds):
        peak = peak_of_convolutions("bf16")
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            update()
        seconds = sum(row.cpu_time_total for row in seen.key_averages() if row.key in CONVOLUTIONS) / 1e6
        shares.append(flops / seconds / peak)
    of_ratios(
        shares, what="convolutions of the autoencoder step, width 1, bf16",
        against="a 3×3 convolution of 128 to 128 channels, forward, bf16, channels last", unit="peak", goal=0.5,
        size=f"batch {batch}, 128×128, {torch.get_num_threads()} threads", floor="the peak 1.00×",
    ).say()  # fmt: skip


def main() -> None:
    pick_device("cpu")
    for work in WORKS:
        compare_sides(work)
    subprocess.run(python(__file__, "peak"), check=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["peak"]:
        share_of_peak(3)
    elif len(sys.argv) == 4:
        (asked,) = [w for w in WORKS if (w.step, str(w.width)) == (sys.argv[1], sys.argv[3])]
        print(seconds_a_step(asked, SIDES[sys.argv[2]]))
    else:
        main()
