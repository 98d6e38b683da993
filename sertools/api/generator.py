"""Generators beside the GAN: a conditional VAE, a diffusion model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sertools.api.running import AnyPath, Paths, Progress, Tell, maybe, never, paths_of, run_training, silent, takes
from sertools.generator_config import GeneratorConfig
from sertools.keywords import GeneratorTraining, parted
from sertools.presets import override, preset

if TYPE_CHECKING:
    from sertools.api.typed import TrainGenerator, Unpack
    from sertools.training.loop import Record


@takes("train-generator")
def train_generator(
    stores: Paths,
    output: AnyPath,
    *,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
    **options: Unpack[TrainGenerator],
) -> Record | None:
    """Train another generator than the GAN; it needs neither autoencoder nor latents.

    Parameters
    ----------
    stores : path or paths
        Training stores.
    output : path
        The generator (safetensors), written when complete, beside ``OUTPUT.log.ndjson``; `generate` takes it.
    stop, tell, progress
        As of `pretrain_ae`.
    **options
        Those of ``sertools train-generator``, of which `kind` is needed; numbers stand in place of the preset's.

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

    how, numbers = parted("train-generator", GeneratorTraining, options)
    config: GeneratorConfig = override(getattr(preset(how.preset), how.kind), **numbers)
    return run_training(
        output,
        how,
        lambda run: train(paths_of(stores), run, config, maybe(how.val)),
        stage=how.kind,
        numbers=config,
        stop=stop,
        tell=tell,
        progress=progress,
    )
