"""From a log-mel picture back to sound: to listen to, not to measure (§4 leaves it open).

The mel filters are inverted by non-negative least squares in multiplicative updates (Lee and Seung 2001), the phases
by the fast Griffin-Lim algorithm (Perraudin et al. 2013), as librosa does both, with the transforms of all frames at
once. Windows overlap by half, so that overlap-add is one addition.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from sertools.arrays import PCM, Waveform
from sertools.config import FrontEnd
from sertools.sound.features import Picture, hann, mel_filters

_Floats = npt.NDArray[np.floating[Any]]

_MEL_UPDATES = 20
_MOMENTUM = 0.99  # Perraudin et al. 2013
_TINY = 1e-12


@lru_cache(maxsize=8)
def _inverse_filters(front_end: FrontEnd) -> npt.NDArray[np.float32]:
    inverse: npt.NDArray[np.float32] = np.linalg.pinv(mel_filters(front_end)).astype(np.float32)
    return inverse


def mel_to_power(mel: _Floats, front_end: FrontEnd) -> npt.NDArray[np.float32]:
    """Power spectrum, not negative [shape=(1 + n_fft // 2, n)], of mel power [shape=(n_mels, n)]."""
    filters = mel_filters(front_end).astype(np.float32)
    wanted = mel.astype(np.float32)
    above = filters.T @ wanted
    # From the pseudo-inverse; a little everywhere, since what is zero stays zero in the updates.
    power: npt.NDArray[np.float32] = np.maximum(_inverse_filters(front_end) @ wanted, 1e-3 * above + _TINY)
    for _ in range(_MEL_UPDATES):
        power *= above / (filters.T @ (filters @ power) + _TINY)
    return power


def to_audio(
    picture: Picture, front_end: FrontEnd, n_valid_frames: int | None = None, *, n_iter: int = 32, seed: int = 0
) -> Waveform:
    """Turn a log-mel picture into sound.

    Parameters
    ----------
    picture
        In dB [shape=(n_mels, n_frames)].
    n_valid_frames
        Columns that are not padding; all that the front end fills if it is not given.
    n_iter
        Rounds of Griffin-Lim.
    seed
        Of the first phases.

    Returns
    -------
    Samples at the front end's rate [shape=(n,)], at the level of the picture; a loud one may go beyond ±1.
    """
    # From the middle of one frame to itself there is no sample.
    n_columns = max(2, min(n_valid_frames or front_end.n_frames, front_end.n_frames))
    db = picture[:, :n_columns].astype(np.float64)
    if front_end.fit == "resize":
        n_natural = max(2, round(db.shape[1] / front_end.n_frames * front_end.natural_frames))
        at = np.linspace(0.0, db.shape[1] - 1.0, n_natural)
        db = np.stack([np.interp(at, np.arange(db.shape[1]), band) for band in db])
    db = db[:, : front_end.natural_frames]
    # The floor stands for silence.
    mel = np.where(db > 10.0 * np.log10(front_end.amin), 10.0 ** (db / 10.0), 0.0)
    return _griffin_lim(np.sqrt(mel_to_power(mel, front_end)).T, front_end, n_iter, seed)


def _griffin_lim(magnitude: _Floats, front_end: FrontEnd, n_iter: int, seed: int) -> Waveform:
    """Find phases for magnitudes [shape=(n, 1 + n_fft // 2)], and the samples."""
    window = hann(front_end).astype(np.float32)
    hop = front_end.hop_length
    phase = np.exp(2j * np.pi * np.random.default_rng(seed).random(magnitude.shape)).astype(np.complex64)
    magnitude = magnitude.astype(np.float32)
    before: npt.NDArray[np.complex64] = np.zeros_like(phase)
    for _ in range(n_iter):
        y = _overlap_add(magnitude * phase, window, hop)
        again = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(y, 2 * hop)[::hop] * window).astype(np.complex64)
        phase = again - np.float32(_MOMENTUM / (1 + _MOMENTUM)) * before
        phase /= np.abs(phase) + np.float32(_TINY)
        before = again
    y = _overlap_add(magnitude * phase, window, hop)
    # A centred frame counts from its middle: half a window of padding lies at either end.
    return y[hop : y.size - hop] if front_end.center else y


def _overlap_add(spectrum: npt.NDArray[np.complex64], window: npt.NDArray[np.float32], hop: int) -> Waveform:
    frames = np.fft.irfft(spectrum, n=2 * hop).astype(np.float32) * window
    blocks = np.zeros((len(frames) + 1, hop), np.float32)
    blocks[:-1] += frames[:, :hop]
    blocks[1:] += frames[:, hop:]
    # What the squared windows add up to: less than half a window at the ends.
    weight = np.zeros_like(blocks)
    weight[:-1] += window[:hop] ** 2
    weight[1:] += window[hop:] ** 2
    blocks /= np.maximum(weight, np.float32(1e-2))
    return blocks.ravel()


def to_pcm(y: Waveform) -> PCM:
    """Round samples to 16 bits; those beyond ±1 are clipped."""
    return np.clip(np.round(y * np.float32(1 << 15)), -(1 << 15), (1 << 15) - 1).astype(np.int16)


def write_wav(path: Path, y: Waveform | PCM, sr: int) -> None:
    """Write samples in [-1, 1], or of 16 bits, as a 16-bit wav."""
    soundfile.write(path, y, sr, format="WAV", subtype="PCM_16")
