"""``sertools merge``: stores → store."""

from pathlib import Path
from typing import Annotated

from sertools.cli.options import argument, output
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def merge(
    stores: Annotated[list[Path], argument("STORE.h5", "Stores of one front end.")],
    out: Annotated[Path, output("S.h5", "All their rows.")],
) -> None:
    """Put stores together: the toolkit's cat.

    All shards of one extraction give the unsharded store.

    \b
    Example:
      sertools merge shards/*.h5 -o specs.h5
    """
    from sertools import api

    voice.say(f"{out}: {api.merge(stores, out)} rows")
