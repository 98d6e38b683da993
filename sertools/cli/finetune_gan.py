"""``sertools finetune-gan``: autoencoder, class Gaussians and stores → GAN."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import Stores, argument, output
from sertools.cli.progress import voice
from sertools.cli.training import follow_training
from sertools.cli.verbs import verb


@verb(dry_run=True, distributed=True)
def finetune_gan(
    autoencoder: Annotated[Path, argument("AE", "From pretrain-ae.")],
    latents: Annotated[Path, argument("L.h5", "From fit-latents.")],
    stores: Stores,
    out: Annotated[Path, output("GAN", "The GAN, with its latents (safetensors).")],
    **options: Any,
) -> None:
    """Train the conditional GAN.

    Generator and discriminator start from the autoencoder and see all classes.
    GAN.log.ndjson logs every tenth step; `plot` draws it. The opposite of an
    option, such as --no-sn, switches off what --preset improved switches on.

    \b
    Example:
      sertools finetune-gan ae.safetensors latents.h5 train.h5 -o gan.safetensors
      sertools finetune-gan ae.safetensors latents.h5 train.h5 -o gan2.safetensors --preset improved-cpu --no-sn
    """
    from sertools import api

    if not follow_training(api.finetune_gan, autoencoder, latents, stores, out, **options):
        voice.say(f"{out}: no adversarial steps")
