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
    silent,
    telling,
    writing,
)
from sertools.config import ON_COLLAPSE, SAVE_EVERY_MINUTES
from sertools.errors import SertoolsWarning, UsageError, one_of
from sertools.presets import override
from sertools.presets import preset as preset_of

if TYPE_CHECKING:
    from sertools.generation.rows import GenerateProgress
    from sertools.training.loop import Record


def finetune_gan(
    autoencoder: AnyPath,
    latents: AnyPath,
    stores: Paths,
    output: AnyPath,
    *,
    preset: str = "paper",
    steps: int | None = None,
    batch_size: int | None = None,
    lr_g: float | None = None,
    lr_d: float | None = None,
    batches: str | None = None,
    d_norm: str | None = None,
    sn: bool | None = None,
    r1: float | None = None,
    betas: tuple[float, float] | None = None,
    ema: float | None = None,
    on_collapse: str = "warn",
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    save_every: float = SAVE_EVERY_MINUTES,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
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
    steps : int, optional
        Updates; 0: decoder and Gaussians alone, the control without adversarial training.
    batch_size, lr_g, lr_d
        In place of the preset's.
    batches : {"separate", "mixed"}, optional
        Real and fake rows before D; by default as the autoencoder's `arch` has it.
    d_norm : {"bn", "none"}, optional
        Batch normalisation of D; `sn` is its spectral normalisation, `r1` the weight of its squared gradient.
    betas : (float, float), optional
        Of Adam, for both nets.
    ema : float, optional
        Decay of the average of G that is kept; 0: the last G.
    on_collapse : {"warn", "stop"}
        Where pictures of a class become alike: go on, or save the state and raise `TrainingError`.
    preset, seed, device, precision, save_every, stop, tell, progress
        As of `pretrain_ae`.

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
    from sertools.training.distributed import join
    from sertools.training.loop import Run
    from sertools.training.runtime import pick_precision

    one_of("--on-collapse", on_collapse, ON_COLLAPSE)
    beta1, beta2 = betas or (None, None)
    config = override(
        preset_of(preset).gan,
        steps=steps,
        batch_size=batch_size,
        lr_g=lr_g,
        lr_d=lr_d,
        beta1=beta1,
        beta2=beta2,
        batches=batches,
        d_norm=d_norm,
        sn=sn,
        r1=r1,
        ema=ema,
    )
    output = Path(output)
    with writing(output, distributed=True):
        on = join(device)
        run = Run(output, seed, on, stop, save_every, on_collapse == "stop", pick_precision(precision, on))
        records = finetune(Path(autoencoder), Path(latents), paths_of(stores), run, config)
        return run_through(telling(records, tell, "gan", config), progress)


def generate(
    gan: AnyPath,
    output: AnyPath,
    *,
    balance: AnyPath | None = None,
    per_class: int | None = None,
    count: Mapping[str, int] | None = None,
    smote: AnyPath | None = None,
    translate: AnyPath | None = None,
    paste: bool = False,
    within_speaker: bool = False,
    strength: float | None = None,
    guidance: float | None = None,
    denoise_steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress[GenerateProgress] = iter,
) -> Mapping[str, int]:
    """Generate spectrograms of chosen classes (§2.2).

    Parameters
    ----------
    gan, output : path
        From `finetune_gan` or `train_generator`; the store to write.
    balance : path, optional
        As many rows as fill this store's classes to its majority. One of this, `per_class` and `count`.
    per_class : int, optional
        The same number of every class.
    count : mapping of str to int, optional
        Class → rows.
    smote : path, optional
        Draw latents between neighbours of this store's rows.
    translate : path, optional
        Move real rows of this store into the wanted class, in place of drawing any; `paste` adds a region of a real
        row of the class. Of a GAN, `within_speaker` leaves each speaker's own offset out of the map; of a diffusion
        model, `strength` is how far towards noise a row goes, a share from 0 to 1.
    guidance : float, optional
        Of a diffusion model: how far the class is overdone, 1 as learnt (3 with `translate`);
        `denoise_steps` are its steps to a picture.
    seed, device, progress
        As of `pretrain_ae`.

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

    if (balance is not None) + (per_class is not None) + bool(count) != 1:
        raise UsageError("give one of --balance TRAIN.h5, --per-class N and --count CLASS=N")
    alone = {"--paste": paste, "--within-speaker": within_speaker, "--strength": strength is not None}
    for option in (option for option, given in alone.items() if given and translate is None):
        raise UsageError(f"{option}: belongs to --translate TRAIN.h5; give that too")
    gan, output = Path(gan), Path(output)
    ways = Ways(
        smote=maybe(smote),
        translation=None if translate is None else Translation(Path(translate), paste, within_speaker, strength),
        denoising=Denoising(guidance, denoise_steps),
    )
    with writing(output):
        if balance is not None:
            refuse_clobber(output, open_rows([Path(balance)]).files)
            counts = counts_to_balance(gan, Path(balance))
            if not any(counts.values()):
                warnings.warn(
                    f"{balance}: is balanced already; the output has no rows", SertoolsWarning, stacklevel=2
                )
        elif per_class is not None:
            counts = counts_per_class(gan, per_class)
        else:
            counts = dict(count or {})
        drawn = run(gan, output, counts, ways, seed=seed, device=pick_device(device))
        run_through(drawn, progress)
    return counts
