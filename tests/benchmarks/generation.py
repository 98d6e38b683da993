"""Rows a second of the generator, ready for `generate`, against the net as it was trained: eager, NCHW, float32."""

from __future__ import annotations

import sys
import time

import torch
from pairs import compare
from training_steps import flops_of_convolutions, peak_of_convolutions

from sertools.config import NetConfig
from sertools.nets.folding import folded
from sertools.nets.gan import Generator
from sertools.training.runtime import pick_device, place

SHAPE, BATCH = (128, 128), 64
GOAL = 5.0


def main(pairs: int) -> None:
    device = pick_device("cpu")
    for width, n_batches in ((1 / 8, 6), (1.0, 1)):
        torch.manual_seed(0)
        eager = Generator(SHAPE, NetConfig(width=width)).eval()
        fast = place(folded(eager), device)
        z = torch.randn(BATCH, 100)

        @torch.inference_mode()
        def seconds(net: torch.nn.Module, z: torch.Tensor = z, n_batches: int = n_batches) -> float:
            start = time.perf_counter()
            for _ in range(n_batches):
                net(z)
            return time.perf_counter() - start

        flops = flops_of_convolutions(lambda fast=fast: seconds(fast))
        seconds(fast), seconds(eager)
        compare(
            lambda fast=fast: seconds(fast),
            lambda eager=eager: seconds(eager),
            pairs=pairs,
            what=f"generation, width {width:g}, float32",
            against="the trained net, eager, NCHW",
            unit="speed",
            goal=GOAL,
            size=f"batches of {BATCH}, 128×128, {torch.get_num_threads()} threads",
            floor="convolutions alone, at the peak",
            bound=lambda flops=flops: flops / peak_of_convolutions("float32"),
        ).say()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
