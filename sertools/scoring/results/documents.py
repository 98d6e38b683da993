"""JSON files of strangers: decoded, and every string safe to print."""

import json
from collections.abc import Mapping
from typing import Any

from sertools.errors import printable

_MAX_DEPTH = 8
_MAX_NUMBER = 2**53  # beyond it other JSON readers lose digits


class Defect(Exception):  # noqa: N818 - never leaves the reading and writing of our JSON files
    """What is wrong with a document; becomes a ModelError that also names the file."""


def load(text: str) -> Any:
    """Decode JSON.

    Raises
    ------
    Defect
        If it is damaged, names a field twice, is nested too deep or holds an integer of thousands of digits.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise Defect("names a field twice")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise Defect(f"is damaged at line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise Defect("is nested too deep") from None
    except ValueError:  # an integer of thousands of digits
        raise Defect("holds a number without end") from None


def clean(value: Any, depth: int = 0) -> Any:
    """Escape every string.

    Raises
    ------
    Defect
        If a number is not finite or far too large, or the nesting is deeper than any of our files has.
    """
    if depth > _MAX_DEPTH:
        raise Defect("is nested too deep")
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(key)): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, int | float) and not abs(value) <= _MAX_NUMBER:  # NaN too
        raise Defect("holds a number that is not finite or far too large")
    return value
