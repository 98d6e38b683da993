"""What trainers share: a state of named tensors, and the choice of the best weights on a validation set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from sertools.training.checkpoint import prefixed, under
from sertools.training.ema import Average

Net = TypeVar("Net", bound=nn.Module)


class Resumable:
    """Gives the state of nets and optimisers, and goes back to one.

    Parameters
    ----------
    nets, optimisers
        Each under the name that leads its tensors' names.
    """

    def __init__(self, nets: Mapping[str, nn.Module], optimisers: Mapping[str, torch.optim.Optimizer]) -> None:
        self._nets, self._optimisers = nets, optimisers

    def state(self) -> dict[str, Tensor]:
        """Return all that `restore` needs."""
        tensors: dict[str, Tensor] = {}
        for name, net in self._nets.items():
            tensors |= prefixed(net, f"{name}.")
        for name, optimiser in self._optimisers.items():
            tensors |= {
                f"{name}.{number}.{key}": value.detach().cpu().contiguous()
                for number, state in optimiser.state_dict()["state"].items()
                for key, value in state.items()
            }
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state.

        Raises
        ------
        KeyError, ValueError, RuntimeError
            If a tensor is missing, or of another size than its parameter.
        """
        for name, net in self._nets.items():
            net.load_state_dict(under(tensors, f"{name}."))
        for name, optimiser in self._optimisers.items():
            _restore(optimiser, under(tensors, f"{name}."))


def _restore(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = dict(enumerate(p for group in optimiser.param_groups for p in group["params"]))
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        parameter = parameters[int(number)]
        # In the parameter's own memory layout: fused kernels take both element by element as they lie.
        if key != "step" and value.shape == parameter.shape:
            value = torch.empty_like(parameter).copy_(value)
        elif key != "step" or value.numel() != 1:
            raise ValueError(f"an optimiser's {key} does not fit its parameter")
        states.setdefault(int(number), {})[key] = value
    if states.keys() != parameters.keys() or len({frozenset(state) for state in states.values()}) != 1:
        raise KeyError("an optimiser's tensor is missing")
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})


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


class ValidatedTrainer(Resumable, Generic[Net]):
    """A net, its optimiser, its average if it has one, and its best weights so far if there is a validation set."""

    def __init__(
        self,
        net: Net,
        optimiser: torch.optim.Optimizer,
        validation: Validation[Net],
        average: Average[Net] | None = None,
    ) -> None:
        super().__init__({"net": net, **({"average": average.net} if average else {})}, {"adam": optimiser})
        self.net, self.optimiser, self.average, self._validation = net, optimiser, average, validation
        self._best: dict[str, Tensor] = {}
        self._best_score = torch.tensor(-torch.inf if validation.highest else torch.inf)

    @property
    def judged(self) -> Net:
        """The net that is scored and kept: the average where there is one, or what is trained."""
        return self.average.net if self.average else self.net

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
            **super().state(),
            **{f"best.{name}": value for name, value in self._best.items()},
            f"best_{self._validation.measure}": self._best_score,
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state."""
        super().restore(tensors)
        self._best = under(tensors, "best.")
        self._best_score = tensors[f"best_{self._validation.measure}"]
