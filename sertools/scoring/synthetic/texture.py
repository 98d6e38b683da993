"""What the eye looks for in generated spectrograms, as numbers (§2.4, Fig. 2): statistics of pictures in [-1, 1].

An embedding of few dimensions is blind to fine detail, so blur, checkerboards and clipping are measured on the
pixels themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertools.arrays import FloatArray, Pictures

EXTREME = 0.98  # beyond is floor or ceiling: the paper's "extreme pixel values" (§2.4)
FINE = 0.25  # cycles/pixel: half the highest frequency that pixels can hold
_TINY = 1e-12


@dataclass(frozen=True)
class Texture:
    """Statistics of a set of pictures.

    Attributes
    ----------
    extreme_share
        Share of pixels beyond ±0.98 [range=0…1].
    fine_energy
        Mean power above 1/4 cycle/pixel, along either axis.
    checkerboard
        Power at exactly 1/2 and 1/4 cycle/pixel over that of the frequencies beside them; 1 without a pattern,
        more where upsampling or strided transposed convolutions leave one.
    mel_mean, mel_sd
        Of each mel bin over frames and pictures [shape=(n_mels,)].
    modulation
        Power along time by frequency, without the constant [shape=(n_frames // 2,)].
    quantiles
        Pixel values at 101 even ranks [shape=(101,)].
    """

    extreme_share: float
    fine_energy: float
    checkerboard: float
    mel_mean: FloatArray
    mel_sd: FloatArray
    modulation: FloatArray
    quantiles: FloatArray


def texture(pictures: Pictures) -> Texture:
    """Measure pictures [shape=(n, n_mels, n_frames), in [-1, 1]]."""
    power = _power(pictures)
    n_mels, n_frames = power.shape
    along_mel = np.abs(np.fft.fftfreq(n_mels))[:, None]
    along_time = np.abs(np.fft.fftfreq(n_frames))[None]
    return Texture(
        extreme_share=float((np.abs(pictures) > EXTREME).mean()),
        fine_energy=float(power[(along_mel > FINE) | (along_time > FINE)].mean()),
        checkerboard=_checkerboard(power),
        mel_mean=pictures.mean(axis=(0, 2), dtype=np.float64),
        mel_sd=pictures.std(axis=(0, 2), dtype=np.float64),
        modulation=power.mean(0)[1 : n_frames // 2 + 1],
        quantiles=np.quantile(pictures, np.linspace(0.0, 1.0, 101)),
    )


def _power(pictures: Pictures) -> FloatArray:
    """Mean power spectrum [shape=(n_mels, n_frames)]."""
    total: FloatArray = np.zeros(pictures.shape[1:])
    for picture in pictures:
        total += np.abs(np.fft.fft2(picture)) ** 2
    total /= pictures.size
    return total


def _checkerboard(power: FloatArray) -> float:
    peaks = []
    for axis in (0, 1):
        line = np.moveaxis(power, axis, 0)
        n = len(line)
        for place in (n // 2, n // 4):
            beside = np.concatenate([line[[(place - 1) % n]], line[[(place + 1) % n]]])
            # The constant along the other axis holds edges of the padding, not a pattern.
            peaks.append(line[place, 1:].sum() / (beside[:, 1:].mean(0).sum() + _TINY))
    return float(np.mean(peaks))


@dataclass(frozen=True)
class TextureGap:
    """Two textures compared; ratios are generated over real, 1 if they are alike.

    Attributes
    ----------
    extreme, fine, checkerboard
        Ratios of the statistics of the same name.
    mel_mean_db, mel_sd_db
        Root mean square difference of the profiles over mel bins, dB.
    modulation_db
        Root mean square difference of the modulation spectra, dB.
    level_db
        Mean distance of the pixel values, rank by rank (Wasserstein-1), dB.
    """

    extreme: float
    fine: float
    checkerboard: float
    mel_mean_db: float
    mel_sd_db: float
    modulation_db: float
    level_db: float


def texture_gap(generated: Texture, real: Texture, range_db: float) -> TextureGap:
    """Compare generated pictures with real ones.

    Parameters
    ----------
    range_db
        Decibels from -1 to 1.
    """
    db = range_db / 2.0
    modulation = 10.0 * np.log10((generated.modulation + _TINY) / (real.modulation + _TINY))
    return TextureGap(
        extreme=_ratio(generated.extreme_share, real.extreme_share),
        fine=_ratio(generated.fine_energy, real.fine_energy),
        checkerboard=_ratio(generated.checkerboard, real.checkerboard),
        mel_mean_db=db * _rms(generated.mel_mean - real.mel_mean),
        mel_sd_db=db * _rms(generated.mel_sd - real.mel_sd),
        modulation_db=_rms(modulation),
        level_db=db * float(np.abs(generated.quantiles - real.quantiles).mean()),
    )


def _ratio(generated: float, real: float) -> float:
    return (generated + _TINY) / (real + _TINY)


def _rms(values: FloatArray) -> float:
    return float(np.sqrt((values**2).mean()))
