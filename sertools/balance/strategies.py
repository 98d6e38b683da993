"""The augmentation strategies of the paper's Table 1, as data.

No code branches on a strategy's name: `plan` reads `replace`, `augmentation` reads `transforms`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from sertools.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One row of Table 1.

    Attributes
    ----------
    name
        The paper's abbreviation.
    transforms
        What an added row is: a copy (CP), or time stretch, pitch shift, Gaussian noise, background noise.
    replace
        Which classes' rows are replaced by altered ones, besides those added (§2.5).
    """

    name: str
    transforms: tuple[str, ...]
    replace: Literal["none", "all", "majority"] = "none"


TABLE_1 = (Strategy(name="CP", transforms=("copied",)),)

STRATEGIES = {strategy.name: strategy for strategy in TABLE_1}


def strategy(name: str) -> Strategy:
    """Look up a strategy by the paper's name.

    Raises
    ------
    UsageError
        Naming the known ones.
    """
    if name not in STRATEGIES:
        close = difflib.get_close_matches(name.upper(), STRATEGIES, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"--strategy {name!r}: no such strategy; {hint}known are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]
