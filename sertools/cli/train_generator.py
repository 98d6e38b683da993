"""``sertools train-generator``: stores → a generator without an autoencoder before it."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Device, PresetName, SaveEvery, Seed, Stores, Val, Width, output, preset_default, verb
from sertools.cli.progress import drain, read_training, say_numbers, stop_on_signals, voice
from sertools.config import SAMPLINGS, SAVE_EVERY_MINUTES
from sertools.generators import CVAE, KINDS, GeneratorConfig, check_kind


def _default(name: str) -> str:
    """Say what the presets hold for each kind."""
    return "".join(f" {kind}{preset_default(kind, name)}" for kind in KINDS)


@verb
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
    import dataclasses

    from sertools.presets import override
    from sertools.presets import preset as find
    from sertools.training.generators import train_generator as train
    from sertools.training.loop import Run
    from sertools.training.runtime import pick_device

    check_kind(kind)
    given = {"steps": steps, "batch_size": batch_size, "lr": lr, "sampling": sampling, "augment": augment, "ema": ema}
    numbers = find(preset)
    config: GeneratorConfig
    if kind == CVAE:
        net = override(numbers.cvae.net, width=width)
        config = override(dataclasses.replace(numbers.cvae, net=net), **given)
    else:
        config = override(numbers.diffusion, width=width, **given)
    say_numbers(kind, config)
    with stop_on_signals() as stop:
        run = Run(out, seed, pick_device(device), stop, save_every)
        last = drain("train-generator", train(stores, run, config, val), read_training)
    if last:
        voice.say(f"{out}: {read_training(last)[2]} after {last.step} steps")
