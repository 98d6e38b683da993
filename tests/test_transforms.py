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

from sertools.augment_config import Augmenting
from sertools.balance.alteration import TRANSFORMS
from sertools.balance.strategies import STRATEGIES, STRONGEST, TRANSFORM_NAMES
from sertools.config import FrontEnd
from sertools.fields import keywords_of
from sertools.sound.activity import active_power, frame_power, speech_span
from sertools.sound.audio import UtteranceAudio, trimmed
from sertools.sound.transforms import (
    add_noise,
    change_speed,
    filter_frequencies,
    pitch_shift,
    time_stretch,
    warp_vocal_tract,
)

RATES = [0.81, 0.93, 1.07, 1.23]
STEPS = [-2, -1, 1, 2]
SPEEDS = [0.9, 1.1]
ALPHAS = [0.9, 0.95, 1.05, 1.1]


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
    for rate in SPEEDS:
        faster = change_speed(y, rate)
        assert len(faster) == max(1, round(n / rate))
        assert np.isfinite(faster).all()
    for made in (
        add_noise(y, rng.standard_normal(n).astype(np.float32), SR, 10.0),
        *(warp_vocal_tract(y, sr, alpha) for alpha in ALPHAS for sr in (8000, SR, 48_000)),
        *(filter_frequencies(y, sr, 150.0, 5.0, gain) for gain in (-10.0, 10.0) for sr in (8000, SR, 48_000)),
    ):
        assert (made.dtype, len(made)) == (np.float32, n)
        assert np.isfinite(made).all()


def test_silence_stays_silence(rng: np.random.Generator) -> None:
    y = silence(0.5)
    for made in (
        time_stretch(y, 0.81),
        pitch_shift(y, SR, 2),
        add_noise(y, rng.standard_normal(len(y)).astype(np.float32), SR, 10.0),
        change_speed(y, 1.1),
        warp_vocal_tract(y, SR, 0.9),
        filter_frequencies(y, SR, 1000.0, 6.0, 10.0),
    ):
        assert not made.any()


# Of works that the paper cites


@pytest.mark.parametrize("rate", SPEEDS)
def test_another_speed_changes_duration_and_pitch_alike(rate: float) -> None:
    y = sine(220, 2)
    faster = change_speed(y, rate)
    assert faster.dtype == np.float32
    assert len(faster) == round(len(y) / rate)
    assert strongest_frequency(faster) == pytest.approx(220 * rate, rel=0.002)
    assert db(rms(faster) ** 2 / rms(y) ** 2) == pytest.approx(0, abs=0.1)
    burst = np.concatenate([silence(1.2), sine(220, 0.1), silence(0.9)])
    assert burst_seconds(change_speed(burst, rate)) == pytest.approx(1.25 / rate, abs=0.001)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("frequency", [220, 1000, 3500, 5500, 7500])
def test_a_vocal_tract_moves_frequencies_as_jaitly_and_hinton_have_it(alpha: float, frequency: float) -> None:
    """Their formula, with F_hi = 4800 Hz and S = 16 kHz."""
    knee, top = 4800 * min(alpha, 1), SR / 2
    moved = alpha * frequency
    if frequency > knee / alpha:
        moved = top - (top - knee) / (top - knee / alpha) * (top - frequency)
    y = sine(frequency, 2)
    warped = warp_vocal_tract(y, SR, alpha)
    assert (warped.dtype, len(warped)) == (np.float32, len(y))
    assert strongest_frequency(warped) == pytest.approx(moved, rel=0.002)
    middle = slice(len(y) // 8, -len(y) // 8)
    assert db(rms(warped[middle]) ** 2 / rms(y) ** 2) == pytest.approx(0, abs=2)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_vocal_tract_keeps_the_level_between_the_bins_too(alpha: float) -> None:
    """Where neighbouring bins come from bins that are not neighbours, their signs must fit."""
    for frequency in range(200, 4200, 111):
        y = sine(frequency, 0.5)
        middle = slice(len(y) // 4, -len(y) // 4)
        warped = warp_vocal_tract(y, SR, alpha)
        assert db(rms(warped[middle]) ** 2 / rms(y[middle]) ** 2) == pytest.approx(0, abs=2), frequency


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_vocal_tract_leaves_events_where_they_are(alpha: float) -> None:
    y = np.concatenate([silence(1.2), sine(220, 0.1), silence(0.9)])
    assert burst_seconds(warp_vocal_tract(y, SR, alpha)) == pytest.approx(1.25, abs=0.02)


def test_a_vocal_tract_of_the_same_length_changes_nothing(rng: np.random.Generator) -> None:
    y = tone(rng, 150, 1.0)
    np.testing.assert_allclose(warp_vocal_tract(y, SR, 1.0), y, rtol=0, atol=1e-4)


@pytest.mark.parametrize("gain_db", [-10.0, 4.0, 10.0])
@pytest.mark.parametrize("semitones", [0, 6, -12, 36])
def test_a_filter_has_a_bell_over_the_semitones(gain_db: float, semitones: float) -> None:
    y = sine(800 * 2 ** (semitones / 12), 1)
    filtered = filter_frequencies(y, SR, 800.0, 6.0, gain_db)
    middle = slice(len(y) // 8, -len(y) // 8)
    expected = gain_db * np.exp(-0.5 * (semitones / 6) ** 2)
    assert db(rms(filtered[middle]) ** 2 / rms(y[middle]) ** 2) == pytest.approx(expected, abs=0.05)
    # Phases stay, and what is loud at the end does not come round to the beginning.
    assert np.corrcoef(filtered[middle], y[middle])[0, 1] > 0.999
    late = np.concatenate([silence(0.9), sine(800, 0.1)])
    assert np.abs(filter_frequencies(late, SR, 800.0, 6.0, gain_db)[: SR // 2]).max() < 1e-4


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
    ("name", "key", "values"),
    [("time_stretch", "rate", RATES), ("pitch_shift", "n_steps", STEPS), ("speed", "rate", SPEEDS)],
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


def test_parameters_of_the_works_cited() -> None:
    alphas = np.sort([p["alpha"] for p in drawn("vocal_tract")])
    assert np.abs(alphas - np.linspace(0.9, 1.1, len(alphas))).max() < 0.01
    filters = drawn("frequency_filter")
    assert {tuple(p) for p in filters} == {("center_hz", "width", "gain_db")}
    for key, low, high in (("center_hz", 150, 8000), ("width", 5, 7), ("gain_db", -10, 10)):
        values = np.sort([p[key] for p in filters])
        even = np.geomspace if key == "center_hz" else np.linspace
        expected = even(low, high, len(values))
        assert low <= values[0] < expected[8]
        assert expected[-9] < values[-1] <= high
        assert values[len(values) // 2] == pytest.approx(expected[len(values) // 2], abs=0.1 * (high - low))


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"frequency_filter"}))
def test_a_transform_at_half_strength_is_about_its_works_and_grows(name: str) -> None:
    def strength(params: dict) -> float:
        [value] = params.values()
        if "snr_db" in params:
            return -value
        return abs(value) if "n_steps" in params else abs(np.log(value))

    rng = np.random.default_rng(1)
    transform = TRANSFORMS[name]
    weak, half, full = ([transform.at(rng, m) for _ in range(40)] for m in (0.1, 0.5, 1.0))
    assert max(map(strength, weak)) < min(map(strength, half)) < min(map(strength, full))
    theirs = [strength(transform.draw(rng)) for _ in range(400)]
    # Of noise, which they draw from a range, half is in its middle.
    assert 0.8 * min(theirs) <= np.mean([*map(strength, half)]) <= 1.05 * max(theirs)
    if "snr_db" not in half[0]:
        assert len({tuple(params.items()) for params in half}) == 2  # either way


def test_options_name_what_there_is() -> None:
    assert set(TRANSFORM_NAMES) == set(TRANSFORMS)
    options = {name: keyword.option for name, keyword in keywords_of(Augmenting).items()}
    assert all(name in options["among"].help for name in TRANSFORMS)
    assert options["magnitude"].bounds is not None
    assert options["magnitude"].bounds.high == STRONGEST
    assert options["magnitude"].unset == f"{STRATEGIES['RA'].magnitude:g}"
    assert options["in_a_row"].unset == str(STRATEGIES["RA"].in_a_row)


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
