"""The recordings that rows come from, as sound in memory: batches of crops for a model of sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.signal import butter, lfilter
from torch import Tensor

from sertools.arrays import Index, Waveform
from sertools.errors import StoreError
from sertools.generator_config import SOUND_SR, WaveganConfig
from sertools.nets.devices import onto
from sertools.sound.audio import trimmed
from sertools.store.recorded import check_there, read_again, recorded
from sertools.training.batches import Rows
from sertools.training.loop import Run
from sertools.training.order import balanced_indices, batch_indices
from sertools.training.runtime import mixed_seed

_LOUD = 0.999
_RUMBLE_HZ = 50.0


class Sounds:
    """Every recording that some rows come from, once, at 16 kHz, without the silence that the front end leaves out.

    Parameters
    ----------
    rows
        Of recordings alone.
    n_samples
        Length of a crop.
    pre_emphasis
        Share of the sample before that each is learnt without.
    audio_root
        Where the corpus lies, whatever the stores say; no path may lead out of it.

    Attributes
    ----------
    utterance
        Number of each recording among `rows`' utterances [shape=(n,)].
    emotion
        Of each recording [shape=(n,)].
    level
        What 1 stands for: of all samples, emphasised, one in a thousand is louder, and clipped.

    Raises
    ------
    CorpusError
        If a path leads out of `audio_root`.
    StoreError
        If a row was made, or its audio is missing, has changed or is silent throughout.
    """

    def __init__(self, rows: Rows, n_samples: int, pre_emphasis: float, audio_root: Path | None) -> None:
        strange = np.flatnonzero(rows.origin != "real")
        if len(strange):
            raise StoreError(
                f"{rows.name}: row {strange[0]} is {rows.origin[strange[0]]}, not real speech, and has no recording "
                "to learn from; `select --where origin=real` first"
            )
        self._n_samples, self._pre_emphasis = n_samples, np.float32(pre_emphasis)
        self.utterance, first = np.unique(rows.utterance, return_index=True)
        self.emotion = rows.emotion[first]
        self._all = self._read(rows, audio_root)
        self.level = float(np.quantile(np.abs(np.concatenate([*map(self._emphasised, self._all)])), _LOUD))
        if not self.level:
            raise StoreError(f"{rows.name}: its recordings are silent; there is nothing to learn")

    def __len__(self) -> int:
        return len(self._all)

    def crops(self, index: Index, rng: np.random.Generator) -> Waveform:
        """Cut a piece out of each of some recordings [shape=(len(index), n_samples)].

        Where it starts is drawn; what is shorter has silence behind it.
        """
        made = np.zeros((len(index), self._n_samples), dtype=np.float32)
        for crop, number, place in zip(made, index.tolist(), rng.random(len(index)).tolist(), strict=True):
            y = self._all[number]
            start = int(place * (max(0, len(y) - self._n_samples) + 1))
            piece = y[start : start + self._n_samples]
            crop[: len(piece)] = piece
        return made

    def learnt(self, crops: Waveform) -> Waveform:
        """Return crops as a net learns them: emphasised, in [-1, 1]."""
        made: Waveform = np.clip(self._emphasised(crops) / np.float32(self.level), -1.0, 1.0)
        return made

    def _emphasised(self, y: Waveform) -> Waveform:
        made = y.copy()
        made[..., 1:] -= self._pre_emphasis * y[..., :-1]
        return made

    def _read(self, rows: Rows, audio_root: Path | None) -> list[Waveform]:
        first, found = 0, []
        for store in rows.stores:
            n = len(store.contents.utterances)
            own = self.utterance[(self.utterance >= first) & (self.utterance < first + n)] - first
            audio = recorded(store, own.tolist(), audio_root)
            check_there(audio, store.path, audio_root, "to be learnt from")
            found += audio
            first += n
        return [trimmed(read_again(each, rows.front_end, SOUND_SR), rows.front_end, SOUND_SR).y for each in found]


class SoundBatches:
    """Draws batches of crops, as a net learns them, with their classes.

    Attributes
    ----------
    labels
        Class of each recording [shape=(n,)].
    """

    def __init__(self, sounds: Sounds, classes: Sequence[str], run: Run, config: WaveganConfig) -> None:
        self._sounds, self._run, self._config = sounds, run, config
        self.labels = np.array([classes.index(name) for name in sounds.emotion.tolist()], dtype=np.int64)

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """Give batch `number`: sounds [shape=(B, n_samples)] and classes [shape=(B,)]."""
        size, seed, device = self._config.batch_size, self._run.seed, self._run.device
        if self._config.sampling == "balanced":
            index = balanced_indices(self.labels, size, number, seed)
        else:
            index = batch_indices(len(self._sounds), size, number, seed)
        rng = np.random.default_rng(mixed_seed(seed, "crops", number))
        crops = self._sounds.learnt(self._sounds.crops(index, rng))
        return onto(device, torch.from_numpy(crops)), onto(device, torch.from_numpy(self.labels[index]))


def as_recorded(made: Waveform, level: float, pre_emphasis: float) -> Waveform:
    """Turn what a net makes, as it learnt it, into sound [shape=(n, n_samples)].

    What lies below 50 Hz is weakened: recordings of speech have nothing there, and a net that is a little off zero
    would rumble, for to take the emphasis back raises that thirtyfold.
    """
    over, under = butter(1, _RUMBLE_HZ, "highpass", fs=SOUND_SR)
    y: Waveform = lfilter(level * over, np.convolve(under, [1.0, -pre_emphasis]), made, axis=-1).astype(np.float32)
    return y
