"""``sertools pretrain-ae``: stores → autoencoder."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import Stores, output
from sertools.cli.progress import voice
from sertools.cli.training import follow_training
from sertools.cli.verbs import verb


@verb(dry_run=True, distributed=True)
def pretrain_ae(
    stores: Stores, out: Annotated[Path, output("AE", "The autoencoder (safetensors).")], **options: Any
) -> None:
    """Train the autoencoder that the GAN starts from.

    Labels are not used. The reconstruction error is printed beside that of as
    many principal components; if theirs is lower, use them. The GAN has the
    architecture of its autoencoder. AE.log.ndjson logs every tenth step; `plot`
    draws it.

    \b
    Example:
      sertools pretrain-ae train.h5 -o ae.safetensors
      sertools pretrain-ae train.h5 -o pca.safetensors --latent pca --latent-size 60
      sertools pretrain-ae train.h5 -o bagan-ae.safetensors --arch bagan
    """
    from sertools import api

    facts = follow_training(api.pretrain_ae, stores, out, **options)
    beside = (
        f", that of {facts['pca_size']} principal components {facts['pca_mse']:.4f}" if "pca_mse" in facts else ""
    )
    voice.say(f"{out}: reconstruction error on {facts['mse_rows']} rows {facts['mse']:.4f}{beside}")
