"""What test_distributed starts with torchrun: gradients in float64 and short trainings, each left as a file.

Alone: ``python two_processes.py FOLDER OUT``; in two processes: ``python -m torch.distributed.run …``.
"""

import dataclasses
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from chains import AE, CLF, GAN, NET, classify, finetune, pretrain
from safetensors.torch import save_file

from sertools.errors import Followed
from sertools.nets.crnn import CRNN
from sertools.nets.gan import Autoencoder, Discriminator
from sertools.nets.vgg import VGG
from sertools.training.distributed import join, leads, parallel, spread
from sertools.training.runtime import place, seed_torch

# Odd, so that one process has a row more.
ROWS = 7
DROPPING = dataclasses.replace(NET, dropout=0.3)


def gradients(out: Path) -> None:
    """One batch through each kind of net, and two forwards of a discriminator before their gradients."""
    found = {}
    nets = {
        "ae": Autoencoder((32, 32), DROPPING),
        "d": Discriminator((32, 32), 4, DROPPING),
        "crnn": CRNN((32, 32), 4, 1 / 4),
        "vgg": VGG((32, 32), 4, 1 / 32, batch_norm=True),
    }
    for name, net in nets.items():
        seed_torch(0, name)
        for parameter in net.parameters():
            parameter.data = torch.randn(parameter.shape) / max(1.0, parameter[0].numel()) ** 0.5
        net = place(net.double(), torch.device("cpu")).train()
        trained = parallel(net)
        real, fake = torch.rand(2, ROWS, 1, 32, 32).double()
        labels = torch.arange(ROWS) % 4
        if name == "ae":
            loss = F.mse_loss(spread(trained, real), real)
        elif name == "d":
            loss = F.cross_entropy(spread(trained, real), labels)
            loss = loss + F.cross_entropy(spread(trained, fake), labels) / 4
        else:
            loss = F.cross_entropy(spread(trained, real), labels)
        loss.backward()
        found |= {f"{name}.grad.{key}": value.grad.contiguous() for key, value in net.named_parameters()}
        found |= {f"{name}.buffer.{key}": value.double() for key, value in net.named_buffers()}
        found[f"{name}.loss"] = loss.detach()
    if leads():
        save_file(found, out)


def trainings(folder: Path, out: Path) -> None:
    """An autoencoder, GANs and classifiers, as the verbs train them."""
    stores = [folder / "train.h5"]
    ae = dataclasses.replace(AE, net=DROPPING, batch_size=ROWS)
    mixed = dataclasses.replace(GAN, batches="mixed", batch_size=8)
    specs = dataclasses.replace(CLF, spec_augment="strong", mixup=0.3, loss="weighted", batch_size=ROWS)
    for train in (
        lambda: pretrain(stores, out / "ae", ae, folder / "val.h5"),
        lambda: finetune(folder / "ae", folder / "latents.h5", stores, out / "gan", GAN),
        lambda: finetune(folder / "ae", folder / "latents.h5", stores, out / "mixed", mixed),
        lambda: classify(stores, out / "cnn", specs, folder / "val.h5"),
        lambda: classify(stores, out / "crnn", dataclasses.replace(CLF, arch="crnn")),
        lambda: classify(stores, out / "vgg", dataclasses.replace(CLF, arch="vgg19", width=1 / 32)),
    ):
        try:
            train()
        except Followed:
            assert not leads()


if __name__ == "__main__":
    join("cpu")
    gradients(Path(sys.argv[2]) / "gradients")
    trainings(*map(Path, sys.argv[1:]))
