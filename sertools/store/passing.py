"""Rows of recordings that are in no store: made one recording at a time, and kept by nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sertools.arrays import Pictures
from sertools.config import FrontEnd
from sertools.corpora.table import Recording
from sertools.encoders.encoder import FrozenEncoder
from sertools.encoding import Encoding
from sertools.errors import AudioError
from sertools.parallel import one_blas_thread
from sertools.store.escapes import escape_word
from sertools.store.segments import decode, transformed
from sertools.store.vectors import read_pieces


@dataclass(frozen=True)
class Passing:
    """One recording and its rows, or why there are none.

    Attributes
    ----------
    rows
        As a store would hold them [shape=(n, *shape)]; empty if the recording cannot be used.
    digest
        Of its audio, as `sertools.sound.audio.UtteranceAudio` has it: empty for silence; None if nobody knows.
    reason
        Why it cannot be used; empty if it can.
    """

    rows: Pictures
    digest: str | None
    reason: str = ""


def pictures_passing(recordings: Sequence[Recording], front_end: FrontEnd) -> Iterator[Passing]:
    """Make the pictures of recordings, as `extract` does."""
    for recording in recordings:
        (one,) = decode([recording], front_end)
        with one_blas_thread():
            rows = [*transformed(one, front_end)]
        digest = one.utterance.digest if one.utterance else None
        yield Passing(np.array(rows, dtype=np.float32), digest, one.reason)


def vectors_passing(
    recordings: Sequence[Recording], front_end: Encoding, encoder: FrozenEncoder
) -> Iterator[Passing]:
    """Make the vectors of recordings, as `embed` does; `encoder` is the one that `front_end` names."""
    for recording in recordings:
        read = read_pieces(recording, encoder, front_end)
        rows, reason = [], read.reason
        try:
            rows = [row[front_end.layer] for row in encoder.rows_of(read.pieces)]
        except AudioError as error:
            # An ONNX file may have limits that it does not tell.
            reason = escape_word(str(error))
        digest = read.utterance.digest if read.utterance else None
        yield Passing(np.array(rows, dtype=np.float32), digest, reason)
