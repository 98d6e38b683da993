"""A batch is text: one command per line, in the words of a shell, and nothing else of a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sertools.errors import UsageError

_PROGRAM = "sertools"
# A piece of a line: a comment, an operator, or a word with its quotes.
_PIECE = re.compile(
    r"""
    \s* (?:
        (?P<comment> \#.* )
        | (?P<operator> \d*[<>][&<>|]* | [|&;()]+ )
        | (?P<word> (?: [^\s'"\\|&;()<>] | \\. | '[^']*' | "(?:[^"\\]|\\.)*" )+ )
    )
    """,
    re.VERBOSE,
)
_SINGLE_QUOTED = re.compile(r"\\.|'[^']*'")
_DOUBLE_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class CommandLine:
    """A command line of a batch.

    Attributes
    ----------
    number
        Where it begins in the text, from 1.
    words
        The verb and what follows it.
    into
        The file that its standard output goes to; empty if there is none.
    """

    number: int
    words: tuple[str, ...]
    into: str = ""

    def __str__(self) -> str:
        into = f" > {shlex.quote(self.into)}" if self.into else ""
        return shlex.join((_PROGRAM, *self.words)) + into


def read_lines(text: Iterable[str]) -> list[CommandLine]:
    """Read the lines of a batch; empty ones and comments are left out.

    Words are quoted as in a shell, a backslash at the end joins a line to the next one, ``> FILE`` may stand last,
    and the first word may be ``sertools``.

    Raises
    ------
    UsageError
        Naming the first line that has an open quote, anything else of a shell, or no verb.
    """
    found = []
    for number, joined in _joined(text):
        pieces = list(_pieces(number, joined))
        into = ""
        if ">" in pieces[-2:-1]:
            *pieces, _, last = pieces
            into = _unquoted(number, last)
        words = [_unquoted(number, piece) for piece in pieces]
        if words[:1] == [_PROGRAM]:
            del words[0]
        if words:
            found.append(CommandLine(number, tuple(words), into))
        elif pieces or into:
            raise malformed(number, "there is no verb in it")
    return found


def malformed(number: int, reason: str) -> UsageError:
    """Say what is wrong with a line."""
    return UsageError(f"line {number}: {reason}; nothing was run")


def _joined(text: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Join lines that end in a backslash to the next; each with the number of its first."""
    first, begun = 0, ""
    for number, line in enumerate(text, 1):
        first = first or number
        begun += line.rstrip("\n")
        if begun.endswith("\\") and not begun.lstrip().startswith("#"):
            begun = begun[:-1]
            continue
        yield first, begun
        first, begun = 0, ""
    if first:
        raise malformed(first, "it ends in a backslash, and nothing follows")


def _pieces(number: int, line: str) -> Iterator[str]:
    place, end = 0, len(line.rstrip())
    while place < end:
        piece = _PIECE.match(line, place)
        if piece is None:
            raise malformed(number, "a quote in it has no end")
        if piece["comment"]:
            return
        yield piece["operator"] or piece["word"]
        place = piece.end()


def _unquoted(number: int, piece: str) -> str:
    """Return the word that a piece stands for, if a shell would not make something else of it."""
    bare = _SINGLE_QUOTED.sub("", piece)
    strange = re.search(r"[$`]", bare) or re.search(r"^~|[|&;()<>*?[]", _DOUBLE_QUOTED.sub("", bare))
    if strange:
        raise malformed(number, f"{strange[0]!r} is for a shell; write the words out, or quote it in ''")
    (word,) = shlex.split(piece)
    return word
