"""Tags: where a result stands in a table, in the one form by which places are compared."""

import re
from collections.abc import Mapping

from sertools.errors import UsageError, printable
from sertools.spelling import spelled

TAGS = ("method", "fold", "reduced", "seed")
# Whatever other tools make of a count: 1, 01, 1.0, 1e0.
_NUMBERS = ("fold", "seed")
_NUMBER = re.compile(r"[+-]?\d{1,300}(\.\d*)?([eE][+-]?\d{1,2})?")
_MOST = 2**53  # beyond it a float is no count


def canonical_tag(name: str, value: str) -> str:
    """Bring the value of a tag to the form by which it is compared: fold ``01`` and fold ``1.0`` are ``1``.

    Parameters
    ----------
    name : str
        The tag; folds and seeds are numbers where they look like one.
    value : str
        As somebody wrote it.

    Returns
    -------
    str
        As `spelled`; a whole number without a sign, leading zeros or decimals.
    """
    word = spelled(str(value))
    if name in _NUMBERS and _NUMBER.fullmatch(word):
        number = float(word)
        if number.is_integer() and abs(number) < _MOST:
            return str(int(number))
    return word


def canonical_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Bring names and values of tags to the form by which they are compared.

    Raises
    ------
    UsageError
        If a tag is there twice, or has no name.
    """
    found: dict[str, str] = {}
    for key, value in tags.items():
        name = spelled(key)
        if not name or name in found:
            raise UsageError(f"tag {printable(key)!r}: {'is there twice' if name else 'has no name'}; leave it out")
        found[name] = canonical_tag(name, value)
    return found
