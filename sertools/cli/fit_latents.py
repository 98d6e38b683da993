"""``sertools fit-latents``: autoencoder and stores → class Gaussians."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Device, Stores, output
from sertools.cli.progress import voice
from sertools.cli.verbs import verb
from sertools.config import COVARIANCES


@verb()
def fit_latents(
    autoencoder: Annotated[Path, typer.Argument(metavar="AE", help="From pretrain-ae.", show_default=False)],
    stores: Stores,
    out: Annotated[Path, output("L.h5", "The class Gaussians.")],
    cov: Annotated[
        str, typer.Option(metavar="|".join(COVARIANCES), help="How a covariance is estimated.")
    ] = "empirical",
    device: Device = "auto",
) -> None:
    """Model each class as a Gaussian in the latent space.

    \b
    Example:
      sertools fit-latents ae.safetensors train.h5 -o latents.h5
    """
    from sertools import api

    gaussians = api.fit_latents(autoencoder, stores, out, cov=cov, device=device)
    size = gaussians.mean.shape[1]
    for name, n, rank, condition in zip(
        gaussians.classes, gaussians.n_rows, gaussians.rank, gaussians.condition, strict=True
    ):
        voice.say(f"{name}: {n} rows, covariance of rank {rank} of {size}, condition {condition:.3g}")
