"""Words as people write them: one form for each, and which may still be the same.

A name that is typed twice may differ in bytes that no screen shows: é as one character or as e and an accent, a
no-break space, a mark that a spreadsheet left behind. `spelled` takes that away. What a reader of the name would see
(`F1` and `f1`, `3` and `03`) is a question for the user: `alike` finds it. Paths are never respelled.
"""

import re
import unicodedata
from collections.abc import Iterable

# Soft hyphen, zero-width space, word joiner and byte order mark; marks of the direction of writing. Not the joiners
# U+200C and U+200D, which spell words in Persian and Hindi.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e"))
_UNSEEN |= dict.fromkeys(range(0x2066, 0x2070))
_JOINERS = "\u200c\u200d"

# What tables hold where nothing is known, in lower case.
MISSING = ("nan", "na", "n/a", "<na>", "#n/a", "nat", "none", "null", "unknown")

_LEADING_ZEROS = re.compile(r"(?<!\d)(?<!\d\.)0+(?=\d)")
_FRACTION = re.compile(r"\d+\.\d*")


def spelled(word: str) -> str:
    """Bring a word to the one form by which it is stored and compared.

    Parameters
    ----------
    word : str
        A label, a name, a tag or the value of an option; no path.

    Returns
    -------
    str
        In Unicode's form NFC, without zero-width spaces, byte order marks and marks of direction; blanks of any kind
        are one space, and none at the ends.
    """
    if not word.isascii():
        word = unicodedata.normalize("NFC", word.translate(_UNSEEN))
    return " ".join(word.split())


def is_missing(word: str, missing: Iterable[str] = MISSING) -> bool:
    """Whether a word, in any case, says that nothing is known."""
    return word.casefold() in missing


def is_utf_8(word: str) -> bool:
    """Whether a word can be written as UTF-8; one that was read from other bytes holds lone surrogates."""
    return word.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in word)


def alike(words: Iterable[str], blanks: str = "") -> list[tuple[str, ...]]:
    """Find words that differ, but only in case, width, blanks, joiners, or as numbers are written.

    Parameters
    ----------
    words : iterable of str
        The empty one is nobody's.
    blanks : str
        Characters that are blanks too.

    Returns
    -------
    list of tuple of str
        Groups of two or more, each sorted; ``3``, ``03`` and ``3.0`` are one.
    """
    groups: dict[str, list[str]] = {}
    for word in sorted(set(words) - {""}):
        groups.setdefault(_key(word, blanks), []).append(word)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _key(word: str, blanks: str) -> str:
    # Folding the case may undo the normal form, and the form the case.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold()).casefold()
    bare = "".join(c for c in folded if not (c.isspace() or c in _JOINERS + blanks))
    number = "".join(str(unicodedata.decimal(c, c)) for c in bare)
    if _FRACTION.fullmatch(number):
        number = number.rstrip("0").rstrip(".")
    return _LEADING_ZEROS.sub("", number)
