"""Multinomial logistic regression, fitted to its end: the classifier of vectors.

The loss is a mean over the weight of the rows, so that a set with more of them is not regularised less, and convex
(but for the focal loss): the same rows give the same weights, whatever the seed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from sertools.arrays import Index
from sertools.classifier_config import LinearConfig
from sertools.errors import TrainingError, UsageError
from sertools.training.classifier import KIND, facts_of
from sertools.training.forecast import without_steps
from sertools.training.loop import Record, Run
from sertools.training.losses import implied_prior, loss_numbers, make_loss
from sertools.training.order import class_counts, made_rows, row_shares
from sertools.training.task import open_task

Values = npt.NDArray[np.float64]
# Of the gradient, per weight: far below what changes a posterior in the digits that are printed.
_TOLERANCE = 1e-8
_MOST_ITERATIONS = 10_000


@dataclass(frozen=True)
class Problem:
    """Σ r · w · (1 − p)^gamma · −log p / Σ r · w + penalty / 2 · ‖W‖², p = softmax(Wx + b + shift), to be minimised.

    Attributes
    ----------
    x
        Standardised vectors [shape=(N, D)].
    labels
        Class of each, from 0 [shape=(N,)].
    share
        r: how much each row counts, as often as it would be drawn [shape=(N,)].
    weight, shift, gamma
        Of the loss, as in `sertools.training.losses.Loss`.
    penalty
        Of the squared weights; the biases are free.
    """

    x: Values
    labels: Index
    share: Values
    weight: Values
    shift: Values
    gamma: float
    penalty: float

    def solve(self) -> tuple[Values, Values, float]:
        """Return the weights [shape=(K, D)], the biases [shape=(K,)] and the loss of the minimum.

        Raises
        ------
        TrainingError
            If it is not reached.
        """
        n_classes, n_values = len(self.weight), self.x.shape[1]
        rows = self.share * self.weight[self.labels]
        rows = rows / rows.sum()
        picked = (np.arange(len(rows)), self.labels)

        def value(flat: Values) -> tuple[float, Values]:
            at = flat.reshape(n_classes, n_values + 1)
            log_p = log_softmax(self.x @ at[:, :-1].T + at[:, -1] + self.shift, axis=1)
            own = log_p[picked]
            # d loss / d log p of the row's own class.
            miss = -np.expm1(own)
            focus = miss**self.gamma
            with np.errstate(divide="ignore", invalid="ignore"):
                turn = self.gamma * np.where(miss > 0, miss ** (self.gamma - 1), 0.0) * np.exp(own) * own
            slope = rows * (turn - focus)
            gradient = -np.exp(log_p) * slope[:, None]
            gradient[picked] += slope
            change = np.empty_like(at)
            change[:, :-1] = gradient.T @ self.x + self.penalty * at[:, :-1]
            change[:, -1] = gradient.sum(axis=0)
            loss = -(rows * focus * own).sum() + self.penalty / 2 * np.square(at[:, :-1]).sum()
            return float(loss), change.ravel()

        start = np.zeros(n_classes * (n_values + 1))
        found = minimize(
            value, start, jac=True, method="L-BFGS-B",
            options={"maxiter": _MOST_ITERATIONS, "maxfun": 2 * _MOST_ITERATIONS, "gtol": _TOLERANCE, "ftol": 0.0},
        )  # fmt: skip
        slope = float(np.abs(found.jac).max())
        if not slope < 1e-5:
            raise TrainingError(
                f"the linear classifier did not come to its end (slope {slope:.1e} after {found.nit} rounds); "
                "raise --penalty"
            )
        at = found.x.reshape(n_classes, n_values + 1)
        return at[:, :-1], at[:, -1], float(found.fun)


def train_linear(
    train_paths: Sequence[Path], run: Run, config: LinearConfig, *, val_path: Path | None = None
) -> Iterator[Record]:
    """Fit logistic regression to the vectors of some stores, and write it to ``run.output``.

    Parameters
    ----------
    val_path
        A store that must not have been trained on; nothing is chosen there.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    StoreError
        If rows lack a label, or the stores do not go together.
    TrainingError
        If the minimum is not reached.
    UsageError
        If the rows are pictures.
    """
    task = open_task("train-clf", dataclasses.asdict(config), run, train_paths, val_path, vectors=True)
    rows, classes = task.rows, task.rows.classes()
    if not rows.are_vectors:
        raise UsageError(f"--arch {config.arch}: the rows of {rows.name} are pictures; give a picture net")
    labels, made, balanced = rows.labels(classes), made_rows(rows, config), config.sampling == "balanced"
    counts = class_counts(rows, labels, None if balanced else made)
    without_steps(rows, "fit logistic regression to its end", run.output, run.log_path)
    share = row_shares(labels, balanced, made, config.synthetic_share or 0.0)
    x = task.scaler.scale(rows.pictures(np.arange(len(rows)))).astype(np.float64)
    weights, biases, loss = Problem(x, labels, share, *loss_numbers(config, counts), config.penalty).solve()
    accuracy = float((np.argmax(x @ weights.T + biases, axis=1) == labels).mean())
    yield Record(1, 1, {"loss": loss, "accuracy": accuracy})
    tensors = {"weight": torch.from_numpy(weights).float(), "bias": torch.from_numpy(biases).float()}
    prior = implied_prior(make_loss(config, counts, torch.device("cpu")), np.bincount(labels, share))
    task.save(KIND, tensors, {**facts_of(rows, classes, prior), "updates": 0}, classes=classes)
