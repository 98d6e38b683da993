"""Training steps on the CPU against the naive eager step: NCHW, float32, torch's own dropout, Adam and memory.

Each side runs in a process of its own, since memory settings last; `python training_steps.py STEP SIDE WIDTH` prints
the seconds of one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from pairs import compare, python
from torch import nn

from sertools.config import NetConfig
from sertools.nets.classifiers import build_classifier
from sertools.nets.gan import Autoencoder, discriminator_from, generator_from
from sertools.training.optimisers import Adam
from sertools.training.runtime import pick_device, place

SHAPE, N_CLASSES, BATCH, N_STEPS = (128, 128), 4, 32, 5
CPU = torch.device("cpu")


def naive(net: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Replace our dropout by torch's."""
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Dropout(child.p))
    return net, torch.optim.Adam(net.parameters(), 1e-4, (0.5, 0.999))


def ours(net: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    net = place(net, CPU)
    return net, Adam(net.parameters(), 1e-4, (0.5, 0.999))


def seconds_a_step(step: str, side: str, width: float) -> float:
    prepare = {"naive": naive, "ours": ours}[side]
    if side == "ours":
        pick_device("cpu")
    torch.manual_seed(0)
    config = NetConfig(width=width)
    x, labels = torch.rand(BATCH, 1, *SHAPE) * 2 - 1, torch.randint(N_CLASSES, (BATCH,))
    if step == "autoencoder":
        net, adam = prepare(Autoencoder(SHAPE, config))

        def update() -> None:
            adam.zero_grad()
            F.mse_loss(net(x), x).backward()
            adam.step()

    elif step == "GAN":
        autoencoder = Autoencoder(SHAPE, config)
        g, adam_g = prepare(generator_from(autoencoder.decoder, SHAPE, config))
        d, adam_d = prepare(discriminator_from(autoencoder.encoder, SHAPE, N_CLASSES, config))

        def update() -> None:
            with torch.no_grad():
                fake = g(torch.randn(BATCH, config.latent_size))
            adam_d.zero_grad()
            F.cross_entropy(d(x), labels).backward()
            (F.cross_entropy(d(fake), torch.full_like(labels, N_CLASSES)) / N_CLASSES).backward()
            adam_d.step()
            adam_g.zero_grad()
            F.cross_entropy(d(g(torch.randn(BATCH, config.latent_size))), labels).backward()
            adam_g.step()

    else:
        clf, adam_c = prepare(build_classifier(step, SHAPE, N_CLASSES, width))

        def update() -> None:
            adam_c.zero_grad()
            F.cross_entropy(clf(x), labels).backward()
            adam_c.step()

    update()
    times = []
    for _ in range(N_STEPS):
        start = time.perf_counter()
        update()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main(pairs: int) -> None:
    for step, width, goal in (
        ("cnn", 1.0, 1.5),
        ("autoencoder", 1 / 8, 1.5),
        ("GAN", 1 / 8, 1.5),
        ("vgg19", 1 / 4, 1.5),
        ("autoencoder", 1.0, 1.5),
        ("GAN", 1.0, 1.5),
        ("vgg19", 1.0, 1.5),
    ):

        def measured(side: str, step: str = step, width: float = width) -> float:
            command = python(__file__, step, side, str(width))
            return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

        compare(
            lambda: measured("ours"),
            lambda: measured("naive"),
            pairs=pairs,
            what=f"{step} step, width {width:g}, float32",
            against="naive eager NCHW step",
            unit="speed",
            goal=goal,
            size=f"batch {BATCH}, 128×128, {torch.get_num_threads()} threads",
        ).say()


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(seconds_a_step(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
