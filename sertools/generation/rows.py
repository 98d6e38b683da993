"""Synthetic rows from a trained GAN (§2.2) or another generator: a number per class, or what balances a store.

`opening` says which generator it is and how its rows are drawn; the store that comes out is the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sertools.arrays import PCM
from sertools.balance.plan import balance_counts
from sertools.encoding import EMBEDDINGS, RowSource
from sertools.errors import StoreError, UsageError, did_you_mean
from sertools.generation.opening import OWN_WAY, Opened, Ways, open_generator
from sertools.generator_config import KINDS, SOUND_SR
from sertools.provenance import atomic_output, digests_of, history, refuse_clobber
from sertools.rehearsal import Plan, begin, memory_so_far, seconds_of
from sertools.sound.inversion import write_wav
from sertools.store.format import (
    SEGMENT_COLUMNS,
    UTTERANCE_COLUMNS,
    Contents,
    Table,
    concatenate,
    make_table,
    same_front_end,
)
from sertools.store.listening import harmless, wav_folder
from sertools.store.reader import open_store
from sertools.store.writer import Spool
from sertools.training.checkpoint import load_header
from sertools.training.drawing import Drawn
from sertools.training.gan_file import KIND as GAN

_TRIED = 16  # rows that a rehearsal makes


@dataclass(frozen=True)
class GenerateProgress:
    """Rows made of all."""

    done: int
    total: int


def counts_to_balance(gan_path: Path, train_path: Path, only: Collection[str] = ()) -> dict[str, int]:
    """How many rows of each class fill a training store up to its majority.

    Parameters
    ----------
    only
        Classes to fill; empty: all.

    Raises
    ------
    StoreError
        If the store's front end differs from the generator's, or it has one class only.
    UsageError
        If it has no such class.
    """
    header = load_header(gan_path, GAN, *KINDS)
    store = open_store(train_path)
    same_front_end(header.front_end, store.contents.front_end, str(gan_path), str(train_path))
    labels = store.contents.emotion
    counts = {name: int((labels == name).sum()) for name in store.contents.classes()}
    try:
        plans = balance_counts(counts)
    except StoreError as error:
        raise StoreError(f"{train_path}: {error}") from error
    for name in only:
        if name not in plans:
            raise UsageError(f"--class {name!r}: {train_path} has no such class; it has {', '.join(plans)}")
    return {name: plan.add if name in only or not only else 0 for name, plan in plans.items()}


def counts_per_class(gan_path: Path, per_class: int) -> dict[str, int]:
    """Return the same number for each of the generator's classes."""
    return dict.fromkeys(load_header(gan_path, GAN, *KINDS).classes, per_class)


def generate(
    gan_path: Path,
    output: Path,
    counts: Mapping[str, int],
    ways: Ways = OWN_WAY,
    *,
    seed: int = 0,
    device: torch.device,
) -> Iterator[GenerateProgress]:
    """Write a store of generated rows; the file is complete when the iterator ends.

    Parameters
    ----------
    counts
        Class → rows. Each class draws from a seed of its own, so one count does not change another's rows.
    ways
        How rows are drawn, where that is not the generator's own way.

    Raises
    ------
    ModelError
        If a model file is missing, damaged or of another kind.
    StoreError
        If a store's front end is not the generator's, or it has too few rows of a class.
    UsageError
        If a class is not known, a count is negative, or a way belongs to another kind of generator.
    """
    refuse_clobber(output, [gan_path])
    _check_counts(counts, load_header(gan_path, GAN, *KINDS).classes)
    opened = open_generator(gan_path, ways, device)
    refuse_clobber(output, opened.files)
    header = opened.header
    options = {"counts": dict(counts), **opened.options}
    run_name = f"{opened.word}{digests_of(opened.inputs)['gan'][:8]}-{seed}"
    total, done = sum(counts.values()), 0
    begin(output, lambda: _plan(opened, output, counts, ways.sounding.wavs, seed))
    folder = wav_folder(ways.sounding.wavs, "--wavs") if ways.sounding.wavs else None
    segments: list[Table] = []
    utterances: list[Table] = []
    with Spool(output, header.front_end) as spool:
        for number, emotion in enumerate(header.classes):
            in_class = 0
            for drawn in opened.source.blocks(number, counts.get(emotion, 0), seed):
                sounds = drawn.sounds
                digests = spool.add(
                    header.scaler.unscale(header.scaler.clip(drawn.pictures)) if sounds is None else drawn.pictures
                )
                # Tables at once: of a million rows they hold half a gigabyte, where dictionaries would hold one.
                segments.append(_segments(drawn, digests, done, header.front_end))
                ids = [f"generated/{run_name}/{emotion}/{in_class + i:06d}" for i in range(len(digests))]
                seconds = None if sounds is None else sounds.shape[1] / SOUND_SR
                utterances.append(_utterances(ids, emotion, digests, header.front_end, seconds))
                if folder and sounds is not None:
                    _write_wavs(folder, emotion, in_class, sounds)
                in_class += len(digests)
                done += len(digests)
                yield GenerateProgress(done, total)
        contents = Contents(
            front_end=header.front_end,
            segments=_joined(segments, SEGMENT_COLUMNS),
            utterances=_joined(utterances, UTTERANCE_COLUMNS),
            history=history("generate", options, opened.inputs, seed),
            lineage=opened.lineage,
        )
        spool.finish(contents)


def _joined(parts: list[Table], schema: Mapping[str, str | None]) -> Table:
    """Make one table of parts, which are let go."""
    table = concatenate(parts or [make_table(schema, [])])
    parts.clear()
    return table


def _segments(drawn: Drawn, digests: list[str], first: int, front_end: RowSource) -> Table:
    """Rows of generated pictures, each an utterance of its own, counted from `first`."""
    return make_table(
        SEGMENT_COLUMNS,
        (
            {
                "utterance": first + i,
                "start": 0.0,
                "n_valid_frames": front_end.n_frames,
                "origin": "generated",
                **{name: values[i] for name, values in drawn.columns.items()},
                "digest": digest,
            }
            for i, digest in enumerate(digests)
        ),
    )


def _write_wavs(folder: Path, emotion: str, first: int, sounds: PCM) -> None:
    """Write sounds of a class, counted from `first`, to ``CLASS/CLASS-000000.wav`` and so on."""
    name = harmless(emotion)
    (folder / name).mkdir(exist_ok=True)
    for i, sound in enumerate(sounds, first):
        with atomic_output(folder / name / f"{name}-{i:06d}.wav") as part:
            write_wav(part, sound, SOUND_SR)


def _utterances(
    ids: list[str], emotion: str, digests: list[str], front_end: RowSource, seconds: float | None
) -> Table:
    # A vector that was not made of sound is of no length: what it stands for was never spoken.
    without_sound = 0.0 if front_end.kind == EMBEDDINGS else front_end.segment_seconds
    duration = without_sound if seconds is None else seconds
    return make_table(
        UTTERANCE_COLUMNS,
        (
            {"id": name, "start": 0.0, "duration": duration, "emotion": emotion, "digest": digest}
            for name, digest in zip(ids, digests, strict=True)
        ),
    )


def _plan(opened: Opened, output: Path, counts: Mapping[str, int], wavs: Path | None, seed: int) -> Plan:
    header, source = opened.header, opened.source
    wanted = [(number, counts.get(name, 0)) for number, name in enumerate(header.classes)]
    number, count = max(wanted, key=lambda pair: pair[1])
    tried = min(count, _TRIED)
    # Twice: what the first one loads is loaded once.
    seconds = [seconds_of(lambda: list(source.blocks(number, tried, seed))) for _ in range(2)] if tried else [0.0]
    total = sum(counts.values())
    return Plan(
        reads=tuple(map(str, opened.files)),
        work=f"generate {', '.join(f'{n} {name}' for name, n in counts.items() if n) or 'no rows'}",
        n_rows=total,
        writes=(str(output), *([f"{wavs}, a wav each"] if wavs else [])),
        output_bytes=4 * total * math.prod(header.shape),
        seconds=seconds[-1] * total / max(1, tried),
        measured=f"by {tried} rows; writing is not in it",
        memory_bytes=memory_so_far(),
    )


def _check_counts(counts: Mapping[str, int], classes: tuple[str, ...]) -> None:
    for name, count in counts.items():
        if name not in classes:
            hint = did_you_mean(name, classes) or f"; it knows {', '.join(classes)}"
            raise UsageError(f"class {name!r}: the generator was not trained on it{hint}")
        if count < 0:
            raise UsageError(f"{name}={count}: a count cannot be negative")
