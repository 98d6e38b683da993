"""How classes are fitted, and what donors lend, stores of other corpora: options of `fit-latents` and `borrow`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sertools.config import COVARIANCES, Checked
from sertools.fields import REQUIRED, Option, option
from sertools.verb_config import DEVICE

ROW_MAPS = MEAN, NONE, STANDARDISE = ("mean", "none", "standardise")
RELABEL = Option("Count one emotion of donors as another, such as calm=neutral. Repeatable.", "OLD=NEW")


@dataclass(frozen=True)
class Fitting(Checked):
    """How `fit-latents` models classes."""

    cov: str = option(
        "empirical", "How a covariance is estimated; tied: one that all classes share.", choices=COVARIANCES
    )
    donor: Sequence[Path] | None = option(
        None, "Shrink means towards those of this store, another corpus, aligned. Repeatable.", "D.h5"
    )
    relabel: Mapping[str, str] | None = option(None, RELABEL)
    device: str = option("auto", DEVICE)


@dataclass(frozen=True)
class Lending(Checked):
    """What `borrow` takes of donors, and how.

    Attributes
    ----------
    emotion
        The rare class.
    map
        `mean` moves each class so that the means of the others agree, with a slope for how strongly the donor's
        contrasts show in ours; `standardise` takes mean and deviation of each value from the donor's and puts on
        ours; `none` leaves rows as they are.
    all_classes
        Whether rows of every class that both have are borrowed, and not of the rare one alone.
    relabel
        Word of a donor → the one that it counts as.
    """

    emotion: str = option(REQUIRED, "The rare class; the map is fitted without it.", "CLASS", flag="--class")
    map: str = option(
        MEAN,
        "Move classes by where the means of the others lie, standardise each corpus by itself, or leave rows as "
        "they are.",
        choices=ROW_MAPS,
    )
    all_classes: bool = option(
        False, "Rows of all shared classes: what trains a classifier of donors alone.", flag="--all"
    )
    relabel: Mapping[str, str] | None = option(None, RELABEL)
