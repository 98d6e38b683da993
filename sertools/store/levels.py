"""How loud the utterances of a store are, and what to say where few of them decide the scale of all.

The level of an utterance is its loudest pixel in dB. In none of four corpora, acted and of real rooms, do two groups
of utterances lie more than 5 dB apart; of twelve utterances of the one with the widest range none is 25 dB off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from sertools.errors import warn
from sertools.store.format import pictures_of
from sertools.store.reader import Store

_APART_DB = 25.0
_FEWEST_OTHERS = 5
_FEW = 4  # at most one utterance in so many; more of them are a level of the corpus's own
_NOTABLE_SHARE = 0.05
# Medians of single speakers differ by up to 20 dB, those of corpora of many by their microphones.
_UNLIKE_DB = 15.0
_FEWEST_TO_COMPARE = 10
# Digital silence lies at the floor.
_SILENT_DB = 1.0
_REMEDY = "correct their audio, or leave them out with `select --where id!=…`"

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """How loud a store's utterances are; silent ones are left out.

    Attributes
    ----------
    name
        The store.
    ids, emotions, level
        Of each utterance; the level in dB.
    """

    name: str
    ids: npt.NDArray[np.str_]
    emotions: npt.NDArray[np.str_]
    level: Values

    def medians(self) -> dict[str, float]:
        """Median level of each class, if there are utterances enough."""
        if len(self.level) < _FEWEST_TO_COMPARE:
            return {}
        return {str(name): float(np.median(self.level[self.emotions == name])) for name in np.unique(self.emotions)}


def levels_of(store: Store, rows: npt.NDArray[np.int64], loudest: npt.NDArray[np.float32]) -> Levels:
    """Sum rows up by utterance.

    Parameters
    ----------
    rows
        Of the store, in any order [shape=(n,)].
    loudest
        The loudest pixel of each [shape=(n,)].
    """
    utterances, front_end = store.contents.utterances, pictures_of(store.contents.front_end, str(store.path))
    floor = 10.0 * np.log10(front_end.amin)
    level = np.full(len(utterances), -np.inf)
    np.maximum.at(level, store.contents.segments["utterance"][rows], loudest)
    heard = np.flatnonzero(level > floor + _SILENT_DB)
    return Levels(str(store.path), utterances["id"][heard], utterances["emotion"][heard], level[heard])


def warn_of_scale(stores: Sequence[Levels], low: float, high: float, clipped_share: float) -> None:
    """Warn where few utterances, or one of several corpora, set a scale that leaves little of the others.

    Parameters
    ----------
    low, high
        The scale in dB.
    clipped_share
        Of the pixels, those below it.
    """
    level = np.concatenate([store.level for store in stores])
    order = np.argsort(level, kind="stable")
    scale = f"the scale is {low:.0f} to {high:.0f} dB, and {100 * clipped_share:.0f} % of the pixels are clipped"
    if few := _apart(level[order]):
        store, name = _owner(stores, int(order[-1]))
        apart = level[order[-few]] - level[order[-few - 1]]
        warn(
            f"{store}: {few} of {len(order)} utterances are {apart:.0f} dB louder than all others or more, {name!r} "
            f"the loudest with {level[order[-1]]:.0f} dB, and set the scale alone: {scale}; {_REMEDY}"
        )
        return
    constant = int((level <= low).sum())
    if constant > _NOTABLE_SHARE * len(level):
        store, name = _owner(stores, int(order[0]))
        warn(
            f"{store}: {constant} of {len(order)} utterances lie below the scale and become constant pictures, "
            f"{name!r} with {level[order[0]]:.0f} dB the quietest: {scale}; {_REMEDY}"
        )
        return
    warn_of_mixture(stores)


def _apart(level: Values) -> int:
    """Count the loudest that lie apart from the rest, if they are few, by sorted levels."""
    most = min(len(level) // _FEW, len(level) - _FEWEST_OTHERS)
    if most < 1:
        return 0
    wide = np.flatnonzero(np.diff(level)[-most:] >= _APART_DB)
    return most - int(wide[0]) if len(wide) else 0


def warn_of_mixture(stores: Sequence[Levels]) -> None:
    """Warn of stores whose utterances of the same classes are of very different levels."""
    medians = [(store.name, store.medians()) for store in stores]
    pairs = [(_louder(mine, theirs), one, other) for (one, mine), (other, theirs) in combinations(medians, 2)]
    if not pairs:
        return
    louder, one, other = max(pairs, key=lambda pair: abs(pair[0]))
    if abs(louder) > _UNLIKE_DB:
        loud, quiet = (one, other) if louder > 0 else (other, one)
        warn(
            f"{loud}: its utterances are {abs(louder):.0f} dB louder than {quiet}'s of the same classes; one scale "
            "for both clips the quiet ones, and a net can tell them apart by it: bring the audio to one level first"
        )


def warn_of_another_scale(name: str, loudest: float, low: float, high: float, model: str) -> None:
    """Warn where the scale that a model brings is not that of the rows it is given.

    Parameters
    ----------
    name, model
        The rows' stores and the model, for the message.
    loudest
        Of the rows' pixels, in dB.
    low, high
        The model's scale in dB.
    """
    if high - _APART_DB <= loudest <= high + _UNLIKE_DB:
        return
    warn(
        f"{name}: the loudest pixel has {loudest:.0f} dB, but {model} has a scale of {low:.0f} to {high:.0f} dB, "
        "which leaves little of these pictures; bring the audio to the level of its training"
    )


def _louder(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """By how many dB one store is louder than another over the classes that both have; 0 if there are none."""
    shared = sorted(one.keys() & other.keys())
    return float(np.median([one[name] - other[name] for name in shared])) if shared else 0.0


def _owner(stores: Sequence[Levels], number: int) -> tuple[str, str]:
    """Find the store and the id of an utterance that is counted over all stores."""
    return [(store.name, str(name)) for store in stores for name in store.ids][number]
