"""``sertools plot``: stores, results, training logs or latents → picture."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Seed, option_of, output
from sertools.cli.verbs import verb
from sertools.keywords import PICTURES


@verb()
def plot(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Stores, results, training logs, or latents (with their autoencoder and stores).",
            show_default=False,
        ),
    ],
    out: Annotated[Path, output("P.png", "The picture: .png, .svg or .pdf.")],
    kind: Annotated[
        str,
        typer.Option(
            metavar="spectrograms|balance|confusion|comparison",
            help="For files that can be drawn in two ways: stores as spectrograms or as rows per class; results as "
            "one matrix or as a comparison of methods. [by the files]",
            show_default=False,
        ),
    ] = "",
    n: Annotated[int, option_of(PICTURES)] = PICTURES.default,
    title: Annotated[str, typer.Option(help="A title above the picture.")] = "",
    name: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Name of a store; give one for each, in their order.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="METHOD", help="What others are compared with. [imbalanced]")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Draw spectrograms, class balance, results, the curves of a training, or the latent space.

    Stores give columns of spectrograms, class by class and on one scale, or bars of their rows. Results of one method
    give one confusion matrix, of several their differences with intervals. The logs that trainings leave
    (OUT.log.ndjson) give curves of their losses and other numbers over the steps. Latents give a map of the class
    Gaussians.

    \b
    Example:
      sertools plot train.h5 synth.h5 -o real-and-generated.png
      sertools plot train.h5 synth.h5 -o fig3.png --name real --name generated
      sertools plot train.h5 train-cp.h5 -o balance.png --kind balance
      sertools plot result.json -o confusion.png
      sertools plot results/*.json -o comparison.pdf
      sertools plot ae.safetensors.log.ndjson gan.safetensors.log.ndjson -o training.png
      sertools plot latents.h5 ae.safetensors train.h5 synth.h5 -o latents.png
    """
    from sertools import api

    api.plot(files, out, kind=kind, n=n, title=title, names=name or (), baseline=baseline, seed=seed)
