"""``sertools train-generator``: stores → a generator without an autoencoder before it."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import Stores, output
from sertools.cli.training import follow_training
from sertools.cli.verbs import verb


@verb(dry_run=True)
def train_generator(
    stores: Stores, out: Annotated[Path, output("GEN", "The generator (safetensors).")], **options: Any
) -> None:
    """Train another generator than the GAN.

    It needs neither autoencoder nor latents, and `generate` takes it like a GAN.
    With --val the weights with the lowest validation loss are kept: this loss
    rises when a model learns its rows by heart. A CycleGAN has no such loss: on
    --val its critic is measured, and the last weights are kept. It only moves
    rows: generate --translate. A WaveGAN learns the sound of the recordings that
    the rows were made from, and takes no --val. GEN.log.ndjson logs every tenth step.

    \b
    Example:
      sertools train-generator train.h5 -o cvae.safetensors --kind cvae
      sertools train-generator train.h5 -o diffusion.safetensors --kind diffusion
      sertools train-generator train.h5 -o cyclegan.safetensors --kind cyclegan
      sertools train-generator train.h5 -o wavegan.safetensors --kind wavegan
    """
    from sertools import api

    follow_training(api.train_generator, stores, out, **options)
