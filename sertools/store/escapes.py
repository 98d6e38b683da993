"""Names that are not UTF-8, written as UTF-8: HDF5 keeps nothing else."""

from __future__ import annotations

import re


def escape_name(name: str) -> str:
    """Write a file name that is not UTF-8 (lone surrogates) as UTF-8; `unescape_name` undoes it."""
    if "\\" not in name and name.isprintable():
        return name
    escaped = name.replace("\\", "\\\\")
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in escaped)


def escape_word(word: str) -> str:
    """Write a word that is not UTF-8 as UTF-8; nobody has to undo it, so a backslash stays one."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unescape_name(name: str) -> str:
    """Undo `escape_name`."""

    def original(match: re.Match[str]) -> str:
        return "\\" if match.group(1) == "\\" else chr(0xDC00 + int(match.group(1)[1:], 16))

    return re.sub(r"\\(\\|x[0-9a-f]{2})", original, name)
