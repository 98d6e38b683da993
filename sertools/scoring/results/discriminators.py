"""What the history of a result or of generated rows tells of the GAN behind them: how competent its D was."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from sertools.training.health import D_AUC, D_AUC_ROWS


@dataclass(frozen=True)
class ToldOfD:
    """What a GAN's file says of its discriminator.

    Attributes
    ----------
    auc : float
        Of real rows against those of the generator at step 0 [range=0…1]; NaN where no GAN was trained, or by an
        earlier version.
    rows : str
        The real rows: validation or training; empty where that is not known.
    """

    auc: float = nan
    rows: str = ""


def told_of_d(history: Sequence[str]) -> ToldOfD:
    """Find the least competent discriminator among the GANs that rows were made with.

    Parameters
    ----------
    history
        Of a result, or of a store; lines that say nothing of a GAN, or are damaged, count as none.
    """
    found = [told for line in history if (told := _told(line))]
    return min(found, key=lambda told: told.auc, default=ToldOfD())


def _told(line: str) -> ToldOfD | None:
    try:
        facts = json.loads(line)["facts"]["gan"]
        auc, rows = facts[D_AUC], facts[D_AUC_ROWS]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = isinstance(auc, int | float) and 0 <= auc <= 1 and isinstance(rows, str)
    return ToldOfD(float(auc), rows) if sound else None
