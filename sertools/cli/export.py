"""``sertools export``: store, result, training log or classifier → files for other tools."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.options import argument
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def export(
    file: Annotated[Path, argument("FILE", "A store, a result, a training log or a classifier.")],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="A file (npz, arrow, onnx) or a folder (the others).",
            show_default=False,
        ),
    ],
    **options: Any,
) -> None:
    """Write a store, a result, a training log or a classifier for other tools.

    A store becomes NumPy arrays or Arrow (Hugging Face datasets), a result becomes audformat tables, a log becomes
    curves for TensorBoard, a classifier an ONNX graph from stored rows to posteriors. Exported rows are no longer
    guarded against leaks.

    \b
    Example:
      sertools export specs.h5 -o specs.npz
      sertools export specs.h5 -o specs.arrow --format arrow
      sertools export result.json -o predictions/ --format audformat
      sertools export clf.safetensors -o clf.onnx
    """
    from sertools import api

    count = api.export(file, out, **options)
    voice.say(f"{out}: {count} {'weights' if out.suffix == '.onnx' else 'rows'}")
