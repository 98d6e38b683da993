"""Pretraining of the autoencoder (§2.2, Autoencoder Training): MSE, Adam, no class knowledge."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sertools.config import AutoencoderConfig
from sertools.nets.gan import Autoencoder, Encoder, Generator
from sertools.provenance import history_line, join_histories, refuse_clobber
from sertools.store.format import same_front_end
from sertools.store.lineage import check_unseen
from sertools.training.batches import Index, Rows, batch_indices, open_rows
from sertools.training.checkpoint import Header, load_model, rebuild, save_model
from sertools.training.loop import Record, Run, train
from sertools.training.optimisers import Adam
from sertools.training.runtime import place, seed_torch
from sertools.training.scaling import Scaler
from sertools.training.validated import ValidatedTrainer, Validation

KIND = "autoencoder"
_EVAL_BATCH = 64


class AutoencoderTrainer(ValidatedTrainer[Autoencoder]):
    """The autoencoder, its optimiser, and the best weights so far where there is a validation set."""

    def __init__(self, rows: Rows, val: Rows | None, config: AutoencoderConfig, scaler: Scaler, run: Run) -> None:
        self.rows, self.config, self.scaler, self.run = rows, config, scaler, run
        seed_torch(run.seed, KIND, "init")
        net = place(Autoencoder(rows.shape, config.net), run.device)
        optimiser = Adam(net.parameters(), lr=config.lr, betas=(config.beta1, config.beta2))
        score = None if val is None else lambda net: reconstruction_mse(net, val, scaler, run.device)
        super().__init__(net, optimiser, Validation("mse", False, score, config.validate_every, config.steps))

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update."""
        seed_torch(self.run.seed, KIND, step)
        index = batch_indices(len(self.rows), self.config.batch_size, step, self.run.seed)
        x = self.rows.tensor(index, self.scaler, self.run.device)
        self.net.train()
        self.optimiser.zero_grad()
        loss = F.mse_loss(self.net(x), x)
        loss.backward()
        self.optimiser.step()
        return {"mse": loss.detach(), **self.validate(step)}


def pretrain_autoencoder(
    train_paths: Sequence[Path], run: Run, config: AutoencoderConfig, val_path: Path | None = None
) -> Iterator[Record]:
    """Train an autoencoder on stores and write it to ``run.output``; labels are not looked at.

    Parameters
    ----------
    val_path
        A store to choose the weights on (lowest reconstruction error); without it the last ones are kept.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    """
    rows = open_rows(train_paths)
    lineage = rows.lineage()
    val = open_validation(val_path, rows) if val_path else None
    refuse_clobber(run.output, [*rows.files, *(val.files if val else [])])
    scaler = rows.fit_scaler()
    inputs = {"train": rows.digests, **({"val": val.digests} if val else {})}
    options = dataclasses.asdict(config)
    signature = {"verb": "pretrain-ae", "options": options, "seed": run.seed, "inputs": inputs}
    trainer = AutoencoderTrainer(rows, val, config, scaler, run)
    yield from train(trainer, config.steps, run, signature)
    facts = {"n_rows": len(rows), "updates": config.steps, **trainer.facts()}
    if val:
        lineage = lineage.selected(val.seen)
    header = Header(
        kind=KIND,
        config=dataclasses.asdict(config),
        front_end=rows.front_end,
        scaler=scaler,
        history=join_histories(rows.histories, history_line("pretrain-ae", options, inputs, run.seed)),
        lineage=lineage,
        facts=facts,
    )
    save_model(run.output, header, trainer.chosen())
    run.state_path.unlink(missing_ok=True)


def open_validation(path: Path, rows: Rows) -> Rows:
    """Open a validation store and refuse one that shares utterances with the training rows.

    Raises
    ------
    LineageError
        Naming an utterance that is on both sides.
    """
    val = open_rows([path])
    same_front_end(rows.front_end, val.front_end, rows.name, str(path))
    check_unseen(
        rows.lineage(),
        val.utterance_column("digest").tolist(),
        val.utterance_column("id").tolist(),
        model=rows.name,
        store=str(path),
        selection_too=False,
        remedy="validate on other utterances (`select --fold K/N`)",
    )
    return val


@torch.inference_mode()
def reconstruction_mse(net: Autoencoder, rows: Rows, scaler: Scaler, device: torch.device) -> float:
    """Mean squared error of the reconstruction, in eval mode, on the [-1, 1] scale."""
    net.eval()
    total = 0.0
    for index in _in_batches(len(rows)):
        x = rows.tensor(index, scaler, device)
        total += float(F.mse_loss(net(x), x, reduction="sum"))
    return total / (len(rows) * rows.shape[0] * rows.shape[1])


@torch.inference_mode()
def encode(
    encoder: Encoder, rows: Rows, scaler: Scaler, device: torch.device
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Latents of all rows, in eval mode [shape=(N, latent_size)]."""
    encoder.eval()
    latents = [encoder(rows.tensor(index, scaler, device)).double().cpu().numpy() for index in _in_batches(len(rows))]
    return np.concatenate(latents)


def _in_batches(n_rows: int) -> Iterator[Index]:
    for first in range(0, n_rows, _EVAL_BATCH):
        yield np.arange(first, min(first + _EVAL_BATCH, n_rows))


def load_autoencoder(path: Path) -> tuple[Header, Encoder, Generator]:
    """Read an autoencoder file.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    header, tensors = load_model(path, KIND)
    net = rebuild(lambda: Autoencoder(header.shape, header.net), tensors, "", path)
    return header, net.encoder, net.decoder
