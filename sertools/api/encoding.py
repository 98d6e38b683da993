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
    run_training,
    silent,
    takes,
    writing,
)
from sertools.errors import SertoolsWarning, UsageError
from sertools.fields import flag_of
from sertools.keywords import AutoencoderTraining, parted
from sertools.presets import override, preset

if TYPE_CHECKING:
    from sertools.api.typed import PretrainAe, Unpack
    from sertools.training.latents import ClassGaussians
    from sertools.training.loop import Record


@takes("pretrain-ae")
def pretrain_ae(
    stores: Paths,
    output: AnyPath,
    *,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
    **options: Unpack[PretrainAe],
) -> Mapping[str, Any]:
    """Train the autoencoder that the GAN starts from (§2.2); labels are not looked at.

    Parameters
    ----------
    stores : path or paths
        Training stores.
    output : path
        The autoencoder (safetensors), written when complete. ``OUTPUT.log.ndjson`` logs every tenth step.
    stop : callable
        Asked after each step; if true, the state is saved and `Stopped` raised. The same call goes on from there.
    tell : callable
        Called with the stage and all its numbers before anything is trained.
    progress : callable
        Passes the records on and shows them, such as ``tqdm.tqdm``.
    **options
        Those of ``sertools pretrain-ae``; numbers stand in place of the preset's.

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
    from sertools.architectures import GAN_ARCHS
    from sertools.training.autoencoder import pretrain_autoencoder
    from sertools.training.checkpoint import load_header

    how, numbers = parted("pretrain-ae", AutoencoderTraining, options)
    if numbers.get("latent") == "pca":
        given = {**numbers, "arch": None if how.arch == "paper" else how.arch}
        for name in (name for name, value in given.items() if value is not None and not name.startswith("latent")):
            raise UsageError(f"{flag_of(name)}: nothing is trained with --latent pca; leave it out")
    config = override(override(preset(how.preset).autoencoder, **GAN_ARCHS[how.arch]), **numbers)
    output = Path(output)
    run_training(
        output,
        how,
        lambda run: pretrain_autoencoder(paths_of(stores), run, config, maybe(how.val)),
        stage="autoencoder",
        numbers=config,
        stop=stop,
        tell=tell,
        progress=progress,
        distributed=True,
    )
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
