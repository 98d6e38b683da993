"""Without a GPU: in a training step nothing passes between the CPU and the device but the copies that never wait.

torch's meta device stands for the GPU. It has shapes and no values, so asking for a value is an error, and what mixes
it with the CPU shows. What CUDA itself would wait for, `test_gpu_steps` finds.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chains import AE, CLF, NET, noise, write_rows
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sertools.config import GanConfig
from sertools.generator_config import CvaeConfig, CycleGanConfig, DiffusionConfig
from sertools.nets.classifiers import build_classifier
from sertools.nets.conditional import ToldGenerator
from sertools.nets.cvae import Cvae
from sertools.nets.cyclegan import CycleGan
from sertools.nets.edm import Edm
from sertools.nets.gan import Autoencoder, discriminator_from, generator_from
from sertools.training import adversarial, autoencoder, classifier, cycle, distributed, likelihood
from sertools.training.batches import Rows, open_rows
from sertools.training.calibration import LatentSampler, ToldSampler
from sertools.training.gaussians import ClassGaussians
from sertools.training.loop import Run
from sertools.training.task import Task

DEVICE = torch.device("meta")
CLASSES = ("a", "b", "c")
# Where a copy is pinned first: `onto`, and a batch that was read ahead.
PINNED = {("devices.py", "onto"), ("reading.py", "batch")}


class Crossings(TorchDispatchMode):
    """Notes every operation that sees both the CPU and the device, and counts the copies from pinned memory."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []
        self.n_pinned = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = (leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor))
        if {tensor.device.type for tensor in tensors} == {"cpu", "meta"}:
            frames = list(own_frames())
            if func is torch.ops.aten._to_copy.default and frames[0][:2] in PINNED:
                self.n_pinned += 1
            else:
                self.waiting.append(f"{func} at {frames[0]}")
        return out


def own_frames() -> Iterator[tuple[str, str, int]]:
    """File, function and line of the package's own calls, the last one first."""
    frame = sys._getframe(1)
    while frame := frame.f_back:
        path = Path(frame.f_code.co_filename)
        if "sertools" in path.parts[-3:]:
            yield path.name, frame.f_code.co_name, frame.f_lineno


class WithoutSteps:
    """Stands for Adam, whose one kernel the meta device lacks."""

    def __init__(self, parameters: Any, **rates: Any) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters)}]

    def zero_grad(self) -> None:
        pass

    def step(self) -> None:
        pass


@pytest.fixture
def rows(rng: Any, tmp_path: Path, monkeypatch: Any) -> Rows:
    monkeypatch.setattr(classifier, "AdamW", WithoutSteps)
    for module in (autoencoder, adversarial, likelihood, cycle):
        monkeypatch.setattr(module, "Adam", WithoutSteps)
    for module in (distributed, likelihood, cycle):
        # There is no autocast to this device.
        monkeypatch.setattr(module, "computing", lambda precision, device: contextlib.nullcontext())
    return open_rows([write_rows(tmp_path / "s.h5", noise(rng, 24), list(CLASSES) * 8)])


def trainer_of(kind: str, rows: Rows, run: Run) -> Any:
    task = Task(kind, {}, run, rows)
    if kind == "autoencoder":
        return autoencoder.AutoencoderTrainer(task, AE)
    if kind == "classifier":
        config = dataclasses.replace(CLF, loss="focal", mixup=0.2, spec_augment="weak", sampling="balanced")
        net = build_classifier(config.arch, rows.shape, len(CLASSES), config.width)
        return classifier.ClassifierTrainer(net, task, config)
    if kind in ("gan", "told-gan"):
        told = kind == "told-gan"
        conditions = {"condition_g": "batch-norm", "condition_d": "projection"} if told else {}
        config = GanConfig(batch_size=8, sn=True, r1=1.0, ema=0.9, **conditions)
        net = Autoencoder(rows.shape, NET)
        unit = np.stack([np.eye(NET.latent_size)] * len(CLASSES))
        generator = generator_from(net.decoder, rows.shape, NET)
        return adversarial.GanTrainer(
            ToldGenerator(generator, len(CLASSES)) if told else generator,
            discriminator_from(
                net.encoder, rows.shape, len(CLASSES), NET, norm=False, spectral=True, projection=told
            ),
            (ToldSampler if told else LatentSampler)(ClassGaussians(CLASSES, unit[:, 0], unit, (8, 8, 8)), DEVICE),
            task,
            config,
        )
    if kind == "cyclegan":
        config = CycleGanConfig(width=1 / 16, batch_size=8)
        return cycle.CycleTrainer(CycleGan(rows.shape, len(CLASSES), config), task, config)
    if kind == "cvae":
        config = CvaeConfig(net=NET, batch_size=8)
        net = Cvae(rows.shape, len(CLASSES), config)
    else:
        config = DiffusionConfig(width=1 / 8, batch_size=8)
        net = Edm(rows.shape, len(CLASSES), config)
    return likelihood.GeneratorTrainer(net, task, config)


@pytest.mark.parametrize("stay", [True, False], ids=["resident", "read"])
@pytest.mark.parametrize("kind", ["autoencoder", "classifier", "gan", "told-gan", "cvae", "diffusion", "cyclegan"])
def test_only_pinned_copies_reach_the_device(kind, stay, rows, tmp_path, monkeypatch):
    if not stay:
        monkeypatch.setattr(rows, "stay", lambda scaler, device: False)
    trainer = trainer_of(kind, rows, Run(tmp_path / "out", device=DEVICE))
    trainer.step(0)
    with Crossings() as crossings:
        losses = trainer.step(1)
    assert {value.device for value in losses.values()} == {DEVICE}
    assert crossings.waiting == []
    assert crossings.n_pinned > 0
