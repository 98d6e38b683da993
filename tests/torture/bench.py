"""The workbench of the torture tests: one tiny file of each kind, the line of every writing verb, cheap runs of them.

A run is a fork of a process that has imported everything: what is tried is the verb, not the start of Python.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import pickle
import shutil
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

T = TypeVar("T")
PATIENCE_SECONDS = 120
_SMALL = "--mels 32 --frames 32 --seconds 1 --jobs 1"
_NET = "--preset smoke --batch-size 8 --device cpu"
# Each verb that writes, run in the folder of the bench; {out} is always below trial/.
LINES = {
    "extract": f"extract corpus/labels.csv -o {{out}} {_SMALL}",
    "select": "select specs.h5 -o {out} --fold 1/2 --by speaker",
    "select --copy": "select specs.h5 -o {out} --fold 1/2 --by speaker --copy",
    "merge": "merge train.h5 test.h5 -o {out}",
    "augment": "augment train.h5 -o {out} --strategy SARS --jobs 1",
    "pretrain-ae": f"pretrain-ae train.h5 -o {{out}} {_NET} --steps 30 --width 1/32",
    "fit-latents": "fit-latents ae.safetensors train.h5 -o {out} --device cpu",
    "finetune-gan": f"finetune-gan ae.safetensors latents.h5 train.h5 -o {{out}} {_NET} --steps 12",
    "train-generator": f"train-generator train.h5 -o {{out}} {_NET} --kind diffusion --steps 12 --width 1/8",
    "generate": "generate gan.safetensors --balance train.h5 -o {out} --device cpu",
    "train-clf": f"train-clf train.h5 synth.h5 -o {{out}} {_NET} --steps 30 --val val.h5",
    "evaluate": "evaluate clf.safetensors test.h5 -o {out} --tag method=gan --device cpu",
    "plot": "plot train.h5 -o {out} -n 1",
}
TRAININGS = ("pretrain-ae", "finetune-gan", "train-generator", "train-clf")
SUFFIXES = {"evaluate": ".json", "plot": ".png", **dict.fromkeys(TRAININGS, ".safetensors")}
_CHAIN = (
    ("extract", "specs.h5"),
    ("select specs.h5 -o {out} --where speaker=01,02,03,04", "train.h5"),
    ("select specs.h5 -o {out} --where speaker=05", "val.h5"),
    ("select specs.h5 -o {out} --where speaker=06", "test.h5"),
    ("pretrain-ae", "ae.safetensors"),
    ("fit-latents", "latents.h5"),
    ("finetune-gan", "gan.safetensors"),
    ("generate", "synth.h5"),
    ("train-clf", "clf.safetensors"),
    ("evaluate", "result.json"),
)


@dataclass(frozen=True)
class End:
    """How a run ended: exit status (minus the signal that killed it), what it said, and the seconds it took."""

    code: int
    said: str
    seconds: float


class Bench:
    """A folder of inputs, and ``trial/`` for what is written; the bytes of the unbroken outputs of some verbs."""

    def __init__(self, folder: Path, verbs: Iterable[str] = tuple(LINES)) -> None:
        self.folder = folder
        self.trial = folder / "trial"
        self._said: dict[int, tuple[int, bytearray]] = {}
        self.trial.mkdir(parents=True)
        _write_corpus(folder / "corpus")
        for line, name in _CHAIN:
            self.must(LINES.get(line, line).format(out=name))
        self.reference: dict[str, bytes] = {}
        self.seconds: dict[str, float] = {}
        for verb in verbs:
            self.seconds[verb] = self.must(self.line(verb)).seconds
            self.reference[verb] = self.output(verb).read_bytes()
            self.clear()

    def copied(self, folder: Path) -> Bench:
        """A bench of the same files in another folder."""
        shutil.copytree(self.folder, folder)
        other = copy.copy(self)
        other.folder, other.trial, other._said = folder, folder / "trial", {}
        return other

    def output(self, verb: str) -> Path:
        """Where the trial of a verb writes."""
        return self.trial / f"out{SUFFIXES.get(verb, '.h5')}"

    def outputs(self, verb: str) -> list[str]:
        """Names of all that the trial of a verb leaves: a training's log too."""
        name = self.output(verb).name
        return [name, f"{name}.log.ndjson"] if verb in TRAININGS else [name]

    def line(self, verb: str) -> str:
        """The command line of a verb's trial."""
        return LINES[verb].format(out=f"trial/{self.output(verb).name}")

    def clear(self) -> None:
        """Empty the trial's folder."""
        shutil.rmtree(self.trial)
        self.trial.mkdir()

    def left(self) -> list[str]:
        """What lies in the trial's folder."""
        return sorted(os.listdir(self.trial))

    def must(self, line: str) -> End:
        """Run a line that has to succeed."""
        end = self.run(line)
        if end.code != 0:
            raise AssertionError(f"sertools {line}: exit {end.code}\n{end.said}")
        return end

    def run(self, line: str, prepare: Callable[[], None] = lambda: None) -> End:
        """Run a line to its end; `prepare` is called in its process first."""
        return self.wait(self.start(line, prepare))

    def start(self, line: str, prepare: Callable[[], None] = lambda: None) -> int:
        """Start a line in a process of its own, whose id is returned."""
        # A pipe, not a file: under a limit on file sizes a log could not be written.
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reads)
            _become(line, self.folder, writes, prepare)
        os.close(writes)
        os.set_blocking(reads, False)
        self._said[child] = (reads, bytearray())
        return child

    def wait(self, child: int) -> End:
        """Wait for the end of a started line, and no longer than the patience lasts."""
        begun = time.monotonic()
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() - begun > PATIENCE_SECONDS:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise AssertionError(f"a run hangs: {self._hear(child)}")
            self._hear(child)
            time.sleep(0.002)
        end = End(os.waitstatus_to_exitcode(status), self._hear(child), time.monotonic() - begun)
        os.close(self._said.pop(child)[0])
        return end

    def hold(self, verb: str) -> int:
        """Wait until a started line has the lock of a verb's output, and stop it in its midst; return its id."""
        output = self.output(verb)
        lock = output.with_name(f".{output.name}.lock")
        begun = time.monotonic()
        while not (owner := _owner(lock)):
            assert time.monotonic() - begun < PATIENCE_SECONDS, f"{verb}: no lock"
            time.sleep(0.001)
        os.kill(owner, signal.SIGSTOP)
        # A signal takes its time.
        assert os.WIFSTOPPED(os.waitpid(owner, os.WUNTRACED)[1]), f"{verb}: had ended before it was held"
        return owner

    def _hear(self, child: int) -> str:
        """Read what a started line has said so far."""
        reads, said = self._said[child]
        with contextlib.suppress(BlockingIOError):
            while block := os.read(reads, 1 << 16):
                said += block
        return said.decode("utf-8", "replace")


def side_by_side(jobs: int, work: Callable[[int], T]) -> list[T]:
    """What `work` returns for 0 to `jobs` - 1, each in a fork of its own; one that dies is an error."""
    pipes = []
    for number in range(jobs):
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(reads)
                with os.fdopen(writes, "wb") as stream:
                    pickle.dump(work(number), stream)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        os.close(writes)
        pipes.append((child, reads))
    results = []
    for child, reads in pipes:
        with os.fdopen(reads, "rb") as stream:
            results.append(stream.read())
        assert os.waitpid(child, 0)[1] == 0, "a worker died"
    return [pickle.loads(result) for result in results]


def figures(headline: str, counts: Mapping[str, int]) -> None:
    """Print what was tried, as `everything.py` gathers it."""
    print(headline)
    for what, count in sorted(Counter(counts).items()):
        print(f"  {count:7,d} {what}")


def _owner(lock: Path) -> int:
    """The process that holds a record lock; 0 if none does."""
    try:
        with lock.open("rb") as stream:
            asked = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, owner = struct.unpack("hhqqi", fcntl.fcntl(stream, fcntl.F_GETLK, asked))
    except FileNotFoundError:
        return 0
    return 0 if kind == fcntl.F_UNLCK else int(owner)


def one_line(said: str) -> bool:
    """Whether a complaint is one line of ours; remarks of a training that had begun may stand before it."""
    lines = [line for line in said.splitlines() if "warning:" not in line and not line.startswith("differs from ")]
    return len(lines) == 1 and lines[0].startswith("sertools ")


def _become(line: str, folder: Path, log: int, prepare: Callable[[], None]) -> None:
    code = 1
    try:
        os.chdir(folder)
        for number in (1, 2):
            os.dup2(log, number)
        os.close(log)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["sertools", *line.split()]
        from sertools.__main__ import main

        prepare()
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except KeyboardInterrupt:
        # Before the tool has begun, or when it has ended: it lets none through itself.
        code = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def warm() -> None:
    """Import all that the verbs import, once for all forks."""
    import librosa
    import matplotlib.backends.backend_agg
    import matplotlib.pyplot  # noqa: F401
    import PIL.Image
    import torch
    import torch.profiler
    from typer.testing import CliRunner

    import sertools.balance.augmentation
    import sertools.cli
    import sertools.corpora.sources
    import sertools.generation.rows
    import sertools.reporting.contents.description
    import sertools.reporting.plots.pictures
    import sertools.reporting.plots.style
    import sertools.reporting.reports.layouts
    import sertools.scoring.comparing.summary
    import sertools.scoring.results.evaluation
    import sertools.scoring.results.rivals
    import sertools.store.extraction
    import sertools.store.merge
    import sertools.training.adversarial
    import sertools.training.classifier
    import sertools.training.latents

    torch.set_num_threads(1)
    PIL.Image.init()
    # Librosa imports its parts when they are first used.
    noise = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    librosa.effects.pitch_shift(librosa.effects.time_stretch(noise, rate=1.1), sr=8000, n_steps=1)
    # Typer imports its parser when it is first asked.
    CliRunner().invoke(sertools.cli.app, ["select", "--help"])


def _write_corpus(folder: Path) -> None:
    """48 wavs of up to 1.5 s, two classes and six speakers, and their table."""
    from conftest import SR, tone

    rng = np.random.default_rng(1)
    rows = ["file,emotion,speaker,session,gender"]
    for number, (emotion, takes) in enumerate({"angry": 2, "sad": 6}.items()):
        (folder / emotion).mkdir(parents=True)
        for index in range(6):
            for take in range(takes):
                name = f"{emotion}/{index + 1:02d}_{take}.wav"
                soundfile.write(folder / name, tone(rng, 90 + 60 * number + 6 * index, rng.uniform(0.4, 1.5)), SR)
                rows.append(f"{name},{emotion},{index + 1:02d},S{index // 2 + 1},{('male', 'female')[index % 2]}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
