"""Pretraining of the autoencoder (§2.2, Autoencoder Training): MSE, Adam, no class knowledge.

Or no training at all: principal components, or vectors as they are. Every file says how its reconstruction compares
with principal components.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.architectures import LATENTS
from sertools.arrays import Index
from sertools.config import LARGEST_LATENT, AutoencoderConfig, NetConfig
from sertools.errors import StoreError, UsageError, one_of
from sertools.nets.autoencoders import AnyAutoencoder, build_autoencoder
from sertools.nets.gan import Autoencoder
from sertools.nets.linear import IdentityAutoencoder, LinearAutoencoder
from sertools.training.batches import Rows
from sertools.training.checkpoint import Header, load_model, prefixed, rebuild
from sertools.training.distributed import parallel, spread
from sertools.training.forecast import without_steps
from sertools.training.loop import Record, Run
from sertools.training.optimisers import Adam
from sertools.training.order import batch_indices
from sertools.training.pca import fit_pca
from sertools.training.reading import BatchReader
from sertools.training.runtime import place, seed_torch
from sertools.training.scaling import Scaler
from sertools.training.task import Task, open_task
from sertools.training.validated import ValidatedTrainer, Validation

KIND = "autoencoder"
_EVAL_ROWS = 1024  # of the training set, spread over it, where there is no validation set


def check_nets(net: NetConfig, rows: Rows) -> None:
    """Refuse nets for rows of the other kind, pictures or vectors.

    Raises
    ------
    UsageError
        Naming the option and what to give.
    """
    own, other, kind = ("dense", "conv", "vectors") if rows.are_vectors else ("conv", "dense", "pictures")
    if net.latent == other:
        raise UsageError(f"--latent {other}: the rows of {rows.name} are {kind}; give --latent {own}")
    if net.latent == own and rows.are_vectors and net.up == "upsample":
        raise UsageError(
            f"--up upsample, which --arch bagan has: enlarges pictures, and the rows of {rows.name} are vectors; "
            "give --up transposed"
        )


class AutoencoderTrainer(ValidatedTrainer[Autoencoder]):
    """The autoencoder, its optimiser, and the best weights so far where there is a validation set."""

    def __init__(self, task: Task, config: AutoencoderConfig) -> None:
        self.rows, self.run, scaler, device, val = task.rows, task.run, task.scaler, task.run.device, task.val
        order = partial(batch_indices, len(self.rows), config.batch_size, seed=self.run.seed)
        self.reader = BatchReader(self.rows, order, scaler, device)
        seed_torch(self.run.seed, KIND, "init")
        net = place(Autoencoder(self.rows.shape, config.net), device)
        optimiser = Adam(net.parameters(), lr=config.lr, betas=(config.beta1, config.beta2))
        score = None if val is None else lambda net: reconstruction_mse(net, val, scaler, device)
        super().__init__(net, optimiser, Validation("mse", False, score, config.validate_every, config.steps))
        self.parallel = parallel(net)

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update."""
        seed_torch(self.run.seed, KIND, step)
        _, x = self.reader.batch(step)
        self.net.train()
        self.optimiser.zero_grad()
        loss = F.mse_loss(spread(self.parallel, x, self.run.precision), x)
        loss.backward()
        self.optimiser.step()
        return {"mse": loss.detach(), **self.validate(step)}


def pretrain_autoencoder(
    train_paths: Sequence[Path], run: Run, config: AutoencoderConfig, val_path: Path | None = None
) -> Iterator[Record]:
    """Make an autoencoder of stores and write it to ``run.output``; labels are not looked at.

    Its reconstruction error and that of as many principal components go into the header's facts as `mse` and
    `pca_mse`, on the rows that `mse_rows` names. Without a validation store, `pca_mse` needs two rows per component:
    fewer rows would be reproduced almost exactly, however poor the components are.

    Parameters
    ----------
    config
        With `net.latent` ``pca``, the principal components are the autoencoder; with ``identity`` there is none, and
        latents are standardised vectors: there are no steps, and no draws.
    val_path
        A store to choose the weights on (lowest reconstruction error); without it the last ones are kept. Where there
        are no steps nothing is chosen, and it only measures.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    StoreError
        If the rows span fewer directions than a PCA is to have, or are pictures that were to be latents as they are.
    UsageError
        If there is no such kind of latents, or it is that of rows of the other kind.
    """
    one_of("--latent", config.net.latent, LATENTS)
    whole, latent, size = dataclasses.asdict(config), config.net.latent, config.net.latent_size
    # Nothing else of a preset's net is in what was not trained.
    own: dict[str, dict[str, object]] = {
        "pca": {"latent": latent, "latent_size": size},
        "identity": {"latent": latent},
    }
    task = open_task("pretrain-ae", own.get(latent, whole), run, train_paths, val_path, vectors=True)
    check_nets(config.net, task.rows)
    facts: dict[str, object] = {"n_rows": len(task.rows)}
    net: AnyAutoencoder
    if latent == "pca":
        work = f"make {size} principal components, if the rows span as many"
        without_steps(task.rows, work, run.output, run.log_path)
        net = _whole_pca(task, size)
    elif latent == "identity":
        size = _size_as_it_is(task.rows)
        without_steps(task.rows, "take the standardised values for latents", run.output, run.log_path)
        net = IdentityAutoencoder()
    else:
        trainer = AutoencoderTrainer(task, config)
        yield from task.train(trainer)
        facts |= trainer.facts()
        net = trainer.net
        net.load_state_dict(trainer.chosen())
    described = {"net": dataclasses.asdict(NetConfig(latent=latent, latent_size=size))} if latent in own else whole
    task.save(KIND, prefixed(net, ""), facts | _beside_pca(net, task), config=described)


def _whole_pca(task: Task, size: int) -> LinearAutoencoder:
    rows = task.rows
    net = fit_pca(rows, task.scaler, size)
    found = len(net.encoder.components)
    if found < size:
        remedy = f"give --latent-size {found} or less, or more rows" if found else "they are all alike"
        raise StoreError(
            f"{rows.name}: {len(rows.real)} real rows span {found} directions, but {size} components are wanted; "
            f"{remedy}"
        )
    return net


def _size_as_it_is(rows: Rows) -> int:
    """Length of latents that are the rows themselves."""
    size = math.prod(rows.shape)
    if rows.are_vectors and size <= LARGEST_LATENT:
        return size
    what = "" if rows.are_vectors else "pictures, "
    raise StoreError(
        f"{rows.name}: --latent identity is for vectors of up to {LARGEST_LATENT:,} values, and its rows are "
        f"{what}{size:,} each; give --latent pca"
    )


def _beside_pca(net: AnyAutoencoder, task: Task) -> dict[str, object]:
    """Measure the autoencoder and as many principal components on the same rows."""
    rows, val, scaler, device = task.rows, task.val, task.scaler, task.run.device
    judged = val or rows
    spread = np.linspace(0, len(rows.real) - 1, min(len(rows.real), _EVAL_ROWS)).astype(np.int64)
    index = np.arange(len(val)) if val else rows.real[spread]
    where = "validation" if val else "training"
    mse = reconstruction_mse(net, judged, scaler, device, index)
    facts: dict[str, object] = {"mse_rows": where, "mse": round(mse, 6)}
    if not isinstance(net, Autoencoder):
        return facts
    rival = fit_pca(rows, scaler, net.encoder.head.out_features)
    size = len(rival.encoder.components)
    if not val and size > len(rows.real) // 2:
        # So many directions draw the rows that they were fitted to almost as they are, and no others.
        return facts
    pca_mse = reconstruction_mse(place(rival, device), judged, scaler, device, index)
    return {**facts, "pca_mse": round(pca_mse, 6), "pca_size": size}


@torch.inference_mode()
def reconstruction_mse(
    net: AnyAutoencoder, rows: Rows, scaler: Scaler, device: torch.device, index: Index | None = None
) -> float:
    """Mean squared error of the reconstruction of some rows, or of all, in eval mode, as they are scaled."""
    net.eval()
    total = sum(float(F.mse_loss(net(x), x, reduction="sum")) for x in rows.evaluated(scaler, device, index))
    return total / ((len(rows) if index is None else len(index)) * math.prod(rows.shape))


@torch.inference_mode()
def encode(
    encoder: nn.Module, rows: Rows, scaler: Scaler, device: torch.device, index: Index | None = None
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Latents of all rows, or of those in `index`, in eval mode [shape=(N, latent_size)]."""
    encoder.eval()
    return np.concatenate([encoder(x).double().cpu().numpy() for x in rows.evaluated(scaler, device, index)])


def load_autoencoder(path: Path) -> tuple[Header, nn.Module, nn.Module]:
    """Read an autoencoder file: what it says of itself, its encoder and its decoder.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    header, tensors = load_model(path, KIND)
    net = rebuild(lambda: build_autoencoder(header.shape, header.net), tensors, "", path)
    return header, net.encoder, net.decoder
