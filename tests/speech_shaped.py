"""What made speech is measured against: noise of speech's own spectrum and envelope, and distances to speech."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from sertools.sound.activity import speech_span
from sertools.sound.spectra import N_FFT, power_spectra

SR, SAMPLES = 16_000, 16_384
_ENVELOPE = 320  # samples: 20 ms


def pieces(files: list[Path], rng: np.random.Generator) -> np.ndarray:
    """A stretch of 16,384 samples of each recording, less the silence at its ends [shape=(n, 16384)]."""
    made = np.zeros((len(files), SAMPLES), np.float32)
    for row, file in zip(made, files, strict=True):
        y, sr = soundfile.read(file, dtype="float32", always_2d=True)
        y = soxr.resample(y.mean(axis=1), sr, SR)
        y = y[slice(*speech_span(y, SR, 35.0, 0.1))]
        start = int(rng.integers(max(0, len(y) - SAMPLES) + 1))
        y = y[start : start + SAMPLES]
        row[: len(y)] = y
    return made


def shaped_noise(speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of the long-term spectrum of all sounds, each with the envelope of one [shape=(n, n_samples)]."""
    n_samples = speech.shape[1]
    spectrum = np.sqrt(power_spectra(speech).mean(axis=(0, 1)))
    shape = np.interp(np.fft.rfftfreq(n_samples), np.fft.rfftfreq(N_FFT), spectrum)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(speech.shape)) * shape, n_samples)
    window = np.hanning(_ENVELOPE + 2)[1:-1]
    power = [np.convolve(np.square(y, dtype=np.float64), window / window.sum(), "same") for y in speech]
    return (noise / noise.std() * np.sqrt(np.maximum(power, 0.0))).astype(np.float32)


def frechet(real: np.ndarray, made: np.ndarray, n_components: int = 16) -> float:
    """Fréchet distance of Gaussians in the first principal components of real vectors, whitened by their variance."""
    mean = real.mean(axis=0)
    _, values, axes = np.linalg.svd(real - mean, full_matrices=False)
    scale = values[:n_components] / np.sqrt(len(real) - 1)
    a, b = (((rows - mean) @ axes[:n_components].T) / scale for rows in (real, made))
    own, other = np.cov(a.T), np.cov(b.T)
    # Eigenvalues of a product of two covariances are real and not negative, but for rounding.
    root = np.sqrt(np.maximum(np.linalg.eigvals(own @ other).real, 0.0)).sum()
    return float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.trace(own) + np.trace(other) - 2 * root)
