"""Classifiers as they are asked about rows without labels: posteriors → vote → temperature and operating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch

from sertools.arrays import FloatArray, Pictures
from sertools.config import ADJUSTMENTS, MEANS
from sertools.encoding import RowSource
from sertools.errors import ModelError
from sertools.scoring.results.ensemble import Ensemble, open_ensemble
from sertools.scoring.results.evaluation import check_rows, utterances_of
from sertools.scoring.results.operating_point import decide, fit_biases
from sertools.scoring.results.temperature import fit_temperature, log_loss, tempered
from sertools.training.batches import Rows, open_rows
from sertools.voting import VoteRule, vote


@dataclass(frozen=True)
class Calibration:
    """What was fitted on a validation set.

    Attributes
    ----------
    temperature
        Of the posteriors.
    biases
        Of the operating point, on the log posteriors [shape=(n_classes,)].
    n
        Utterances of the set.
    loss_before, loss_after
        Log loss of the set, without and with the temperature.
    """

    temperature: float
    biases: FloatArray
    n: int
    loss_before: float
    loss_after: float

    def __str__(self) -> str:
        return (
            f"temperature {self.temperature:.3g} and an operating point, fitted on {self.n} utterances: "
            f"log loss {self.loss_before:.3f} before, {self.loss_after:.3f} with the temperature"
        )


@dataclass(frozen=True)
class Judge:
    """A classifier, or several together, and how they are asked; from `open_judge`.

    Attributes
    ----------
    files
        What was read.
    asked
        The classifiers.
    rule
        How the rows of a recording are joined.
    """

    files: tuple[Path, ...]
    asked: Ensemble
    rule: str
    calibration: Calibration | None = None

    @property
    def path(self) -> Path:
        """The file of the first classifier."""
        return self.files[0]

    @property
    def front_end(self) -> RowSource:
        """How rows are made, by all of them."""
        return self.asked.members[0].header.front_end

    def judge(self, rows: Pictures) -> tuple[int, FloatArray]:
        """Return the class that is predicted of one recording's rows, and its posteriors [shape=(n_classes,)]."""
        said = self.asked.posteriors(rows)
        joined = vote(said, np.zeros(len(said), dtype=np.int64), 1, cast(VoteRule, self.rule))
        if self.calibration is None:
            return int(joined.predicted[0]), joined.posterior[0]
        best = decide(joined.posterior, self.calibration.biases)
        return int(best[0]), tempered(joined.posterior, self.calibration.temperature)[0]


def open_judge(
    classifier_path: Path,
    *,
    average: Sequence[Path] = (),
    mean: str = MEANS[0],
    val_path: Path | None = None,
    rule: str = "majority",
    adjust: str = ADJUSTMENTS[0],
    device: torch.device,
) -> Judge:
    """Open a classifier, or several, and fit to a validation set what is to be fitted.

    Parameters
    ----------
    average, mean
        As of `sertools.scoring.results.evaluation.evaluate`.
    val_path
        A labelled store to fit a temperature and an operating point on. The classifier may have been chosen on it.
    rule, adjust
        As of `sertools.scoring.results.evaluation.evaluate`. At an operating point the mean posterior decides.

    Raises
    ------
    LineageError
        If a classifier was trained on the validation set.
    ModelError
        If a file is no classifier or of other classes, or the prior is not known that `adjust` or an operating point
        needs.
    StoreError
        If the validation set or a classifier has another front end, or the set other classes.
    """
    paths = (classifier_path, *average)
    judge = Judge(paths, open_ensemble(paths, mean=mean, adjust=adjust, device=device), rule)
    if val_path is None:
        return judge
    val = open_rows([val_path])
    return replace(judge, files=(*paths, *val.files), calibration=_calibration(judge, val))


def _calibration(judge: Judge, val: Rows) -> Calibration:
    """Fit a temperature and an operating point."""
    asked = judge.asked
    # Where priors were divided by, the classes are alike in what is left.
    alike = {name: 1 / len(asked.classes) for name in asked.classes}
    prior = asked.prior if asked.adjust == ADJUSTMENTS[0] else alike
    if prior is None:
        unknown = [member for member in asked.members if member.prior is None]
        if unknown:
            raise ModelError(
                f"{unknown[0].path}: does not say what prior its training implied, which an operating point starts "
                "from; train it again"
            )
        raise ModelError(
            f"{asked.name}: their trainings implied different class shares, so that an arithmetic mean implies none, "
            "which an operating point starts from; give --mean geometric"
        )
    truth_of_row = check_rows(val, asked)
    remedy = "give --val a store that nothing was trained on"
    for member in asked.members:
        val.check_unseen_by(member.header.lineage, model=str(member.path), remedy=remedy)
    utterances = utterances_of(val, truth_of_row, asked.posteriors(val), judge.rule, asked.classes)
    truth = [asked.classes.index(each.emotion) for each in utterances]
    posterior = np.array([each.posterior for each in utterances])
    temperature = fit_temperature(truth, posterior)
    return Calibration(
        temperature,
        fit_biases(truth, posterior, [prior[name] for name in asked.classes]),
        len(truth),
        log_loss(truth, posterior),
        log_loss(truth, tempered(posterior, temperature)),
    )
