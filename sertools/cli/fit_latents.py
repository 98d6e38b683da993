"""``sertools fit-latents``: autoencoder and stores → class Gaussians."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import Stores, argument, output
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def fit_latents(
    autoencoder: Annotated[Path, argument("AE", "From pretrain-ae.")],
    stores: Stores,
    out: Annotated[Path, output("L.h5", "The class Gaussians.")],
    **options: Any,
) -> None:
    """Model each class as a Gaussian in the latent space.

    \b
    Example:
      sertools fit-latents ae.safetensors train.h5 -o latents.h5
    """
    from sertools import api

    gaussians = api.fit_latents(autoencoder, stores, out, **options)
    size = gaussians.mean.shape[1]
    for name, n, rank, condition in zip(
        gaussians.classes, gaussians.n_rows, gaussians.rank, gaussians.condition, strict=True
    ):
        voice.say(f"{name}: {n} rows, covariance of rank {rank} of {size}, condition {condition:.3g}")
