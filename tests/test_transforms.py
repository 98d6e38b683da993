"""Signal transforms: what each changes, by how much, and what it leaves."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import SR, process_environment, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from sertools.balance.alteration import TRANSFORMS
from sertools.config import FrontEnd
from sertools.sound.activity import active_power, frame_power, speech_span
from sertools.sound.audio import UtteranceAudio, trimmed
from sertools.sound.transforms import add_noise, pitch_shift, time_stretch

RATES = [0.81, 0.93, 1.07, 1.23]
STEPS = [-2, -1, 1, 2]


def sine(frequency: float, seconds: float, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * SR)) / SR)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SR), dtype=np.float32)


def strongest_frequency(y: np.ndarray) -> float:
    """Where the spectrum is highest, in Hz, away from the edges."""
    middle = y[len(y) // 8 : -len(y) // 8]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 16 * len(middle)))
    return float(np.argmax(spectrum) * SR / (16 * len(middle)))


def burst_seconds(y: np.ndarray) -> float:
    """Where the energy lies, in seconds."""
    energy = np.square(y, dtype=np.float64)
    return float((energy * np.arange(len(y))).sum() / energy.sum() / SR)


def rms(y: np.ndarray) -> float:
    return float(np.sqrt(np.square(y, dtype=np.float64).mean()))


def db(ratio: float) -> float:
    return float(10 * np.log10(ratio))


# Stretch and shift


@pytest.mark.parametrize("rate", RATES)
def test_a_stretch_changes_duration_and_not_pitch(rate: float) -> None:
    y = sine(220, 2)
    stretched = time_stretch(y, rate)
    assert stretched.dtype == np.float32
    assert len(stretched) == round(len(y) / rate)
    assert strongest_frequency(stretched) == pytest.approx(220, rel=0.01)
    middle = slice(len(stretched) // 8, -len(stretched) // 8)
    assert db(rms(stretched[middle]) ** 2 / rms(y) ** 2) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("rate", RATES)
def test_a_stretch_moves_events(rate: float) -> None:
    y = np.concatenate([silence(1.2), sine(220, 0.1), silence(0.9)])
    assert burst_seconds(time_stretch(y, rate)) == pytest.approx(1.25 / rate, abs=0.02)


@pytest.mark.parametrize("n_steps", STEPS)
def test_a_shift_changes_pitch_and_not_duration(n_steps: int) -> None:
    y = sine(220, 2)
    shifted = pitch_shift(y, SR, n_steps)
    assert shifted.dtype == np.float32
    assert len(shifted) == len(y)
    assert strongest_frequency(shifted) == pytest.approx(220 * 2 ** (n_steps / 12), rel=0.01)
    middle = slice(len(y) // 8, -len(y) // 8)
    assert db(rms(shifted[middle]) ** 2 / rms(y) ** 2) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("n_steps", STEPS)
def test_a_shift_leaves_events_where_they_are(n_steps: int) -> None:
    y = np.concatenate([silence(1.2), sine(220, 0.1), silence(0.9)])
    # The vocoder steps by 32 ms; a shift by resampling alone would be off by 70 or more.
    assert burst_seconds(pitch_shift(y, SR, n_steps)) == pytest.approx(1.25, abs=0.04)


@pytest.mark.parametrize("n", [1, 3, 799, 2047, 2048, 2049])
def test_very_short_audio_is_no_trouble(n: int, rng: np.random.Generator) -> None:
    """No warning either: they are errors here."""
    y = rng.uniform(-0.5, 0.5, n).astype(np.float32)
    for rate in RATES:
        stretched = time_stretch(y, rate)
        assert len(stretched) == max(1, round(n / rate))
        assert np.isfinite(stretched).all()
    for n_steps in STEPS:
        shifted = pitch_shift(y, SR, n_steps)
        assert len(shifted) == n
        assert np.isfinite(shifted).all()
    mixed = add_noise(y, rng.standard_normal(n).astype(np.float32), SR, 10.0)
    assert len(mixed) == n
    assert np.isfinite(mixed).all()


def test_silence_stays_silence(rng: np.random.Generator) -> None:
    y = silence(0.5)
    for made in (
        time_stretch(y, 0.81),
        pitch_shift(y, SR, 2),
        add_noise(y, rng.standard_normal(len(y)).astype(np.float32), SR, 10.0),
    ):
        assert not made.any()


# Noise


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 30.0])
@pytest.mark.parametrize("around", [0.0, 2.0])
def test_noise_lies_below_the_speech_and_not_below_its_pauses(
    snr_db: float, around: float, rng: np.random.Generator
) -> None:
    speech = sine(220, 1)
    y = np.concatenate([silence(around), speech, silence(around)])
    noise = 3.7 * rng.standard_normal(len(y)).astype(np.float32)
    mixed = add_noise(y, noise, SR, snr_db)
    assert mixed.dtype == np.float32
    added = mixed.astype(np.float64) - y
    assert db(rms(speech) ** 2 / rms(added) ** 2) == pytest.approx(snr_db, abs=0.5)
    # It is the noise, everywhere.
    assert np.corrcoef(added, noise)[0, 1] > 0.999


def test_a_lone_bark_is_not_blown_up(rng: np.random.Generator) -> None:
    """Many clips of ESC-50 are a short event and zeros."""
    y = sine(220, 3)
    bark = 0.01 * rng.standard_normal(round(0.05 * SR)).astype(np.float32)
    noise = np.concatenate([silence(1), bark, silence(3)])[: len(y)]
    added = add_noise(y, noise, SR, 10.0).astype(np.float64) - y
    assert db(rms(y) ** 2 / rms(added[SR : SR + len(bark)]) ** 2) == pytest.approx(10.0, abs=0.5)


def test_the_level_of_speech_is_that_of_its_loud_frames() -> None:
    loud, soft = sine(200, 1, level=0.4), sine(200, 1, level=0.4 * 10 ** (-40 / 20))
    assert active_power(np.concatenate([loud, silence(3), soft]), SR) == pytest.approx(0.08, rel=0.01)
    almost_loud = sine(200, 1, level=0.4 * 10 ** (-20 / 20))
    assert active_power(np.concatenate([loud, almost_loud]), SR) == pytest.approx(0.08 * 1.01 / 2, rel=0.01)
    assert active_power(silence(1), SR) == 0.0


@given(st.integers(1, 2000))
def test_frame_power_loses_no_energy(n: int) -> None:
    y = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
    power = frame_power(y, SR)
    lengths = np.diff([*range(0, n, 400), n])
    assert len(power) == len(lengths)
    assert (power * lengths).sum() == pytest.approx(np.square(y, dtype=np.float64).sum())


# Parameters


def drawn(name: str, n: int = 800) -> list[dict]:
    rng = np.random.default_rng(5)
    return [TRANSFORMS[name].draw(rng) for _ in range(n)]


@pytest.mark.parametrize(
    ("name", "key", "values"), [("time_stretch", "rate", RATES), ("pitch_shift", "n_steps", STEPS)]
)
def test_parameters_come_from_the_papers_reference(name: str, key: str, values: list[float]) -> None:
    params = drawn(name)
    assert {tuple(p) for p in params} == {(key,)}
    times = Counter(p[key] for p in params)
    assert sorted(times) == values
    assert min(times.values()) > 150  # of 200 expected, standard deviation 12


@pytest.mark.parametrize("name", ["gaussian_noise", "background_noise"])
def test_signal_to_noise_ratios_are_uniform(name: str) -> None:
    params = drawn(name)
    assert {tuple(p) for p in params} == {("snr_db",)}
    ratios = np.sort([p["snr_db"] for p in params])
    assert 10.0 <= ratios[0] < 10.5
    assert 29.5 < ratios[-1] <= 30.0
    assert np.abs(ratios - np.linspace(10, 30, len(ratios))).max() < 1.0


# Trimming


def test_a_trim_takes_the_ends_and_leaves_the_pauses(rng: np.random.Generator) -> None:
    hiss = 1e-4 * rng.standard_normal(round(1.5 * SR)).astype(np.float32)
    y = np.concatenate([hiss, sine(200, 0.5), hiss, sine(200, 0.5), hiss])
    first, last = speech_span(y, SR, top_db=35, margin_seconds=0.1)
    assert first / SR == pytest.approx(1.4, abs=0.025)
    assert last / SR == pytest.approx(4.1, abs=0.025)
    assert speech_span(y, SR, top_db=90, margin_seconds=0.1) == (0, len(y))


@pytest.mark.parametrize("samples", [silence(1), sine(200, 1), sine(200, 1)[:3]])
def test_a_trim_keeps_what_is_all_silence_or_all_speech(samples: np.ndarray) -> None:
    assert speech_span(samples, SR, 35, 0.1) == (0, len(samples))


@settings(max_examples=50)
@given(st.integers(0, 30_000), st.integers(400, 8_000), st.integers(0, 30_000))
def test_a_trimmed_utterance_says_where_it_began(before: int, n: int, after: int) -> None:
    y = np.concatenate([np.zeros(before), np.ones(n), np.zeros(after)]).astype(np.float32)
    y *= tone(np.random.default_rng(n), 150, len(y) / SR)[: len(y)] + 1
    utterance = UtteranceAudio(y, len(y) / SR, "digest")
    short = trimmed(utterance, FrontEnd(trim_db=35))
    first = round(short.offset * SR)
    np.testing.assert_array_equal(short.y, y[first : first + len(short.y)])
    assert not y[:first].any()
    assert not y[first + len(short.y) :].any()
    # A tenth of a second stays on either side, and at most a frame of 25 ms more.
    assert before - first <= 1600 + 400
    assert before - first >= min(before, 1600)
    assert (short.duration, short.digest) == (utterance.duration, "digest")
    assert trimmed(utterance, FrontEnd()) is utterance


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="needs root and setpriv",
)
def test_a_user_without_a_home_can_stretch() -> None:
    """Neither librosa's folder nor a home can be written: the compiler caches elsewhere, and leaves nothing."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        env = {**process_environment(), "HOME": "/nonexistent", "TMPDIR": folder}

        def nobody(code: str) -> subprocess.CompletedProcess[str]:
            line = ["setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups", sys.executable, "-c", code]
            return subprocess.run(line, cwd="/", env=env, capture_output=True, text=True, timeout=120, check=False)

        if nobody("import numpy, sertools.sound.transforms").returncode:
            pytest.skip("Python lies where others may not read")
        start = "import numpy; from sertools.sound.transforms import find_cache, time_stretch; find_cache(); "
        done = nobody(start + "print(len(time_stretch(numpy.ones(4000, 'f4'), 0.5)))")
        assert (done.returncode, done.stdout) == (0, "8000\n"), done.stderr
        assert list(Path(folder).iterdir()) == []
