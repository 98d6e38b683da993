"""What the trainers of one net share: its state, and the choice of its best weights on a validation set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from sertools.training.checkpoint import optimiser_tensors, prefixed, restore_optimiser

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Validation(Generic[Net]):
    """How weights are judged, and when.

    Attributes
    ----------
    measure
        Name of the score in the log and the model's facts, after ``val_``.
    highest
        Whether the highest score is the best, not the lowest.
    score
        The judge; none without a validation set.
    every
        Steps between two scores; the last step has one in any case.
    n_steps
        Steps in all.
    """

    measure: str
    highest: bool
    score: Callable[[Net], float] | None
    every: int
    n_steps: int


class ValidatedTrainer(Generic[Net]):
    """A net, its optimiser, and its best weights so far where there is a validation set."""

    def __init__(self, net: Net, optimiser: torch.optim.Optimizer, validation: Validation[Net]) -> None:
        self.net, self.optimiser, self._validation = net, optimiser, validation
        self._best: dict[str, Tensor] = {}
        self._best_score = torch.tensor(-torch.inf if validation.highest else torch.inf)

    @property
    def judged(self) -> Net:
        """The net that is scored and kept: the one that is trained, or what a subclass makes of it."""
        return self.net

    def validate(self, step: int) -> dict[str, Tensor]:
        """Score the net after a step where one is due, and keep its weights if none before were better."""
        how, done = self._validation, step + 1
        if how.score is None or (done % how.every and done != how.n_steps):
            return {}
        score = torch.tensor(how.score(self.judged))
        if score > self._best_score if how.highest else score < self._best_score:
            self._best, self._best_score = {k: v.clone() for k, v in prefixed(self.judged, "").items()}, score
        return {f"val_{how.measure}": score}

    def chosen(self) -> dict[str, Tensor]:
        """Return the best weights, or the last ones where none were scored."""
        return self._best or prefixed(self.judged, "")

    def facts(self) -> dict[str, object]:
        """Return the score of the best weights, for the model's header."""
        return {f"val_{self._validation.measure}": round(float(self._best_score), 6)} if self._best else {}

    def state(self) -> dict[str, Tensor]:
        """Weights, optimiser and best weights."""
        return {
            **prefixed(self.net, "net."),
            **optimiser_tensors(self.optimiser, "adam."),
            **{f"best.{name}": value for name, value in self._best.items()},
            f"best_{self._validation.measure}": self._best_score,
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state."""
        self.net.load_state_dict({k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")})
        restore_optimiser(self.optimiser, tensors, "adam.")
        self._best = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
        self._best_score = tensors[f"best_{self._validation.measure}"]
