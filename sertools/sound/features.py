"""Log-mel pictures of segments (§3.2), equal to librosa's within 1e-4 dB.

librosa windows and transforms in float64, and all after the power in float32; so does this, in plain numpy, because
importing librosa costs two seconds and rebuilding its filter bank on every call costs more than the transform. The
tests hold both to the same numbers on real speech.
"""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray
from sertools.config import FrontEnd

Picture = npt.NDArray[np.float32]

# Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above.
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0

_BAND = 32  # filters a matrix product
_AUDIBLE_DB = 70.0


def hz_to_mel(hz: npt.ArrayLike) -> FloatArray:
    """Convert hertz to Slaney mels."""
    hz = np.asarray(hz, dtype=np.float64)
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def mel_to_hz(mel: npt.ArrayLike) -> FloatArray:
    """Convert Slaney mels to hertz."""
    mel = np.asarray(mel, dtype=np.float64)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)


def mel_frequencies(front_end: FrontEnd) -> FloatArray:
    """Centre frequency of each mel band in Hz [shape=(n_mels,)]."""
    return _band_edges(front_end)[1:-1]


def _band_edges(front_end: FrontEnd) -> FloatArray:
    top = hz_to_mel(front_end.sr / 2)
    return mel_to_hz(np.linspace(hz_to_mel(front_end.fmin), top, front_end.n_mels + 2))


@lru_cache(maxsize=8)
def mel_filters(front_end: FrontEnd) -> FloatArray:
    """Triangular mel filters of unit area [shape=(n_mels, 1 + n_fft // 2)]."""
    edges = _band_edges(front_end)
    bins = np.fft.rfftfreq(front_end.n_fft, 1.0 / front_end.sr)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: FloatArray = triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return filters


@lru_cache(maxsize=8)
def hann(front_end: FrontEnd) -> FloatArray:
    """Periodic Hann window, as spectral analysis wants it [shape=(n_fft,)]."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(front_end.n_fft) / front_end.n_fft)


class _Workspace:
    """Filters in bands, and memory that one segment after the other reuses.

    Fresh arrays of this size come from the system page by page, which costs more than the transform.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        n_frames, n_bins = front_end.natural_frames, 1 + front_end.n_fft // 2
        self.window = hann(front_end)
        # In float64 already: a product of mixed types is cast in blocks, at twice the cost.
        self.samples = np.zeros(front_end.segment_samples + (front_end.n_fft if front_end.center else 0))
        self.windows = np.lib.stride_tricks.sliding_window_view(self.samples, front_end.n_fft)
        self.windows = self.windows[:: front_end.hop_length][:n_frames]
        self.frames = np.empty((n_frames, front_end.n_fft))
        self.spectrum = np.empty((n_frames, n_bins), np.complex128)
        self.parts = np.empty((n_frames, 2 * n_bins), np.float32)
        self.power = np.empty((n_frames, n_bins), np.float32)
        self.mel = np.zeros((n_frames, front_end.n_mels), np.float32)
        filters = mel_filters(front_end).astype(np.float32)
        # Triangles are narrow: a band of them meets few of the bins.
        self.bands: list[tuple[slice, slice, Picture]] = []
        for first in range(0, front_end.n_mels, _BAND):
            mels = slice(first, min(first + _BAND, front_end.n_mels))
            used = np.flatnonzero(filters[mels].any(axis=0))
            if used.size:
                bins = slice(int(used[0]), int(used[-1]) + 1)
                self.bands.append((mels, bins, np.ascontiguousarray(filters[mels, bins].T)))


@lru_cache(maxsize=16)
def _workspace(front_end: FrontEnd, thread: int) -> _Workspace:  # which must not share one
    return _Workspace(front_end)


def natural_log_mel(y: npt.NDArray[np.float32], front_end: FrontEnd) -> Picture:
    """Log-mel power of one segment, [shape=(segment_samples,)], before it is fitted to `n_frames`.

    In dB, 10·log10(max(S, 1e-10)) [shape=(n_mels, natural_frames)].
    """
    work = _workspace(front_end, threading.get_ident())
    edge = front_end.n_fft // 2 if front_end.center else 0
    work.samples[edge : edge + front_end.segment_samples] = y
    np.multiply(work.windows, work.window, out=work.frames)
    np.fft.rfft(work.frames, out=work.spectrum)
    # As librosa does: float32 from here on. Real and imaginary parts squared in place, then added.
    np.copyto(work.parts, work.spectrum.view(np.float64), casting="same_kind")
    np.square(work.parts, out=work.parts)
    np.add(work.parts[:, 0::2], work.parts[:, 1::2], out=work.power)
    for mels, bins, filters in work.bands:
        # Frame by band and not band by frame: BLAS takes half the time.
        np.matmul(work.power[:, bins], filters, out=work.mel[:, mels])
    mel = np.maximum(work.mel, np.float32(front_end.amin))
    np.log10(mel, out=mel)
    mel *= np.float32(10.0)
    # In float32 the logarithm of `amin` may fall a last digit below the floor.
    np.maximum(mel, np.float32(floor_db(front_end)), out=mel)
    return mel.T


def log_mel(y: npt.NDArray[np.float32], front_end: FrontEnd) -> Picture:
    """Log-mel picture of one segment, in dB [shape=(n_mels, n_frames)]."""
    natural = natural_log_mel(y, front_end)
    n_natural, n_frames = natural.shape[1], front_end.n_frames
    if front_end.fit == "resize" and n_natural != n_frames:
        at = np.linspace(0.0, n_natural - 1.0, n_frames)
        left = np.minimum(at.astype(np.intp), n_natural - 2)
        share = (at - left).astype(np.float32)
        natural = natural[:, left] * (1 - share) + natural[:, left + 1] * share
    picture = np.full((front_end.n_mels, n_frames), floor_db(front_end), dtype=np.float32)
    kept = min(natural.shape[1], n_frames)
    picture[:, :kept] = natural[:, :kept]
    return picture


def bandwidth_hz(loudest: npt.NDArray[np.float32], front_end: FrontEnd) -> float:
    """Return the frequency of the highest band with sound: within 70 dB of the loudest one.

    Speech that was kept at 8 kHz, by whatever rate it comes, ends at 4 kHz.

    Parameters
    ----------
    loudest
        The loudest pixel of each band, in dB [shape=(n_mels,)].
    """
    return float(mel_frequencies(front_end)[np.flatnonzero(loudest > loudest.max() - _AUDIBLE_DB)[-1]])


def n_dead_bands(front_end: FrontEnd) -> int:
    """Count the mel bands that no frequency of the transform falls into: they stay at the floor."""
    return int((~mel_filters(front_end).any(axis=1)).sum())


def floor_db(front_end: FrontEnd) -> float:
    """Return the level of silence in dB (-100 at the default)."""
    return float(10.0 * np.log10(front_end.amin))


def valid_frames(n_valid: int, front_end: FrontEnd) -> int:
    """How many of the picture's columns come from real samples, 1 to `n_frames`.

    Parameters
    ----------
    n_valid
        Samples of the segment that are not padding.
    """
    # A centred frame counts from the sample in its middle on, as librosa counts; another from its first.
    last = n_valid if front_end.center else max(0, n_valid - 1)
    natural = min(front_end.natural_frames, 1 + last // front_end.hop_length)
    if front_end.fit == "resize":
        natural = round(natural / front_end.natural_frames * front_end.n_frames)
    return int(min(max(1, natural), front_end.n_frames))
