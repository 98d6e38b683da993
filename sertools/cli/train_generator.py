"""``sertools train-generator``: stores → a generator without an autoencoder before it."""

from pathlib import Path
from typing import Annotated

import typer

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
from sertools.config import SAMPLINGS, SAVE_EVERY_MINUTES
from sertools.generator_config import KINDS


def _default(name: str) -> str:
    """Say what the presets hold for each kind."""
    return "".join(f" {kind}{preset_default(kind, name)}" for kind in KINDS)


@verb(dry_run=True)
def train_generator(
    stores: Stores,
    out: Annotated[Path, output("GEN", "The generator (safetensors).")],
    kind: Annotated[
        str,
        typer.Option(metavar="|".join(KINDS), help="A conditional VAE, or a diffusion model.", show_default=False),
    ],
    val: Val = None,
    preset: PresetName = "paper",
    steps: Annotated[int | None, typer.Option(help="Updates:" + _default("steps"))] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a batch:" + _default("batch_size"))] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate:" + _default("lr"))] = None,
    width: Width = None,
    sampling: Annotated[
        str | None,
        typer.Option(metavar="|".join(SAMPLINGS), help="Rows as they come, or every class equally often. [balanced]"),
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option("--augment/--no-augment", help="Small shifts and gains of the rows learnt from. [--augment]"),
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(metavar="D", help="Decay of the average of weights kept; 0: the last." + _default("ema")),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    save_every: SaveEvery = SAVE_EVERY_MINUTES,
) -> None:
    """Train another generator than the GAN.

    It needs neither autoencoder nor latents, and `generate` takes it like a GAN.
    With --val the weights of the lowest loss there are kept: a model that learns
    its rows by heart has a rising one. GEN.log.ndjson tells of every tenth step.

    \b
    Example:
      sertools train-generator train.h5 -o cvae.safetensors --kind cvae
      sertools train-generator train.h5 -o diffusion.safetensors --kind diffusion
    """
    from sertools import api

    with stop_on_signals() as stop:
        last = api.train_generator(
            stores,
            out,
            kind=kind,
            val=val,
            preset=preset,
            steps=steps,
            batch_size=batch_size,
            lr=lr,
            width=width,
            sampling=sampling,
            augment=augment,
            ema=ema,
            seed=seed,
            device=device,
            precision=precision,
            save_every=save_every,
            stop=stop,
            tell=say_numbers,
            progress=showing("train-generator", read_training),
        )
    if last:
        voice.say(f"{out}: {read_training(last)[2]} after {last.step} steps")
