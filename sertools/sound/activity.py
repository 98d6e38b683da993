"""Where speech is in a signal, and how loud: silence would spoil both a trim and a signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_FRAME_SECONDS = 0.025
ACTIVE_DB = 30.0  # a frame this far below the loudest is not speech, but a pause or a breath


def frame_power(y: npt.NDArray[np.float32], sr: int) -> npt.NDArray[np.float64]:
    """Mean power of successive frames of 25 ms; the last may be shorter [shape=(n_frames,)]."""
    length = max(1, round(_FRAME_SECONDS * sr))
    starts = np.arange(0, len(y), length)
    energy = np.add.reduceat(np.square(y, dtype=np.float64), starts)
    return energy / np.minimum(length, len(y) - starts)


def active_power(y: npt.NDArray[np.float32], sr: int) -> float:
    """Mean power of the frames within 30 dB of the loudest: the level of the speech, not of its pauses.

    The idea is that of ITU-T P.56 (active speech level), with a fixed margin.
    """
    power = frame_power(y, sr)
    return float(power[power >= power.max() * 10 ** (-ACTIVE_DB / 10)].mean())


def speech_span(y: npt.NDArray[np.float32], sr: int, top_db: float, margin_seconds: float) -> tuple[int, int]:
    """First and last sample (exclusive) of what is within `top_db` of the loudest frame, and a margin around it.

    Pauses inside stay. Silence has no loudest frame and is kept whole.
    """
    power = frame_power(y, sr)
    if not power.max() > 0:
        return 0, len(y)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-top_db / 10))
    length, margin = max(1, round(_FRAME_SECONDS * sr)), round(margin_seconds * sr)
    return max(0, int(loud[0]) * length - margin), min(len(y), (int(loud[-1]) + 1) * length + margin)
