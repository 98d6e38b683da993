"""``sertools plot``: stores, results or training logs → picture."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Seed, output, verb
from sertools.errors import UsageError


@verb
def plot(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Stores or training logs, side by side; or results, added up.", show_default=False
        ),
    ],
    out: Annotated[Path, output("P.png", "The picture: .png, .svg or .pdf.")],
    n: Annotated[int, typer.Option("-n", min=1, max=16, help="Spectrograms a class and store.")] = 4,
    title: Annotated[str, typer.Option(help="A line above.")] = "",
    name: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A store's name, in their order; repeat it for each.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Draw spectrograms, a confusion matrix, or the curves of a training.

    Stores give columns of spectrograms, class by class and on one scale; results one matrix; the logs that
    trainings leave (OUT.log.ndjson) give losses and all else in them over the steps.

    \b
    Example:
      sertools plot train.h5 synth.h5 -o real-and-generated.png
      sertools plot train.h5 synth.h5 -o fig3.png --name real --name generated
      sertools plot result.json -o confusion.png
      sertools plot ae.safetensors.log.ndjson gan.safetensors.log.ndjson -o training.png
    """
    from sertools.provenance import atomic_output, refuse_clobber
    from sertools.scoring.pictures import draw
    from sertools.scoring.plots import METADATA, save

    suffix = out.suffix.lstrip(".").lower()
    if suffix not in METADATA:
        raise UsageError(f"{out}: cannot draw {suffix or 'no suffix'!r}; name the output .png, .svg or .pdf")
    refuse_clobber(out, files)
    figure = draw(files, n_each=n, seed=seed, title=title, names=name or ())
    with atomic_output(out) as part:
        save(figure, part, suffix)
