"""A folder of background noise, for mixing with speech (§2.5: the paper takes ESC-50 and FMA)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sertools.arrays import Waveform
from sertools.corpora.files import find_only_audio
from sertools.errors import AudioError, warn
from sertools.provenance import digest_each
from sertools.sound.audio import read_duration, read_utterance

_DRAWS = 20
WHERE_TO_GET_IT = "ESC-50 (github.com/karolpiczak/ESC-50), FMA (github.com/mdeff/fma), MUSAN (openslr.org/17)"


@dataclass(frozen=True)
class NoiseFolder:
    """Audio files below a folder, any of which may serve as background.

    Attributes
    ----------
    folder
        Where they lie.
    names
        Paths below the folder, sorted.
    seconds
        Duration of each.
    """

    folder: Path
    names: tuple[str, ...]
    seconds: tuple[float, ...]

    def digest(self) -> str:
        """Digest of the names and durations: the folder may be too large to read whole."""
        listed = zip(self.names, self.seconds, strict=True)
        return digest_each(f"{name}\0{s:.6f}".encode("utf-8", "surrogateescape") for name, s in listed)

    def draw(self, n_samples: int, sr: int, rng: np.random.Generator) -> tuple[Waveform, str, float]:
        """Draw a stretch of noise that is not silent, and say which.

        A file shorter than `n_samples` is repeated.

        Returns
        -------
        The samples [shape=(n_samples,)], and the file's name and the stretch's start in seconds.

        Raises
        ------
        AudioError
            If a file cannot be read, or twenty draws in a row are silent.
        """
        wanted = n_samples / sr
        for _ in range(_DRAWS):
            number = int(rng.integers(len(self.names)))
            start = round(float(rng.uniform(0.0, max(0.0, self.seconds[number] - wanted))), 3)
            y = _read(self.folder / self.names[number], sr, start, min(start + wanted, self.seconds[number]))
            y = np.resize(y, n_samples)  # repeats a short one; cuts or repeats what resampling rounded
            if np.ptp(y) > 0.0:
                return y, self.names[number], start
        raise AudioError(f"{self.folder}: {_DRAWS} draws of noise in a row are silent; remove the silent files")


@lru_cache(maxsize=16)
def _read(path: Path, sr: int, start: float, end: float) -> Waveform:
    return read_utterance(path, sr, start, end).y


def open_noise(folder: Path, longest: float) -> NoiseFolder:
    """List a folder of noise, for speech of up to `longest` seconds.

    Raises
    ------
    CorpusError
        If there is no such folder, or no audio in it.
    AudioError
        If a file is not audio, or empty.

    Warns
    -----
    SertoolsWarning
        If files are shorter than that, and will be repeated; of files that are no audio.
    """
    paths = find_only_audio(folder, f"noise is available from {WHERE_TO_GET_IT}")
    seconds = []
    for path in paths:
        try:
            seconds.append(read_duration(path))
        except AudioError as error:
            raise AudioError(f"{error}; take it out of the noise folder") from error
    short = sum(s < longest for s in seconds)
    if short:
        warn(
            f"{folder}: {short} of {len(paths)} noise files are shorter than a segment of {longest:g} s, "
            "and are repeated"
        )
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    return NoiseFolder(folder, names, tuple(seconds))
