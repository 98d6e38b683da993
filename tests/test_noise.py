"""A folder of background noise: what is taken from it, and what is refused."""

import shutil
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import SR

from sertools.errors import AudioError, CorpusError, SertoolsWarning
from sertools.sound.noise import open_noise


def write(path: Path, y: np.ndarray, sr: int = SR) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, y.astype(np.float32), sr, subtype="FLOAT" if path.suffix == ".wav" else "PCM_16")


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Three files of 4 s at two rates, below two folders."""
    write(tmp_path / "noise" / "rain.wav", rng.uniform(-0.5, 0.5, 4 * SR))
    write(tmp_path / "noise" / "street" / "cars.wav", rng.uniform(-0.5, 0.5, 4 * 44_100), 44_100)
    write(tmp_path / "noise" / "street" / "horns.flac", rng.uniform(-0.5, 0.5, 4 * SR))
    return tmp_path / "noise"


# Listing


def test_what_a_folder_holds(folder: Path) -> None:
    (folder / "readme.txt").write_text("not audio by its name")
    with pytest.warns(SertoolsWarning, match=r"left out 1 of 4 files, whose suffix is none of audio: 1 \.txt;"):
        noise = open_noise(folder, 3.0)
    assert noise.names == ("rain.wav", "street/cars.wav", "street/horns.flac")
    assert noise.seconds == (4.0, 4.0, 4.0)


def test_short_files_are_remarked(folder: Path) -> None:
    with pytest.warns(SertoolsWarning, match=r"noise: 3 of 3 noise files are shorter than a segment of 4\.5 s, and"):
        open_noise(folder, 4.5)
    write(folder / "click.wav", np.ones(100))
    with pytest.warns(SertoolsWarning, match=r"1 of 4 noise files"):
        open_noise(folder, 4.0)


def test_a_folder_without_noise_says_where_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none: no such folder"):
        open_noise(tmp_path / "none", 3.0)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CorpusError, match=r"no audio files below it; .*ESC-50 \(github\.com/karolpiczak/ESC-50\)"):
        open_noise(tmp_path, 3.0)
    with pytest.raises(CorpusError, match="is a file, not a folder"):
        open_noise(tmp_path / "notes.txt", 3.0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is not audio, whatever its name says\n", "not readable as audio"),
        (b"", "empty file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (None, "holds no samples"),
    ],
)
def test_what_is_not_audio_is_named(folder: Path, content: bytes | None, reason: str) -> None:
    path = folder / "odd.wav"
    if content is None:
        write(path, np.empty(0))
    else:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=reason) as caught:
        open_noise(folder, 3.0)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert text.count(str(path)) == 1
    assert text.endswith("take it out of the noise folder")


def test_a_broken_link_comes_to_light(folder: Path) -> None:
    (folder / "gone.wav").symlink_to(folder / "nowhere.wav")
    with pytest.raises(AudioError, match=r"gone\.wav: a link to nothing"):
        open_noise(folder, 3.0)


def test_the_digest_is_of_names_and_durations(folder: Path, tmp_path: Path) -> None:
    digest = open_noise(folder, 3.0).digest()
    shutil.copytree(folder, tmp_path / "copy")
    assert open_noise(tmp_path / "copy", 3.0).digest() == digest
    (tmp_path / "copy" / "rain.wav").rename(tmp_path / "copy" / "snow.wav")
    shutil.copy(folder / "rain.wav", folder / "wind.wav")
    write(folder / "rain.wav", np.ones(3 * SR))
    assert len({digest, open_noise(folder, 3.0).digest(), open_noise(tmp_path / "copy", 3.0).digest()}) == 3


# Drawing


def test_a_draw_is_a_stretch_of_a_file(folder: Path) -> None:
    noise, rng = open_noise(folder, 3.0), np.random.default_rng(1)
    seen: Counter[str] = Counter()
    starts = []
    for _ in range(30):
        y, name, start = noise.draw(SR + 7, SR, rng)
        assert (y.dtype, y.shape) == (np.float32, (SR + 7,))
        samples, sr = soundfile.read(folder / name, dtype="float32")
        first = round(start * sr)
        expected = samples[first : first + round((SR + 7) / SR * sr)]
        if sr != SR:
            expected = soxr.resample(expected, sr, SR, quality="HQ")
        np.testing.assert_array_equal(y[: len(expected)], expected[: len(y)])
        assert abs(len(expected) - len(y)) <= 1
        seen[name] += 1
        starts.append(start)
    assert set(seen) == set(noise.names)
    # From anywhere in the 4 s, as long as a second and a bit is left.
    assert min(starts) < 0.5
    assert 2.5 < max(starts) < 3.0
    assert len(set(starts)) == 30


def test_a_generator_fixes_the_draws(folder: Path) -> None:
    noise = open_noise(folder, 3.0)

    def draws(seed: int) -> list[tuple[str, float]]:
        rng = np.random.default_rng(seed)
        return [noise.draw(SR, SR, rng)[1:] for _ in range(5)]

    assert draws(3) == draws(3) != draws(4)


def test_a_short_file_is_repeated(tmp_path: Path) -> None:
    click = np.arange(1, 101, dtype=np.float32) / 200
    write(tmp_path / "click.wav", click)
    with pytest.warns(SertoolsWarning, match="repeated"):
        noise = open_noise(tmp_path, 3.0)
    y, name, start = noise.draw(250, SR, np.random.default_rng(0))
    assert (name, start) == ("click.wav", 0.0)
    np.testing.assert_array_equal(y, [*click, *click, *click[:50]])


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_silent_files_are_passed_over(folder: Path, value: float) -> None:
    write(folder / "silent.wav", np.full(4 * SR, value))
    noise, rng = open_noise(folder, 3.0), np.random.default_rng(2)
    assert "silent.wav" in noise.names
    assert {noise.draw(SR, SR, rng)[1] for _ in range(40)} == set(noise.names) - {"silent.wav"}


def test_nothing_but_silence_is_refused(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name, np.zeros(4 * SR))
    noise = open_noise(tmp_path, 3.0)
    with pytest.raises(AudioError, match=r"20 draws of noise in a row are silent; remove the silent files") as caught:
        noise.draw(SR, SR, np.random.default_rng(0))
    assert str(caught.value).startswith(f"{tmp_path}: ")


def test_damaged_noise_is_named_when_it_is_drawn(tmp_path: Path) -> None:
    y = np.zeros(4 * SR)
    y[::100] = np.nan
    write(tmp_path / "nan.wav", y)
    with pytest.raises(AudioError, match=r"nan\.wav: holds NaN or infinite samples"):
        open_noise(tmp_path, 3.0).draw(SR, SR, np.random.default_rng(0))


def test_a_name_that_is_not_utf_8(folder: Path) -> None:
    for name in ("rain.wav", "street/cars.wav", "street/horns.flac"):
        path = folder / name
        path.rename(path.with_name(f"\udcff{path.name}"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noise = open_noise(folder, 3.0)
        y, name, _ = noise.draw(SR, SR, np.random.default_rng(0))
    assert name.rpartition("/")[2].startswith("\udcff")
    assert y.any()
    assert len(noise.digest()) == 32
