"""``sertools export``: store, result or training log → files for other tools."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.options import argument
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def export(
    file: Annotated[Path, argument("FILE", "A store, a result or a training log.")],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="OUT", help="A file (npz, arrow) or a folder (the others).", show_default=False
        ),
    ],
    **options: Any,
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

    voice.say(f"{out}: {api.export(file, out, **options)} rows")
