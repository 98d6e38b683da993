"""From audio files to rows of a store: decode, cut, transform, write (§3.2).

This is what the processes of `extract` do; it does without HDF5, whose import each of them would pay for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sertools.config import FrontEnd
from sertools.corpora.table import Recording
from sertools.errors import AudioError
from sertools.parallel import one_blas_thread
from sertools.sound.audio import Piece, UtteranceAudio, cut, piece_samples, read_utterance, trimmed
from sertools.sound.features import Picture, bandwidth_hz, log_mel, valid_frames
from sertools.store.escapes import escape_word
from sertools.store.row_file import RowFile

# Of one task: its utterances are in memory together.
_FILES_A_TASK = 8
_BYTES_A_TASK = 4 << 20


@dataclass(frozen=True)
class Decoded:
    """One recording and its segments, or why there are none.

    Attributes
    ----------
    utterance
        Its audio, less the samples once the rows are written; None if it cannot be used.
    pieces
        Its segments.
    reason
        Why it cannot be used; empty if it can.
    digests
        Of the picture of each segment, once it is written.
    bandwidth_hz
        Up to where there is sound, as in `sertools.sound.features.bandwidth_hz`, once the rows are written.
    """

    utterance: UtteranceAudio | None
    pieces: tuple[Piece, ...] = ()
    reason: str = ""
    digests: tuple[str, ...] = ()
    bandwidth_hz: float = 0.0


def portions(recordings: Sequence[Recording]) -> list[list[Recording]]:
    """Split recordings, in order, into tasks of a few files and of bounded memory."""
    tasks: list[list[Recording]] = []
    weight = 0
    for recording in recordings:
        try:
            n_bytes = os.stat(recording.file).st_size
        except (OSError, ValueError):
            # The decoder says what is wrong.
            n_bytes = 0
        if not tasks or len(tasks[-1]) == _FILES_A_TASK or weight + n_bytes > _BYTES_A_TASK:
            tasks.append([])
            weight = 0
        tasks[-1].append(recording)
        weight += n_bytes
    return tasks


def decode(recordings: Sequence[Recording], front_end: FrontEnd) -> list[Decoded]:
    """Decode and cut; a file that cannot be used becomes a reason."""
    decoded = []
    for recording in recordings:
        try:
            whole = read_utterance(Path(recording.file), front_end.sr, recording.start, recording.end)
        except AudioError as error:
            # The path is already in the message's front; the rejected table has a column for it.
            decoded.append(Decoded(None, reason=escape_word(str(error).removeprefix(f"{recording.file}: "))))
        else:
            utterance = trimmed(whole, front_end)
            decoded.append(Decoded(utterance, tuple(cut(len(utterance.y), front_end))))
    return decoded


def try_out(recordings: Sequence[Recording], front_end: FrontEnd) -> list[Decoded]:
    """Decode, cut and transform, and keep no picture; a file that cannot be used becomes a reason."""
    decoded = decode(recordings, front_end)
    with one_blas_thread():
        for one in decoded:
            for _ in transformed(one, front_end):
                pass
    return decoded


def transformed(one: Decoded, front_end: FrontEnd) -> Iterator[Picture]:
    """Transform the segments of one recording, in order; there are none where it cannot be used."""
    if one.utterance is not None:
        for piece in one.pieces:
            yield log_mel(piece_samples(one.utterance.y, piece, front_end), front_end)


def n_rows(decoded: Sequence[Decoded]) -> int:
    """Count the segments."""
    return sum(len(one.pieces) for one in decoded)


def write_rows(first_row: int, decoded: Sequence[Decoded], front_end: FrontEnd, rows: RowFile) -> list[Decoded]:
    """Write the pictures of all segments from row `first_row` on, and say what became of each recording.

    Raises
    ------
    StoreError
        If a picture holds NaN or infinite values.
    SertoolsError
        If the disk is full.
    """
    made = []
    with one_blas_thread():
        for one in decoded:
            made.append(_written(first_row, one, front_end, rows))
            first_row += len(one.pieces)
    return made


def _written(first_row: int, one: Decoded, front_end: FrontEnd, rows: RowFile) -> Decoded:
    if one.utterance is None:
        return one
    digests = []
    loudest = np.full(front_end.n_mels, -np.inf, dtype=np.float32)
    for row, (piece, picture) in enumerate(zip(one.pieces, transformed(one, front_end), strict=True), first_row):
        digests += rows.write(row, picture[None])
        # Where a piece begins and ends it may do so abruptly, which is a sound of all frequencies.
        inside = picture[:, 1 : valid_frames(piece.n_valid, front_end) - 2]
        np.maximum(loudest, (inside if inside.size else picture).max(axis=1), out=loudest)
    utterance = replace(one.utterance, y=one.utterance.y[:0].copy())
    return replace(one, utterance=utterance, digests=tuple(digests), bandwidth_hz=bandwidth_hz(loudest, front_end))
