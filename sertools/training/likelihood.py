"""Generators that are trained at once, without an autoencoder before them: a conditional VAE, a diffusion model.

Both are nets that know their own loss, so one trainer does for both; their files are used like a GAN's.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sertools.arrays import Index, Shape, net_shape
from sertools.classifier_config import SpecAugment
from sertools.config import NetConfig
from sertools.errors import SertoolsWarning, StoreError, UsageError
from sertools.generator_config import (
    CVAE,
    DIFFUSION,
    FEWEST_ROWS,
    CvaeConfig,
    CycleGanConfig,
    DiffusionConfig,
    GeneratorConfig,
)
from sertools.nets.cvae import Cvae
from sertools.nets.devices import onto
from sertools.nets.edm import Edm
from sertools.processes import check_alone
from sertools.training.batches import EVALUATION_BATCH, Rows
from sertools.training.calibration import calibrate
from sertools.training.checkpoint import Header, load_header, load_model, prefixed, rebuild
from sertools.training.drawing import BLOCK, Drawn, without_channel
from sertools.training.ema import Average
from sertools.training.health import GeneratorWatch
from sertools.training.loop import Health, Record, Run
from sertools.training.optimisers import Adam
from sertools.training.order import balanced_indices, batch_indices
from sertools.training.runtime import computing, mixed_seed, place, seed_torch
from sertools.training.scaling import MinMax, Scaler
from sertools.training.spec_augment import N_MOVES, told_augment
from sertools.training.task import Task, open_task
from sertools.training.validated import ValidatedTrainer, Validation
from sertools.training.vitals import MEASURE_EVERY, norm

GeneratorNet = Cvae | Edm
BY_HEART = 30  # rows of a class, below which a net can hold them all; `score` refuses fewer too
# No masks: what is learnt from would have them, too.
FEW_MOVES = SpecAugment(0, time_mask=0.0, frequency_mask=0.0, time_shift=3 / 64, frequency_shift=1 / 64)
_TOLD = "net.unet.moves."
_EVAL_DRAWS = 4  # noise levels, or latents, of each validation row
_CALIBRATION_BATCHES = 32


class GeneratorTrainer(ValidatedTrainer[GeneratorNet]):
    """The net, its optimiser, the average of its weights, and the best average where there is a validation set."""

    def __init__(self, net: GeneratorNet, task: Task, config: GeneratorConfig) -> None:
        self.rows, self.scaler, self.run, self.config = task.rows, task.scaler, task.run, config
        net = place(net, self.run.device)
        self._first = [p.detach().clone() for p in net.parameters()]
        classes = self.rows.classes()
        score = None
        if task.val:
            labels = task.val.labels(classes)
            score = partial(held_out_loss, rows=task.val, labels=labels, scaler=self.scaler, run=self.run)
        adam = Adam(net.parameters(), lr=config.lr, betas=(0.9, 0.999))
        how = Validation("loss", False, score, config.validate_every, config.steps)
        super().__init__(net, adam, how, Average(net, config.ema))
        self.labels = self.rows.labels(classes)
        self._classes = torch.from_numpy(self.labels).to(self.run.device)

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update."""
        config, run = self.config, self.run
        seed_torch(run.seed, "generator", step)
        if config.sampling == "balanced":
            index = balanced_indices(self.labels, config.batch_size, step, run.seed)
        else:
            index = batch_indices(len(self.rows), config.batch_size, step, run.seed)
        x, moves = self.rows.tensor(index, self.scaler, run.device), None
        if config.augment and isinstance(self.scaler, MinMax):
            x, moves = told_augment(x, FEW_MOVES, self.scaler.high_db - self.scaler.low_db)
        self.net.train()
        self.optimiser.zero_grad()
        with computing(self.run.precision, self.run.device):
            labels = self._classes[onto(run.device, torch.from_numpy(index))]
            losses = self.net.losses(x, labels, step / config.steps, moves)
        losses["loss"].backward()
        self.optimiser.step()
        if self.average:
            self.average.update(step)
        return {name: value.detach() for name, value in losses.items()} | self.validate(step)

    def measure(self) -> dict[str, float]:
        """Norm of the last gradient, and how far the weights are from the first ones."""
        weights = list(self.net.parameters())
        moved = [p.detach() - first for p, first in zip(weights, self._first, strict=True)]
        return {
            "grad_norm": norm([p.grad for p in weights if p.grad is not None]),
            "weight_change": norm(moved) / norm(self._first),
        }


@torch.no_grad()
def held_out_loss(net: GeneratorNet, rows: Rows, labels: Index, scaler: Scaler, run: Run) -> float:
    """Mean loss of a net on rows that it does not learn from, with the same noise whenever it is asked."""
    seed_torch(run.seed, "generator", "validation")
    net.eval()
    total = 0.0
    for first in range(0, _EVAL_DRAWS * len(rows), EVALUATION_BATCH):
        index = np.arange(first, min(first + EVALUATION_BATCH, _EVAL_DRAWS * len(rows))) % len(rows)
        x = rows.tensor(index, scaler, run.device)
        total += len(index) * float(net.losses(x, torch.from_numpy(labels[index]).to(run.device), 1.0)["loss"])
    return total / (_EVAL_DRAWS * len(rows))


def train_generator(
    train_paths: Sequence[Path], run: Run, config: GeneratorConfig, val_path: Path | None = None
) -> Iterator[Record]:
    """Train a generator on stores and write it to ``run.output``.

    Parameters
    ----------
    val_path
        A store to choose the weights on (lowest loss); without it the last average is kept. A model that learns
        its rows by heart has a rising loss there.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    StoreError
        If a row has no label, there are fewer than two classes, or one of them has fewer than two rows.
    UsageError
        If this is one of several processes, which do not share the steps; or if vectors are to be shifted.
    """
    check_alone("train-generator")
    kind = CVAE if isinstance(config, CvaeConfig) else DIFFUSION
    described = dataclasses.asdict(config)
    task = open_task("train-generator", {"kind": kind, **described}, run, train_paths, val_path, vectors=True)
    check_augment(task.rows, config)
    rows, classes = task.rows, task.rows.classes()
    check_counts(rows, classes)
    seed_torch(run.seed, "generator", "init")
    net = _build(rows.shape, len(classes), config)
    if isinstance(net, Edm):
        net.centre(*_mean_and_sd(rows, task.scaler))
    trainer = GeneratorTrainer(net, task, config)
    yield from task.train(trainer, Health(GeneratorWatch(), dict, trainer.measure, MEASURE_EVERY))
    net = trainer.judged
    net.load_state_dict(trainer.chosen())
    if isinstance(net, Cvae):
        # The decoder has seen latents of real rows in batches; from now on it sees the prior's.
        calibrate(net.decoder, net, _CALIBRATION_BATCHES, run.seed)
    facts = {"n_rows": len(rows), **trainer.facts()}
    # What is told of altered rows is of use to a training alone, and not kept.
    tensors = {name: value for name, value in prefixed(net, "net.").items() if not name.startswith(_TOLD)}
    task.save(kind, tensors, facts, classes=classes, config=described)


def _build(shape: Shape, n_classes: int, config: GeneratorConfig) -> GeneratorNet:
    if isinstance(config, CvaeConfig):
        return Cvae(shape, n_classes, config)
    return Edm(shape, n_classes, config, N_MOVES if config.augment else 0)


def check_augment(rows: Rows, config: GeneratorConfig | CycleGanConfig) -> None:
    """Refuse to shift vectors."""
    if rows.are_vectors and config.augment:
        raise UsageError(
            f"--augment: shifts and gains are of pictures, and the rows of {rows.name} are vectors; leave it out"
        )


def check_counts(rows: Rows, classes: Sequence[str]) -> None:
    """Refuse a class of fewer rows than a generator can learn from, and warn of those that it can learn by heart."""
    counts = np.bincount(rows.labels(classes))
    for name, count in zip(classes, counts.tolist(), strict=True):
        if count < FEWEST_ROWS:
            raise StoreError(
                f"{rows.name}: class {name!r} has {count} row, and a generator needs {FEWEST_ROWS} at the least; "
                f"{BY_HEART} or more are wise"
            )
    few = [f"{name} ({count})" for name, count in zip(classes, counts.tolist(), strict=True) if count < BY_HEART]
    if few:
        warnings.warn(
            f"{rows.name}: fewer than {BY_HEART} rows of {', '.join(few)}, which a net can learn by heart; look for "
            "copies with `score`, and give --val",
            SertoolsWarning,
            stacklevel=4,
        )


def _mean_and_sd(rows: Rows, scaler: Scaler) -> tuple[Tensor, Tensor]:
    """Mean row [shape=(1, *net_shape)], and the values' standard deviation from it."""
    total, squares = np.zeros(rows.shape), 0.0
    for block in rows.blocks(np.arange(len(rows))):
        scaled = scaler.scale(block).astype(np.float64)
        total += scaled.sum(axis=0)
        squares += float(np.square(scaled).sum())
    mean = total / len(rows)
    variance = squares / (len(rows) * mean.size) - float(np.square(mean).mean())
    # Rows that are all alike leave nothing to scale by.
    return torch.from_numpy(mean).float().view(1, *net_shape(rows.shape)), torch.tensor(max(variance, 1e-4) ** 0.5)


class FromNoise:
    """Makes rows of noise by a diffusion model."""

    def __init__(self, net: Edm, device: torch.device, guidance: float, n_steps: int) -> None:
        self._net, self._device, self._guidance, self._n_steps = net, device, guidance, n_steps

    def blocks(self, number: int, count: int, seed: int) -> Iterator[Drawn]:
        """Make `count` rows of class `number`."""
        rng = np.random.default_rng(mixed_seed(seed, "diffusion", number))
        for first in range(0, count, BLOCK):
            size = min(BLOCK, count - first)
            noise = torch.from_numpy(rng.standard_normal((size, *net_shape(self._net.shape)), dtype=np.float32))
            labels = torch.full((size,), number)
            made = self._net.sample(
                noise.to(self._device), labels.to(self._device), guidance=self._guidance, n_steps=self._n_steps
            )
            yield Drawn(without_channel(made))


def load_net(path: Path) -> tuple[Header, GeneratorNet]:
    """Read a generator that knows its own loss, in eval mode.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    header, tensors = load_model(path, load_header(path, CVAE, DIFFUSION).kind)
    build: Callable[[], GeneratorNet] = partial(_rebuilt, header)
    return header, rebuild(build, tensors, "net.", path).eval()


def _rebuilt(header: Header) -> GeneratorNet:
    config: dict[str, Any] = dict(header.config)
    if header.kind == CVAE:
        return Cvae(header.shape, len(header.classes), CvaeConfig(**{**config, "net": NetConfig(**config["net"])}))
    return Edm(header.shape, len(header.classes), DiffusionConfig(**config))
