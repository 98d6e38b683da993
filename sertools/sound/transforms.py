"""Signal transforms that leave the emotion as it is (§2.5): time stretch, pitch shift, added noise.

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

from sertools.arrays import Waveform
from sertools.sound.activity import active_power

_SHORTEST = 2048  # samples of librosa's window; it warns of less


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
