"""``sertools to-wav``: store → sound files."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Seed, option_of
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb
from sertools.keywords import ITERATIONS, WAVS


@verb()
def to_wav(
    store: Annotated[Path, typer.Argument(metavar="STORE.h5", help="Any store.", show_default=False)],
    out: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="One wav per row.", show_default=False)
    ],
    per_class: Annotated[int | None, option_of(WAVS)] = None,
    iterations: Annotated[int, option_of(ITERATIONS)] = ITERATIONS.default,
    seed: Seed = 0,
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

    last = api.to_wav(
        store,
        out,
        per_class=per_class,
        iterations=iterations,
        seed=seed,
        progress=showing("to-wav", lambda p: (p.done, p.total, "")),
    )
    if last:
        quieter = f", {last.n_quieter} of them made quieter to fit" if last.n_quieter else ""
        voice.say(f"{out}: {last.total} wavs{quieter}")
