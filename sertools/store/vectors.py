"""From recordings to a store of vectors: decode, cut, have them encoded, write the tables.

An encoder is asked for all its layers at once, and each layer has a store of its own. On a CPU one recording is
encoded at a time, so that its row does not depend on what stands beside it; a long run is split by shards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sertools.arrays import Waveform
from sertools.corpora.sources import Listing
from sertools.corpora.table import Recording
from sertools.encoders.encoder import FrozenEncoder
from sertools.encoders.reopening import encoding_of
from sertools.encoding import Encoding
from sertools.errors import AudioError
from sertools.provenance import Input
from sertools.rehearsal import Plan, begin, memory_so_far, seconds_of
from sertools.sound.audio import Piece, UtteranceAudio, cut_evenly, read_utterance, trimmed
from sertools.store.escapes import escape_word
from sertools.store.intake import ExtractProgress, Intake, Made
from sertools.store.writer import Spool

_AT_ONCE_SECONDS = 960.0  # of audio, on a GPU: equal lengths among them share a batch
_TRIED = 3  # recordings that a rehearsal encodes


@dataclass(frozen=True)
class ReadRecording:
    """One recording: its pieces as samples, or why there are none."""

    utterance: UtteranceAudio | None
    cuts: tuple[Piece, ...] = ()
    pieces: tuple[Waveform, ...] = ()
    reason: str = ""


def embed(
    listing: Listing,
    outputs: Mapping[int, Path],
    encoder: FrozenEncoder,
    *,
    seconds: float,
    trim_db: float,
    shard: tuple[int, int] | None = None,
    on_error: str = "fail",
    on_gpu: bool = False,
    computed: Mapping[str, object] | None = None,
) -> Iterator[ExtractProgress]:
    """Encode recordings; yields its progress, and the stores are complete when the iterator ends.

    Parameters
    ----------
    outputs
        Layer → its store.
    seconds
        A longer recording is cut into equal pieces, each a row.
    trim_db
        Silence at both ends is left out, as `config.FrontEnd` has it.
    shard, on_error
        As of `extraction.extract`.
    on_gpu
        Whether recordings are gathered, so that equal lengths share a batch.
    computed
        What a history says of where the encoder ran, as `training.runtime.computed_on` has it.

    Raises
    ------
    AudioError
        Under ``fail``, naming every recording that could not be encoded.
    ModelError
        If a row is not finite.
    StoreError
        If no recording could be encoded.
    """
    front_ends = {layer: encoding_of(encoder, layer, seconds, trim_db) for layer in outputs}
    intakes = {layer: Intake(listing, output, shard, on_error) for layer, output in outputs.items()}
    some = next(iter(intakes.values()))
    recordings = [job.recording for job in some.jobs]
    begin(next(iter(outputs.values())), lambda: _plan(listing, some, outputs, encoder, front_ends))
    with ExitStack() as stack:
        spools = {layer: stack.enter_context(Spool(output, front_ends[layer])) for layer, output in outputs.items()}
        any_layer = next(iter(front_ends.values()))
        for reads in _gathered(recordings, encoder, any_layer, on_gpu):
            rows = iter(encoder.rows_of([piece for read in reads for piece in read.pieces]))
            for read in reads:
                made = [next(rows) for _ in read.pieces]
                for layer, intake in intakes.items():
                    digests = [digest for row in made for digest in spools[layer].add(row[layer][None])]
                    intake.put(_made(read, digests, encoder.sr))
                yield some.progress
        contents = {
            layer: intake.contents(
                "embed",
                front_ends[layer],
                {**_options(front_ends[layer]), **(computed or {})},
                {"encoder": Input(encoder.identity.digest)},
            )
            for layer, intake in intakes.items()
        }
        for layer, spool in spools.items():
            spool.finish(contents[layer])
    some.remark(next(iter(contents.values())))


def _gathered(
    recordings: Sequence[Recording], encoder: FrozenEncoder, front_end: Encoding, on_gpu: bool
) -> Iterator[list[ReadRecording]]:
    """Decode recordings one by one, or as many as are encoded at once."""
    waiting: list[ReadRecording] = []
    n_samples = 0
    for recording in recordings:
        waiting.append(read_pieces(recording, encoder, front_end))
        n_samples += sum(len(piece) for piece in waiting[-1].pieces)
        if not on_gpu or n_samples >= _AT_ONCE_SECONDS * encoder.sr:
            yield waiting
            waiting, n_samples = [], 0
    if waiting:
        yield waiting


def read_pieces(recording: Recording, encoder: FrozenEncoder, front_end: Encoding) -> ReadRecording:
    """Decode a recording, trim it, and cut a long one into equal pieces."""
    try:
        whole = read_utterance(Path(recording.file), encoder.sr, recording.start, recording.end)
        utterance = trimmed(whole, front_end)
        if len(utterance.y) < encoder.min_samples:
            raise AudioError(
                f"{len(utterance.y) / encoder.sr:.3g} s are too short for the encoder, which needs "
                f"{encoder.min_samples / encoder.sr:.3g} s"
            )
    except AudioError as error:
        return ReadRecording(None, reason=escape_word(str(error).removeprefix(f"{recording.file}: ")))
    cuts = tuple(cut_evenly(len(utterance.y), front_end))
    return ReadRecording(utterance, cuts, tuple(utterance.y[cut.start : cut.start + cut.n_valid] for cut in cuts))


def _made(read: ReadRecording, digests: list[str], sr: int) -> Made:
    utterance = read.utterance
    if utterance is None:
        return Made(None, read.reason)
    return Made(
        utterance,
        starts=tuple(utterance.offset + cut.start / sr for cut in read.cuts),
        n_valid_frames=(Encoding.n_frames,) * len(digests),
        digests=tuple(digests),
    )


def _options(front_end: Encoding) -> dict[str, object]:
    """Say what was asked of the encoder, for the history."""
    usual = Encoding()
    asked = {name: getattr(front_end, name) for name in ("pool", "segment_seconds", "trim_db")}
    options = {name: value for name, value in asked.items() if value != getattr(usual, name)}
    padded = {"padded": True} if json.loads(front_end.numbers).get("padded") else {}
    # A network of transformers knows its own rate.
    rate = {"sr": front_end.sr} if front_end.family == "onnx" else {}
    return {"layer": front_end.layer, **padded, **rate, **options}


def _plan(
    listing: Listing,
    intake: Intake,
    outputs: Mapping[int, Path],
    encoder: FrozenEncoder,
    front_ends: Mapping[int, Encoding],
) -> Plan:
    """Say what would be encoded, by a few recordings spread over all."""
    front_end, jobs = next(iter(front_ends.values())), intake.jobs
    tried = [jobs[at] for at in np.unique(np.linspace(0, len(jobs) - 1, min(len(jobs), _TRIED)).astype(int))]
    reads: list[ReadRecording] = []

    def encode() -> None:
        reads.extend(read_pieces(job.recording, encoder, front_end) for job in tried)
        encoder.rows_of([piece for read in reads for piece in read.pieces])

    seconds = seconds_of(encode) * len(jobs) / max(1, len(tried))
    intake.refuse(
        [{"path": job.path, "reason": read.reason} for job, read in zip(tried, reads, strict=True) if read.reason]
    )
    count = round(len(jobs) * sum(len(read.pieces) for read in reads) / max(1, len(reads)))
    return Plan(
        reads=(
            f"{len(jobs)} recordings below {listing.root}",
            *(f"labels from {table}" for table in listing.tables),
        ),
        work=f"encode about {count} rows of {encoder.dim} values, layer {', '.join(map(str, outputs))}",
        n_rows=count,
        writes=tuple(map(str, outputs.values())),
        output_bytes=4 * count * encoder.dim * len(outputs),
        seconds=seconds,
        measured=f"by {len(tried)} recordings spread over all; the others were not opened",
        memory_bytes=memory_so_far(),
    )
