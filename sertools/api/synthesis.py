"""Class Gaussians, and the rows that are generated or borrowed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sertools.api.running import AnyPath, Paths, Progress, maybe, path_of, paths_of, run_through, takes, writing
from sertools.errors import SertoolsWarning, UsageError
from sertools.keywords import parted

if TYPE_CHECKING:
    from sertools.api.typed import Borrow, FitLatents, Generate, Unpack
    from sertools.generation.rows import GenerateProgress
    from sertools.training.gaussians import ClassGaussians


@takes("fit-latents")
def fit_latents(
    autoencoder: AnyPath, stores: Paths, output: AnyPath, **options: Unpack[FitLatents]
) -> ClassGaussians:
    """Model each class as a Gaussian in the latent space (§2.2).

    Parameters
    ----------
    autoencoder : path
        From `pretrain_ae`.
    stores : path or paths
        Training stores.
    output : path
        The class Gaussians (HDF5), written when complete.
    **options
        Those of ``sertools fit-latents``.

    Returns
    -------
    ClassGaussians
        Classes, means, covariances, rows.

    Raises
    ------
    SertoolsError
        If the files do not go together, or a class has too few rows for its covariance.
    """
    from sertools.training.gaussians import FEW_ROWS
    from sertools.training.latents import fit_latents as fit
    from sertools.training.runtime import pick_device

    how, _ = parted("fit-latents", options)
    output = path_of(output)
    with writing(output):
        gaussians = fit(
            path_of(autoencoder),
            paths_of(stores),
            output,
            how.cov,
            pick_device(how.device),
            donor_paths=paths_of(how.donor or ()),
            relabel=how.relabel,
        )
    few = [name for name, n in zip(gaussians.classes, gaussians.n_rows, strict=True) if n < FEW_ROWS]
    if few and how.cov == "empirical":
        warnings.warn(
            f"fewer than {FEW_ROWS} rows for {gaussians.mean.shape[1]} dimensions in {', '.join(few)}; "
            "--cov pooled or tied is steadier",
            SertoolsWarning,
            stacklevel=2,
        )
    return gaussians


@takes("generate")
def generate(
    gan: AnyPath, output: AnyPath, *, progress: Progress[GenerateProgress] = iter, **options: Unpack[Generate]
) -> Mapping[str, int]:
    """Generate rows of chosen classes (§2.2).

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
    from sertools.generation.sounding import Sounding
    from sertools.generation.translation import Translation
    from sertools.provenance import refuse_clobber
    from sertools.spelling import spelled
    from sertools.training.batches import open_rows
    from sertools.training.runtime import pick_device

    how, _ = parted("generate", options)
    balance = maybe(how.balance)
    if (balance is not None) + (how.per_class is not None) + bool(how.count) != 1:
        raise UsageError("give one of --balance TRAIN.h5, --per-class N and --count CLASS=N")
    if how.only and balance is None:
        raise UsageError("--class: belongs to --balance TRAIN.h5; --count CLASS=N makes rows of one class")
    alone = {
        "--paste": how.paste,
        "--within-speaker": how.within_speaker,
        "--strength": how.strength is not None,
    }
    for option in (option for option, given in alone.items() if given and how.translate is None):
        raise UsageError(f"{option}: belongs to --translate TRAIN.h5; give that too")
    gan, output = path_of(gan), path_of(output)
    translation = None
    if how.translate is not None:
        translation = Translation(path_of(how.translate), how.paste, how.within_speaker, how.strength)
    sounding = Sounding(maybe(how.wavs), how.encoder)
    ways = Ways(maybe(how.smote), translation, Denoising(how.guidance, how.denoise_steps), sounding)
    with writing(output):
        if balance is not None:
            refuse_clobber(output, open_rows([balance]).files)
            only = [spelled(name) for name in how.only or ()]
            counts = counts_to_balance(gan, balance, only)
            if not any(counts.values()):
                filled = f"{', '.join(only)}: as large as any class" if only else "is balanced already"
                warnings.warn(f"{balance}: {filled}; the output has no rows", SertoolsWarning, stacklevel=2)
        elif how.per_class is not None:
            counts = counts_per_class(gan, how.per_class)
        else:
            counts = dict(how.count or {})
        drawn = run(gan, output, counts, ways, seed=how.seed, device=pick_device(how.device))
        run_through(drawn, progress)
    return counts


@takes("borrow")
def borrow(train: AnyPath, donors: Paths, output: AnyPath, **options: Unpack[Borrow]) -> Mapping[str, int]:
    """Bring other corpora's rows of a rare class into our domain: what informed class means are compared with.

    Parameters
    ----------
    train, donors : path; path or paths
        The training store, and stores of other corpora; of vectors.
    output : path
        The store of their rows, written when complete; to train on beside `train`.
    **options
        Those of ``sertools borrow``.

    Returns
    -------
    mapping of str to int
        Class → rows.

    Raises
    ------
    SertoolsError
        If the stores do not go together, or no donor has the class.
    """
    from sertools.generation.borrowing import borrow as run

    how, _ = parted("borrow", options)
    output = path_of(output)
    with writing(output):
        return run(path_of(train), paths_of(donors), output, how)
