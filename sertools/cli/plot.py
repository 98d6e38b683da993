"""``sertools plot``: stores, results, training logs or latents → picture."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import argument, output
from sertools.cli.verbs import verb


@verb()
def plot(
    files: Annotated[
        list[Path],
        argument("FILE", "Stores, results, training logs, or latents (with their autoencoder and stores)."),
    ],
    out: Annotated[Path, output("P.png", "The picture: .png, .svg or .pdf.")],
    **options: Any,
) -> None:
    """Draw spectrograms, class balance, results, the curves of a training, or the latent space.

    Stores give columns of spectrograms, class by class and on one scale, or bars of their rows; stores of vectors a
    map, with the class Gaussians of the first. Results of one method give one confusion matrix, of several their
    differences with intervals. The logs that trainings leave (OUT.log.ndjson) give curves of their losses and other
    numbers over the steps. Latents give a map of the class Gaussians.

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

    api.plot(files, out, **options)
