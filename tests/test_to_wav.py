"""Sound from log-mel pictures: as near as librosa's, at the right pitch, level and length; and the verb."""

import numpy as np
import pytest
import soundfile
from chains import write_rows
from typer.testing import CliRunner

from sertools.cli import app
from sertools.config import FrontEnd
from sertools.errors import StoreError, UsageError
from sertools.sound.features import log_mel, natural_log_mel
from sertools.sound.inversion import mel_to_power, to_audio
from sertools.store.listening import to_wav
from sertools.store.reader import open_store

FITS = [FrontEnd(), FrontEnd(fit="exact"), FrontEnd(fit="resize"), FrontEnd(n_mels=64, n_frames=64)]


def voice(front_end, pitch_hz=200.0):
    """Harmonics under a syllable rhythm."""
    t = np.arange(front_end.segment_samples) / front_end.sr
    harmonics = sum(np.sin(2 * np.pi * k * pitch_hz * t) / k for k in range(1, 20))
    return (0.1 * harmonics * np.clip(np.sin(2 * np.pi * 2 * t), 0.05, None)).astype(np.float32)


def magnitude_error(y, wanted_db, front_end):
    """Distance of mel magnitudes, relative."""
    y = np.pad(y, (0, max(0, front_end.segment_samples - y.size)))[: front_end.segment_samples]
    wanted = 10 ** (wanted_db.astype(np.float64) / 20)
    made = 10 ** (natural_log_mel(y, front_end).astype(np.float64) / 20)
    return np.linalg.norm(made - wanted) / np.linalg.norm(wanted)


@pytest.mark.parametrize("front_end", FITS, ids=["pad", "exact", "resize", "64"])
def test_the_picture_of_the_sound_is_the_picture(front_end):
    y = to_audio(log_mel(voice(front_end), front_end), front_end)
    assert y.dtype == np.float32
    assert abs(y.size - front_end.segment_samples) <= 2 * front_end.n_fft
    assert magnitude_error(y, natural_log_mel(voice(front_end), front_end), front_end) < 0.3


def test_as_near_as_librosa():
    librosa = pytest.importorskip("librosa")
    front_end = FrontEnd()
    wanted = natural_log_mel(voice(front_end), front_end)
    theirs = librosa.feature.inverse.mel_to_audio(
        10 ** (wanted.astype(np.float64) / 10),
        sr=front_end.sr,
        n_fft=front_end.n_fft,
        hop_length=front_end.hop_length,
    )
    ours = to_audio(log_mel(voice(front_end), front_end), front_end)
    limit = 1.15 * magnitude_error(theirs.astype(np.float32), wanted, front_end)
    assert magnitude_error(ours, wanted, front_end) <= limit


def test_filters_are_inverted_without_negative_power():
    front_end = FrontEnd()
    mel = 10 ** (natural_log_mel(voice(front_end), front_end) / 10)
    power = mel_to_power(mel, front_end)
    assert power.shape == (401, 121)
    assert power.min() >= 0.0


def test_padding_is_left_out_and_silence_is_silent():
    front_end = FrontEnd()
    picture = log_mel(voice(front_end), front_end)
    assert to_audio(picture, front_end, 41).size == 40 * front_end.hop_length
    assert not to_audio(np.full((128, 128), -100.0, np.float32), front_end).any()


@pytest.mark.parametrize("front_end", FITS, ids=["pad", "exact", "resize", "64"])
def test_a_single_frame_is_heard_too(front_end):
    assert np.abs(to_audio(log_mel(voice(front_end), front_end), front_end, 1)).max() > 0


def test_files_are_named_by_row_class_and_origin(rng, tmp_path):
    pictures = rng.uniform(-80, -20, (4, 32, 32)).astype(np.float32)
    path = write_rows(tmp_path / "a.h5", pictures, ["sad", "angry/../x", "sad", "sad"])
    done = CliRunner().invoke(app, ["to-wav", str(path), "-o", str(tmp_path / "out"), "--iterations", "2"])
    assert done.exit_code == 0, done.output
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == [f"00000{n}-{c}-real.wav" for n, c in enumerate(["sad", "angry_.._x", "sad", "sad"])]
    y, sr = soundfile.read(tmp_path / "out" / names[0])
    assert sr == open_store(path).contents.front_end.sr
    assert 0 < np.abs(y).max() <= 1.0
    # Some of each class: the same rows sound the same.
    list(to_wav(path, tmp_path / "some", per_class=1, n_iter=2))
    some = sorted(p.name for p in (tmp_path / "some").iterdir())
    assert len(some) == 2
    for name in some:
        assert (tmp_path / "some" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_loud_row_is_made_quieter_and_counted(rng, tmp_path):
    path = write_rows(tmp_path / "a.h5", np.full((1, 32, 32), 40.0, np.float32), ["sad"])
    *_, last = to_wav(path, tmp_path / "out", n_iter=2)
    assert last.n_quieter == 1
    y, _ = soundfile.read(tmp_path / "out" / "000000-sad-real.wav")
    assert 0.9 < np.abs(y).max() <= 1.0


def test_bad_input(rng, tmp_path):
    broken = np.full((1, 32, 32), np.nan, np.float32)
    with pytest.raises(StoreError, match=r"row 0 .* holds NaN"):
        list(to_wav(write_rows(tmp_path / "nan.h5", broken, ["sad"]), tmp_path / "out"))
    with pytest.raises(StoreError, match="no rows"):
        list(to_wav(write_rows(tmp_path / "none.h5", broken[:0], []), tmp_path / "out"))
    good = write_rows(tmp_path / "a.h5", np.zeros((1, 32, 32), np.float32), ["sad"])
    with pytest.raises(UsageError, match="must name a folder"):
        list(to_wav(good, good))
