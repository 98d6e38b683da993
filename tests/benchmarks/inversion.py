"""`to-wav`'s inversion against librosa's, on the same segments with as many rounds, and how near both come."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy

import sys
import time

import librosa
import numpy as np
from extraction import speech_like
from pairs import compare

from sertools.config import FrontEnd
from sertools.sound.features import log_mel, natural_log_mel
from sertools.sound.inversion import to_audio

N_SEGMENTS, N_ITER, LARGEST_ERROR_RATIO = 8, 32, 1.15
FRONT_END = FrontEnd()


def ours(y: np.ndarray) -> np.ndarray:
    return to_audio(log_mel(y, FRONT_END), FRONT_END, n_iter=N_ITER)


def librosas(y: np.ndarray) -> np.ndarray:
    power = 10 ** (natural_log_mel(y, FRONT_END).astype(np.float64) / 10)
    return librosa.feature.inverse.mel_to_audio(
        power, sr=FRONT_END.sr, n_fft=FRONT_END.n_fft, hop_length=FRONT_END.hop_length, n_iter=N_ITER
    ).astype(np.float32)


def transforms(y: np.ndarray) -> None:
    """Only the Fourier transforms of the rounds, there and back."""
    spectrum = np.fft.rfft(np.resize(y, (FRONT_END.n_frames, FRONT_END.n_fft)))
    for _ in range(N_ITER):
        np.fft.rfft(np.fft.irfft(spectrum))


def error(made: np.ndarray, y: np.ndarray) -> float:
    made = np.pad(made, (0, max(0, y.size - made.size)))[: y.size]
    a, b = (10 ** (natural_log_mel(x, FRONT_END).astype(np.float64) / 20) for x in (made, y))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def main(pairs: int) -> None:
    rng = np.random.default_rng(0)
    segments = [speech_like(rng, FRONT_END.sr, FRONT_END.segment_seconds) for _ in range(N_SEGMENTS)]
    ratio = np.mean([error(ours(y), y) for y in segments]) / np.mean([error(librosas(y), y) for y in segments])
    if ratio > LARGEST_ERROR_RATIO:
        sys.exit(f"spectral error {ratio:.2f} times librosa's, more than {LARGEST_ERROR_RATIO}")

    def seconds(invert: object) -> float:
        start = time.perf_counter()
        for y in segments:
            invert(y)  # type: ignore[operator]
        return time.perf_counter() - start

    compare(
        lambda: seconds(ours), lambda: seconds(librosas), pairs=pairs,
        what="log-mel back to sound", against="librosa's mel_to_audio", unit="speed", goal=5,
        floor="its Fourier transforms alone", bound=lambda: seconds(transforms),
        size=f"{N_SEGMENTS} segments of 3 s, {N_ITER} rounds, one thread; spectral error {ratio:.2f}× librosa's",
    ).say()  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
