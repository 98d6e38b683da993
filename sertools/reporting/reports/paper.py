"""The paper's own figures: Tables 2 and 3, and the one of §3.2, as data.

Chatziagapi et al., "Data Augmentation using GANs for Speech Emotion Recognition", Interspeech 2019. In percent, as
printed. The keys are the ``method`` tags of our results in lower case, in the order of Table 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sertools.experiment.methods import GENERATION, NO_CATEGORY, SELECTION, SIGNAL


@dataclass(frozen=True, kw_only=True)
class Table2Row:
    """A row of Table 2: UAR in percent on IEMOCAP, four classes, five folds.

    Attributes
    ----------
    dataset : str
        Name of the row.
    angry, happy, sad : float
        UAR where 80 % of that class were removed from the training set (§3.2).
    average : float
        Mean of the three.
    """

    dataset: str
    angry: float
    happy: float
    sad: float
    average: float


@dataclass(frozen=True, kw_only=True)
class Table3Row:
    """A row of Table 3: UAR and F-score in percent on FEEL-25k, five classes, imbalanced as collected.

    Attributes
    ----------
    category, dataset : str
        Names of the group and of the row.
    uar, f_score : float
        On the separate test set (§3.1).
    """

    category: str
    dataset: str
    uar: float
    f_score: float


# §3.2: UAR on the whole of IEMOCAP, nothing removed; printed without a decimal.
UAR_ALL_OF_IEMOCAP = 56

TABLE_2: Mapping[str, Table2Row] = MappingProxyType(
    {
        "imbalanced": Table2Row(dataset="Imbalanced", angry=47.8, happy=52.2, sad=46.9, average=49.0),
        "cp": Table2Row(dataset="CP", angry=51.5, happy=50.8, sad=45.8, average=49.4),
        "sa": Table2Row(dataset="SA", angry=49.7, happy=49.6, sad=47.6, average=49.0),
        "gan": Table2Row(dataset="Proposed approach", angry=53.5, happy=55.2, sad=52.1, average=53.6),
    }
)

TABLE_3: Mapping[str, Table3Row] = MappingProxyType(
    {
        "imbalanced": Table3Row(category=NO_CATEGORY, dataset="Initial Dataset", uar=52.3, f_score=52.7),
        "rs0.4": Table3Row(category=SELECTION, dataset="0.4 Balanced", uar=50.0, f_score=50.3),
        "rs0.6": Table3Row(category=SELECTION, dataset="0.6 Balanced", uar=48.5, f_score=48.1),
        "rs0.8": Table3Row(category=SELECTION, dataset="0.8 Balanced", uar=49.6, f_score=49.5),
        "rs1.0": Table3Row(category=SELECTION, dataset="Fully Balanced", uar=49.4, f_score=48.9),
        "cp": Table3Row(category=SIGNAL, dataset="CP", uar=51.1, f_score=49.8),
        "sa": Table3Row(category=SIGNAL, dataset="SA", uar=50.7, f_score=49.2),
        "sar": Table3Row(category=SIGNAL, dataset="SAR", uar=51.2, f_score=50.0),
        "sarm": Table3Row(category=SIGNAL, dataset="SARM", uar=51.0, f_score=50.5),
        "sarb": Table3Row(category=SIGNAL, dataset="SARB", uar=51.1, f_score=49.7),
        "sars": Table3Row(category=SIGNAL, dataset="SARS", uar=49.3, f_score=48.0),
        "gan": Table3Row(category=GENERATION, dataset="Proposed approach", uar=54.6, f_score=55.0),
    }
)
