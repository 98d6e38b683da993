"""Rows altered by a signal transform of their source audio (§2.5).

The transform acts on the row's own stretch of the recording, read with a little context on either side and cut to
the segment again: one row in, one row out. A vector's stretch is its recording, or its piece of a longer one. The
parameters are drawn from a hash of the seed and the row, so they do not depend on the other rows, on the number of
processes or on the order of work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sertools.arrays import Waveform
from sertools.balance.strategies import STRONGEST
from sertools.config import FrontEnd
from sertools.encoding import Encoding, RowSource
from sertools.parallel import one_blas_thread
from sertools.provenance import canonical_json
from sertools.sound.audio import UtteranceAudio, cut_evenly, trimmed
from sertools.sound.noise import NoiseFolder
from sertools.sound.transforms import (
    add_noise,
    change_speed,
    filter_frequencies,
    pitch_shift,
    time_stretch,
    warp_vocal_tract,
)
from sertools.store.escapes import escape_name
from sertools.store.recorded import Recorded, read_again

_CONTEXT_SECONDS = 0.25  # lets a transform settle before the segment begins

Params = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Transform:
    """A signal transform: how its parameters are drawn, and how it is applied.

    Attributes
    ----------
    draw
        Draws the parameters, as the work that the transform comes from has them.
    at
        Draws them at a strength between 0 and 1; about half is as strong as in that work.
    apply
        From samples [shape=(n,)], their rate in Hz, parameters, generator and the folder of noise, if there is one,
        to the altered samples; may add to the parameters.
    needs_noise
        Whether it needs a folder of noise.
    """

    draw: Callable[[np.random.Generator], Params]
    at: Callable[[np.random.Generator, float], Params]
    apply: Callable[[Waveform, int, Params, np.random.Generator, NoiseFolder | None], Waveform]
    needs_noise: bool = False


def _background(
    y: Waveform, sr: int, params: Params, rng: np.random.Generator, noise: NoiseFolder | None
) -> Waveform:
    assert noise is not None  # as `augment_store` makes sure
    drawn, name, start = noise.draw(len(y), sr, rng)
    params.update(noise=escape_name(name), noise_start=start)
    return add_noise(y, drawn, sr, params["snr_db"])


def _snr(rng: np.random.Generator) -> Params:
    # The paper gives none; audible, and far from burying the speech.
    return {"snr_db": round(float(rng.uniform(10.0, 30.0)), 2)}


def _weaker_speech(_rng: np.random.Generator, strength: float) -> Params:
    return {"snr_db": round(40.0 * (1.0 - strength), 2)}


def _factor(name: str, most: float) -> Callable[[np.random.Generator, float], Params]:
    """A factor, or as likely its inverse."""
    return lambda rng, strength: {name: round(most ** (strength * rng.choice([-1, 1])), 4)}


def _filter(rng: np.random.Generator, gain_db: float) -> Params:
    return {
        "center_hz": round(float(150.0 * (8000.0 / 150.0) ** rng.uniform()), 1),
        "width": round(float(rng.uniform(5.0, 7.0)), 2),
        "gain_db": round(float(gain_db), 2),
    }


TRANSFORMS: Mapping[str, Transform] = {
    # The ranges of Salamon & Bello 2017, the paper's reference [13].
    "time_stretch": Transform(
        draw=lambda rng: {"rate": float(rng.choice([0.81, 0.93, 1.07, 1.23]))},
        at=_factor("rate", 1.5),
        apply=lambda y, _sr, params, *_: time_stretch(y, params["rate"]),
    ),
    "pitch_shift": Transform(
        draw=lambda rng: {"n_steps": int(rng.choice([-2, -1, 1, 2]))},
        at=lambda rng, strength: {"n_steps": round(float(4.0 * strength * rng.choice([-1, 1])), 2)},
        apply=lambda y, sr, params, *_: pitch_shift(y, sr, params["n_steps"]),
    ),
    "gaussian_noise": Transform(
        draw=_snr,
        at=_weaker_speech,
        apply=lambda y, sr, params, rng, _: add_noise(
            y, rng.standard_normal(len(y), dtype=np.float32), sr, params["snr_db"]
        ),
    ),
    "background_noise": Transform(draw=_snr, at=_weaker_speech, apply=_background, needs_noise=True),
    # Ko et al. 2015.
    "speed": Transform(
        draw=lambda rng: {"rate": float(rng.choice([0.9, 1.1]))},
        at=_factor("rate", 1.2),
        apply=lambda y, _sr, params, *_: change_speed(y, params["rate"]),
    ),
    # Jaitly & Hinton 2013.
    "vocal_tract": Transform(
        draw=lambda rng: {"alpha": round(float(rng.uniform(0.9, 1.1)), 3)},
        at=_factor("alpha", 1.2),
        apply=lambda y, sr, params, *_: warp_vocal_tract(y, sr, params["alpha"]),
    ),
    # Schlüter & Grill 2015, the paper's reference [12], at their best strength.
    "frequency_filter": Transform(
        draw=lambda rng: _filter(rng, rng.uniform(-10.0, 10.0)),
        at=lambda rng, strength: _filter(rng, 15.0 * strength * rng.choice([-1, 1])),
        apply=lambda y, sr, params, *_: filter_frequencies(y, sr, **params),
    ),
}


@dataclass(frozen=True)
class Alteration:
    """One new row to be made.

    Attributes
    ----------
    start
        Of the source row, seconds from the start of its utterance.
    transforms
        Keys of `TRANSFORMS`, in the order in which they are applied.
    entropy
        Seeds the row's own generator.
    magnitude
        How strong they are, up to `STRONGEST`; None: as each draws it.
    """

    start: float
    transforms: tuple[str, ...]
    entropy: int
    magnitude: float | None = None


@dataclass(frozen=True)
class Parent:
    """An utterance's audio, and the new rows that are to be made of it."""

    audio: Recorded
    alterations: tuple[Alteration, ...]


@dataclass(frozen=True)
class AlteredAudio:
    """The altered samples of one utterance, in the order of its alterations.

    Attributes
    ----------
    path
        Of the utterance.
    samples
        At the front end's rate, at most a segment each [shape=(n,)].
    params
        How each was altered, as JSON.
    """

    path: Path
    samples: tuple[Waveform, ...]
    params: tuple[str, ...]


def alter(parent: Parent, front_end: RowSource, noise: NoiseFolder | None) -> AlteredAudio:
    """Alter the audio of one utterance.

    Raises
    ------
    AudioError
        If noise cannot be read, or is silent.
    StoreError
        If the audio is not what the store was made from.
    """
    utterance = trimmed(read_again(parent.audio, front_end, front_end.sr), front_end)
    with one_blas_thread():
        made = [_altered_samples(utterance, alteration, front_end, noise) for alteration in parent.alterations]
    samples, params = zip(*made, strict=True)
    return AlteredAudio(parent.audio.path, samples, tuple(map(canonical_json, params)))


def _altered_samples(
    utterance: UtteranceAudio, alteration: Alteration, front_end: RowSource, noise: NoiseFolder | None
) -> tuple[Waveform, Params]:
    """Give at most a segment of altered samples."""
    sr, length = front_end.sr, front_end.segment_samples
    chain = [TRANSFORMS[name] for name in alteration.transforms]
    rng = np.random.default_rng(alteration.entropy)
    each = [_drawn(transform, rng, alteration.magnitude) for transform in chain]
    rate = math.prod(params.get("rate", 1.0) for params in each)
    first = min(round((alteration.start - utterance.offset) * sr), len(utterance.y) - 1)
    if isinstance(front_end, FrontEnd):
        first, last = _segment(first, len(utterance.y), length, rate)
    else:
        first, last = _piece(first, len(utterance.y), front_end)
    context = round(_CONTEXT_SECONDS * sr)
    before = min(first, context)
    n_made = max(1, min(length, round((last - first) / rate)))
    y = utterance.y[first - before : last + context]
    if not np.ptp(y):
        return np.full(n_made, y[0]), _told(alteration, each)  # silence stays silence: there is no speech to alter
    for transform, params in zip(chain, each, strict=True):
        y = transform.apply(y, sr, params, rng, noise)
    skipped = min(round(before / rate), len(y) - 1)
    return y[skipped : skipped + n_made], _told(alteration, each)


def _drawn(transform: Transform, rng: np.random.Generator, magnitude: float | None) -> Params:
    return transform.draw(rng) if magnitude is None else transform.at(rng, magnitude / STRONGEST)


def _told(alteration: Alteration, each: list[Params]) -> Params:
    if len(each) == 1:
        return each[0]
    return {"chain": [{"transform": name, **own} for name, own in zip(alteration.transforms, each, strict=True)]}


def _segment(first: int, n: int, length: int, rate: float) -> tuple[int, int]:
    """First and last of `n` samples that a segment's altered version is made from.

    A full segment at another speed needs `rate` times as much speech, taken evenly from both sides as far as the
    utterance reaches. A padded one has no more than it has.
    """
    if n - first < length:
        return first, n
    wanted = min(n, math.ceil(length * rate))
    first = min(max(0, first - (wanted - length) // 2), n - wanted)
    return first, first + wanted


def _piece(first: int, n: int, encoding: Encoding) -> tuple[int, int]:
    """First and last of `n` samples of the piece that starts at `first`, or nearest to it: starts are rounded."""
    piece = min(cut_evenly(n, encoding), key=lambda piece: abs(piece.start - first))
    return piece.start, piece.start + piece.n_valid
