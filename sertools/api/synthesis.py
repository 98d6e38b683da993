"""The GAN and the rows that it generates."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
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
    run_training,
    silent,
    takes,
    writing,
)
from sertools.errors import SertoolsWarning, UsageError
from sertools.keywords import GanTraining, Generating, parted
from sertools.presets import override, preset

if TYPE_CHECKING:
    from sertools.api.typed import FinetuneGan, Generate, Unpack
    from sertools.generation.rows import GenerateProgress
    from sertools.training.loop import Record


@takes("finetune-gan")
def finetune_gan(
    autoencoder: AnyPath,
    latents: AnyPath,
    stores: Paths,
    output: AnyPath,
    *,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
    **options: Unpack[FinetuneGan],
) -> Record | None:
    """Train the conditional GAN (§2.2, §2.3).

    Parameters
    ----------
    autoencoder, latents : path
        From `pretrain_ae` and `fit_latents`.
    stores : path or paths
        Training stores.
    output : path
        The GAN with its latents (safetensors), written when complete, beside ``OUTPUT.log.ndjson``.
    stop, tell, progress
        As of `pretrain_ae`.
    **options
        Those of ``sertools finetune-gan``; numbers stand in place of the preset's.

    Returns
    -------
    Record or None
        The last losses; None without steps.

    Raises
    ------
    SertoolsError
        If the files do not go together, or a loss is not finite.
    """
    from sertools.training.adversarial import finetune_gan as finetune

    how, numbers = parted("finetune-gan", GanTraining, options)
    config = override(preset(how.preset).gan, **numbers)
    return run_training(
        output,
        how,
        lambda run: finetune(Path(autoencoder), Path(latents), paths_of(stores), run, config),
        stage="gan",
        numbers=config,
        stop=stop,
        tell=tell,
        progress=progress,
        distributed=True,
        stop_at_collapse=how.on_collapse == "stop",
    )


@takes("generate")
def generate(
    gan: AnyPath, output: AnyPath, *, progress: Progress[GenerateProgress] = iter, **options: Unpack[Generate]
) -> Mapping[str, int]:
    """Generate spectrograms of chosen classes (§2.2).

    Parameters
    ----------
    gan, output : path
        From `finetune_gan` or `train_generator`; the store to write.
    progress
        As of `pretrain_ae`.
    **options
        Those of ``sertools generate``; one of `balance`, `per_class` and `count` is needed.

    Returns
    -------
    mapping of str to int
        Class → rows made.

    Raises
    ------
    SertoolsError
        If the generator does not know a class, or the files do not go together.
    """
    from sertools.generation.opening import Denoising, Ways
    from sertools.generation.rows import counts_per_class, counts_to_balance
    from sertools.generation.rows import generate as run
    from sertools.generation.translation import Translation
    from sertools.provenance import refuse_clobber
    from sertools.training.batches import open_rows
    from sertools.training.runtime import pick_device

    how, _ = parted("generate", Generating, options)
    balance = maybe(how.balance)
    if (balance is not None) + (how.per_class is not None) + bool(how.count) != 1:
        raise UsageError("give one of --balance TRAIN.h5, --per-class N and --count CLASS=N")
    alone = {
        "--paste": how.paste,
        "--within-speaker": how.within_speaker,
        "--strength": how.strength is not None,
    }
    for option in (option for option, given in alone.items() if given and how.translate is None):
        raise UsageError(f"{option}: belongs to --translate TRAIN.h5; give that too")
    gan, output = Path(gan), Path(output)
    translation = None
    if how.translate is not None:
        translation = Translation(Path(how.translate), how.paste, how.within_speaker, how.strength)
    ways = Ways(maybe(how.smote), translation, Denoising(how.guidance, how.denoise_steps))
    with writing(output):
        if balance is not None:
            refuse_clobber(output, open_rows([balance]).files)
            counts = counts_to_balance(gan, balance)
            if not any(counts.values()):
                warnings.warn(
                    f"{balance}: is balanced already; the output has no rows", SertoolsWarning, stacklevel=2
                )
        elif how.per_class is not None:
            counts = counts_per_class(gan, how.per_class)
        else:
            counts = dict(how.count or {})
        drawn = run(gan, output, counts, ways, seed=how.seed, device=pick_device(how.device))
        run_through(drawn, progress)
    return counts
