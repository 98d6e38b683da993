"""Training of a CycleGAN that is told the wanted class (Zhu et al. 2017; `nets.cyclegan`).

A batch has a row of the wanted class and one of another for every place; the classes take turns at being wanted, and
at being another. The generators step first, then the critics on what these made, as the original does; its store of
fifty made rows is left out, for a resumed run would have to keep it. The rate is steady for half of the steps, and
goes down to 0. Of what is learnt a file keeps one generator, the running average of the one to the wanted class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sertools.arrays import FloatArray, Index
from sertools.errors import StoreError
from sertools.generator_config import CYCLEGAN, CycleGanConfig
from sertools.metrics import auc_against_rest
from sertools.nets.cyclegan import CycleGan, RowTranslator
from sertools.nets.devices import onto
from sertools.processes import check_alone
from sertools.training.batches import EVALUATION_BATCH
from sertools.training.checkpoint import Header, load_model, prefixed, rebuild
from sertools.training.ema import Average
from sertools.training.health import D_AUC, D_AUC_ROWS, CycleWatch
from sertools.training.likelihood import FEW_MOVES, check_augment, check_counts
from sertools.training.loop import Health, Record, Run
from sertools.training.optimisers import Adam
from sertools.training.order import balanced_indices, batch_indices
from sertools.training.runtime import computing, mixed_seed, place, seed_torch
from sertools.training.scaling import MinMax
from sertools.training.spec_augment import told_augment
from sertools.training.task import Task, open_task
from sertools.training.validated import Resumable
from sertools.training.vitals import MEASURE_EVERY, norm

_ROWS_A_CLASS = 16  # that are measured; each goes through the nets as every class


class CycleTrainer(Resumable):
    """Generators, critics, their optimisers, and the average of the generator that is kept."""

    def __init__(self, net: CycleGan, task: Task, config: CycleGanConfig) -> None:
        self.rows, self.scaler, self.run, self.config = task.rows, task.scaler, task.run, config
        self.net = place(net, self.run.device)
        self.labels = self.rows.labels(self.rows.classes())
        self._shares = 1.0 / np.bincount(self.labels)[self.labels]
        betas = (config.beta1, 0.999)
        self.generators, self.critics = (
            [*one.parameters(), *other.parameters()]
            for one, other in ((net.generator, net.back), (net.critic, net.back_critic))
        )
        self.adam_g, self.adam_d = (Adam(own, lr=config.lr, betas=betas) for own in (self.generators, self.critics))
        self.average = Average(net.generator, config.ema)
        nets = {"net": self.net, "average": self.average.net}
        super().__init__(nets, {"adam_g": self.adam_g, "adam_d": self.adam_d})

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update of the generators, then one of the critics."""
        net, run = self.net, self.run
        seed_torch(run.seed, CYCLEGAN, step)
        wanted, others = self._drawn(step)
        y, x = self._tensor(wanted), self._tensor(others)
        labels = onto(run.device, torch.from_numpy(self.labels[wanted]))
        self._slow_down(step)
        for parameter in self.critics:
            parameter.requires_grad_(False)
        self.adam_g.zero_grad()
        with computing(run.precision, run.device):
            losses, made_y, made_x = net.generator_losses(x, y, labels)
        losses["loss"].backward()
        self.adam_g.step()
        for parameter in self.critics:
            parameter.requires_grad_(True)
        self.adam_d.zero_grad()
        with computing(run.precision, run.device):
            judged = net.critic_losses(x, y, made_y, made_x, labels)
        sum(judged.values(), torch.zeros((), device=run.device)).backward()
        self.adam_d.step()
        self.average.update(step)
        return {name: value.detach() for name, value in (losses | judged).items()}

    def _drawn(self, step: int) -> tuple[Index, Index]:
        """Rows of the wanted classes, and a row of another class for each: every other class equally often."""
        config, seed = self.config, self.run.seed
        if config.sampling == "balanced":
            wanted = balanced_indices(self.labels, config.batch_size, step, seed)
        else:
            wanted = batch_indices(len(self.labels), config.batch_size, step, seed)
        rng = np.random.default_rng(mixed_seed(seed, CYCLEGAN, "others", step))
        others = np.empty_like(wanted)
        for number in np.unique(self.labels[wanted]):
            here = self.labels[wanted] == number
            shares = np.where(self.labels == number, 0.0, self._shares)
            others[here] = rng.choice(len(shares), size=int(here.sum()), p=shares / shares.sum())
        return wanted, others

    def _tensor(self, index: Index) -> Tensor:
        x = self.rows.tensor(index, self.scaler, self.run.device)
        if self.config.augment and isinstance(self.scaler, MinMax):
            x, _ = told_augment(x, FEW_MOVES, self.scaler.high_db - self.scaler.low_db)
        return x

    def _slow_down(self, step: int) -> None:
        left = 1.0 - step / self.config.steps
        rate = self.config.lr * min(1.0, left / (1.0 - self.config.steady))
        for optimiser in (self.adam_g, self.adam_d):
            for group in optimiser.param_groups:
                group["lr"] = rate

    def gradients(self) -> dict[str, float]:
        """Norms of the last step's gradients."""
        return {
            f"grad_norm_{letter}": norm([p.grad for p in parameters if p.grad is not None])
            for letter, parameters in (("g", self.generators), ("d", self.critics))
        }


class _Look:
    """Measures critic and kept generator on real rows: those of the validation store, or of training without one.

    Raises
    ------
    StoreError
        If there are none of two classes.
    """

    def __init__(self, trainer: CycleTrainer, task: Task) -> None:
        rows = task.val or task.rows
        self._trainer, self.where = trainer, "validation" if task.val else "training"
        classes = task.rows.classes()
        drawn, labels = np.random.default_rng(task.run.seed).permutation(rows.real), rows.labels(classes)
        if len(np.unique(labels[drawn])) < 2:
            raise StoreError(
                f"{rows.name}: the critic is measured on recorded rows of two classes at least; give more"
            )
        index = np.concatenate([drawn[labels[drawn] == n][:_ROWS_A_CLASS] for n in range(len(classes))])
        self._labels, self._n_classes = labels[index], len(classes)
        parts = np.array_split(index, -(-len(index) // EVALUATION_BATCH))
        self._batches = [rows.tensor(part, task.scaler, task.run.device) for part in parts]

    def start(self) -> dict[str, float]:
        """Return the mean distance per value between two real rows, which a way there and back should not exceed."""
        flat = torch.cat(self._batches).flatten(1)
        return {"pairwise_real": float((flat - flat.roll(1, 0)).abs().mean()), **self.measure()}

    def measure(self) -> dict[str, float]:
        """Return ``d_auc``, of others as they are; ``moved``, mean |change| of all rows to all classes per value."""
        return {D_AUC: self._auc(moved=False), "moved": self._moved()}

    def facts(self) -> dict[str, object]:
        """Return ``d_auc``; ``d_auc_now``, that of others as the generator moves them; ``d_auc_rows``, which rows."""
        found = {**self.measure(), "d_auc_now": self._auc(moved=True)}
        return {**{name: round(value, 4) for name, value in found.items()}, D_AUC_ROWS: self.where}

    @torch.no_grad()
    def _auc(self, *, moved: bool) -> float:
        """Mean over the classes that have rows here."""
        found = []
        for number in range(self._n_classes):
            own = self._labels == number
            if not own.any():
                continue
            scores = self._scores(self._batches, number)
            if moved:
                others = self._scores([self._made(x, number) for x in self._batches], number)[~own]
            else:
                others = scores[~own]
            mine = scores[own]
            found.append(auc_against_rest(np.r_[mine, others], np.arange(len(own)) < len(mine)))
        return float(np.mean(found))

    def _scores(self, batches: Sequence[Tensor], number: int) -> FloatArray:
        scores = [self._trainer.net.critic(x, self._told(x, number)).mean(dim=1) for x in batches]
        return torch.cat(scores).double().cpu().numpy()

    def _made(self, x: Tensor, number: int) -> Tensor:
        made: Tensor = self._trainer.average.net(x, self._told(x, number))
        return made

    @staticmethod
    def _told(x: Tensor, number: int) -> Tensor:
        return torch.full((len(x),), number, device=x.device)

    @torch.no_grad()
    def _moved(self) -> float:
        changes = [
            (self._made(x, number) - x).abs().mean() for number in range(self._n_classes) for x in self._batches
        ]
        return float(torch.stack(changes).mean())


def train_cyclegan(
    train_paths: Sequence[Path], run: Run, config: CycleGanConfig, val_path: Path | None = None
) -> Iterator[Record]:
    """Train a CycleGAN on stores and write its generator to ``run.output``.

    Parameters
    ----------
    val_path
        A store to measure the critic on; without it training rows serve. Nothing is chosen on it, but its utterances
        count as chosen on.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    StoreError
        If a row has no label, there are fewer than two classes, one of them has fewer than two rows, or the critic
        cannot be measured.
    UsageError
        If this is one of several processes, which do not share the steps; or if vectors are to be shifted.
    """
    check_alone("train-generator")
    described = dataclasses.asdict(config)
    task = open_task("train-generator", {"kind": CYCLEGAN, **described}, run, train_paths, val_path, vectors=True)
    rows, classes = task.rows, task.rows.classes()
    check_augment(rows, config)
    check_counts(rows, classes)
    seed_torch(run.seed, CYCLEGAN, "init")
    trainer = CycleTrainer(CycleGan(rows.shape, len(classes), config), task, config)
    look = _Look(trainer, task)
    health = Health(CycleWatch(), look.start, lambda: {**trainer.gradients(), **look.measure()}, MEASURE_EVERY)
    yield from task.train(trainer, health)
    facts: Mapping[str, object] = {"n_rows": len(rows), **look.facts()}
    task.save(CYCLEGAN, prefixed(trainer.average.net, "net."), facts, classes=classes, config=described)


def load_translator(path: Path) -> tuple[Header, RowTranslator]:
    """Read the generator of a CycleGAN, in eval mode.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    header, tensors = load_model(path, CYCLEGAN)
    build: Callable[[], RowTranslator] = partial(_rebuilt, header)
    return header, rebuild(build, tensors, "net.", path).eval()


def _rebuilt(header: Header) -> RowTranslator:
    return RowTranslator(header.shape, len(header.classes), CycleGanConfig(**dict(header.config)).width)
