"""``sertools pretrain-ae``: stores → autoencoder."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Device, PresetName, Seed, Stores, Val, Width, output, preset_default, verb
from sertools.cli.progress import drain, read_training, stop_on_signals, voice


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
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train the autoencoder that the GAN starts from.

    Labels are not looked at.

    \b
    Example:
      sertools pretrain-ae train.h5 -o ae.safetensors
    """
    from sertools.config import override
    from sertools.config import preset as find
    from sertools.training.autoencoder import pretrain_autoencoder
    from sertools.training.loop import Run
    from sertools.training.runtime import pick_device

    base = find(preset).autoencoder
    config = override(base, steps=steps, batch_size=batch_size, lr=lr, net=override(base.net, width=width))
    with stop_on_signals() as stop:
        run = Run(out, seed, pick_device(device), stop)
        last = drain("pretrain-ae", pretrain_autoencoder(stores, run, config, val), read_training)
    if last:
        voice.say(f"{out}: {read_training(last)[2]} after {last.step} steps")
