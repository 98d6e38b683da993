"""What new rows are made of altered audio by: pictures in any process, vectors by an encoder in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sertools.arrays import Pictures
from sertools.balance.alteration import AlteredAudio, Parent, alter
from sertools.config import FrontEnd
from sertools.encoding import Encoding, RowSource
from sertools.errors import AudioError, UsageError
from sertools.parallel import one_blas_thread, ordered_map
from sertools.rehearsal import seconds_of
from sertools.sound.audio import Piece, piece_samples
from sertools.sound.features import log_mel, valid_frames
from sertools.sound.noise import NoiseFolder

if TYPE_CHECKING:
    from sertools.encoders.encoder import FrozenEncoder


@dataclass(frozen=True)
class Altered:
    """The new rows of one utterance, in the order of its alterations."""

    rows: Pictures
    n_valid_frames: tuple[int, ...]
    params: tuple[str, ...]


@dataclass(frozen=True)
class Alterer:
    """How the new rows of utterances are made, in two steps.

    Attributes
    ----------
    begin
        Runs in any process.
    end
        Makes rows of what `begin` returns, in this process.
    """

    begin: Callable[[Parent], Any]
    end: Callable[[Any], Altered]

    def rows(self, parents: Sequence[Parent], n_processes: int) -> Iterator[Altered]:
        """Yield the rows of each utterance in order, whatever the number of processes."""
        return map(self.end, ordered_map(self.begin, parents, n_processes))

    def seconds(self, parents: Sequence[Parent], n_processes: int) -> float:
        """Measure how long the rows of some utterances take."""
        begun: list[Any] = []
        shared = seconds_of(lambda: begun.extend(map(self.begin, parents)))
        return shared / n_processes + seconds_of(lambda: [*map(self.end, begun)])


def alterer(front_end: RowSource, noise: NoiseFolder | None, encoder: FrozenEncoder | None) -> Alterer:
    """Say how a store's new rows are made; `encoder` is that of a store of vectors.

    Raises
    ------
    UsageError
        If rows are vectors, and there is no encoder.
    """
    if isinstance(front_end, FrontEnd):
        return Alterer(partial(_pictures, front_end=front_end, noise=noise), _as_it_is)
    if encoder is None:
        raise UsageError("altered audio is encoded again: give the encoder that made the store's vectors")
    return Alterer(
        partial(alter, front_end=front_end, noise=noise), partial(_vectors, encoder=encoder, layer=front_end.layer)
    )


def _pictures(parent: Parent, front_end: FrontEnd, noise: NoiseFolder | None) -> Altered:
    audio = alter(parent, front_end, noise)
    with one_blas_thread():
        pictures = [log_mel(piece_samples(y, Piece(0, len(y)), front_end), front_end) for y in audio.samples]
    return Altered(np.stack(pictures), tuple(valid_frames(len(y), front_end) for y in audio.samples), audio.params)


def _as_it_is(altered: Altered) -> Altered:
    return altered


def _vectors(audio: AlteredAudio, encoder: FrozenEncoder, layer: int) -> Altered:
    try:
        # A slower recording may be longer than the encoder takes.
        rows = encoder.rows_of([y[: encoder.max_samples] for y in audio.samples])
    except AudioError as error:
        raise AudioError(f"{audio.path}: altered: {error}") from error
    return Altered(np.stack([row[layer] for row in rows]), (Encoding.n_frames,) * len(rows), audio.params)
