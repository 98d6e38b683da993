"""What a report holds: a row a method, and what a reader must know about all of them."""

from dataclasses import dataclass

from sertools.scoring.statistics import Interval


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
    n_results, n_ties : int
        Runs, and tied votes in them.
    difference : Interval or None
        Pooled UAR minus that of the baseline, over the runs that both have.
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
    n_results: int
    n_ties: int
    difference: Interval | None
    closure: Interval | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """A table and what a reader must know about it.

    Attributes
    ----------
    rows : tuple of Row
        In the order of the paper.
    classes, reduced : tuple of str
        All classes, and those that were reduced in some run.
    baseline : str or None
        The method of the differences.
    n_folds, n_seeds, n_speakers, n_utterances : int
        Different ones over all runs.
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
    n_folds: int
    n_seeds: int
    n_speakers: int
    n_utterances: int
    averaged: str
    notes: tuple[str, ...]
    cautions: tuple[str, ...]
