"""Generators beside the GAN: a conditional VAE, a diffusion model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sertools.api.running import (
    AnyPath,
    Paths,
    Progress,
    Tell,
    maybe,
    never,
    paths_of,
    run_through,
    silent,
    telling,
    writing,
)
from sertools.config import SAVE_EVERY_MINUTES
from sertools.generator_config import CVAE, GeneratorConfig, check_kind
from sertools.presets import override
from sertools.presets import preset as preset_of

if TYPE_CHECKING:
    from sertools.training.loop import Record


def train_generator(
    stores: Paths,
    output: AnyPath,
    *,
    kind: str,
    val: AnyPath | None = None,
    preset: str = "paper",
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    width: float | None = None,
    sampling: str | None = None,
    augment: bool | None = None,
    ema: float | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    save_every: float = SAVE_EVERY_MINUTES,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
) -> Record | None:
    """Train another generator than the GAN; it needs neither autoencoder nor latents.

    Parameters
    ----------
    stores : path or paths
        Training stores.
    output : path
        The generator (safetensors), written when complete, beside ``OUTPUT.log.ndjson``; `generate` takes it.
    kind : {"cvae", "diffusion"}
        A conditional VAE, or a diffusion model.
    val : path, optional
        Store on which the weights of the lowest loss are kept; without it the last are.
    sampling : {"shuffled", "balanced"}, optional
        Rows as they come, or every class equally often.
    augment : bool, optional
        Small shifts and gains of the rows learnt from.
    ema : float, optional
        Decay of the average of weights that is kept; 0: the last.
    steps, batch_size, lr, width
        In place of the preset's.
    preset, seed, device, precision, save_every, stop, tell, progress
        As of `pretrain_ae`.

    Returns
    -------
    Record or None
        The last losses; None without steps.

    Raises
    ------
    SertoolsError
        If rows lack a label, the stores do not go together, or a loss is not finite.
    """
    from sertools.training.likelihood import train_generator as train
    from sertools.training.loop import Run
    from sertools.training.runtime import pick_device, pick_precision

    check_kind(kind)
    given = {"steps": steps, "batch_size": batch_size, "lr": lr, "sampling": sampling, "augment": augment, "ema": ema}
    numbers = preset_of(preset)
    config: GeneratorConfig
    if kind == CVAE:
        net = override(numbers.cvae.net, width=width)
        config = override(dataclasses.replace(numbers.cvae, net=net), **given)
    else:
        config = override(numbers.diffusion, width=width, **given)
    output = Path(output)
    with writing(output):
        on = pick_device(device)
        run = Run(output, seed, on, stop, save_every, precision=pick_precision(precision, on))
        records = train(paths_of(stores), run, config, maybe(val))
        return run_through(telling(records, tell, kind, config), progress)
