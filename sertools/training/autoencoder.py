"""Pretraining of the autoencoder (§2.2, Autoencoder Training): MSE, Adam, no class knowledge.

Or no training at all: principal components. Every file says how its reconstruction compares with theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.architectures import LATENTS
from sertools.arrays import Index
from sertools.config import AutoencoderConfig
from sertools.errors import StoreError, one_of
from sertools.nets.autoencoders import AnyAutoencoder, build_autoencoder
from sertools.nets.gan import Autoencoder
from sertools.nets.linear import LinearAutoencoder
from sertools.provenance import history_line, join_histories
from sertools.store.format import same_front_end
from sertools.training.batches import EVALUATION_BATCH, Rows, open_rows
from sertools.training.checkpoint import Header, load_model, prefixed, rebuild, save_model
from sertools.training.distributed import parallel, spread
from sertools.training.forecast import without_steps
from sertools.training.loop import Record, Run, train
from sertools.training.optimisers import Adam
from sertools.training.order import batch_indices
from sertools.training.pca import fit_pca
from sertools.training.reading import BatchReader
from sertools.training.runtime import place, seed_torch, told
from sertools.training.scaling import Scaler
from sertools.training.validated import ValidatedTrainer, Validation

KIND = "autoencoder"
_EVAL_ROWS = 1024  # of the training set, spread over it, where there is no validation set


class AutoencoderTrainer(ValidatedTrainer[Autoencoder]):
    """The autoencoder, its optimiser, and the best weights so far where there is a validation set."""

    def __init__(self, rows: Rows, val: Rows | None, config: AutoencoderConfig, scaler: Scaler, run: Run) -> None:
        self.rows, self.config, self.scaler, self.run = rows, config, scaler, run
        self.reader = BatchReader(
            rows, lambda step: batch_indices(len(rows), config.batch_size, step, run.seed), scaler, run.device
        )
        seed_torch(run.seed, KIND, "init")
        net = place(Autoencoder(rows.shape, config.net), run.device)
        optimiser = Adam(net.parameters(), lr=config.lr, betas=(config.beta1, config.beta2))
        score = None if val is None else lambda net: reconstruction_mse(net, val, scaler, run.device)
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
    `pca_mse`, on the rows that `mse_rows` names; without validation, only where two rows a component keep the
    latter from drawing them by heart.

    Parameters
    ----------
    config
        With `net.latent` ``pca``, the principal components are the autoencoder: there are no steps, and no draws.
    val_path
        A store to choose the weights on (lowest reconstruction error); without it the last ones are kept. Nothing
        is chosen of a PCA, so that there it only measures.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    StoreError
        If the rows span fewer directions than a PCA is to have.
    UsageError
        If there is no such kind of latents.
    """
    one_of("--latent", config.net.latent, LATENTS)
    rows = open_rows(train_paths)
    lineage = rows.lineage()
    val = open_validation(val_path, rows) if val_path else None
    run.refuse_clobber([*rows.files, *(val.files if val else [])])
    scaler = rows.fit_scaler()
    inputs = {"train": rows.digests, **({"val": val.digests} if val else {})}
    net: AnyAutoencoder
    facts: dict[str, object] = {"n_rows": len(rows)}
    if config.net.latent == "pca":
        described: dict[str, object] = {"net": dataclasses.asdict(config.net)}
        options: dict[str, object] = {"latent": config.net.latent, "latent_size": config.net.latent_size}
        line = history_line("pretrain-ae", options, inputs)
        work = f"make {config.net.latent_size} principal components, if the rows span as many"
        without_steps(rows, work, run.output, run.log_path)
        net = _whole_pca(rows, scaler, config.net.latent_size)
    else:
        described = options = dataclasses.asdict(config)
        line = history_line("pretrain-ae", options, inputs, run.seed)
        signature = {"verb": "pretrain-ae", "options": options, "seed": run.seed, "inputs": inputs}
        trainer = AutoencoderTrainer(rows, val, config, scaler, run)
        yield from train(trainer, config.steps, run, signature)
        facts |= {"updates": config.steps, **trainer.facts(), **told(run.precision)}
        net = trainer.net
        net.load_state_dict(trainer.chosen())
        lineage = lineage.selected(val.seen) if val else lineage
    header = Header(
        kind=KIND,
        config=described,
        front_end=rows.front_end,
        scaler=scaler,
        history=join_histories(rows.histories, line),
        lineage=lineage,
        facts=facts | _beside_pca(net, rows, val, scaler, run),
    )
    save_model(run.output, header, prefixed(net, ""))
    run.state_path.unlink(missing_ok=True)


def _whole_pca(rows: Rows, scaler: Scaler, size: int) -> LinearAutoencoder:
    net = fit_pca(rows, scaler, size)
    found = len(net.encoder.components)
    if found < size:
        remedy = f"give --latent-size {found} or less, or more rows" if found else "they are all alike"
        raise StoreError(
            f"{rows.name}: {len(rows.real)} real rows span {found} directions, but {size} components are wanted; "
            f"{remedy}"
        )
    return net


def _beside_pca(net: AnyAutoencoder, rows: Rows, val: Rows | None, scaler: Scaler, run: Run) -> dict[str, object]:
    """Measure the autoencoder and as many principal components on the same rows."""
    judged = val or rows
    spread = np.linspace(0, len(rows.real) - 1, min(len(rows.real), _EVAL_ROWS)).astype(np.int64)
    index = np.arange(len(val)) if val else rows.real[spread]
    where = "validation" if val else "training"
    mse = reconstruction_mse(net, judged, scaler, run.device, index)
    facts: dict[str, object] = {"mse_rows": where, "mse": round(mse, 6)}
    if isinstance(net, LinearAutoencoder):
        return facts
    rival = fit_pca(rows, scaler, net.encoder.head.out_features)
    size = len(rival.encoder.components)
    if not val and size > len(rows.real) // 2:
        # So many directions draw the rows that they were fitted to almost as they are, and no others.
        return facts
    pca_mse = reconstruction_mse(place(rival, run.device), judged, scaler, run.device, index)
    return {**facts, "pca_mse": round(pca_mse, 6), "pca_size": size}


def open_validation(path: Path, rows: Rows) -> Rows:
    """Open a validation store and refuse one that shares utterances with the training rows.

    Raises
    ------
    LineageError
        Naming an utterance that is on both sides.
    """
    val = open_rows([path])
    same_front_end(rows.front_end, val.front_end, rows.name, str(path))
    val.check_unseen_by(rows.lineage(), model=rows.name, remedy="validate on other utterances (`select --fold K/N`)")
    return val


@torch.inference_mode()
def reconstruction_mse(
    net: AnyAutoencoder, rows: Rows, scaler: Scaler, device: torch.device, index: Index | None = None
) -> float:
    """Mean squared error of the reconstruction of some rows, or of all, in eval mode, on the [-1, 1] scale."""
    net.eval()
    index = np.arange(len(rows)) if index is None else index
    total = 0.0
    for batch in _in_batches(index):
        x = rows.tensor(batch, scaler, device)
        total += float(F.mse_loss(net(x), x, reduction="sum"))
    return total / (len(index) * rows.shape[0] * rows.shape[1])


@torch.inference_mode()
def encode(
    encoder: nn.Module, rows: Rows, scaler: Scaler, device: torch.device, index: Index | None = None
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Latents of all rows, or of those in `index`, in eval mode [shape=(N, latent_size)]."""
    encoder.eval()
    batches = _in_batches(np.arange(len(rows)) if index is None else index)
    latents = [encoder(rows.tensor(batch, scaler, device)).double().cpu().numpy() for batch in batches]
    return np.concatenate(latents)


def _in_batches(index: Index) -> Iterator[Index]:
    for first in range(0, len(index), EVALUATION_BATCH):
        yield index[first : first + EVALUATION_BATCH]


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
