"""What a report holds: one row per method, and what a reader must know about all of them."""

from dataclasses import dataclass

from sertools.scoring.comparing.statistics import Interval
from sertools.scoring.results.reduction import Reduction

KIND = "report"
VERSION = 1
LEVEL = 0.05
# The two questions that a difference may answer, as tables head them.
NEW_SPEAKERS = "these classifiers, new speakers"
NEW_TRAINING = "this method, new training sets and speakers"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method.

    Attributes
    ----------
    method : str
        Its tag.
    seen : bool
        True if a classifier had met rows of its test set.
    uar, uar_sd : float
        Mean over folds and seeds, and standard deviation over seeds.
    pooled_uar : float
        Of the pooled folds, mean over seeds and reduced classes.
    uar_by_reduced, uar_sd_by_reduced : dict of str to float
        Reduced class → mean UAR (the paper's Table 2), and its standard deviation over seeds.
    reduced_recall, reduced_auc : float
        Of the reduced class.
    macro_f1, macro_f1_sd : float
        Mean, and standard deviation over seeds.
    recall : dict of str to float
        Class → mean recall.
    posthoc_uar : float
        UAR of mean posteriors divided by the prior that the training implied, which chooses nothing; NaN unless every
        result of the report, but those of other tools, names that prior.
    adjusted_uar, adjusted_recall : float
        UAR and recall of the reduced class where each run is at its own operating point, fitted on its validation
        set; NaN unless every result of the report, but those of other tools, has a validation set and a prior.
    bias : float
        How far these points favour the reduced class: its bias minus the mean of the other classes', mean over runs.
    noise_low, noise_high : float
        Bounds of `pooled_uar` by the utterance bootstrap: noise of the test set.
    n_results, n_ties : int
        Runs, and tied votes in them.
    n_updates : float
        Mean over the runs.
    n_train_rows : dict of str to float
        Origin → mean number of training rows; every origin of the report.
    d_auc : float
        Of the GAN that made training rows: how well its discriminator knows real rows, mean over the runs; NaN where
        there is none.
    d_auc_rows : tuple of str
        On which rows that was measured: training, validation.
    difference, recall_difference, auc_difference, adjusted_difference : Interval or None
        Pooled UAR minus that of the baseline, over the runs that both have; the same of the reduced class's recall
        and AUC, and of the UAR at each one's own operating point. Of these classifiers, on new speakers.
    anew_difference : Interval or None
        Of the reduced class's AUC, or of the UAR where none is reduced: of this method, on new training sets and
        speakers.
    anew_uar_difference : Interval or None
        The same of the UAR, whatever is reduced.
    p, p_holm : float
        Of `anew_difference`, and corrected for the number of methods compared; NaN if there is no test.
    lacks : str
        Why there is none; empty for the baseline too.
    closure : Interval or None
        Share of the gap between imbalanced and full that is closed; None unless that gap excludes 0.
    """

    method: str
    seen: bool
    uar: float
    uar_sd: float
    pooled_uar: float
    uar_by_reduced: dict[str, float]
    uar_sd_by_reduced: dict[str, float]
    reduced_recall: float
    reduced_auc: float
    macro_f1: float
    macro_f1_sd: float
    recall: dict[str, float]
    posthoc_uar: float
    adjusted_uar: float
    adjusted_recall: float
    bias: float
    noise_low: float
    noise_high: float
    n_results: int
    n_ties: int
    n_updates: float
    n_train_rows: dict[str, float]
    d_auc: float
    d_auc_rows: tuple[str, ...]
    difference: Interval | None
    recall_difference: Interval | None
    auc_difference: Interval | None
    adjusted_difference: Interval | None
    anew_difference: Interval | None
    anew_uar_difference: Interval | None
    p: float
    p_holm: float
    lacks: str
    closure: Interval | None

    @property
    def differs(self) -> int:
        """1 or -1 where the method, trained anew, is above or below the baseline for certain; else 0."""
        return differs(self.anew_difference, self.p_holm)


@dataclass(frozen=True, kw_only=True)
class Report:
    """A table and what a reader must know about it.

    Attributes
    ----------
    rows : tuple of Row
        As the registry of methods has them, whatever their case; then the others as they came.
    classes, reduced : tuple of str
        All classes, and those that were reduced in some run.
    baseline : str or None
        The method of the differences.
    posthoc, adjusted : bool
        Whether every result, but those of other tools, names the prior that its training implied, so that the rows
        hold post-hoc scores; and has a validation set too, so that they hold adjusted ones.
    n_folds, n_seeds, n_speakers, n_utterances : int
        Different ones over all runs.
    reduction : Reduction
        What was left of the reduced classes.
    averaged : str
        Sentence: over what the scores are averaged, and on what they were tested.
    notes : tuple of str
        Sentences for below the table, on its columns.
    cautions : tuple of str
        Sentences on the runs, which hold for any table of them.
    """

    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    reduced: tuple[str, ...]
    baseline: str | None
    posthoc: bool
    adjusted: bool
    n_folds: int
    n_seeds: int
    n_speakers: int
    n_utterances: int
    reduction: Reduction
    averaged: str
    notes: tuple[str, ...]
    cautions: tuple[str, ...]

    @property
    def primary(self) -> str:
        """What methods are judged by, as a table heads it."""
        if not self.reduced:
            return "UAR"
        return f"{self.reduced[0] if len(self.reduced) == 1 else 'reduced'} AUC"


def differs(found: Interval | None, p_holm: float) -> int:
    """Give 1 or -1 where a difference is above or below 0 for certain, else 0.

    For certain: its interval excludes 0 and, corrected for all comparisons, p is below 0.05.
    """
    if found is None or not found.excludes_zero or not p_holm < LEVEL:
        return 0
    return 1 if found.estimate > 0 else -1
