"""The front end is librosa's, to 1e-4 dB: on tones and noise always, on real speech where there is any."""

from pathlib import Path

import librosa
import numpy as np
import pytest
from conftest import SR, tone

from sertools.config import FrontEnd
from sertools.corpora.table import find_audio
from sertools.errors import UsageError
from sertools.sound.audio import cut, piece_samples, read_utterance
from sertools.sound.features import floor_db, log_mel, mel_filters, mel_frequencies, natural_log_mel, valid_frames

PAD = FrontEnd()
EXACT = FrontEnd(fit="exact")
SMALL = FrontEnd(n_mels=64, n_frames=64)
FRONT_ENDS = [PAD, EXACT, SMALL, FrontEnd(sr=22_050, segment_seconds=2.0, n_mels=48, n_frames=96)]
NAMES = ["pad", "exact", "64x64", "22kHz"]


def reference(y: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    power = librosa.feature.melspectrogram(
        y=y,
        sr=front_end.sr,
        n_fft=front_end.n_fft,
        hop_length=front_end.hop_length,
        n_mels=front_end.n_mels,
        center=front_end.center,
        window="hann",
        power=2.0,
    )
    return 10.0 * np.log10(np.maximum(power, 1e-10))


def sounds(rng: np.random.Generator, front_end: FrontEnd) -> list[np.ndarray]:
    n, seconds = front_end.segment_samples, front_end.segment_samples / SR
    half = np.concatenate([tone(rng, 140, seconds / 2), np.zeros(n, dtype=np.float32)])[:n]
    return [tone(rng, 210, seconds, slope=-30)[:n], (0.3 * rng.standard_normal(n)).astype(np.float32), half]


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=NAMES)
def test_log_mel_is_librosas(rng: np.random.Generator, front_end: FrontEnd) -> None:
    for y in sounds(rng, front_end):
        expected = reference(y, front_end)
        assert natural_log_mel(y, front_end).shape == expected.shape
        picture = log_mel(y, front_end)
        assert picture.shape == (front_end.n_mels, front_end.n_frames)
        assert picture.dtype == np.float32
        n = expected.shape[1]
        np.testing.assert_allclose(picture[:, :n], expected, rtol=0, atol=1e-4)
        assert (picture[:, n:] == -100.0).all()


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=NAMES)
def test_mel_filters_are_librosas(front_end: FrontEnd) -> None:
    expected = librosa.filters.mel(sr=front_end.sr, n_fft=front_end.n_fft, n_mels=front_end.n_mels, dtype=np.float64)
    np.testing.assert_allclose(mel_filters(front_end), expected, rtol=1e-9, atol=1e-12)
    centres = librosa.mel_frequencies(n_mels=front_end.n_mels + 2, fmin=0, fmax=front_end.sr / 2)[1:-1]
    np.testing.assert_allclose(mel_frequencies(front_end), centres, rtol=1e-9)


def test_the_papers_numbers() -> None:
    assert (PAD.segment_samples, PAD.n_fft, PAD.hop_length, PAD.natural_frames) == (48_000, 800, 400, 121)
    assert (EXACT.n_fft, EXACT.hop_length, EXACT.natural_frames) == (744, 372, 128)
    assert not EXACT.center
    assert floor_db(PAD) == -100.0


def test_pad_ends_in_seven_columns_of_floor(rng: np.random.Generator) -> None:
    y = (0.1 * rng.standard_normal(48_000)).astype(np.float32)
    picture = log_mel(y, PAD)
    assert (picture[:, 121:] == -100.0).all()
    assert (picture[:, :121] > -100.0).all()
    assert (log_mel(y, EXACT) > -100.0).all()


def test_silence_is_the_floor() -> None:
    assert (log_mel(np.zeros(48_000, dtype=np.float32), PAD) == -100.0).all()


def test_resize_interpolates_along_time(rng: np.random.Generator) -> None:
    front_end = FrontEnd(fit="resize")
    y = (0.1 * rng.standard_normal(48_000)).astype(np.float32)
    natural, picture = natural_log_mel(y, front_end), log_mel(y, front_end)
    assert natural.shape == (128, 121)
    at = np.linspace(0, 120, 128)
    expected = np.stack([np.interp(at, np.arange(121), band) for band in natural])
    np.testing.assert_allclose(picture, expected, rtol=0, atol=1e-4)
    # Time runs as it did: a click in the middle stays there.
    y[:] = 0
    y[24_000] = 1
    assert abs(int(log_mel(y, front_end).sum(axis=0).argmax()) - 64) <= 1


@pytest.mark.parametrize(
    ("front_end", "n_valid", "expected"),
    [
        (PAD, 48_000, 121),
        (PAD, 1, 1),
        (PAD, 400, 2),
        (PAD, 24_000, 61),
        (EXACT, 48_000, 128),
        (EXACT, 1, 1),
        (EXACT, 372, 1),
        (EXACT, 373, 2),
        (FrontEnd(fit="resize"), 48_000, 128),
        (FrontEnd(fit="resize"), 24_000, 65),
    ],
)
def test_valid_frames(front_end: FrontEnd, n_valid: int, expected: int) -> None:
    assert valid_frames(n_valid, front_end) == expected


def test_valid_frames_are_what_librosa_makes_of_the_samples_alone(rng: np.random.Generator) -> None:
    for n in rng.integers(800, 48_000, 20):
        y = np.ones(int(n), dtype=np.float32)
        assert valid_frames(int(n), PAD) == reference(y, PAD).shape[1]


def test_valid_frames_never_shrink() -> None:
    for front_end in (PAD, EXACT, SMALL, FrontEnd(fit="resize")):
        counts = [valid_frames(n, front_end) for n in range(1, front_end.segment_samples + 1, 97)]
        assert counts == sorted(counts)
        assert counts[0] == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"n_frames": 100}, "--frames 100"),
        ({"n_mels": 2048}, "--mels 2048"),
        ({"fit": "stretch"}, "--fit 'stretch'"),
        ({"sr": 10}, "--sr 10"),
        ({"segment_seconds": float("nan")}, "--seconds nan"),
        ({"min_tail_seconds": 3.0}, "--min-tail 3.0"),
        # Frames left over would be cut off: a tenth of the segment here.
        ({"sr": 8000, "segment_seconds": 0.25, "n_frames": 256, "fit": "exact"}, "--frames 256"),
    ],
)
def test_impossible_front_ends_are_refused(options: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        FrontEnd(**options)


def assert_real_speech_matches(paths: list[Path]) -> None:
    assert paths
    for front_end in FRONT_ENDS[:3]:
        for path in paths:
            utterance = read_utterance(path, front_end.sr)
            for piece in cut(len(utterance.y), front_end):
                y = piece_samples(utterance.y, piece, front_end)
                expected = reference(y, front_end)
                picture = log_mel(y, front_end)[:, : expected.shape[1]]
                np.testing.assert_allclose(picture, expected, rtol=0, atol=1e-4, err_msg=str(path))


def test_real_speech_ravdess(ravdess_dir: Path) -> None:
    assert_real_speech_matches(find_audio(ravdess_dir)[::90])


def test_real_speech_emodb(emodb_dir: Path) -> None:
    assert_real_speech_matches(find_audio(emodb_dir)[::40])
