"""``sertools corpus``: folders → labels CSV."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.completion import choices, readers
from sertools.cli.options import Missing, Synonyms
from sertools.cli.progress import voice
from sertools.cli.verbs import verb
from sertools.errors import UsageError
from sertools.keywords import SYNONYMS


@verb()
def corpus(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A reader; see --list.", show_default=False, autocompletion=readers),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Where the corpus lies; for nkululeko, its CSV.", show_default=False),
    ] = None,
    list_readers: Annotated[bool, typer.Option("--list", help="Name the readers and their corpora.")] = False,
    ambiguous: Annotated[
        str,
        typer.Option(
            help="keep or drop recordings on which the annotators disagree.", autocompletion=choices(("keep", "drop"))
        ),
    ] = "keep",
    relabel: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Count one emotion as another, such as calm=neutral. Repeatable."),
    ] = None,
    missing: Missing = None,
    synonyms: Synonyms = SYNONYMS.default,
) -> None:
    """Print a corpus folder's labels as CSV.

    \b
    Example:
      sertools corpus ravdess RAVDESS/ > labels.csv
      sertools corpus ravdess RAVDESS/ --relabel calm=neutral > labels.csv
    """
    from sertools import api
    from sertools.corpora import READERS
    from sertools.corpora.table import write_labels

    if list_readers:
        width = max(map(len, READERS))
        for reader in READERS.values():
            print(f"{reader.name:{width}} {reader.title}")
        return
    if name is None or folder is None:
        raise typer.BadParameter("NAME and DIR are needed, such as: sertools corpus ravdess RAVDESS/")
    pairs: dict[str, str] = {}
    for old, new in map(_read_pair, relabel or ()):
        if pairs.setdefault(old, new) != new:
            raise UsageError(f"--relabel {old}={new}: {old!r} is also to be {pairs[old]!r}; leave one out")
    recordings = api.corpus(name, folder, ambiguous=ambiguous, relabel=pairs, missing=missing, synonyms=synonyms)
    text = io.StringIO(newline="")
    write_labels(recordings, text)
    sys.stdout.buffer.write(text.getvalue().encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
    voice.detail(f"{len(recordings)} recordings")


def _read_pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (equals and old and new):
        raise UsageError(f"--relabel {text!r}: expected OLD=NEW, such as calm=neutral")
    return old, new
