"""Errors that a user can act on.

Every message names the file, the bad value and the remedy, in one line. The command line prints it and exits with
``exit_code``; anything that is not a `SertoolsError` is a bug and keeps its traceback. Names and labels come from
others: `printable` makes them safe for a terminal.
"""

import difflib
import errno
import json
import os
import warnings
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

_NO_HANDLES = "too many files are open; raise the limit (ulimit -n)"
# No fault of the file that could not be read.
_SHORTAGES = {
    errno.EMFILE: _NO_HANDLES,
    errno.ENFILE: _NO_HANDLES,
    errno.ENOMEM: "there is not enough memory; raise the limit (ulimit -v), or free some",
}
_MOST_NAMES = 1000  # of a folder, to guess among


class SertoolsError(Exception):
    """Root of all errors raised on purpose."""

    exit_code = 1


class UsageError(SertoolsError):
    """Options that contradict each other or cannot be read."""

    exit_code = 2


class CorpusError(SertoolsError):
    """A corpus folder or labels table that cannot be used."""


class AudioError(SertoolsError):
    """An audio file that cannot be decoded."""


class StoreError(SertoolsError):
    """A spectrogram store that is damaged, of another kind, or does not fit the others."""


class LineageError(SertoolsError):
    """Rows that were already used for training or for choosing."""


class ModelError(SertoolsError):
    """A model, latents or result file that is damaged, of another kind, or does not fit the others."""


class TrainingError(SertoolsError):
    """Training that cannot start or go on."""


class Stopped(SertoolsError):  # noqa: N818 - no error: the state is safe
    """Stopped by a signal after saving state; the same command line goes on from there (EX_TEMPFAIL)."""

    exit_code = 75


class Followed(SertoolsError):  # noqa: N818 - no error: the first process goes on
    """One of several processes has done its share of a training; what is left is the first one's."""

    exit_code = 0


class SertoolsWarning(UserWarning):
    """Something a user should know, that stops nothing."""


def warn(text: str, category: type[SertoolsWarning] = SertoolsWarning) -> None:
    """Warn in one line that names the file and what is odd about it; nothing stops."""
    warnings.warn(text, category, stacklevel=3)


def out_of_memory(error: BaseException) -> bool:
    """Whether memory was short, on a GPU or not; torch has no class of its own for it on a CPU."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )


def lost_connection(error: BaseException) -> bool:
    """Whether a process that trains with others has lost them; each backend has words of its own for it."""
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("gloo", "NCCL", "TCPStore", "ProcessGroup", "Connection reset")
    )


def short_of(error: BaseException) -> str:
    """Say what the system was short of, and what helps, where that is why a file could not be read; else nothing."""
    for number, words in _SHORTAGES.items():
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            return words
    return ""


def defect(path: Path, error: Exception, what: str, remedy: str = "make it again, or restore a copy") -> str:
    """Say of a file that could not be read that it is damaged, or what the system was short of."""
    reason = (str(error).splitlines() or [type(error).__name__])[0].strip("'\"")
    short = short_of(error)
    return f"{path}: cannot be read: {short}" if short else f"{path}: damaged {what} ({reason}); {remedy}"


def printable(text: str) -> str:
    r"""Escape what a terminal would obey or cannot show: control and bidi characters, lone surrogates.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        One printable line; ``\u001b`` and the like stand for the characters, as in JSON: a line of JSON stays one.
        Printable text stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Name the known word that is most like `word`, as the end of a message; nothing if none is."""
    spelled = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), spelled, n=1)
    return f"; did you mean {spelled[close[0]]!r}?" if close else ""


def why_not(path: Path, error: OSError) -> str:
    """Say why a file cannot be opened; if it does not exist, name the file beside it that may be meant."""
    reason = error.strerror or str(error)
    if not isinstance(error, FileNotFoundError):
        return reason
    try:
        beside = [each.name for each in islice(path.parent.iterdir(), _MOST_NAMES)]
    except OSError:
        return reason
    return reason + did_you_mean(path.name, beside)


def one_of(option: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a value that is none of its choices.

    Raises
    ------
    UsageError
        Naming the option, the value, the choices, and the one that is most like it.
    """
    if value not in allowed:
        hint = did_you_mean(str(value), allowed)
        raise UsageError(f"{option} {value!r}: expected one of {', '.join(allowed)}{hint}")
