"""Synthetic rows from a trained GAN (§2.2): as many a class as are wanted, or as balance a training set."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sertools.balance.plan import balance_counts
from sertools.errors import StoreError, UsageError
from sertools.provenance import digest_file, history_line, join_histories, refuse_clobber
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table, same_front_end
from sertools.store.reader import Pictures, open_store
from sertools.store.writer import Spool, write_store
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_header
from sertools.training.gan import KIND, load_generator
from sertools.training.latents import ClassGaussians
from sertools.training.runtime import place
from sertools.training.smote import LatentSmote, fit_smote

_BATCH = 64


@dataclass(frozen=True)
class GenerateProgress:
    """Rows made of all."""

    done: int
    total: int


def counts_to_balance(gan_path: Path, train_path: Path) -> dict[str, int]:
    """How many rows of each class fill a training store up to its majority.

    Raises
    ------
    StoreError
        If the store's front end differs from the GAN's, or it has one class only.
    """
    header = load_header(gan_path, KIND)
    store = open_store(train_path)
    same_front_end(header.front_end, store.contents.front_end, str(gan_path), str(train_path))
    labels = store.contents.emotion
    counts = {name: int((labels == name).sum()) for name in store.contents.classes()}
    try:
        plans = balance_counts(counts)
    except StoreError as error:
        raise StoreError(f"{train_path}: {error}") from error
    return {name: plan.add for name, plan in plans.items()}


def counts_per_class(gan_path: Path, per_class: int) -> dict[str, int]:
    """Return the same number for each of the GAN's classes."""
    return dict.fromkeys(load_header(gan_path, KIND).classes, per_class)


def generate(
    gan_path: Path,
    output: Path,
    counts: Mapping[str, int],
    *,
    smote: Path | None = None,
    seed: int = 0,
    device: torch.device,
) -> Iterator[GenerateProgress]:
    """Write a store of generated rows; the file is complete when the iterator ends.

    Parameters
    ----------
    counts
        Class → rows. Each class draws from a seed of its own, so one count does not change another's rows.
    smote
        A store between whose rows the latents are drawn; without it they come from the class Gaussians.

    Raises
    ------
    StoreError
        If the store's front end is not the GAN's, or a class has fewer than two rows there.
    UsageError
        If the GAN does not know a class, or a count is negative.
    """
    refuse_clobber(output, [gan_path])
    header, generator, gaussians = load_generator(gan_path)
    _check_counts(counts, header.classes)
    place(generator, device)
    gan_digest = digest_file(gan_path)
    sampler: ClassGaussians | LatentSmote = gaussians
    inputs: dict[str, object] = {"gan": gan_digest}
    histories, lineage = [header.history], header.lineage
    if smote:
        rows = open_rows([smote])
        refuse_clobber(output, rows.files)
        same_front_end(header.front_end, rows.front_end, str(gan_path), rows.name)
        sampler = fit_smote(gan_path, header, rows, device)
        inputs["smote"] = rows.digests
        histories, lineage = [*histories, *rows.histories], lineage | rows.lineage()
    run_name = f"{'smote-' if smote else ''}{gan_digest[:8]}-{seed}"
    total, done = sum(counts.values()), 0
    segments: list[dict[str, Any]] = []
    utterances: list[dict[str, Any]] = []
    with Spool(output, header.front_end) as spool:
        for number, emotion in enumerate(header.classes):
            rng = np.random.default_rng([seed, number])
            wanted = counts.get(emotion, 0)
            for first in range(0, wanted, _BATCH):
                z = sampler.sample(number, min(_BATCH, wanted - first), rng)
                digests = spool.add(header.scaler.unscale(_pictures(generator, z, device)))
                for place_in_class, digest in enumerate(digests, first):
                    name = f"generated/{run_name}/{emotion}/{place_in_class:06d}"
                    segments.append(
                        {
                            "utterance": len(utterances),
                            "start": 0.0,
                            "n_valid_frames": header.front_end.n_frames,
                            "origin": "generated",
                            "digest": digest,
                        }
                    )
                    utterances.append(
                        {
                            "id": name,
                            "start": 0.0,
                            "duration": header.front_end.segment_seconds,
                            "emotion": emotion,
                            "digest": digest,
                        }
                    )
                done += len(z)
                yield GenerateProgress(done, total)
        line = history_line("generate", {"counts": dict(counts)}, inputs, seed)
        contents = Contents(
            front_end=header.front_end,
            segments=make_table(SEGMENT_COLUMNS, segments),
            utterances=make_table(UTTERANCE_COLUMNS, utterances),
            history=join_histories(histories, line),
            lineage=lineage,
        )
        write_store(output, contents, spool.blocks())


@torch.inference_mode()
def _pictures(generator: torch.nn.Module, z: np.ndarray[Any, np.dtype[np.float64]], device: torch.device) -> Pictures:
    made: Pictures = generator(torch.from_numpy(z).float().to(device))[:, 0].cpu().contiguous().numpy()
    return made


def _check_counts(counts: Mapping[str, int], classes: tuple[str, ...]) -> None:
    for name, count in counts.items():
        if name not in classes:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it knows {', '.join(classes)}"
            raise UsageError(f"class {name!r}: the GAN was not trained on it; {hint}")
        if count < 0:
            raise UsageError(f"{name}={count}: a count cannot be negative")
