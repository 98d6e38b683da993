"""Synthetic rows from a trained GAN (§2.2): as many a class as are wanted, or as balance a training set.

Its latents are drawn from the class Gaussians, between neighbours (`smote`), or are moved from other classes' rows
(`translation`); the store that comes out is the same.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sertools.balance.plan import balance_counts
from sertools.errors import StoreError, UsageError
from sertools.provenance import digest_file, history_line, join_histories, refuse_clobber
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table, same_front_end
from sertools.store.reader import open_store
from sertools.store.writer import Spool, write_store
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_header
from sertools.training.drawing import FromLatents, Source
from sertools.training.gan import KIND, load_generator
from sertools.training.runtime import place
from sertools.training.smote import fit_smote, load_encoder
from sertools.training.translation import Translation, Translator


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
    translation: Translation | None = None,
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
    translation
        How real rows of other classes are moved into a class, in place of drawing latents. A new row then names its
        source as `parent`, and in `params` the source's class and what was pasted.

    Raises
    ------
    StoreError
        If the store's front end is not the GAN's, or it has too few rows of a class.
    UsageError
        If the GAN does not know a class, a count is negative, or there are both `smote` and `translation`.
    """
    refuse_clobber(output, [gan_path])
    if smote and translation:
        raise UsageError("--smote and --translate: give one of them")
    header, generator, gaussians = load_generator(gan_path)
    _check_counts(counts, header.classes)
    place(generator, device)
    gan_digest = digest_file(gan_path)
    source: Source = FromLatents(gaussians, generator, device)
    word, options = "", dict[str, object](counts=dict(counts))
    inputs: dict[str, object] = {"gan": gan_digest}
    histories, lineage = [header.history], header.lineage
    given = smote or (translation and translation.train)
    if given:
        rows = open_rows([given])
        refuse_clobber(output, rows.files)
        same_front_end(header.front_end, rows.front_end, str(gan_path), rows.name)
        inputs["smote" if smote else "translate"] = rows.digests
        histories, lineage = [*histories, *rows.histories], lineage | rows.lineage()
    if smote:
        word, source = "smote-", FromLatents(fit_smote(gan_path, header, rows, device), generator, device)
    elif translation:
        word = f"{translation.name}-"
        options |= {"paste": translation.paste, "within_speaker": translation.within_speaker}
        encoder, shrink = load_encoder(gan_path, header), header.facts.get("cov") == "empirical"
        source = Translator(translation, header, encoder, generator, gaussians, rows, device, shrink=shrink)
    run_name = f"{word}{gan_digest[:8]}-{seed}"
    total, done = sum(counts.values()), 0
    segments: list[dict[str, Any]] = []
    utterances: list[dict[str, Any]] = []
    with Spool(output, header.front_end) as spool:
        for number, emotion in enumerate(header.classes):
            place_in_class = 0
            for drawn in source.blocks(number, counts.get(emotion, 0), seed):
                digests = spool.add(header.scaler.unscale(drawn.pictures))
                for i, digest in enumerate(digests):
                    segments.append(
                        {
                            "utterance": len(utterances),
                            "start": 0.0,
                            "n_valid_frames": header.front_end.n_frames,
                            "origin": "generated",
                            **{name: values[i] for name, values in drawn.columns.items()},
                            "digest": digest,
                        }
                    )
                    utterances.append(
                        {
                            "id": f"generated/{run_name}/{emotion}/{place_in_class:06d}",
                            "start": 0.0,
                            "duration": header.front_end.segment_seconds,
                            "emotion": emotion,
                            "digest": digest,
                        }
                    )
                    place_in_class += 1
                done += len(digests)
                yield GenerateProgress(done, total)
        contents = Contents(
            front_end=header.front_end,
            segments=make_table(SEGMENT_COLUMNS, segments),
            utterances=make_table(UTTERANCE_COLUMNS, utterances),
            history=join_histories(histories, history_line("generate", options, inputs, seed)),
            lineage=lineage,
        )
        write_store(output, contents, spool.blocks())


def _check_counts(counts: Mapping[str, int], classes: tuple[str, ...]) -> None:
    for name, count in counts.items():
        if name not in classes:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it knows {', '.join(classes)}"
            raise UsageError(f"class {name!r}: the GAN was not trained on it; {hint}")
        if count < 0:
            raise UsageError(f"{name}={count}: a count cannot be negative")
