"""``sertools pretrain-ae``: stores → autoencoder."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.architectures import ACTIVATIONS, GAN_ARCHS, LATENTS, UPSAMPLINGS
from sertools.cli.options import (
    Device,
    Precision,
    PresetName,
    SaveEvery,
    Seed,
    Stores,
    Val,
    Width,
    output,
    preset_default,
)
from sertools.cli.progress import read_training, say_numbers, showing, voice
from sertools.cli.signals import stop_on_signals
from sertools.cli.verbs import verb
from sertools.config import SAVE_EVERY_MINUTES


@verb(dry_run=True, distributed=True)
def pretrain_ae(
    stores: Stores,
    out: Annotated[Path, output("AE", "The autoencoder (safetensors).")],
    val: Val = None,
    preset: PresetName = "paper",
    steps: Annotated[int | None, typer.Option(help="Updates." + preset_default("autoencoder", "steps"))] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows a batch." + preset_default("autoencoder", "batch_size"))
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate." + preset_default("autoencoder", "lr"))] = None,
    width: Width = None,
    latent: Annotated[
        str, typer.Option(metavar="|".join(LATENTS), help="A trained autoencoder, or principal components.")
    ] = "conv",
    latent_size: Annotated[
        int | None, typer.Option(min=1, max=4096, metavar="N", help="Numbers a latent has. [100]")
    ] = None,
    arch: Annotated[
        str, typer.Option(metavar="|".join(GAN_ARCHS), help="The proposed nets, or those of the original BAGAN.")
    ] = "paper",
    up: Annotated[
        str | None, typer.Option(metavar="|".join(UPSAMPLINGS), help="How the generator doubles. [of --arch]")
    ] = None,
    activation: Annotated[
        str | None, typer.Option(metavar="|".join(ACTIVATIONS), help="ReLU of the generator. [of --arch]")
    ] = None,
    norm: Annotated[
        bool | None,
        typer.Option("--norm/--no-norm", help="Batch normalisation, and dropout in the generator. [of --arch]"),
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="Share that dropout drops; thin nets lose by it. [of --arch]")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    save_every: SaveEvery = SAVE_EVERY_MINUTES,
) -> None:
    """Train the autoencoder that the GAN starts from.

    Labels are not looked at. The reconstruction error is told beside that of
    as many principal components; where they win, take them.
    The GAN has the architecture of its autoencoder.
    AE.log.ndjson tells of every tenth step; `plot` draws it.

    \b
    Example:
      sertools pretrain-ae train.h5 -o ae.safetensors
      sertools pretrain-ae train.h5 -o pca.safetensors --latent pca --latent-size 60
      sertools pretrain-ae train.h5 -o bagan-ae.safetensors --arch bagan
    """
    from sertools import api

    records: list[Any] = []

    def show(made: Iterable[Any]) -> Iterator[Any]:
        for record in showing("pretrain-ae", read_training)(made):
            records[:] = [record]
            yield record

    with stop_on_signals() as stop:
        facts = api.pretrain_ae(
            stores,
            out,
            val=val,
            preset=preset,
            steps=steps,
            batch_size=batch_size,
            lr=lr,
            width=width,
            latent=latent,
            latent_size=latent_size,
            arch=arch,
            up=up,
            activation=activation,
            norm=norm,
            dropout=dropout,
            seed=seed,
            device=device,
            precision=precision,
            save_every=save_every,
            stop=stop,
            tell=say_numbers,
            progress=show,
        )
    beside = (
        f", that of {facts['pca_size']} principal components {facts['pca_mse']:.4f}" if "pca_mse" in facts else ""
    )
    for last in records:
        voice.say(f"{out}: {read_training(last)[2]} after {last.step} steps")
    voice.say(f"{out}: reconstruction error on {facts['mse_rows']} rows {facts['mse']:.4f}{beside}")
