"""`sertools extract` against the obvious librosa script: whole commands, imports and all, and the same decibels.

Also the work on a file alone at 44.1 kHz, and the memory of ten hours.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import librosa
import numpy as np
import soundfile
from pairs import compare, of_ratios, peak_bytes, python, wall_seconds

from sertools.config import FrontEnd
from sertools.corpora.folders import read
from sertools.store.row_file import RowFile
from sertools.store.segments import decode, write_rows

HERE = Path(__file__).parent
# What `extract` cannot do without: its imports, and the samples.
DECODE = "import sys, pathlib, h5py, soundfile; [soundfile.read(f) for f in pathlib.Path(sys.argv[1]).rglob('*.wav')]"
TOLERANCE_DB = 1e-4
MEMORY_BYTES = 300e6
os.environ["OMP_NUM_THREADS"] = "1"


def speech_like(rng: np.random.Generator, sr: int, seconds: float) -> np.ndarray:
    """Harmonics of a gliding pitch under a syllable rhythm, over faint noise: what the transforms see of speech."""
    t = np.arange(round(sr * seconds)) / sr
    pitch = rng.uniform(90, 250) * np.exp(rng.uniform(-0.3, 0.3) * t)
    phase = 2 * np.pi * np.cumsum(pitch) / sr
    voiced = sum(np.sin(k * phase) / k for k in range(1, 20))
    rhythm = np.clip(np.sin(2 * np.pi * rng.uniform(3, 5) * t + rng.uniform(0, 6)), 0, None)
    return (0.1 * voiced * rhythm + 1e-4 * rng.standard_normal(t.size)).astype(np.float32)


def make_corpus(folder: Path, n_files: int, sr: int, seconds: float) -> None:
    rng = np.random.default_rng(0)
    distinct = [speech_like(rng, sr, seconds) for _ in range(min(n_files, 50))]
    for number in range(n_files):
        emotion = folder / ("angry", "happy", "sad", "neutral")[number % 4]
        emotion.mkdir(parents=True, exist_ok=True)
        y = np.roll(distinct[number % len(distinct)], number)
        soundfile.write(emotion / f"{number:05d}.wav", y, sr, subtype="PCM_16")


def largest_difference_db(ours: Path, rival: Path) -> float:
    with h5py.File(ours) as a, h5py.File(rival) as b:
        here, there = a["spectrogram"][:], np.maximum(b["spectrogram"][:], -100.0)
    # Both in the order of the paths.
    return float(np.abs(here - there).max())


def in_process(corpus: Path, pairs: int) -> None:
    """The work on 44.1 kHz files without starts, resampling included: ours digests and writes its rows besides."""
    recordings, front_end = read(corpus), FrontEnd()
    rows = RowFile(corpus / "rows", corpus, front_end.shape)
    rows.path.touch()

    def ours() -> None:
        write_rows(0, decode(recordings, front_end), front_end, rows)

    def decoding() -> None:
        for recording in recordings:
            soundfile.read(recording.file, dtype="float32")

    def librosas() -> None:
        for recording in recordings:
            y, _ = librosa.load(recording.file, sr=front_end.sr)
            for start in range(0, len(y), front_end.segment_samples):
                segment = librosa.util.fix_length(
                    y[start : start + front_end.segment_samples], size=front_end.segment_samples
                )
                power = librosa.feature.melspectrogram(
                    y=segment, sr=front_end.sr, n_fft=front_end.n_fft, hop_length=front_end.hop_length, n_mels=128
                )
                librosa.power_to_db(power, amin=1e-10, top_db=None)

    def timed(work: Callable[[], None]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    for work in (ours, librosas):
        work()
    compare(
        lambda: timed(ours), lambda: timed(librosas), pairs=pairs,
        what="44.1 kHz files to log-mel, in process", against="librosa in process", unit="speed", goal=2.2,
        size=f"{len(recordings)} files of 4.5 s, one thread", floor="decoding alone", bound=lambda: timed(decoding),
    ).say()  # fmt: skip


def memory_of_ten_hours(root: Path) -> None:
    """Measure the peak of all processes on 6000 files of 6 s."""
    corpus, store = root / "ten-hours", root / "ten-hours.h5"
    make_corpus(corpus, 6000, 16_000, 6.0)
    for jobs in (1, 2):
        peak = peak_bytes(
            python("-m", "sertools", "extract", "-q", str(corpus), "-o", str(store), "--jobs", str(jobs))
        )
        of_ratios(
            [peak / MEMORY_BYTES], what=f"peak memory of all processes, 10 h of audio, --jobs {jobs}",
            against="300 MB", unit="memory", goal=1.0, size="6000 files of 6 s at 16000 Hz",
        ).say()  # fmt: skip
        store.unlink()
    shutil.rmtree(corpus)


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        ours, rival = root / "ours.h5", root / "rival.h5"
        for n_files, sr, seconds, jobs, goal in (
            (535, 16_000, 2.0, 1, 0.20),
            (535, 22_050, 2.0, 1, 0.25),
            (224, 44_100, 4.5, 1, 0.45),
            (5350, 16_000, 2.0, 1, 0.30),
            (5350, 16_000, 2.0, 2, 0.20),
        ):
            corpus = root / f"{n_files}-{sr}"
            if not corpus.exists():
                make_corpus(corpus, n_files, sr, seconds)
            extract = python("-m", "sertools", "extract", "-q", str(corpus), "-o", str(ours), "--jobs", str(jobs))
            obvious = python(str(HERE / "librosa_extract.py"), str(corpus), str(rival))

            def by_sertools(extract: list[str] = extract) -> float:
                ours.unlink(missing_ok=True)
                return wall_seconds(extract)

            figure = compare(
                by_sertools,
                lambda obvious=obvious: wall_seconds(obvious),
                pairs=pairs,
                what=f"extract, {n_files} files of {seconds:g} s at {sr} Hz, --jobs {jobs}",
                against="the obvious librosa script",
                unit="time",
                goal=goal,
                size="whole command, PCM16",
                floor="start and decoding alone, one process",
                bound=lambda corpus=corpus: wall_seconds(python("-c", DECODE, str(corpus))),
            )
            difference = largest_difference_db(ours, rival)
            if sr == 16_000 and difference > TOLERANCE_DB:
                sys.exit(f"{corpus.name}: differs from librosa by {difference:.2g} dB, more than {TOLERANCE_DB:g}")
            figure.say()
            if sr == 44_100:
                in_process(corpus, pairs)
        memory_of_ten_hours(root)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
