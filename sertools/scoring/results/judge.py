"""A classifier as it is asked about rows without labels: posteriors → vote → temperature and operating point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch

from sertools.arrays import FloatArray, Pictures
from sertools.config import ADJUSTMENTS, MEANS
from sertools.errors import ModelError
from sertools.scoring.results.ensemble import Ensemble, open_ensemble
from sertools.scoring.results.evaluation import check_rows, utterances_of
from sertools.scoring.results.operating_point import decide, divided, fit_biases
from sertools.scoring.results.temperature import fit_temperature, log_loss, tempered
from sertools.training.batches import Rows, open_rows
from sertools.training.checkpoint import Header
from sertools.training.classifier import posteriors_of
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
    """A classifier, and how it is asked; from `open_judge`.

    Attributes
    ----------
    files
        What was read.
    asked
        The classifier alone.
    rule
        How the rows of a recording are joined.
    """

    files: tuple[Path, ...]
    asked: Ensemble
    rule: str
    calibration: Calibration | None = None

    @property
    def path(self) -> Path:
        """The classifier's file."""
        return self.files[0]

    @property
    def header(self) -> Header:
        """What it says about itself."""
        return self.asked.members[0].header

    def judge(self, rows: Pictures) -> tuple[int, FloatArray]:
        """Return the class that is predicted of one recording's rows, and its posteriors [shape=(n_classes,)]."""
        (member,) = self.asked.members
        said = posteriors_of(member.net, rows, self.header.scaler, self.asked.device)
        if self.asked.adjust == "priors" and member.prior is not None:
            said = divided(said, [member.prior[name] for name in self.asked.classes])
        joined = vote(said, np.zeros(len(said), dtype=np.int64), 1, cast(VoteRule, self.rule))
        if self.calibration is None:
            return int(joined.predicted[0]), joined.posterior[0]
        best = decide(joined.posterior, self.calibration.biases)
        return int(best[0]), tempered(joined.posterior, self.calibration.temperature)[0]


def open_judge(
    classifier_path: Path,
    *,
    val_path: Path | None = None,
    rule: str = "majority",
    adjust: str = ADJUSTMENTS[0],
    device: torch.device,
) -> Judge:
    """Open a classifier, and fit to a validation set what is to be fitted.

    Parameters
    ----------
    val_path
        A labelled store to fit a temperature and an operating point on. The classifier may have been chosen on it.
    rule, adjust
        As of `sertools.scoring.results.evaluation.evaluate`. At an operating point the mean posterior decides.

    Raises
    ------
    LineageError
        If the classifier was trained on the validation set.
    ModelError
        If the file is no classifier, or does not say the prior that `adjust` or an operating point needs.
    StoreError
        If the validation set has another front end or other classes.
    """
    asked = open_ensemble([classifier_path], mean=MEANS[0], adjust=adjust, device=device)
    judge = Judge((classifier_path,), asked, rule)
    if val_path is None:
        return judge
    val = open_rows([val_path])
    return replace(judge, files=(classifier_path, *val.files), calibration=_calibration(judge, val))


def _calibration(judge: Judge, val: Rows) -> Calibration:
    """Fit a temperature and an operating point."""
    asked = judge.asked
    prior = asked.members[0].prior
    if prior is None:
        raise ModelError(
            f"{judge.path}: does not say what prior its training implied, which an operating point starts from; "
            "train it again"
        )
    truth_of_row = check_rows(val, asked)
    remedy = "give --val a store that nothing was trained on"
    val.check_unseen_by(judge.header.lineage, model=str(judge.path), remedy=remedy)
    utterances = utterances_of(val, truth_of_row, asked.posteriors(val), judge.rule, asked.classes)
    truth = [asked.classes.index(each.emotion) for each in utterances]
    posterior = np.array([each.posterior for each in utterances])
    temperature = fit_temperature(truth, posterior)
    # Where a prior was divided by, the classes are alike in what is left.
    alike = asked.adjust == "priors"
    implied = [1 / len(prior) if alike else prior[name] for name in asked.classes]
    return Calibration(
        temperature,
        fit_biases(truth, posterior, implied),
        len(truth),
        log_loss(truth, posterior),
        log_loss(truth, tempered(posterior, temperature)),
    )
