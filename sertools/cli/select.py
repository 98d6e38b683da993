"""``sertools select``: store → store."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import argument, output
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def select(
    store: Annotated[Path, argument("S.h5", "The store to choose from.")],
    out: Annotated[Path, output("T.h5", "The chosen rows.")],
    **options: Any,
) -> None:
    """Choose rows of a store: the toolkit's grep.

    All conditions are ANDed.

    \b
    Example:
      sertools select specs.h5 --fold 1/5 -o test.h5
      sertools select specs.h5 --fold 1/5 -v -o full.h5
      sertools select full.h5 --keep angry=0.2 -o train.h5
    """
    from sertools import api
    from sertools.store.select import parse_keep

    options["keep"] = parse_keep(options["keep"] or ())
    voice.say(f"{out}: {api.select(store, out, **options)} rows")
