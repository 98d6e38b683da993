"""Rows of sound that a WaveGAN makes, by the front end or the encoder of the rows that it stands beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sertools.arrays import PCM, Pictures, Waveform
from sertools.config import FrontEnd
from sertools.encoders.encoder import FrozenEncoder
from sertools.encoding import Encoding, RowSource
from sertools.generator_config import SOUND_SR, WAVEGAN
from sertools.nets.wavegan import LATENT, WaveGenerator
from sertools.parallel import one_blas_thread
from sertools.sound.audio import Piece, UtteranceAudio, piece_samples, resampled, trimmed
from sertools.sound.features import log_mel, valid_frames
from sertools.sound.inversion import to_pcm
from sertools.training.drawing import BLOCK, Drawn
from sertools.training.runtime import mixed_seed
from sertools.training.sound_gan import make_sounds


@dataclass(frozen=True)
class Sounding:
    """What is done with sound beside making rows of it.

    Attributes
    ----------
    wavs
        A folder to write it to.
    encoder
        Where the encoder of rows that are vectors lies, as of `encoders.reopening.encoder_of`.
    """

    wavs: Path | None = None
    encoder: str | None = None


class FromSound:
    """Makes rows of sound; a sound that is longer than a row gives its start."""

    def __init__(
        self, net: WaveGenerator, front_end: RowSource, encoder: FrozenEncoder | None, device: torch.device
    ) -> None:
        self._net, self._front_end, self._encoder, self._device = net, front_end, encoder, device

    def blocks(self, number: int, count: int, seed: int) -> Iterator[Drawn]:
        """Make `count` rows of class `number`."""
        rng = np.random.default_rng(mixed_seed(seed, WAVEGAN, number))
        for first in range(0, count, BLOCK):
            size = min(BLOCK, count - first)
            z = torch.from_numpy(rng.uniform(-1.0, 1.0, (size, LATENT)).astype(np.float32))
            # As a wav holds them, so that its rows are those of the store.
            sounds = to_pcm(make_sounds(self._net, z, torch.full((size,), number), self._device))
            rows, n_valid = self._rows(sounds)
            yield Drawn(rows, {"n_valid_frames": n_valid}, sounds)

    def _rows(self, sounds: PCM) -> tuple[Pictures, list[int]]:
        heard = [self._heard(sound) for sound in sounds]
        if isinstance(self._front_end, FrontEnd):
            front_end = self._front_end
            with one_blas_thread():
                pictures = [log_mel(piece_samples(y, Piece(0, len(y)), front_end), front_end) for y in heard]
            return np.stack(pictures), [valid_frames(len(y), front_end) for y in heard]
        assert self._encoder is not None  # as `opening` makes sure
        vectors: Sequence[Pictures] = [row[self._front_end.layer] for row in self._encoder.rows_of(heard)]
        return np.stack(vectors), [Encoding.n_frames] * len(heard)

    def _heard(self, sound: PCM) -> Waveform:
        """Read a sound as the front end reads a wav of it, up to the length of a row."""
        front_end = self._front_end
        y = resampled(sound.astype(np.float32) / np.float32(1 << 15), SOUND_SR, front_end.sr)
        return trimmed(UtteranceAudio(y, 0.0, ""), front_end).y[: front_end.segment_samples]
