"""One training loop for all three trainers: steps, records, resume states, signals.

A loop is an iterator of `Record`; whoever drains it draws the progress bar. When `stop` says so, the state is
written beside the output and `Stopped` raised; the same command goes on from there and ends with the bytes of
an unbroken run, because every step draws from a seed of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sertools.config import SAVE_EVERY_MINUTES
from sertools.errors import ModelError, Stopped, TrainingError, out_of_memory
from sertools.training.checkpoint import load_state, save_state
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
    save_every_minutes
        How often the state is saved in any case.
    """

    output: Path
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    stop: Callable[[], bool] = lambda: False
    save_every_minutes: float = SAVE_EVERY_MINUTES

    @property
    def state_path(self) -> Path:
        """Where the resume state lies."""
        return self.output.with_name(f".{self.output.name}.state")


class Trainer(Protocol):
    """What the loop needs to know of a training."""

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update; return its losses."""

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs."""

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state."""


def train(trainer: Trainer, n_steps: int, run: Run, signature: Mapping[str, Any]) -> Iterator[Record]:
    """Run a training to its end, from its saved state if there is one.

    Parameters
    ----------
    signature
        All that decides the result; a state left by any other run is refused.

    Raises
    ------
    Stopped
        After saving the state.
    TrainingError
        If a loss is NaN or infinite.
    """
    signature = {**signature, **surroundings()}
    first = 0
    if run.state_path.exists():
        first, tensors = load_state(run.state_path, signature)
        try:
            trainer.restore(tensors)
        except (KeyError, ValueError, RuntimeError) as error:
            raise ModelError(f"{run.state_path}: damaged resume state; remove it to start again") from error
    saved_at = time.monotonic()
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for step in range(first, n_steps):
        for name, value in _step(trainer, step, run.output).items():
            sums[name] = sums.get(name, torch.zeros(())).to(value.device) + value
            counts[name] = counts.get(name, 0) + 1
        done = step + 1
        if done % RECORD_EVERY == 0 or done == n_steps:
            values = {name: float(total) / counts[name] for name, total in sums.items()}
            _check_finite(values, done, run.output)
            yield Record(done, n_steps, values)
            sums, counts = {}, {}
        due = time.monotonic() - saved_at > 60 * run.save_every_minutes
        if done < n_steps and (due or run.stop()):
            save_state(run.state_path, signature, done, trainer.state())
            saved_at = time.monotonic()
            if run.stop():
                raise Stopped(f"stopped after step {done} of {n_steps}; the same command goes on from there")


def _step(trainer: Trainer, step: int, output: Path) -> dict[str, Tensor]:
    try:
        return trainer.step(step)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(f"{output}: a batch does not fit into memory; lower --batch-size or --width") from error


def _check_finite(values: Mapping[str, float], step: int, output: Path) -> None:
    for name, value in values.items():
        if value != value or value in (float("inf"), float("-inf")):
            raise TrainingError(
                f"{output}: {name} is {value} at step {step}; "
                "nothing was written; lower --lr, or see `info` of the stores"
            )
