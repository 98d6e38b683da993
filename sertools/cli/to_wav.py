"""``sertools to-wav``: store → sound files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.options import argument
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb


@verb()
def to_wav(
    store: Annotated[Path, argument("STORE.h5", "Any store.")],
    out: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="One wav per row.", show_default=False)
    ],
    **options: Any,
) -> None:
    """Listen to a store: spectrograms back to sound.

    Log-mel pictures hold no phases and little detail at high frequencies, so real
    rows sound rough as well: compare generated rows with those, not with the
    recordings.

    \b
    Example:
      sertools to-wav synth.h5 --per-class 3 -o listen/
    """
    from sertools import api

    last = api.to_wav(store, out, **options, progress=showing("to-wav", lambda p: (p.done, p.total, "")))
    if last:
        quieter = f", {last.n_quieter} of them made quieter to fit" if last.n_quieter else ""
        voice.say(f"{out}: {last.total} wavs{quieter}")
