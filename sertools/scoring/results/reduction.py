"""What a result tells of the class that was reduced in training: to which share, and to how many rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sertools.scoring.results.result import Result

# A training that draws and weights every row alike: its prior is the rows' own.
_PLAIN = {"loss": "cross-entropy", "sampling": "shuffled", "synthetic_share": None}


@dataclass(frozen=True)
class Reduction:
    """How little was left of the reduced classes in some results.

    Attributes
    ----------
    shares : tuple of float [range=0…1]
        Of the class's recordings, as `select --keep` was told; all different ones, sorted.
    rows : tuple of int
        Real training rows of the class, all different numbers, sorted; empty where no result tells.
    """

    shares: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()


def reduction_of(results: Sequence[Result]) -> Reduction:
    """Find what was left of the class that each result has as its tag ``reduced``.

    Parameters
    ----------
    results
        Those without the tag, or whose history says nothing of it, count as none.
    """
    shares: set[float] = set()
    rows: set[int] = set()
    for result in results:
        name = result.tags.get("reduced")
        if not name:
            continue
        options = [_options(line) for line in result.history]
        shares.update(share for verb, own in options if verb == "select" and (share := _share(own, name)) is not None)
        trained = [own for verb, own in options if verb == "train-clf"]
        prior = result.model.get("prior") or {}
        counts = result.model["n_train_rows"]
        plain = len(trained) == 1 and all(trained[0].get(key, value) == value for key, value in _PLAIN.items())
        if plain and name in prior and set(counts) == {"real"}:
            rows.add(round(prior[name] * counts["real"]))
    return Reduction(tuple(sorted(shares)), tuple(sorted(rows)))


def _options(line: str) -> tuple[str, dict[str, Any]]:
    """Verb and options of a line of a history; nothing of one that is damaged."""
    try:
        entry = json.loads(line)
        verb, options = entry["verb"], entry.get("options", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", {}
    return (verb, options) if isinstance(verb, str) and isinstance(options, dict) else ("", {})


def _share(options: dict[str, Any], name: str) -> float | None:
    keep = options.get("keep")
    share = keep.get(name) if isinstance(keep, dict) else None
    return float(share) if isinstance(share, int | float) and isfinite(share) and 0 <= share <= 1 else None
