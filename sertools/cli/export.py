"""``sertools export``: store, result or training log → files for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.progress import voice
from sertools.cli.verbs import verb
from sertools.config import EXPORTS


@verb()
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A store, a result or a training log.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="OUT", help="A file (npz, arrow) or a folder (the others).", show_default=False
        ),
    ],
    export_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(EXPORTS),
            help="For a store npz (the default), npy or arrow; for a result audformat; for a log tensorboard.",
        ),
    ] = None,
    audio_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The corpus of a result, to complete the names of its files."),
    ] = None,
) -> None:
    """Write a store, a result or a training log for other tools.

    A store becomes NumPy arrays or Arrow (Hugging Face datasets), a result becomes audformat tables, a log becomes
    curves for TensorBoard. Exported rows are no longer guarded against leaks.

    \b
    Example:
      sertools export specs.h5 -o specs.npz
      sertools export specs.h5 -o specs.arrow --format arrow
      sertools export result.json -o predictions/ --format audformat
    """
    from sertools import api

    n = api.export(file, out, format=export_format, audio_root=audio_root)
    voice.say(f"{out}: {n} rows")
