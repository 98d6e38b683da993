"""What several tests share: a small corpus of tones, its store, the command line, and real speech if there is any."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import sertools
from sertools.balance.augmentation import augment_store
from sertools.balance.strategies import STRATEGIES
from sertools.cli import app
from sertools.config import FrontEnd
from sertools.corpora.sources import list_recordings
from sertools.store.extraction import extract

if TYPE_CHECKING:
    from chains import Chain

SR = 16_000
# Imbalanced, and every speaker speaks every class: neutral 18, happy 12, sad 12, angry 6.
TAKES = {"angry": 1, "happy": 2, "neutral": 3, "sad": 2}
SPEAKERS = ("01", "02", "03", "04", "05", "06")
TINY = FrontEnd(segment_seconds=1.0, n_mels=32, n_frames=32)


@pytest.fixture(scope="session", autouse=True)
def signals_are_heeded() -> None:
    """Under nohup, or in the background of a script, they are ignored, and so by what a test starts."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def tone(rng: np.random.Generator, pitch: float, seconds: float, slope: float = 0.0) -> np.ndarray:
    """Speech-like samples: a voice of harmonics with syllables and some breath [shape=(n,), float32]."""
    t = np.arange(round(seconds * SR)) / SR
    phase = 2 * np.pi * (pitch * t + 0.5 * slope * t**2)
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 3.0 * t + rng.uniform(0, 6))
    return (0.1 * syllables * voice + 0.005 * rng.standard_normal(len(t))).astype(np.float32)


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 wavs of 0.4 to 2.3 s as <emotion>/<speaker>_<n>.wav, and labels.csv; copy it before changing it."""
    root = tmp_path_factory.mktemp("tiny") / "corpus"
    rng = np.random.default_rng(1)
    rows = []
    for number, (emotion, takes) in enumerate(TAKES.items()):
        (root / emotion).mkdir(parents=True)
        for index, speaker in enumerate(SPEAKERS):
            for take in range(1, takes + 1):
                name = f"{emotion}/{speaker}_{take}.wav"
                pitch = 90 + 60 * number + 6 * index
                y = tone(rng, pitch, rng.uniform(0.4, 2.3), slope=40 * (number - 1.5))
                soundfile.write(root / name, y, SR, subtype="PCM_16")
                rows.append([name, emotion, speaker, f"S{index // 2 + 1}", ("male", "female")[index % 2]])
    with (root / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "emotion", "speaker", "session", "gender"], *rows])
    return root


@pytest.fixture(scope="session")
def tiny_store(tiny_corpus: Path) -> Path:
    """The store of `tiny_corpus`: 1 s segments of 32 × 32; copy it before changing it."""
    path = tiny_corpus.parent / "specs.h5"
    for _ in extract(list_recordings([str(tiny_corpus / "labels.csv")], None, sys.stdin), path, TINY):
        pass
    return path


@pytest.fixture(scope="session")
def augmented(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny_store` as specs.h5 and what SARS made of it as sars.h5; copy it before changing it."""
    folder = tmp_path_factory.mktemp("augmented")
    shutil.copy(tiny_store, folder / "specs.h5")
    for _ in augment_store(
        folder / "specs.h5", folder / "sars.h5", STRATEGIES["SARS"], audio_root=tiny_store.parent / "corpus"
    ):
        pass
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random HuBERT of four blocks and vectors of 16; not to be changed."""
    from tiny_encoders import save_tiny

    return save_tiny("hubert", tmp_path_factory.mktemp("encoder") / "hubert")


@pytest.fixture(scope="session")
def embedded(tiny_corpus: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus as vectors; not to be changed."""
    path = tmp_path_factory.mktemp("embedded") / "emb.h5"
    sertools.embed(tiny_corpus / "labels.csv", path, encoder=str(encoder))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Outcome]:
    """Run the command line in a process of its own: ``run("info", path, cwd=…, stdin=…)``."""

    def run(*args: object, cwd: Path = tmp_path, stdin: str | bytes = b"", **options: object) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "sertools", *map(_text, args)],
            cwd=cwd,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=120,
            env=process_environment(),
            **options,
        )
        return Outcome(
            done.returncode, *(text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
        )

    return run


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Callable[..., Outcome]]:
    """The same as `run` in this process: faster, but without the manners of a real process."""
    runner = CliRunner()
    before = Path.cwd()

    def call(*args: object, cwd: Path = tmp_path, stdin: str | bytes = b"") -> Outcome:
        os.chdir(cwd)
        done = runner.invoke(app, [_text(arg) for arg in args], input=stdin, prog_name="sertools")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Outcome(done.exit_code, done.stdout, done.stderr)

    yield call
    os.chdir(before)


def process_environment() -> dict[str, str]:
    """Let a child process import the sertools that is tested, one thread a BLAS, and buffer as it does for a user."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        "PYTHONPATH": str(Path(sertools.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }


def _text(arg: object) -> str:
    return os.fspath(arg) if isinstance(arg, os.PathLike) else str(arg)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real corpora that SERTOOLS_DATA names."""
    folder = os.environ.get("SERTOOLS_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SERTOOLS_DATA names no folder of corpora")
    return Path(folder)


def _corpus_dir(data_dir: Path, name: str) -> Path:
    if not (data_dir / name).is_dir():
        pytest.skip(f"SERTOOLS_DATA holds no {name}/")
    return data_dir / name


@pytest.fixture(scope="session")
def ravdess_dir(data_dir: Path) -> Path:
    return _corpus_dir(data_dir, "ravdess")


@pytest.fixture(scope="session")
def emodb_dir(data_dir: Path) -> Path:
    return _corpus_dir(data_dir, "emodb")


@pytest.fixture(scope="session")
def chain(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> "Chain":
    """Splits of `tiny_store` and one tiny file of each kind made from them; copy them before changing them."""
    from chains import make_chain

    return make_chain(tiny_store, tmp_path_factory.mktemp("chain"))
