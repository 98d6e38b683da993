"""Decoding, spans and cutting: nothing of an utterance is lost, and no bad file gets through."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import SR, tone
from hypothesis import given
from hypothesis import strategies as st

from sertools.config import FrontEnd
from sertools.errors import AudioError
from sertools.sound.audio import Piece, cut, piece_samples, read_duration, read_utterance

LENGTH = 16_000
front_ends = st.builds(
    lambda tail, min_tail: FrontEnd(segment_seconds=1.0, tail=tail, min_tail_seconds=min_tail),
    st.sampled_from(["pad", "overlap"]),
    st.sampled_from([0.0, 0.25, 0.9]),
)
lengths = st.integers(1, 5 * LENGTH)


@pytest.fixture
def y(rng: np.random.Generator) -> np.ndarray:
    return tone(rng, 150, 0.7)


# Cutting


@given(lengths, front_ends)
def test_no_sample_is_lost(n: int, front_end: FrontEnd) -> None:
    pieces = cut(n, front_end)
    covered = np.zeros(n, dtype=int)
    for piece in pieces:
        assert 0 <= piece.start < n
        assert 1 <= piece.n_valid <= LENGTH
        covered[piece.start : piece.start + piece.n_valid] += 1
    # A scrap that is joined pushes as much out before the last piece; nothing else is left out.
    assert (covered == 0).sum() < max(1, front_end.min_tail_seconds * SR)
    assert covered[-1] >= 1


@given(lengths, front_ends)
def test_only_the_last_piece_is_padded_and_pieces_run_on(n: int, front_end: FrontEnd) -> None:
    pieces = cut(n, front_end)
    assert all(piece.n_valid == LENGTH for piece in pieces[:-1])
    starts = [piece.start for piece in pieces]
    assert starts == sorted(set(starts))
    if front_end.tail == "overlap" and n >= LENGTH:
        assert pieces[-1] == Piece(n - LENGTH, LENGTH)
    if front_end.tail == "pad" and front_end.min_tail_seconds == 0.0:
        assert sum(piece.n_valid for piece in pieces) == n
        assert len(pieces) == math.ceil(n / LENGTH)


@given(lengths)
def test_a_scrap_joins_the_piece_before(n: int) -> None:
    front_end = FrontEnd(segment_seconds=1.0, min_tail_seconds=0.25)
    pieces = cut(n, front_end)
    if n > LENGTH:
        assert pieces[-1].n_valid >= LENGTH // 4
        if 0 < n % LENGTH < LENGTH // 4:
            assert len(pieces) == n // LENGTH
            assert pieces[-1] == Piece(n - LENGTH, LENGTH)


def test_padding_is_silence_or_the_piece_again() -> None:
    y = np.arange(1, 6001, dtype=np.float32)
    piece = Piece(1000, 5000)
    silent = piece_samples(y, piece, FrontEnd(segment_seconds=1.0))
    assert silent.shape == (LENGTH,)
    np.testing.assert_array_equal(silent[:5000], y[1000:])
    assert (silent[5000:] == 0).all()
    looped = piece_samples(y, piece, FrontEnd(segment_seconds=1.0, pad="loop"))
    np.testing.assert_array_equal(looped, np.tile(y[1000:], 4)[:LENGTH])


# Decoding


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_U8", 1 / 100),
        ("wav", "PCM_16", 1 / 30_000),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_32", 1e-6),
        ("wav", "FLOAT", 0.0),
        ("wav", "DOUBLE", 0.0),
        ("aiff", "PCM_16", 1 / 30_000),
        ("flac", "PCM_24", 1e-6),
        ("ogg", "VORBIS", 0.1),
    ],
)
def test_formats(tmp_path: Path, y: np.ndarray, suffix: str, subtype: str, tolerance: float) -> None:
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, y, SR, subtype=subtype)
    utterance = read_utterance(path, SR)
    assert utterance.y.dtype == np.float32
    assert utterance.duration == pytest.approx(len(y) / SR, abs=1e-9)
    np.testing.assert_allclose(utterance.y, y, rtol=0, atol=tolerance)


def test_channels_are_averaged(tmp_path: Path, y: np.ndarray) -> None:
    soundfile.write(tmp_path / "x.wav", np.stack([y, np.zeros_like(y)], axis=1), SR, subtype="FLOAT")
    np.testing.assert_array_equal(read_utterance(tmp_path / "x.wav", SR).y, y / 2)


def test_resampling_is_soxr_hq(tmp_path: Path, rng: np.random.Generator) -> None:
    y = rng.uniform(-0.5, 0.5, 44_100).astype(np.float32)
    soundfile.write(tmp_path / "x.wav", y, 44_100, subtype="FLOAT")
    utterance = read_utterance(tmp_path / "x.wav", SR)
    assert utterance.y.shape == (16_000,)
    assert utterance.duration == 1.0
    np.testing.assert_array_equal(utterance.y, soxr.resample(y, 44_100, SR, quality="HQ"))


def test_spans(tmp_path: Path, y: np.ndarray) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, y, SR, subtype="FLOAT")
    span = read_utterance(path, SR, 0.1, 0.25)
    np.testing.assert_array_equal(span.y, y[1600:4000])
    assert span.duration == pytest.approx(0.15)
    np.testing.assert_array_equal(read_utterance(path, SR, start=0.5).y, y[8000:])
    np.testing.assert_array_equal(read_utterance(path, SR, end=0.5).y, y[:8000])
    # A rounded end is no error; one that lies outside is.
    assert len(read_utterance(path, SR, 0.1, 0.72).y) == len(y) - 1600
    for start, end in ((0.1, 1.5), (0.8, None), (0.8, 0.9)):
        with pytest.raises(AudioError, match=r"lies outside its 0\.7 s"):
            read_utterance(path, SR, start, end)


# Digests


def test_the_same_samples_have_one_digest(tmp_path: Path, y: np.ndarray) -> None:
    y = (y * 32_767).astype(np.int16)
    for name, samples in (("a.wav", y), ("b.flac", y), ("c.aiff", y), ("d.wav", np.stack([y, y], axis=1))):
        soundfile.write(tmp_path / name, samples, SR, subtype="PCM_16")
    soundfile.write(tmp_path / "other.wav", y[:-1], SR, subtype="PCM_16")
    digests = [read_utterance(tmp_path / name, SR).digest for name in ("a.wav", "b.flac", "c.aiff", "d.wav")]
    assert len(set(digests)) == 1
    assert len(digests[0]) == 32
    assert read_utterance(tmp_path / "other.wav", SR).digest not in digests
    # At whatever rate it is wanted, and as a span that is the whole.
    assert read_utterance(tmp_path / "a.wav", 8000).digest == digests[0]
    assert read_utterance(tmp_path / "a.wav", SR, 0.0, 0.7).digest == digests[0]
    assert read_utterance(tmp_path / "a.wav", SR, 0.0, 0.6).digest != digests[0]


def test_silence_has_no_digest(tmp_path: Path) -> None:
    for name, value in (("zero.wav", 0.0), ("constant.wav", 0.25)):
        soundfile.write(tmp_path / name, np.full(4000, value, dtype=np.float32), SR)
        assert read_utterance(tmp_path / name, SR).digest == ""
    almost = np.zeros(4000, dtype=np.float32)
    almost[7] = 0.1
    soundfile.write(tmp_path / "almost.wav", almost, SR)
    assert read_utterance(tmp_path / "almost.wav", SR).digest != ""


# What is not audio


def broken_files(folder: Path) -> dict[str, str]:
    """Make bad files; return name → what its error must say."""
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is not audio, whatever its name says\n" * 20)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256().hexdigest()}\nsize 9\n"
    (folder / "pointer.flac").write_text(pointer)
    (folder / "folder.wav").mkdir()
    samples = np.linspace(-0.5, 0.5, 800, dtype=np.float32)
    soundfile.write(folder / "none.wav", samples[:0], SR)
    samples[100] = np.nan
    soundfile.write(folder / "nan.wav", samples, SR, subtype="FLOAT")
    samples[100] = np.inf
    soundfile.write(folder / "inf.wav", samples, SR, subtype="FLOAT")
    (folder / "dangling.wav").symlink_to(folder / "gone.wav")
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    return {
        "empty.wav": "empty file",
        "text.wav": "not readable as audio",
        "pointer.flac": "git lfs pull",
        "folder.wav": "is a folder",
        "none.wav": "holds no samples",
        "nan.wav": "NaN",
        "inf.wav": "infinite",
        "dangling.wav": "a link to nothing",
        "loop.wav": "a link to nothing",
        "missing.wav": "no such file",
        f"{'long' * 100}.wav": "File name too long",
    }


def test_what_is_not_audio_is_named(tmp_path: Path) -> None:
    for name, reason in broken_files(tmp_path).items():
        with pytest.raises(AudioError) as caught:
            read_utterance(tmp_path / name, SR)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_an_audio_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    path.write_text("anything")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match="Permission denied"):
        read_utterance(path, SR)


def test_a_name_that_is_not_utf_8(tmp_path: Path, y: np.ndarray) -> None:
    plain, odd = tmp_path / "x.wav", tmp_path / "\udcff.wav"
    soundfile.write(plain, y, SR)
    plain.rename(odd)
    assert len(read_utterance(odd, SR).y) == len(y)


def test_a_truncated_file_is_refused(tmp_path: Path, y: np.ndarray) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, y, SR, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 2 * 4000])
    for read in (lambda: read_utterance(path, SR), lambda: read_duration(path)):
        with pytest.raises(AudioError, match=rf"truncated: 8000 of {2 * len(y)} bytes are there"):
            read()
