"""One training loop for all three trainers: steps, records, their log, resume states, signals.

A loop is an iterator of `Record`; whoever drains it draws the progress bar. When `stop` says so, the state is
written beside the output and `Stopped` raised; the same command goes on from there and ends with the bytes of
an unbroken run, because every step draws from a seed of its own.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sertools.config import SAVE_EVERY_MINUTES
from sertools.errors import ModelError, SertoolsWarning, Stopped, TrainingError, out_of_memory
from sertools.provenance import log_of
from sertools.rehearsal import begin
from sertools.training import distributed
from sertools.training.batches import Rows
from sertools.training.checkpoint import load_state, save_state
from sertools.training.forecast import forecast
from sertools.training.health import COLLAPSE, Finding, Watch
from sertools.training.log import TrainingLog, parse_log, rounded
from sertools.training.runtime import surroundings

RECORD_EVERY = 10


@dataclass(frozen=True)
class Record:
    """Means since the last record.

    Attributes
    ----------
    step
        Steps done.
    total
        Steps in all.
    values
        Losses and scores by name.
    """

    step: int
    total: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """How a training is run, apart from what is trained.

    Attributes
    ----------
    output
        The model file; the resume state lies beside it.
    stop
        Asked after each step whether to save the state and stop.
    stop_at_collapse
        Whether a collapse ends the training, with its state saved.
    precision
        What nets compute in while they learn: float32 or bf16.
    """

    output: Path
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    stop: Callable[[], bool] = lambda: False
    save_every_minutes: float = SAVE_EVERY_MINUTES  # the state is saved in any case
    stop_at_collapse: bool = False
    precision: str = "float32"

    @property
    def state_path(self) -> Path:
        """Where the resume state lies."""
        return self.output.with_name(f".{self.output.name}.state")

    @property
    def log_path(self) -> Path:
        """Where the log lies."""
        return log_of(self.output)


class Trainer(Protocol):
    """What the loop needs to know of a training."""

    rows: Rows

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update; return its losses."""

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs."""

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state."""


@dataclass(frozen=True)
class Health:
    """What is measured beside the losses, and who looks at the numbers.

    Attributes
    ----------
    start
        What is measured before the first step.
    measure
        What is measured after every `every` steps and after the last.
    every
        A multiple of ten: the log has a line every ten steps.
    """

    watch: Watch = field(default_factory=Watch)
    start: Callable[[], Mapping[str, float]] = dict
    measure: Callable[[], Mapping[str, float]] = dict
    every: int = RECORD_EVERY


def train(
    trainer: Trainer,
    n_steps: int,
    run: Run,
    signature: Mapping[str, Any],
    health: Health | None = None,
    n_first: int = 0,
) -> Iterator[Record]:
    """Run a training to its end, from its saved state if there is one, and log it.

    Parameters
    ----------
    signature
        All that decides the result, `verb` among it; a state left by any other run is refused.
    n_first
        Of the steps, how many at the beginning are of another kind, and take another time.

    Raises
    ------
    Stopped
        After saving the state.
    Followed
        At the end of a process that trains with others and is not the first.
    TrainingError
        If a loss is NaN or infinite; at a collapse where `run` says so, after saving the state.
    """
    signature = {**signature, **surroundings(), "precision": run.precision, **distributed.joint_surroundings()}
    journal = _Journal(run, str(signature["verb"]), n_steps, health or Health())
    first = 0
    if run.state_path.exists():
        first, tensors = load_state(run.state_path, signature)
        try:
            trainer.restore(tensors)
            journal.restore(tensors)
        except (KeyError, ValueError, RuntimeError, ModelError) as error:
            raise ModelError(f"{run.state_path}: damaged resume state; remove it to start again") from error
    begin(run.output, lambda: forecast(trainer.rows, trainer.step, first, n_steps, run.output, run.log_path, n_first))
    distributed.agree_on_start(first, str(run.state_path))
    if not distributed.leads():
        _follow(trainer, first, n_steps, run)
    journal.open(first)
    saved_at = time.monotonic()
    for step in range(first, n_steps):
        journal.take(step, _step(trainer, step, run.output))
        done = step + 1
        if done % RECORD_EVERY == 0 or done == n_steps:
            yield Record(done, n_steps, journal.record(done))
        stopping = done < n_steps and distributed.any_of(run.stop())
        due = done < n_steps and time.monotonic() - saved_at > 60 * run.save_every_minutes
        if stopping or due or journal.must_stop:
            journal.check_finite()
            save_state(run.state_path, signature, done, {**trainer.state(), **journal.state()})
            saved_at = time.monotonic()
            journal.heed(done)
        if stopping:
            raise Stopped(f"stopped after step {done} of {n_steps}; the same command goes on from there")


def _follow(trainer: Trainer, first: int, n_steps: int, run: Run) -> None:
    """Do the steps of a process that does not lead, until the last or until a signal in any process."""
    for done in range(first + 1, n_steps + 1):
        _step(trainer, done - 1, run.output)
        if done < n_steps and distributed.any_of(run.stop()):
            break
    distributed.end_followers()


class _Journal:
    """Records, their log, and what is said of them."""

    def __init__(self, run: Run, verb: str, n_steps: int, health: Health) -> None:
        self._run, self._verb, self._n_steps, self._health = run, verb, n_steps, health
        self._taken: list[tuple[int, dict[str, Tensor]]] = []
        self._collapse: Finding | None = None
        self._content = b""

    def open(self, first: int) -> None:
        """Start the log, or go on with what the state holds of it, whatever the file has become."""
        self._log = TrainingLog(self._run.log_path, self._verb, self._n_steps, self._content)
        self.heed(first)
        if not first and (values := rounded(self._health.start())):
            self._notice(0, values)
            self._log.add(0, values)

    def take(self, step: int, values: dict[str, Tensor]) -> None:
        """Keep a step's losses until the next record."""
        self._taken.append((step, values))

    def record(self, done: int) -> dict[str, float]:
        """Log the means since the last record, and what is measured now; return the means."""
        names = dict.fromkeys(name for _, values in self._taken for name in values)
        means = {
            name: float(torch.stack([own[name].double() for _, own in self._taken if name in own]).mean())
            for name in names
        }
        if not all(map(math.isfinite, means.values())):
            self._log.add(done, rounded(means))
            self.check_finite()
        self._taken = []
        measured = self._health.measure() if done % self._health.every == 0 or done == self._n_steps else {}
        values = rounded({**means, **measured})
        found = self._notice(done, values)
        self._log.add(done, values, [finding.name for finding in found])
        for finding in found:
            # The error reports a collapse that ends the training.
            if not (finding.name == COLLAPSE and self.must_stop):
                warnings.warn(f"{self._run.output}: step {done}: {finding.text}", SertoolsWarning, stacklevel=2)
        return means

    def _notice(self, step: int, values: Mapping[str, float]) -> list[Finding]:
        found = self._health.watch.notice(step, self._n_steps, values)
        self._collapse = next((finding for finding in found if finding.name == COLLAPSE), self._collapse)
        return found

    @property
    def must_stop(self) -> bool:
        """Whether there was a collapse that ends the training."""
        return self._collapse is not None and self._run.stop_at_collapse

    def heed(self, done: int) -> None:
        """Stop at a collapse, if that is wanted."""
        if self._collapse and self.must_stop:
            raise TrainingError(
                f"{self._run.output}: {self._collapse.text}; stopped after step {done}, nothing was written; "
                f"--on-collapse warn goes on from there, and to start again remove {self._run.state_path}"
            )

    def check_finite(self) -> None:
        """Refuse a loss that is no number, naming its step."""
        for step, values in self._taken:
            for name, value in values.items():
                if not math.isfinite(value):
                    path = self._run.state_path
                    remedy = self._health.watch.rates + (f" and remove {path}" if path.exists() else "")
                    raise TrainingError(
                        f"{self._run.output}: {name} is {float(value)} at step {step + 1}; nothing was written; "
                        f"lower {remedy}, or see `info` of the stores"
                    )

    def state(self) -> dict[str, Tensor]:
        """The log so far, and the losses since its last line."""
        log = torch.frombuffer(bytearray(self._log.content or b"\n"), dtype=torch.uint8)
        # Copies: a score is also the best one so far, and a state holds no tensor twice.
        return {"log": log} | {
            f"taken.{step}.{name}": value.detach().cpu().clone()
            for step, values in self._taken
            for name, value in values.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state, and look at its log as it was looked at."""
        self._content = tensors["log"].numpy().tobytes().lstrip(b"\n")
        if self._content:
            for line in parse_log(self._content, str(self._run.state_path)).lines:
                self._notice(line.step, line.values)
        taken: dict[int, dict[str, Tensor]] = {}
        for name in sorted(tensors):
            if name.startswith("taken."):
                _, step, loss = name.split(".", 2)
                taken.setdefault(int(step), {})[loss] = tensors[name]
        self._taken = sorted(taken.items())


def _step(trainer: Trainer, step: int, output: Path) -> dict[str, Tensor]:
    try:
        return trainer.step(step)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(f"{output}: a batch does not fit into memory; lower --batch-size or --width") from error
