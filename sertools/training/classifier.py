"""Training of the classifier on segments, and its posteriors (§3.2).

Every strategy gets the same number of updates, whatever its number of rows: balanced sets are larger, and would
train longer otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.arrays import Index, Pictures
from sertools.classifier_config import MLP, SPEC_AUGMENTS, ClassifierConfig
from sertools.errors import ModelError, UsageError
from sertools.fields import flag_of
from sertools.nets.classifiers import HALVING, LEAST_SIDE, build_classifier
from sertools.nets.devices import onto
from sertools.training.batches import EVALUATION_BATCH, Rows
from sertools.training.checkpoint import Header, load_model, rebuild
from sertools.training.cut_paste import cut_paste
from sertools.training.distributed import parallel, spread
from sertools.training.loop import Record, Run
from sertools.training.losses import implied_prior, make_loss
from sertools.training.mixup import mix
from sertools.training.optimisers import AdamW
from sertools.training.order import balanced_indices, batch_indices, class_counts, made_rows, natural_indices
from sertools.training.reading import BatchReader
from sertools.training.runtime import mixed_seed, place, seed_torch
from sertools.training.scaling import MinMax, Scaler
from sertools.training.spec_augment import spec_augment
from sertools.training.task import Task, open_task
from sertools.training.validated import ValidatedTrainer, Validation
from sertools.voting import utterance_uar

KIND = "classifier"
Posteriors = npt.NDArray[np.float64]


def learning_rate(step: int, config: ClassifierConfig) -> float:
    """Learning rate of a step: constant, or one cycle (Smith & Topin 2018) as a pure function of the step."""
    if config.schedule == "constant":
        return config.lr
    peak = 0.3 * config.steps
    if step < peak:
        share = 0.5 - 0.5 * math.cos(math.pi * step / peak)
        return config.lr * (0.04 + 0.96 * share)
    share = 0.5 + 0.5 * math.cos(math.pi * (step - peak) / max(1.0, config.steps - peak))
    return config.lr * max(1e-4, share)


class ClassifierTrainer(ValidatedTrainer[nn.Module]):
    """The classifier, its optimiser, and the best weights so far where there is a validation set."""

    def __init__(self, net: nn.Module, task: Task, config: ClassifierConfig) -> None:
        self.rows, self.scaler, self.run, self.config = task.rows, task.scaler, task.run, config
        rows, classes, device = self.rows, self.rows.classes(), self.run.device
        net = place(net, device)
        optimiser = AdamW(net.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        score = None
        if task.val:
            truth = task.val.labels(classes)
            score = partial(_uar, rows=task.val, truth=truth, scaler=self.scaler, device=device)
        super().__init__(net, optimiser, Validation("uar", True, score, config.validate_every, config.steps))
        self.parallel = parallel(net)
        self.labels = labels = rows.labels(classes)
        self._made = made_rows(rows, config)
        counts = class_counts(rows, labels, None if config.sampling == "balanced" else self._made)
        self.targets = torch.eye(len(counts), device=device)[torch.from_numpy(labels)]
        self.loss = make_loss(config, counts, device)
        drawn = np.ones(len(counts)) if config.sampling == "balanced" else counts
        self.prior = implied_prior(make_loss(config, counts, torch.device("cpu")), drawn)
        self.reader = BatchReader(rows, self._order, self.scaler, device)

    def _order(self, step: int) -> Index:
        config, seed, share = self.config, self.run.seed, self.config.synthetic_share or 0.0
        if config.sampling == "balanced":
            return balanced_indices(self.labels, config.batch_size, step, seed, self._made, share)
        if self._made is not None:
            return natural_indices(self.labels, config.batch_size, step, seed, self._made, share)
        return batch_indices(len(self.rows), config.batch_size, step, seed)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Pictures of a step [shape=(B, 1, n_mels, n_frames)] and their class shares [shape=(B, n_classes)]."""
        config, seed = self.config, self.run.seed
        index, x = self.reader.batch(step)
        targets = self.targets[onto(self.run.device, torch.from_numpy(index))]
        if config.cut_paste:
            x = cut_paste(x, self.labels[index], config.cut_paste, mixed_seed(seed, KIND, "cut-paste", step))
        if (sizes := SPEC_AUGMENTS[config.spec_augment]) and isinstance(self.scaler, MinMax):
            x = spec_augment(x, sizes, self.scaler.high_db - self.scaler.low_db)
        if config.mixup:
            x, targets = mix(x, targets, config.mixup, mixed_seed(seed, KIND, "mixup", step))
        return x, targets

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update."""
        seed_torch(self.run.seed, KIND, step)
        x, targets = self.batch(step)
        self.net.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, self.config)
        self.optimiser.zero_grad()
        logits = spread(self.parallel, x, self.run.precision)
        loss = self.loss(logits, targets)
        loss.backward()
        self.optimiser.step()
        # Of a mixed row, the class with the larger share counts.
        values = {"loss": loss.detach(), "accuracy": (logits.argmax(1) == targets.argmax(1)).float().mean()}
        return values | self.validate(step)


def train_classifier(
    train_paths: Sequence[Path],
    run: Run,
    config: ClassifierConfig,
    *,
    val_path: Path | None = None,
) -> Iterator[Record]:
    """Train a classifier on stores and write it to ``run.output``.

    Parameters
    ----------
    val_path
        A store to choose the weights on (highest UAR per utterance); without it the last ones are kept.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    StoreError
        If rows lack a label, or the stores do not go together.
    UsageError
        If the pictures are too small for the net.
    """
    task = open_task("train-clf", dataclasses.asdict(config), run, train_paths, val_path, vectors=True)
    rows, classes = task.rows, task.rows.classes()
    if (config.arch == MLP) != rows.are_vectors:
        kind, remedy = ("pictures", "a picture net") if config.arch == MLP else ("vectors", "--arch linear or mlp")
        raise UsageError(f"--arch {config.arch}: the rows of {rows.name} are {kind}; give {remedy}")
    for name, value in (("spec_augment", config.spec_augment != "none"), ("cut_paste", config.cut_paste)):
        if rows.are_vectors and value:
            raise UsageError(
                f"{flag_of(name)}: changes pictures, and the rows of {rows.name} are vectors; leave it out"
            )
    if config.arch in HALVING and min(rows.shape) < LEAST_SIDE:
        raise UsageError(f"--arch {config.arch}: needs pictures of at least 32×32, not {rows.shape}; use --arch cnn")
    seed_torch(run.seed, KIND, "init")
    net = build_classifier(config.arch, rows.shape, len(classes), config.width)
    trainer = ClassifierTrainer(net, task, config)
    yield from task.train(trainer)
    facts = {**facts_of(rows, classes, trainer.prior), **trainer.facts()}
    task.save(KIND, trainer.chosen(), facts, classes=classes)


def facts_of(rows: Rows, classes: Sequence[str], prior: npt.NDArray[np.float64]) -> dict[str, object]:
    """Say of a classifier how many rows it has learnt from, by origin, and what prior its training implied."""
    # Beyond the ninth decimal machines may differ.
    shares = dict(zip(classes, np.round(prior, 9).tolist(), strict=True))
    return {"n_train_rows": dict(Counter(rows.origin.tolist())), "prior": shares}


def _uar(net: nn.Module, rows: Rows, truth: Index, scaler: Scaler, device: torch.device) -> float:
    found = posteriors(net, rows, scaler, device)
    # The loop reports it, as it does a loss.
    return utterance_uar(truth, found, rows.utterance) if np.isfinite(found).all() else math.nan


@torch.inference_mode()
def posteriors(net: nn.Module, rows: Rows, scaler: Scaler, device: torch.device) -> Posteriors:
    """Class posteriors of all rows, in eval mode [shape=(N, n_classes)]."""
    net.eval()
    return np.concatenate([_softmax(net, x) for x in rows.evaluated(scaler, device)])


@torch.inference_mode()
def posteriors_of(net: nn.Module, pictures: Pictures, scaler: Scaler, device: torch.device) -> Posteriors:
    """Class posteriors of rows that are in no store [shape=(n, n_classes)]; `net` is in eval mode."""
    said = []
    for first in range(0, len(pictures), EVALUATION_BATCH):
        scaled = torch.from_numpy(scaler.scale(pictures[first : first + EVALUATION_BATCH]))
        x = scaled[:, None] if isinstance(scaler, MinMax) else scaled
        said.append(_softmax(net, onto(device, x)))
    return np.concatenate(said)


def _softmax(net: nn.Module, x: Tensor) -> Posteriors:
    found: Posteriors = F.softmax(net(x).double(), dim=1).cpu().numpy()
    return found


def load_classifier(path: Path) -> tuple[Header, nn.Module]:
    """Read a classifier file, in eval mode.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    header, tensors = load_model(path, KIND)
    rows, updates = (header.facts.get(name) for name in ("n_train_rows", "updates"))
    counts = rows.values() if isinstance(rows, dict) else [None]
    prior = header.facts.get("prior")  # none in files of earlier versions
    shares = prior.values() if isinstance(prior, dict) and prior.keys() == set(header.classes) else [prior]
    sound = prior is None or all(type(share) is float and 0 < share <= 1 for share in shares)
    if not sound or not all(type(n) is int for n in (*counts, updates)):
        raise ModelError(f"{path}: damaged header (facts are missing); train it again, or restore a copy")

    def build() -> nn.Module:
        return build_classifier(
            header.config["arch"], header.shape, len(header.classes), header.config.get("width", 1.0)
        )

    return header, rebuild(build, tensors, "", path).eval()


@torch.inference_mode()
def features(
    net: nn.Module, rows: Rows, index: Index, scaler: Scaler, device: torch.device
) -> tuple[npt.NDArray[np.float64], Posteriors]:
    """What goes into the last layer [shape=(n, n_features)], and the class posteriors, of the rows at `index`.

    Into a classifier that is one layer go the rows themselves; what comes out, the logits, stands for its features.
    """
    last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    seen: list[Tensor] = []
    hook = last.register_forward_hook(lambda _, inputs, output: seen.append(output if last is net else inputs[0]))
    net.eval()
    said = [_softmax(net, x) for x in rows.evaluated(scaler, device, index)]
    hook.remove()
    return torch.cat(seen).double().cpu().numpy(), np.concatenate(said)
