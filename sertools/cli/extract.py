"""``sertools extract``: audio → store."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import output
from sertools.cli.progress import showing
from sertools.cli.sources import Sources, say_what_was_made, standard_input
from sertools.cli.verbs import verb
from sertools.config import FrontEnd
from sertools.fields import keywords_of


@verb(dry_run=True)
def extract(
    sources: Sources,
    out: Annotated[Path, output("S.h5", "The store.")],
    **options: Any,
) -> None:
    """Turn audio into a store of log-mel spectrograms.

    Utterances are cut into 3-second segments, each a 128x128 picture. Labels come
    from a CSV; without one, from the name of each file's folder.

    \b
    Example:
      sertools extract wavs/ -o specs.h5
      sertools corpus ravdess RAVDESS/ | sertools extract - -o specs.h5
    """
    from sertools import api

    front_end = FrontEnd(**{name: options.pop(name) for name in keywords_of(FrontEnd)})
    last = api.extract(
        sources,
        out,
        **options,
        front_end=front_end,
        stdin=standard_input(),
        progress=showing("extract", lambda p: (p.done, p.total, f"{p.n_rows} rows")),
    )
    say_what_was_made(out, last)
