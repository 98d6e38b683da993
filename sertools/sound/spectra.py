"""How far some sounds lie from others by their spectra: what is measured of sound that no listener has judged.

Conventions
-----------
Sounds are samples at one rate [shape=(n, n_samples)]. A frame is 1024 samples under a Hann window, every 256; its
power is in dB, with a floor 70 dB below the loudest of the reference, so that neither silence nor rounding counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertools.arrays import FloatArray, Waveform

N_FFT, HOP = 1024, 256
_FLOOR_DB = 70.0
_TINY = 1e-20


def power_spectra(sounds: Waveform) -> npt.NDArray[np.float32]:
    """Power of all frames of some sounds [shape=(n, n_frames, 1 + N_FFT // 2)]."""
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sounds, N_FFT, axis=1)[:, ::HOP]
    spectra: npt.NDArray[np.float32] = np.abs(np.fft.rfft(frames * window, axis=2)).astype(np.float32) ** 2
    return spectra


@dataclass(frozen=True)
class Spectra:
    """The log spectra of a reference, such as real speech.

    Attributes
    ----------
    loudest
        Power of the loudest frequency of any frame.
    mean, sd
        Of each frequency over all frames, in dB [shape=(1 + N_FFT // 2,)].
    """

    loudest: float
    mean: FloatArray
    sd: FloatArray

    @classmethod
    def of(cls, sounds: Waveform) -> Spectra:
        """Measure a reference [shape=(n, n_samples)]."""
        power = power_spectra(sounds)
        loudest = float(power.max(initial=_TINY))
        return cls(loudest, *_statistics(_in_db(power, loudest)))

    def distance(self, sounds: Waveform) -> float:
        """Return how far other sounds lie from the reference, in dB.

        The mean over frequency of the absolute difference of the long-term average log spectra, and that of the
        standard deviations over frames: noise of the spectrum of speech has neither its pauses nor its harmonics.
        """
        mean, sd = _statistics(self.in_db(sounds))
        return float(np.abs(mean - self.mean).mean() + np.abs(sd - self.sd).mean())

    def variety(self, sounds: Waveform) -> float:
        """Return how much sounds differ among themselves, in dB.

        The mean over all pairs of the absolute difference of their average log spectra, over frequency.
        """
        means = self.in_db(sounds).mean(axis=1, dtype=np.float64)
        one, other = np.triu_indices(len(means), 1)
        return float(np.abs(means[one] - means[other]).mean())

    def in_db(self, sounds: Waveform) -> npt.NDArray[np.float32]:
        """Log spectra of all frames, from -70 on; 0 is the loudest of the reference."""
        return _in_db(power_spectra(sounds), self.loudest)


def _in_db(power: npt.NDArray[np.float32], loudest: float) -> npt.NDArray[np.float32]:
    db: npt.NDArray[np.float32] = 10.0 * np.log10(
        np.maximum(power / loudest, np.float32(10.0 ** (-_FLOOR_DB / 10.0)))
    )
    return db


def _statistics(db: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    return db.mean(axis=(0, 1), dtype=np.float64), db.std(axis=(0, 1), dtype=np.float64)
