"""Audio as it is found on disks: every kind is read right, or rejected with its path and the reason; never NaN."""

import contextlib
import json
import os
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import SR, TINY, Outcome, tone

from sertools.corpora.sources import list_recordings
from sertools.errors import AudioError, SertoolsWarning
from sertools.sound.audio import read_duration, read_utterance
from sertools.store.extraction import extract
from sertools.store.reader import open_store

SMALL = ("--mels", 32, "--frames", 32, "--seconds", 1)
Call = Callable[..., Outcome]


@pytest.fixture
def y(rng: np.random.Generator) -> np.ndarray:
    return tone(rng, 150, 0.7)


def truncate(path: Path, share: float = 0.5) -> None:
    os.truncate(path, int(path.stat().st_size * share))


def make_good(folder: Path, y: np.ndarray) -> dict[str, int]:
    """Write every kind that can be read; return name → samples at 16 kHz it must give."""
    folder.mkdir()
    kinds: dict[str, tuple[np.ndarray, int, dict[str, str]]] = {
        **{f"{s}.wav": (y, SR, {"subtype": s}) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")},
        "extensible.wav": (y, SR, {"format": "WAVEX", "subtype": "PCM_24"}),
        "rf64.wav": (y, SR, {"format": "RF64"}),
        "x.flac": (y, SR, {}),
        "x.ogg": (y, SR, {}),
        "opus.ogg": (y, SR, {"format": "OGG", "subtype": "OPUS"}),
        "x.mp3": (y, SR, {}),
        "x.aiff": (y, SR, {}),
        "x.AIF": (y, SR, {"format": "AIFF"}),
        **{f"{n} channels.wav": (np.stack([y] * n, axis=1), SR, {}) for n in range(1, 9)},
        **{
            f"{sr} Hz.wav": (y, sr, {})
            for sr in (8000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
        },
        "silence.wav": (np.zeros(SR), SR, {}),
        "constant.wav": (np.full(SR, 0.5), SR, {}),
        "clipped.wav": (np.clip(50 * y, -1, 1), SR, {}),
        "three samples.wav": (y[1000:1003], SR, {}),
        "one sample.wav": (y[1000:1001], SR, {}),
        "offset.wav": (0.1 * y + 0.8, SR, {}),
        "integers as floats.wav": (y * 2**31, SR, {"subtype": "FLOAT"}),
        "faint.wav": (y * np.float32(1e-30), SR, {"subtype": "FLOAT"}),
        "-dash.wav": (y, SR, {}),
        "two words.wav": (y, SR, {}),
        "new\nline.wav": (y, SR, {}),
        "\x1b[31mred.wav": (y, SR, {}),
        "quo'te\".wav": (y, SR, {}),
        "笑い.wav": (y, SR, {}),
        "same/name.wav": (y, SR, {}),
        "other/name.wav": (0.5 * y, SR, {}),
        "other/name.flac": (0.25 * y, SR, {}),
    }
    expected = {}
    for name, (samples, sr, options) in kinds.items():
        (folder / name).parent.mkdir(exist_ok=True)
        # By a descriptor: soundfile takes the format from the name, and not every name can be encoded.
        with (folder / name).open("wb") as stream:
            kind = options.get("format") or {"aif": "AIFF"}.get(name[-3:].lower(), name.rpartition(".")[2].upper())
            soundfile.write(stream, samples, sr, format=kind, subtype=options.get("subtype"))
        expected[name] = max(1, round(len(samples) * SR / sr))
    (folder / "two words.wav").rename(folder / "\udcff.wav")
    expected["\udcff.wav"] = expected.pop("two words.wav")
    # Written into a pipe: the length was not known when the header was.
    streamed = bytearray((folder / "PCM_16.wav").read_bytes())
    streamed[4:8] = streamed[40:44] = struct.pack("<I", 0xFFFF_FFFF)
    (folder / "streamed.wav").write_bytes(streamed)
    expected["streamed.wav"] = expected["PCM_16.wav"]
    # Half a sample more than there is: so some recorders round.
    rounded = bytearray((folder / "PCM_16.wav").read_bytes())
    rounded[40:44] = struct.pack("<I", 2 * len(y) + 8)
    (folder / "rounded.wav").write_bytes(rounded)
    expected["rounded.wav"] = expected["PCM_16.wav"]
    return expected


def make_bad(folder: Path, y: np.ndarray) -> dict[str, str]:
    """Write every kind that cannot be used; return name → what the reason must say."""
    folder.mkdir()
    bad: dict[str, str] = {}

    def write(name: str, samples: np.ndarray, reason: str, sr: int = SR, **options: str) -> Path:
        soundfile.write(folder / name, samples, sr, **options)
        bad[name] = reason
        return folder / name

    for suffix, reason in (
        ("wav", "truncated: "),
        ("aiff", "truncated: "),
        ("flac", "not readable as audio"),
        ("ogg", "not readable as audio"),
        ("mp3", "truncated or damaged"),
    ):
        truncate(write(f"truncated.{suffix}", y, reason))
    for kind in ("RF64", "W64", "AU"):
        truncate(write(f"truncated {kind}.wav", y, "truncated: ", format=kind))
    truncate(write("header only.wav", y, "not readable as audio"), 0.001)
    truncate(write("no samples left.wav", y, "holds no samples"), 44.5 / (44 + 2 * len(y)))
    write("no samples.wav", y[:0], "holds no samples")
    for value in (np.nan, np.inf, -np.inf):
        write(f"{value}.wav", np.r_[y, value].astype(np.float32), "holds NaN or infinite samples", subtype="FLOAT")
    write("beyond float.wav", y.astype(np.float64) * 1e300, "holds NaN or infinite samples", subtype="DOUBLE")
    write("beyond sound.wav", y * np.float32(3e38), "where 1 is full scale", subtype="FLOAT")
    write("three samples.wav", y[:3], "too short to resample", 192_000)
    for name, content, reason in (
        ("empty.wav", "", "empty file"),
        ("text.wav", "not audio, whatever the name says\n" * 20, "not readable as audio"),
        ("page.mp3", "<!DOCTYPE html><title>404</title>" * 20, "not readable as audio (Format not recognised)"),
        ("pointer.flac", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
    ):
        (folder / name).write_text(content)
        bad[name] = reason
    (folder / "dangling.wav").symlink_to("gone.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "ring a.wav").symlink_to("ring b.wav")
    (folder / "ring b.wav").symlink_to("ring a.wav")
    bad |= dict.fromkeys(("dangling.wav", "loop.wav", "ring a.wav", "ring b.wav"), "a link to nothing")
    os.mkfifo(folder / "pipe.wav")
    (folder / "to a device.wav").symlink_to("/dev/zero")
    bad |= dict.fromkeys(("pipe.wav", "to a device.wav"), "not a regular file")
    (folder / "bad\nname.wav").write_text("text")
    bad["bad\nname.wav"] = "not readable as audio"
    # What a folder of another system leaves behind is no audio, and not even looked at.
    (folder / "._truncated.wav").write_bytes(b"\0\5\x16\7resource fork")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "x.wav").write_bytes(b"\0\5\x16\7resource fork")
    # A folder is a folder, whatever its name.
    (folder / "folder.wav").mkdir()
    return bad


def test_every_kind_of_audio_is_read_right(tmp_path: Path, y: np.ndarray) -> None:
    expected = make_good(tmp_path / "good", y)
    listing = list_recordings([str(tmp_path / "good")], None, None)
    assert len(listing.recordings) == len(expected)
    for name, n in expected.items():
        utterance = read_utterance(tmp_path / "good" / name, SR)
        assert abs(len(utterance.y) - n) <= 1, name
        assert np.isfinite(utterance.y).all(), name
        assert utterance.duration == pytest.approx(n / SR, abs=1 / 8000), name
        assert read_duration(tmp_path / "good" / name) == pytest.approx(utterance.duration, abs=1 / 8000), name
    for n in range(2, 9):
        channels = read_utterance(tmp_path / "good" / f"{n} channels.wav", SR)
        np.testing.assert_allclose(channels.y, np.round(y * 2**15) / 2**15, atol=1e-4)
    # The pitch survives every rate: the strongest bin of the spectrum is where it was.
    for sr in (8000, 44_100, 192_000):
        high = read_utterance(tmp_path / "good" / f"{sr} Hz.wav", SR).y
        peak = np.abs(np.fft.rfft(high)).argmax() * SR / len(high)
        assert peak == pytest.approx(np.abs(np.fft.rfft(y)).argmax() * sr / len(y), rel=0.05), sr


def test_every_kind_of_audio_gives_finite_rows(tmp_path: Path, y: np.ndarray) -> None:
    expected = make_good(tmp_path / "good", y)
    for front_end in (TINY, type(TINY)(segment_seconds=1.0, n_mels=32, n_frames=32, trim_db=30.0, pad="loop")):
        # Of silence, copies and samples beyond full scale it says that they are there.
        with pytest.warns(SertoolsWarning):
            for _ in extract(list_recordings([str(tmp_path / "good")], None, None), tmp_path / "s.h5", front_end):
                pass
        store = open_store(tmp_path / "s.h5")
        assert len(store.contents.utterances) == len(expected)
        assert len(set(store.contents.utterances["id"].tolist())) == len(expected)
        assert all(np.isfinite(block).all() for block in store.blocks())
        assert all(store.audio_path(u).is_file() for u in range(len(expected)))
        ids = dict(zip(store.contents.utterances["id"], store.contents.utterances["digest"], strict=True))
        assert ids["silence"] == ids["constant"] == ""


def test_silence_alone_trains_to_something_finite(tmp_path: Path) -> None:
    """Two classes of nothing but silence and constants: no range, no variance, and no NaN."""
    from chains import AE, CLF, classify, pretrain

    for emotion, level in (("angry", 0.0), ("sad", 0.5)):
        (tmp_path / "quiet" / emotion).mkdir(parents=True)
        for take in range(4):
            soundfile.write(tmp_path / "quiet" / emotion / f"{take}.wav", np.full(SR, level), SR)
    with pytest.warns(SertoolsWarning, match="8 of 8 recordings are silent or constant"):
        for _ in extract(list_recordings([str(tmp_path / "quiet")], None, None), tmp_path / "s.h5", TINY):
            pass
    for train, config in ((pretrain, AE), (classify, CLF)):
        records = train([tmp_path / "s.h5"], tmp_path / "net", config)
        assert all(np.isfinite(value) for value in records[-1].values.values())


def test_every_bad_file_is_named_with_its_reason(tmp_path: Path, y: np.ndarray) -> None:
    for name, reason in make_bad(tmp_path / "bad", y).items():
        with pytest.raises(AudioError) as caught:
            read_utterance(tmp_path / "bad" / name, SR)
        assert str(caught.value).startswith(f"{tmp_path / 'bad' / name}: "), name
        assert reason in str(caught.value), name


def test_a_folder_of_bad_among_good(tmp_path: Path, y: np.ndarray, run: Call) -> None:
    make_good(tmp_path / "corpus", y)
    bad = make_bad(tmp_path / "corpus" / "bad", y)
    n_good = sum(
        1 for p in (tmp_path / "corpus").rglob("*") if p.is_file() and p.parent.name not in ("bad", "__MACOSX")
    )
    assert len(bad) > 20
    done = run("extract", "corpus", "-o", "s.h5", *SMALL)
    assert (done.code, done.out) == (1, "")
    head, *lines = [line for line in done.err.splitlines() if not line.lower().startswith(("warning", "note", "["))]
    assert head.startswith(f"sertools extract: {len(bad)} of {n_good + len(bad)} files below corpus cannot be used")
    told = dict(line.strip().split(": ", 1) for line in lines if line.startswith("  "))
    assert told.keys() == {f"bad/{name}".replace("\n", "\\n") for name in bad}
    for name, reason in bad.items():
        assert reason in told[f"bad/{name}".replace("\n", "\\n")]
    assert sorted(os.listdir(tmp_path)) == ["corpus"]

    done = run("extract", "corpus", "-o", "s.h5", *SMALL, "--on-error", "skip", "--jobs", 2)
    assert done.code == 0, done.err
    assert f"{len(bad)} files skipped" in done.err
    contents = open_store(tmp_path / "s.h5").contents
    assert len(contents.utterances) == n_good
    assert set(contents.rejected["path"].tolist()) == {f"bad/{name}" for name in bad}
    described = json.loads(run("info", "s.h5", "--json").out)
    assert {row["path"] for row in described["rejected"]} == {f"bad/{name}" for name in bad}


def test_a_want_of_handles_is_no_fault_of_a_file(tmp_path: Path, y: np.ndarray) -> None:
    """Else --on-error skip would lose good files."""
    path = tmp_path / "x.wav"
    soundfile.write(path, y, SR)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    handles = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
        with contextlib.suppress(OSError):
            while True:
                handles.append(os.open(path, os.O_RDONLY))
        with pytest.raises(OSError, match="Too many open files"):
            read_utterance(path, SR)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for handle in handles:
            os.close(handle)
    assert len(read_utterance(path, SR).y) == len(y)


def test_names_that_look_like_options(tmp_path: Path, y: np.ndarray, run: Call) -> None:
    soundfile.write(tmp_path / "-o.wav", y, SR)
    assert run("extract", "-o", "s.h5", *SMALL, "--", "-o.wav").code == 0
    assert run("extract", "-", "-o", "t.h5", *SMALL, stdin="-o.wav\n").code == 0
    assert (tmp_path / "s.h5").read_bytes() == (tmp_path / "t.h5").read_bytes()


def test_an_hour_is_read_whole(tmp_path: Path) -> None:
    """Silence with one click in the last second, at the lowest rate."""
    y = np.zeros(3600 * 8000, dtype=np.int16)
    y[-4000] = 30_000
    soundfile.write(tmp_path / "hour.wav", y, 8000)
    utterance = read_utterance(tmp_path / "hour.wav", 8000)
    assert utterance.duration == 3600
    assert utterance.y.argmax() == len(y) - 4000
