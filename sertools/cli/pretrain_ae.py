"""``sertools pretrain-ae``: stores → autoencoder."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from sertools.architectures import ACTIVATIONS, GAN_ARCHS, LATENTS, UPSAMPLINGS, gan_arch
from sertools.cli.options import Device, PresetName, SaveEvery, Seed, Stores, Val, Width, output, preset_default, verb
from sertools.cli.progress import drain, read_training, say_numbers, stop_on_signals, voice
from sertools.config import SAVE_EVERY_MINUTES
from sertools.errors import SertoolsWarning, UsageError


@verb
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
    class_loss: Annotated[
        float | None,
        typer.Option(
            metavar="W", help="Weight of a classifier on the latents." + preset_default("autoencoder", "class_loss")
        ),
    ] = None,
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
    save_every: SaveEvery = SAVE_EVERY_MINUTES,
) -> None:
    """Train the autoencoder that the GAN starts from.

    Labels are not looked at without --class-loss. The reconstruction error is
    told beside that of as many principal components; where they win, take them.
    The GAN has the architecture of its autoencoder.
    AE.log.ndjson tells of every tenth step; `plot` draws it.

    \b
    Example:
      sertools pretrain-ae train.h5 -o ae.safetensors
      sertools pretrain-ae train.h5 -o pca.safetensors --latent pca --latent-size 60
      sertools pretrain-ae train.h5 -o bagan-ae.safetensors --arch bagan
    """
    from sertools.presets import override
    from sertools.presets import preset as find
    from sertools.training.autoencoder import pretrain_autoencoder
    from sertools.training.checkpoint import load_header
    from sertools.training.distributed import join
    from sertools.training.loop import Run

    given: dict[str, object] = {"--steps": steps, "--batch-size": batch_size, "--lr": lr, "--width": width}
    given |= {"--class-loss": class_loss}
    given |= {"--arch": None if arch == "paper" else arch, "--up": up, "--activation": activation}
    given |= {"--norm/--no-norm": norm, "--dropout": dropout}
    needless = [name for name, value in given.items() if value is not None]
    if latent == "pca" and needless:
        raise UsageError(f"{needless[0]}: nothing is trained with --latent pca; leave it out")
    base = find(preset).autoencoder
    net = override(base.net, width=width, latent=latent, latent_size=latent_size, **gan_arch(arch))
    net = override(net, dropout=dropout, up=up, activation=activation, norm=norm)
    config = override(base, steps=steps, batch_size=batch_size, lr=lr, net=net, class_loss=class_loss)
    if latent == "conv":
        say_numbers("autoencoder", config)
    with stop_on_signals() as stop:
        run = Run(out, seed, join(device), stop, save_every)
        last = drain("pretrain-ae", pretrain_autoencoder(stores, run, config, val), read_training)
    if last:
        voice.say(f"{out}: {read_training(last)[2]} after {last.step} steps")
    facts = load_header(out).facts
    beside = (
        f", that of {facts['pca_size']} principal components {facts['pca_mse']:.4f}" if "pca_mse" in facts else ""
    )
    voice.say(f"{out}: reconstruction error on {facts['mse_rows']} rows {facts['mse']:.4f}{beside}")
    if facts["mse"] > facts.get("pca_mse", facts["mse"]):
        warnings.warn(
            f"{out}: loses to PCA; give --latent pca --latent-size {facts['pca_size']}, or more --steps",
            SertoolsWarning,
            stacklevel=1,
        )
