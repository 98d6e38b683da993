"""What single cells of a table mean: times and genders, in the spellings that are met."""

import math
import re

from sertools.errors import CorpusError
from sertools.spelling import is_missing, spelled

_GENDER_OF = {"f": "female", "w": "female", "m": "male"}

# audformat writes "0 days 00:00:00.050000", and "0 days" where a whole column holds no fraction of a day.
_CLOCK = re.compile(
    r"(?:(?P<days>\d+) days?)?\s*(?:(?P<hours>\d+):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d(?:[.,]\d*)?))?"
)


def canonical_gender(word: str) -> str:
    """Translate a gender's letter to "female" or "male"; other words stay, in lower case."""
    word = spelled(spelled(word).lower())
    return _GENDER_OF.get(word, word)


def parse_seconds(cell: str, column: str, where: str) -> float | None:
    """Seconds of a cell, a number or a clock time; None where it is empty or says that nothing is known.

    Raises
    ------
    CorpusError
        No time, or not within 0 and infinity; the message names `column`, and `where` it stands.
    """
    if not cell or is_missing(cell):
        return None
    if clock := _CLOCK.fullmatch(cell):
        days, hours, minutes = (int(clock[part] or 0) for part in ("days", "hours", "minutes"))
        return ((days * 24 + hours) * 60 + minutes) * 60 + float((clock["seconds"] or "0").replace(",", "."))
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise CorpusError(f"{where}: {column} is {cell!r}; write seconds, such as 1.25, or leave it empty")
    return seconds
