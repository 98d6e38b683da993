"""``sertools train-clf``: stores → classifier."""

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
from sertools.config import ARCHITECTURES, LOSSES, SAMPLINGS, SAVE_EVERY_MINUTES, SPEC_AUGMENTS


@verb(dry_run=True, distributed=True)
def train_clf(
    stores: Stores,
    out: Annotated[Path, output("CLF", "The classifier (safetensors).")],
    val: Val = None,
    preset: PresetName = "paper",
    arch: Annotated[
        str | None,
        typer.Option(metavar="|".join(ARCHITECTURES), help="The network." + preset_default("classifier", "arch")),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Updates." + preset_default("classifier", "steps"))] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows a batch." + preset_default("classifier", "batch_size"))
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate." + preset_default("classifier", "lr"))] = None,
    width: Width = None,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(LOSSES),
            help="What rare classes weigh in the loss." + preset_default("classifier", "loss"),
        ),
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(SAMPLINGS),
            help="Rows as they come, or every class equally often." + preset_default("classifier", "sampling"),
        ),
    ] = None,
    synthetic_share: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="This share of a class's draws are altered or generated rows, less where they would come oftener "
            "than recorded ones; they make no class larger. [as many as there are]",
        ),
    ] = None,
    spec_augment: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(SPEC_AUGMENTS),
            help="Masks, shifts and gains of training pictures." + preset_default("classifier", "spec_augment"),
        ),
    ] = None,
    cut_paste: Annotated[
        float | None,
        typer.Option(
            metavar="CHANCE",
            help="Paste a region of another row of its class into a row; 0 is off."
            + preset_default("classifier", "cut_paste"),
        ),
    ] = None,
    mixup: Annotated[
        float | None,
        typer.Option(
            metavar="ALPHA",
            help="Mix pairs of rows, shares from Beta(ALPHA, ALPHA); 0 is off."
            + preset_default("classifier", "mixup"),
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    save_every: SaveEvery = SAVE_EVERY_MINUTES,
) -> None:
    """Train a classifier on any number of stores.

    CLF.log.ndjson tells of every tenth step; `plot` draws it.

    \b
    Example:
      sertools train-clf train.h5 synth.h5 -o clf.safetensors
    """
    from sertools import api

    with stop_on_signals() as stop:
        last = api.train_clf(
            stores,
            out,
            val=val,
            preset=preset,
            arch=arch,
            steps=steps,
            batch_size=batch_size,
            lr=lr,
            width=width,
            loss=loss,
            sampling=sampling,
            synthetic_share=synthetic_share,
            spec_augment=spec_augment,
            cut_paste=cut_paste,
            mixup=mixup,
            seed=seed,
            device=device,
            precision=precision,
            save_every=save_every,
            stop=stop,
            tell=say_numbers,
            progress=showing("train-clf", read_training),
        )
    if last:
        voice.say(f"{out}: {read_training(last)[2]} after {last.step} steps")
