"""``sertools extract``: audio → store."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import argument, output
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb
from sertools.config import FrontEnd
from sertools.fields import keywords_of


@verb(dry_run=True)
def extract(
    sources: Annotated[list[str], argument("SRC", "Audio files, folders, a labels CSV, or - for either on stdin.")],
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
    stdin = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape", newline="")
    last = api.extract(
        sources,
        out,
        **options,
        front_end=front_end,
        stdin=stdin,
        progress=showing("extract", lambda p: (p.done, p.total, f"{p.n_rows} rows")),
    )
    if last:
        skipped = f", {last.n_rejected} files skipped (see `sertools info {out}`)" if last.n_rejected else ""
        voice.say(f"{out}: {last.n_rows} rows from {last.total - last.n_rejected} recordings{skipped}")
