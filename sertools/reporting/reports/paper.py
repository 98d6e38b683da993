"""The paper's own figures: Tables 2 and 3, and the one of §3.2, as data.

Chatziagapi et al., "Data Augmentation using GANs for Speech Emotion Recognition", Interspeech 2019. In percent, as
printed. The keys are the ``method`` tags of our results in lower case, in the order of Table 3.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sertools.experiment.methods import GENERATION, NO_CATEGORY, SELECTION, SIGNAL


class Table2Row(NamedTuple):
    """A row of Table 2: UAR in percent on IEMOCAP, four classes, five folds.

    One where 80 % of each class were removed from the training set (§3.2), and the mean of the three.
    """

    dataset: str
    uar_angry: float
    uar_happy: float
    uar_sad: float
    uar_average: float


class Table3Row(NamedTuple):
    """A row of Table 3, in its group: UAR and F-score in percent on FEEL-25k, five classes as collected."""

    category: str
    dataset: str
    uar: float
    f_score: float


# §3.2: UAR on the whole of IEMOCAP, nothing removed; printed without a decimal.
UAR_ALL_OF_IEMOCAP = 56

TABLE_2: Mapping[str, Table2Row] = {
    "imbalanced": Table2Row("Imbalanced", 47.8, 52.2, 46.9, 49.0),
    "cp": Table2Row("CP", 51.5, 50.8, 45.8, 49.4),
    "sa": Table2Row("SA", 49.7, 49.6, 47.6, 49.0),
    "gan": Table2Row("Proposed approach", 53.5, 55.2, 52.1, 53.6),
}

TABLE_3: Mapping[str, Table3Row] = {
    "imbalanced": Table3Row(NO_CATEGORY, "Initial Dataset", 52.3, 52.7),
    "rs0.4": Table3Row(SELECTION, "0.4 Balanced", 50.0, 50.3),
    "rs0.6": Table3Row(SELECTION, "0.6 Balanced", 48.5, 48.1),
    "rs0.8": Table3Row(SELECTION, "0.8 Balanced", 49.6, 49.5),
    "rs1.0": Table3Row(SELECTION, "Fully Balanced", 49.4, 48.9),
    "cp": Table3Row(SIGNAL, "CP", 51.1, 49.8),
    "sa": Table3Row(SIGNAL, "SA", 50.7, 49.2),
    "sar": Table3Row(SIGNAL, "SAR", 51.2, 50.0),
    "sarm": Table3Row(SIGNAL, "SARM", 51.0, 50.5),
    "sarb": Table3Row(SIGNAL, "SARB", 51.1, 49.7),
    "sars": Table3Row(SIGNAL, "SARS", 49.3, 48.0),
    "gan": Table3Row(GENERATION, "Proposed approach", 54.6, 55.0),
}
