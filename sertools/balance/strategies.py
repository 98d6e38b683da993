"""The strategies that balance a training set without a generator, as data.

Those of Table 1, Table 3's random selection, and the augmentations of works that the paper cites. No code branches on
a strategy's name: `plan` reads `replace` and `ratio`, `augmentation` the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from sertools.errors import UsageError, did_you_mean

COPIED = "copied"


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One row of Table 1, of Table 3's random selection, or of the works cited.

    Attributes
    ----------
    name
        The paper's abbreviation where it has one.
    transforms
        What a new row is; where there are several, each row draws one. A copy, or a key of
        `alteration.TRANSFORMS`.
    replace
        Which classes' rows are replaced by altered ones, besides those added (§2.5).
    ratio
        No class keeps more than 1/ratio times the rows of the smallest (§2.5, §3.3); None removes nothing.
    in_a_row
        How many transforms a new row goes through, drawn one by one from `transforms`, the same again among them;
        more than one are chained.
    magnitude
        How strong each is, up to `STRONGEST`; None: as the work that it comes from, which `alteration` draws.

    Raises
    ------
    UsageError
        If a transform is unknown, or a copy is one of several in a row.
    """

    name: str
    transforms: tuple[str, ...]
    replace: Literal["none", "all", "majority"] = "none"
    ratio: float | None = None
    in_a_row: int = 1
    magnitude: float | None = None

    def __post_init__(self) -> None:
        for name in self.transforms:
            _check_known(f"strategy {self.name}: {name!r}", name, (COPIED, *TRANSFORM_NAMES))
        if COPIED in self.transforms and self.in_a_row > 1:
            raise UsageError(f"strategy {self.name}: {COPIED!r} is no transform to go through; leave it out")

    @property
    def alters(self) -> bool:
        """Whether new rows are made of audio."""
        return any(name != COPIED for name in self.transforms)


def _check_known(asked: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known) or ";"
        raise UsageError(f"{asked}: no such transform{hint} known are {', '.join(known)}")


_SIGNAL = ("time_stretch", "pitch_shift", "gaussian_noise", "background_noise")
_CITED = ("speed", "vocal_tract", "frequency_filter")
TRANSFORM_NAMES = (*_SIGNAL, *_CITED)
STRONGEST = 10.0  # the scale of Cubuk et al. 2020

TABLE_1 = (
    Strategy(name="CP", transforms=(COPIED,)),
    Strategy(name="SA", transforms=_SIGNAL),
    Strategy(name="SAR", transforms=_SIGNAL, replace="all"),
    Strategy(name="SARM", transforms=_SIGNAL, replace="majority"),
    Strategy(name="SARB", transforms=("background_noise",), replace="all"),
    Strategy(name="SARS", transforms=("time_stretch", "pitch_shift"), replace="all"),
)
RANDOM_SELECTION = tuple(Strategy(name=f"RS{ratio}", transforms=(), ratio=ratio) for ratio in (0.4, 0.6, 0.8, 1.0))
# §1 cites them, and the paper does not try them by themselves. RA is RandAugment (Cubuk et al. 2020), two numbers in
# the place of a learned policy; without background noise, so that it needs no folder.
CITED = (
    Strategy(name="PS", transforms=("pitch_shift",)),
    Strategy(name="SP", transforms=("speed",)),
    Strategy(name="VTLP", transforms=("vocal_tract",)),
    Strategy(name="FF", transforms=("frequency_filter",)),
    Strategy(name="RA", transforms=(*_SIGNAL[:3], *_CITED), in_a_row=2, magnitude=5.0),
)

STRATEGIES = {strategy.name: strategy for strategy in (*TABLE_1, *CITED, *RANDOM_SELECTION)}


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


def adjusted(
    chosen: Strategy, among: str | None = None, in_a_row: int | None = None, magnitude: float | None = None
) -> Strategy:
    """Change what a strategy's rows are made by; what is None stays.

    Parameters
    ----------
    among
        Transforms to draw from, with commas between them.
    in_a_row, magnitude
        Of a strategy that has a magnitude.

    Raises
    ------
    UsageError
        If the strategy has none of that, or a transform is unknown.
    """
    if among is not None:
        if not chosen.alters:
            raise UsageError(
                f"--among {among}: --strategy {chosen.name} alters no audio; take one that does, such as SA"
            )
        names = tuple(dict.fromkeys(among.split(",")))
        for name in names:
            _check_known(f"--among {name!r}", name, TRANSFORM_NAMES)
        chosen = replace(chosen, transforms=names)
    for flag, value in (("--in-a-row", in_a_row), ("--magnitude", magnitude)):
        if value is not None and chosen.magnitude is None:
            raise UsageError(
                f"{flag} {value:g}: a row of --strategy {chosen.name} has one transform, as strong as in its work; "
                "take RA"
            )
    return replace(chosen, in_a_row=in_a_row or chosen.in_a_row, magnitude=magnitude or chosen.magnitude)


def options_of(chosen: Strategy) -> dict[str, str | int | float]:
    """Say which options of `augment` give a strategy, for a history."""
    known = STRATEGIES.get(chosen.name, chosen)
    return {
        "strategy": chosen.name,
        **({"among": ",".join(chosen.transforms)} if chosen.transforms != known.transforms else {}),
        **({"in_a_row": chosen.in_a_row} if chosen.in_a_row != known.in_a_row else {}),
        **({"magnitude": chosen.magnitude} if chosen.magnitude not in (None, known.magnitude) else {}),
    }
