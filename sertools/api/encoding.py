"""The autoencoder and the class Gaussians in its latent space."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from sertools.errors import SertoolsWarning, UsageError
from sertools.presets import override
from sertools.presets import preset as preset_of

if TYPE_CHECKING:
    from sertools.training.latents import ClassGaussians
    from sertools.training.loop import Record


def pretrain_ae(
    stores: Paths,
    output: AnyPath,
    *,
    val: AnyPath | None = None,
    preset: str = "paper",
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    width: float | None = None,
    latent: str = "conv",
    latent_size: int | None = None,
    arch: str = "paper",
    up: str | None = None,
    activation: str | None = None,
    norm: bool | None = None,
    dropout: float | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    save_every: float = SAVE_EVERY_MINUTES,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
) -> Mapping[str, Any]:
    """Train the autoencoder that the GAN starts from (§2.2); labels are not looked at.

    Parameters
    ----------
    stores : path or paths
        Training stores.
    output : path
        The autoencoder (safetensors), written when complete. ``OUTPUT.log.ndjson`` tells of every tenth step.
    val : path, optional
        Store to choose the best weights on; without it the last are kept.
    preset : str
        Where all other numbers come from: a key of `sertools.PRESETS`.
    steps, batch_size, lr, width, latent_size, dropout
        In place of the preset's; `width` scales the filters, 1 is the paper.
    latent : {"conv", "pca"}
        A trained autoencoder, or principal components, for which nothing is trained.
    arch : {"paper", "bagan"}
        The proposed nets, or those of the original BAGAN; `up`, `activation` and `norm` are its single switches.
    seed : int
        Fixes everything that is drawn.
    device : str
        auto, cpu or cuda.
    precision : {"auto", "float32", "bf16"}
        What nets compute in while they learn; weights, losses and updates are float32 in any case. ``auto`` is bf16
        on a GPU that has it.
    save_every : float
        Minutes between two saved states.
    stop : callable
        Asked after each step; if true, the state is saved and `Stopped` raised. The same call goes on from there.
    tell : callable
        Called with the stage and all its numbers before anything is trained.
    progress : callable
        Passes the records on and shows them, such as ``tqdm.tqdm``.

    Returns
    -------
    mapping
        Facts of the autoencoder: ``mse`` on the rows that ``mse_rows`` names, beside ``pca_mse`` of ``pca_size``
        principal components (where the rows are for validation, or two or more a component).

    Raises
    ------
    SertoolsError
        If options contradict each other, the stores do not go together, or a loss is not finite.
    """
    from sertools.architectures import gan_arch
    from sertools.training.autoencoder import pretrain_autoencoder
    from sertools.training.checkpoint import load_header
    from sertools.training.distributed import join
    from sertools.training.loop import Run
    from sertools.training.runtime import pick_precision

    given: dict[str, object] = {"--steps": steps, "--batch-size": batch_size, "--lr": lr, "--width": width}
    given |= {"--arch": None if arch == "paper" else arch, "--up": up, "--activation": activation}
    given |= {"--norm/--no-norm": norm, "--dropout": dropout}
    needless = [name for name, value in given.items() if value is not None]
    if latent == "pca" and needless:
        raise UsageError(f"{needless[0]}: nothing is trained with --latent pca; leave it out")
    base = preset_of(preset).autoencoder
    net = override(base.net, width=width, latent=latent, latent_size=latent_size, **gan_arch(arch))
    net = override(net, dropout=dropout, up=up, activation=activation, norm=norm)
    config = override(base, steps=steps, batch_size=batch_size, lr=lr, net=net)
    output = Path(output)
    with writing(output, distributed=True):
        on = join(device)
        run = Run(output, seed, on, stop, save_every, precision=pick_precision(precision, on))
        records = pretrain_autoencoder(paths_of(stores), run, config, maybe(val))
        run_through(telling(records, tell, "autoencoder", config), progress)
        facts = load_header(output).facts
    if facts["mse"] > facts.get("pca_mse", facts["mse"]):
        warnings.warn(
            f"{output}: loses to PCA; give --latent pca --latent-size {facts['pca_size']}, or more --steps",
            SertoolsWarning,
            stacklevel=2,
        )
    return facts


def fit_latents(
    autoencoder: AnyPath, stores: Paths, output: AnyPath, *, cov: str = "empirical", device: str = "auto"
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
    cov : {"empirical", "ledoit-wolf", "oas", "pooled", "diagonal"}
        How a covariance is estimated.
    device : str
        auto, cpu or cuda.

    Returns
    -------
    ClassGaussians
        Classes, means, covariances, rows.

    Raises
    ------
    SertoolsError
        If the files do not go together, or a class has fewer than two rows.
    """
    from sertools.training.latents import FEW_ROWS
    from sertools.training.latents import fit_latents as fit
    from sertools.training.runtime import pick_device

    output = Path(output)
    with writing(output):
        gaussians = fit(Path(autoencoder), paths_of(stores), output, cov, pick_device(device))
    few = [name for name, n in zip(gaussians.classes, gaussians.n_rows, strict=True) if n < FEW_ROWS]
    if few and cov == "empirical":
        warnings.warn(
            f"fewer than {FEW_ROWS} rows for {gaussians.mean.shape[1]} dimensions in {', '.join(few)}; "
            "--cov pooled is steadier",
            SertoolsWarning,
            stacklevel=2,
        )
    return gaussians
