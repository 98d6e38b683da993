"""What a shell is offered after TAB, beside verbs, options and files: choices, readers, classes of a file."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from sertools.errors import SertoolsError

Offer = Callable[[str], list[str]]


def choices(values: Iterable[str]) -> Offer:
    """Offer the values that begin as what is typed."""
    known = list(values)
    return lambda incomplete: [value for value in known if value.startswith(incomplete)]


def readers(incomplete: str) -> list[str]:
    """Offer the readers of corpora."""
    from sertools.corpora import READERS

    return choices(READERS)(incomplete)


def shares(incomplete: str) -> list[str]:
    """Offer ``CLASS=`` for the classes of the store that the line names."""
    return choices(f"{name}=" for name in _values("emotion"))(incomplete)


def counts(incomplete: str) -> list[str]:
    """Offer ``CLASS=`` for the classes of the generator that the line names."""
    from sertools.generator_config import KINDS
    from sertools.training.checkpoint import load_header
    from sertools.training.gan_file import KIND as GAN

    path = _file(lambda word: not word.endswith(".h5"))
    try:
        classes = load_header(Path(path), GAN, *KINDS).classes if path else ()
    except SertoolsError:
        return []
    return choices(f"{name}=" for name in classes)(incomplete)


def conditions(incomplete: str) -> list[str]:
    """Offer the columns that rows are chosen by, and after ``=`` what the store holds there."""
    column, equals, _ = incomplete.partition("=")
    if not equals:
        columns = ("emotion", "speaker", "session", "gender", "corpus", "origin")
        return choices(f"{name}=" for name in columns)(incomplete)
    from sertools.store.conditions import Condition

    name = column.removesuffix("!")
    return choices(str(Condition(name, (value,), name != column)) for value in _values(name))(incomplete)


def _values(column: str) -> list[str]:
    """What a column of the line's store holds; nothing if there is no such store yet."""
    from sertools.store.reader import open_store

    store = _file(lambda word: word.endswith(".h5"))
    if store is None:
        return []
    try:
        found = open_store(store).contents.column(column)
    except SertoolsError:
        return []
    return sorted({str(value) for value in found.tolist()} - {""})


def _file(fits: Callable[[str], bool]) -> str | None:
    """Find the first file of the line that fits.

    A line that ends in an option without its value is not parsed any further: the file is looked for in its words.
    """
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    return next((word for word in line.split() if fits(word) and os.path.isfile(word)), None)
