"""``sertools finetune-gan``: autoencoder, class Gaussians and stores → GAN."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.architectures import FAKE_BATCHES
from sertools.cli.options import Device, Precision, PresetName, SaveEvery, Seed, Stores, output, preset_default
from sertools.cli.progress import read_training, say_numbers, showing, voice
from sertools.cli.signals import stop_on_signals
from sertools.cli.verbs import verb
from sertools.config import D_NORMS, ON_COLLAPSE, SAVE_EVERY_MINUTES
from sertools.errors import UsageError


@verb(dry_run=True, distributed=True)
def finetune_gan(
    autoencoder: Annotated[Path, typer.Argument(metavar="AE", help="From pretrain-ae.", show_default=False)],
    latents: Annotated[Path, typer.Argument(metavar="L.h5", help="From fit-latents.", show_default=False)],
    stores: Stores,
    out: Annotated[Path, output("GAN", "The GAN, with its latents (safetensors).")],
    preset: PresetName = "paper",
    steps: Annotated[
        int | None,
        typer.Option(help="Updates; 0: decoder and Gaussians alone." + preset_default("gan", "steps")),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows a batch." + preset_default("gan", "batch_size"))
    ] = None,
    lr_g: Annotated[float | None, typer.Option(help="G's learning rate." + preset_default("gan", "lr_g"))] = None,
    lr_d: Annotated[float | None, typer.Option(help="D's learning rate." + preset_default("gan", "lr_d"))] = None,
    batches: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(FAKE_BATCHES),
            help="Real and fake rows before D: apart, or together as in BAGAN. [of the autoencoder's --arch]",
        ),
    ] = None,
    d_norm: Annotated[
        str | None,
        typer.Option(metavar="|".join(D_NORMS), help="Batch normalisation of D." + preset_default("gan", "d_norm")),
    ] = None,
    sn: Annotated[
        bool | None, typer.Option("--sn/--no-sn", help="Spectral normalisation of D." + preset_default("gan", "sn"))
    ] = None,
    r1: Annotated[
        float | None,
        typer.Option(metavar="W", help="Weight of D's squared gradient at real rows." + preset_default("gan", "r1")),
    ] = None,
    betas: Annotated[
        str | None,
        typer.Option(
            metavar="B1,B2",
            help="Of Adam, for both nets. First"
            + preset_default("gan", "beta1")
            + ", second"
            + preset_default("gan", "beta2"),
        ),
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(
            metavar="D", help="Decay of the average of G that is kept; 0: the last G." + preset_default("gan", "ema")
        ),
    ] = None,
    on_collapse: Annotated[
        str,
        typer.Option(
            metavar="|".join(ON_COLLAPSE),
            help="Where pictures of a class become alike: go on, or save the state and exit with 1.",
        ),
    ] = "warn",
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    save_every: SaveEvery = SAVE_EVERY_MINUTES,
) -> None:
    """Train the conditional GAN.

    Generator and discriminator start from the autoencoder and see all classes. GAN.log.ndjson tells of every tenth
    step; `plot` draws it. What --preset improved has on, the option's opposite turns off.

    \b
    Example:
      sertools finetune-gan ae.safetensors latents.h5 train.h5 -o gan.safetensors
      sertools finetune-gan ae.safetensors latents.h5 train.h5 -o gan2.safetensors --preset improved-cpu --no-sn
    """
    from sertools import api

    with stop_on_signals() as stop:
        last = api.finetune_gan(
            autoencoder,
            latents,
            stores,
            out,
            preset=preset,
            steps=steps,
            batch_size=batch_size,
            lr_g=lr_g,
            lr_d=lr_d,
            batches=batches,
            d_norm=d_norm,
            sn=sn,
            r1=r1,
            betas=_read_betas(betas) if betas else None,
            ema=ema,
            on_collapse=on_collapse,
            seed=seed,
            device=device,
            precision=precision,
            save_every=save_every,
            stop=stop,
            tell=say_numbers,
            progress=showing("finetune-gan", read_training),
        )
    voice.say(f"{out}: {read_training(last)[2]} after {last.step} steps" if last else f"{out}: no adversarial steps")


def _read_betas(text: str) -> tuple[float, float]:
    try:
        first, second = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"--betas {text!r}: expected two numbers such as 0,0.99") from None
    return first, second
