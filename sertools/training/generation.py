"""Synthetic rows from a trained GAN (§2.2) or another generator: as many a class as are wanted, or as balance a set.

A GAN's latents are drawn from the class Gaussians, between neighbours (`smote`), or are moved from other classes'
rows (`translation`); the store that comes out is the same, and so it is with other generators.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from sertools.balance.plan import balance_counts
from sertools.config import FrontEnd
from sertools.errors import StoreError, UsageError
from sertools.generators import DIFFUSION, KINDS
from sertools.nets.cvae import Cvae
from sertools.nets.folding import folded
from sertools.provenance import digest_file, history_line, join_histories, refuse_clobber
from sertools.rehearsal import Plan, begin, memory_so_far, seconds_of
from sertools.store.format import (
    SEGMENT_COLUMNS,
    UTTERANCE_COLUMNS,
    Contents,
    Table,
    concatenate,
    make_table,
    same_front_end,
)
from sertools.store.reader import open_store
from sertools.store.writer import Spool
from sertools.training.batches import Rows, open_rows
from sertools.training.checkpoint import Header, load_header
from sertools.training.drawing import Drawn, FromLatents, Source
from sertools.training.gan import KIND as GAN
from sertools.training.gan import load_generator
from sertools.training.generators import FromNoise, load_net
from sertools.training.runtime import place
from sertools.training.smote import fit_smote, load_encoder
from sertools.training.translation import Translation, Translator

_TRIED = 16  # rows that a rehearsal makes


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
        If the store's front end differs from the generator's, or it has one class only.
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
    return {name: plan.add for name, plan in plans.items()}


def counts_per_class(gan_path: Path, per_class: int) -> dict[str, int]:
    """Return the same number for each of the generator's classes."""
    return dict.fromkeys(load_header(gan_path, GAN, *KINDS).classes, per_class)


@dataclass(frozen=True)
class Denoising:
    """How a diffusion model's pictures are drawn; None leaves it as the model was trained for.

    Attributes
    ----------
    guidance
        How far the class is overdone: 1 as learnt.
    n_steps
        Noise levels from noise to picture.
    """

    guidance: float | None = None
    n_steps: int | None = None


@dataclass(frozen=True)
class _Opened:
    """A generator, and what its rows will say of where they come from."""

    header: Header
    source: Source
    inputs: Mapping[str, object]
    options: Mapping[str, object] = field(default_factory=dict)
    word: str = ""
    rows: Rows | None = None


def _open(
    path: Path, smote: Path | None, translation: Translation | None, denoising: Denoising, device: torch.device
) -> _Opened:
    given = smote or (translation and translation.train)
    kind = load_header(path, GAN, *KINDS).kind
    if given and kind != GAN:
        raise UsageError(
            f"{'--smote' if smote else '--translate'}: needs the latents of a GAN, and {path} is a {kind} file"
        )
    inputs: dict[str, object] = {"gan": digest_file(path)}
    if denoising != Denoising() and kind != DIFFUSION:
        raise UsageError(f"--guidance and --denoise-steps: belong to a diffusion model, and {path} is a {kind} file")
    if kind != GAN:
        header, net = load_net(path)
        place(net, device)
        if isinstance(net, Cvae):
            return _Opened(header, FromLatents(net, folded(net.decoder), device), inputs)
        guidance = net.config.guidance if denoising.guidance is None else denoising.guidance
        n_steps = net.config.sampler_steps if denoising.n_steps is None else denoising.n_steps
        options: dict[str, object] = {"guidance": guidance, "denoise_steps": n_steps}
        return _Opened(
            header, FromNoise(net, device, guidance, n_steps), inputs, options, f"g{guidance:g}-n{n_steps}-"
        )
    header, generator, gaussians = load_generator(path)
    generator = place(folded(generator), device)
    if not given:
        return _Opened(header, FromLatents(gaussians, generator, device), inputs)
    rows = open_rows([given])
    same_front_end(header.front_end, rows.front_end, str(path), rows.name)
    inputs["smote" if smote else "translate"] = rows.digests
    if translation:
        options = {"paste": translation.paste, "within_speaker": translation.within_speaker}
        encoder, shrink = load_encoder(path, header), header.facts.get("cov") == "empirical"
        source = Translator(translation, header, encoder, generator, gaussians, rows, device, shrink=shrink)
        return _Opened(header, source, inputs, options, f"{translation.name}-", rows)
    between = FromLatents(fit_smote(path, header, rows, device), generator, device)
    return _Opened(header, between, inputs, word="smote-", rows=rows)


def generate(
    gan_path: Path,
    output: Path,
    counts: Mapping[str, int],
    *,
    smote: Path | None = None,
    translation: Translation | None = None,
    denoising: Denoising = Denoising(),
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
    denoising
        How a diffusion model draws.

    Raises
    ------
    StoreError
        If the store's front end is not the generator's, or it has too few rows of a class.
    UsageError
        If the generator does not know a class, a count is negative, there are both `smote` and `translation`, or an
        option belongs to another kind of generator.
    """
    refuse_clobber(output, [gan_path])
    if smote and translation:
        raise UsageError("--smote and --translate: give one of them")
    _check_counts(counts, load_header(gan_path, GAN, *KINDS).classes)
    opened = _open(gan_path, smote, translation, denoising, device)
    header, histories, lineage = opened.header, [opened.header.history], opened.header.lineage
    if opened.rows:
        refuse_clobber(output, opened.rows.files)
        histories, lineage = [*histories, *opened.rows.histories], lineage | opened.rows.lineage()
    options = {"counts": dict(counts), **opened.options}
    run_name = f"{opened.word}{str(opened.inputs['gan'])[:8]}-{seed}"
    total, done = sum(counts.values()), 0
    inputs = [gan_path, *([store.path for store in opened.rows.stores] if opened.rows else [])]
    begin(output, lambda: _plan(inputs, output, counts, header, opened.source, seed))
    segments: list[Table] = []
    utterances: list[Table] = []
    with Spool(output, header.front_end) as spool:
        for number, emotion in enumerate(header.classes):
            in_class = 0
            for drawn in opened.source.blocks(number, counts.get(emotion, 0), seed):
                digests = spool.add(header.scaler.unscale(drawn.pictures))
                # Tables at once: of a million rows they hold half a gigabyte, where dictionaries would hold one.
                segments.append(_segments(drawn, digests, done, header.front_end))
                ids = [f"generated/{run_name}/{emotion}/{in_class + i:06d}" for i in range(len(digests))]
                utterances.append(_utterances(ids, emotion, digests, header.front_end))
                in_class += len(digests)
                done += len(digests)
                yield GenerateProgress(done, total)
        contents = Contents(
            front_end=header.front_end,
            segments=_joined(segments, SEGMENT_COLUMNS),
            utterances=_joined(utterances, UTTERANCE_COLUMNS),
            history=join_histories(histories, history_line("generate", options, opened.inputs, seed)),
            lineage=lineage,
        )
        spool.finish(contents)


def _joined(parts: list[Table], schema: Mapping[str, str | None]) -> Table:
    """Make one table of parts, which are let go."""
    table = concatenate(parts or [make_table(schema, [])])
    parts.clear()
    return table


def _segments(drawn: Drawn, digests: list[str], first: int, front_end: FrontEnd) -> Table:
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


def _utterances(ids: list[str], emotion: str, digests: list[str], front_end: FrontEnd) -> Table:
    duration = front_end.segment_seconds
    return make_table(
        UTTERANCE_COLUMNS,
        (
            {"id": name, "start": 0.0, "duration": duration, "emotion": emotion, "digest": digest}
            for name, digest in zip(ids, digests, strict=True)
        ),
    )


def _plan(
    inputs: list[Path], output: Path, counts: Mapping[str, int], header: Header, source: Source, seed: int
) -> Plan:
    wanted = [(number, counts.get(name, 0)) for number, name in enumerate(header.classes)]
    number, count = max(wanted, key=lambda pair: pair[1])
    tried = min(count, _TRIED)
    # Twice: what the first one loads is loaded once.
    seconds = [seconds_of(lambda: list(source.blocks(number, tried, seed))) for _ in range(2)] if tried else [0.0]
    total, (n_mels, n_frames) = sum(counts.values()), header.shape
    return Plan(
        reads=tuple(map(str, inputs)),
        work=f"generate {', '.join(f'{n} {name}' for name, n in counts.items() if n) or 'no rows'}",
        n_rows=total,
        writes=(str(output),),
        output_bytes=total * n_mels * n_frames * 4,
        seconds=seconds[-1] * total / max(1, tried),
        measured=f"by {tried} rows; writing is not in it",
        memory_bytes=memory_so_far(),
    )


def _check_counts(counts: Mapping[str, int], classes: tuple[str, ...]) -> None:
    for name, count in counts.items():
        if name not in classes:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it knows {', '.join(classes)}"
            raise UsageError(f"class {name!r}: the generator was not trained on it; {hint}")
        if count < 0:
            raise UsageError(f"{name}={count}: a count cannot be negative")
