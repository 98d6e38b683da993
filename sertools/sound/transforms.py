"""Signal transforms that leave the emotion as it is: the paper's (§2.5), and those of works that it cites (§1).

Stretch and shift are librosa's phase vocoder; on 3 s of speech it is as fast as the best free rival.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
from scipy.fft import irfft, next_fast_len, rfft

from sertools.arrays import Waveform
from sertools.sound.activity import active_power

_SHORTEST = 2048  # samples of librosa's window; it warns of less
_HOP = _SHORTEST // 4
_KNEE_HERTZ = 4800.0  # Jaitly and Hinton 2013: it covers the formants
_KNEE_SHARE = 0.6  # of the highest frequency: the same at 16 kHz, and below it there is room at lower rates
_RINGING_SECONDS = 0.1  # a filter's response has long died away


def find_cache() -> None:
    """Give numba, which librosa compiles by, a folder to cache in where it may write to neither of its own.

    It fails without one. The folder goes with this process; those that it starts use it too.
    """
    librosa = find_spec("librosa")
    beside = Path(librosa.origin or "").parent if librosa else Path()
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    there = next(folder for folder in (home, *home.absolute().parents) if folder.is_dir())
    if "NUMBA_CACHE_DIR" in os.environ or os.access(beside, os.W_OK) or os.access(there, os.W_OK):
        return
    folder = tempfile.mkdtemp(prefix="sertools-numba-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder


def time_stretch(y: Waveform, rate: float) -> Waveform:
    """Change the duration by 1/`rate` and keep the pitch [shape=(round(n / rate),)].

    Parameters
    ----------
    rate
        Above 1 is faster.
    """
    import librosa  # noqa: PLC0415 - two seconds' import, which only these transforms need

    stretched: Waveform = librosa.effects.time_stretch(_filled(y), rate=rate)
    return stretched[: max(1, round(len(y) / rate))]


def pitch_shift(y: Waveform, sr: int, n_steps: float) -> Waveform:
    """Change the pitch by `n_steps` semitones and keep the duration [shape=(n,)]."""
    import librosa  # noqa: PLC0415 - as above

    shifted: Waveform = librosa.effects.pitch_shift(_filled(y), sr=sr, n_steps=n_steps, res_type="soxr_hq")
    return shifted[: len(y)]


def change_speed(y: Waveform, rate: float) -> Waveform:
    """Play at `rate` times the speed, pitch and all (Ko et al. 2015) [shape=(round(n / rate),)].

    Parameters
    ----------
    rate
        Above 1 is faster and higher.
    """
    resampled: Waveform = soxr.resample(y, rate, 1.0, quality="HQ")
    n_made = max(1, round(len(y) / rate))
    return np.pad(resampled, (0, max(0, n_made - len(resampled))))[:n_made]


def warp_vocal_tract(y: Waveform, sr: int, alpha: float) -> Waveform:
    """Move frequencies as another length of the vocal tract would (Jaitly and Hinton 2013) [shape=(n,)].

    A frequency f becomes alpha · f as far as neither exceeds 4800 Hz, or 0.6 of the highest frequency where that is
    less; from there a straight line leads to half of `sr`, which stays. As in the reference the whole spectrum moves,
    the pitch with the formants; the duration stays. The phases follow the moved frequencies, as in a phase vocoder.

    Parameters
    ----------
    alpha
        Above 1 is a shorter tract.
    """
    import librosa  # noqa: PLC0415 - as above

    filled = _filled(y)
    spectrum = librosa.stft(filled, n_fft=_SHORTEST, hop_length=_HOP)
    knee = min(_KNEE_HERTZ, _KNEE_SHARE * sr / 2) * min(alpha, 1.0) / alpha
    # Mirrored at both ends, for what is found a little beyond them.
    before, after = ([-bend, bend, sr / 2, sr - bend] for bend in (knee, alpha * knee))
    bins = np.arange(len(spectrum))
    hertz = bins * sr / _SHORTEST
    # Where each bin's share comes from.
    source = np.interp(hertz, after, before) * _SHORTEST / sr
    magnitude = np.abs(spectrum)
    low = np.minimum(source.astype(int), len(bins) - 2)
    share = (source - low)[:, None]
    magnitude = (1 - share) * magnitude[low] + share * magnitude[low + 1]
    phase = np.angle(spectrum).astype(np.float64)
    turn = 2 * np.pi * _HOP / sr  # of 1 Hz, from frame to frame
    beside = np.diff(phase, axis=1) - turn * hertz[:, None]
    found = hertz[:, None] + (beside - 2 * np.pi * np.round(beside / (2 * np.pi))) / turn
    nearest = np.rint(source).astype(int)
    advance = turn * np.interp(found, before, after)[nearest]
    # A window's spectrum changes its sign from bin to bin, wherever a bin was moved to.
    first = phase[nearest, :1] + np.pi * (nearest - bins)[:, None]
    moved = np.cumsum(np.concatenate([first, advance], axis=1), axis=1)
    warped: Waveform = librosa.istft(magnitude * np.exp(1j * moved), hop_length=_HOP, length=len(filled))
    return warped[: len(y)].astype(np.float32)


def filter_frequencies(y: Waveform, sr: int, center_hz: float, width: float, gain_db: float) -> Waveform:
    """Raise or lower one region of the spectrum (Schlüter and Grill 2015) [shape=(n,)].

    The gain in dB is a Gaussian over the logarithm of the frequency; phases stay.

    Parameters
    ----------
    width
        Standard deviation, in semitones.
    gain_db
        At the centre.
    """
    n = next_fast_len(len(y) + round(_RINGING_SECONDS * sr), real=True)
    hertz = np.arange(n // 2 + 1) * sr / n
    semitones = 12 * np.log2(np.maximum(hertz, 1e-3) / center_hz)
    gain = 10 ** (gain_db * np.exp(-0.5 * (semitones / width) ** 2) / 20)
    filtered: npt.NDArray[np.float64] = irfft(gain * rfft(y.astype(np.float64), n), n)
    return filtered[: len(y)].astype(np.float32)


def _filled(y: Waveform) -> Waveform:
    return np.pad(y, (0, max(0, _SHORTEST - len(y))))


def add_noise(y: Waveform, noise: Waveform, sr: int, snr_db: float) -> Waveform:
    """Add noise at `snr_db` below the speech [shape=(n,)].

    Parameters
    ----------
    noise
        As long as `y`, and not silent.
    snr_db
        Power of the speech where there is speech over the power of the noise where there is noise, in dB: neither
        pauses nor a lone bark in a silent recording shift it.
    """
    gain = np.sqrt(active_power(y, sr) / active_power(noise, sr) / 10 ** (snr_db / 10))
    mixed: Waveform = (y + gain * noise).astype(np.float32)
    return mixed
