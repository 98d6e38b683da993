"""``sertools corpus``: folders → labels CSV."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.completion import readers
from sertools.cli.options import read_relabel
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


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
    **options: Any,
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
            licence = f"; {reader.licence}" if reader.licence else ""
            print(f"{reader.name:{width}} {reader.title}{licence}")
        return
    if name is None or folder is None:
        raise typer.BadParameter("NAME and DIR are needed, such as: sertools corpus ravdess RAVDESS/")
    recordings = api.corpus(name, folder, **{**options, "relabel": read_relabel(options["relabel"])})
    text = io.StringIO(newline="")
    write_labels(recordings, text)
    sys.stdout.buffer.write(text.getvalue().encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
    voice.detail(f"{len(recordings)} recordings")
