"""The strategies that balance a training set without a generator, as data: Table 1, and Table 3's random selection.

No code branches on a strategy's name: `plan` reads `replace` and `ratio`, `augmentation` reads `transforms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sertools.errors import UsageError, did_you_mean

COPIED = "copied"


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One row of Table 1, or of Table 3's random selection.

    Attributes
    ----------
    name
        The paper's abbreviation; RS for random selection, which has none there.
    transforms
        What a new row is; where there are several, each row draws one. A copy, or a key of
        `alteration.TRANSFORMS`.
    replace
        Which classes' rows are replaced by altered ones, besides those added (§2.5).
    ratio
        No class keeps more than 1/ratio times the rows of the smallest (§2.5, §3.3); None removes nothing.
    """

    name: str
    transforms: tuple[str, ...]
    replace: Literal["none", "all", "majority"] = "none"
    ratio: float | None = None

    @property
    def alters(self) -> bool:
        """Whether new rows are made of audio."""
        return any(name != COPIED for name in self.transforms)


_SIGNAL = ("time_stretch", "pitch_shift", "gaussian_noise", "background_noise")

TABLE_1 = (
    Strategy(name="CP", transforms=(COPIED,)),
    Strategy(name="SA", transforms=_SIGNAL),
    Strategy(name="SAR", transforms=_SIGNAL, replace="all"),
    Strategy(name="SARM", transforms=_SIGNAL, replace="majority"),
    Strategy(name="SARB", transforms=("background_noise",), replace="all"),
    Strategy(name="SARS", transforms=("time_stretch", "pitch_shift"), replace="all"),
)
RANDOM_SELECTION = tuple(Strategy(name=f"RS{ratio}", transforms=(), ratio=ratio) for ratio in (0.4, 0.6, 0.8, 1.0))

STRATEGIES = {strategy.name: strategy for strategy in (*TABLE_1, *RANDOM_SELECTION)}


def strategy(name: str) -> Strategy:
    """Look up a strategy by the paper's name.

    Raises
    ------
    UsageError
        Naming the known ones.
    """
    if name not in STRATEGIES:
        hint = did_you_mean(name, STRATEGIES) or ";"
        raise UsageError(f"--strategy {name!r}: no such strategy{hint} known are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]
