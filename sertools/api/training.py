"""Trainings: the autoencoder, the GAN, other generators, the classifier."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sertools.api.running import AnyPath, Paths, Progress, maybe, path_of, paths_of, run_through, takes, writing
from sertools.errors import SertoolsWarning, UsageError
from sertools.keywords import configured, keywords, parted

if TYPE_CHECKING:
    from sertools.api.typed import FinetuneGan, PretrainAe, TrainClf, TrainGenerator, Unpack
    from sertools.training.loop import Record, Run

# Is called with a training's stage and all its numbers.
Tell = Callable[[str, object], None]


def silent(stage: str, numbers: object) -> None:
    """Tell nobody."""


def never() -> bool:
    """Never stop a training."""
    return False


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
    """Train the autoencoder that the GAN starts from (§2.2); labels are not used.

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
        principal components (where the rows are for validation, or there are two or more per component).

    Raises
    ------
    SertoolsError
        If options contradict each other, the stores do not go together, or a loss is not finite.
    """
    from sertools.training.autoencoder import pretrain_autoencoder
    from sertools.training.checkpoint import load_header

    latent = options.get("latent")
    if latent in ("pca", "identity"):
        _refuse_numbers(options, latent)

    def learn(run: Run, config: Any, how: Any) -> Iterator[Record]:
        return pretrain_autoencoder(paths_of(stores), run, config, maybe(how.val))

    _train("pretrain-ae", stores, output, options, learn, stop, tell, progress)
    facts = load_header(path_of(output)).facts
    if facts["mse"] > facts.get("pca_mse", facts["mse"]):
        warnings.warn(
            f"{output}: loses to PCA; give --latent pca --latent-size {facts['pca_size']}, or more --steps",
            SertoolsWarning,
            stacklevel=2,
        )
    return facts


def _refuse_numbers(options: Mapping[str, Any], latent: str) -> None:
    """Refuse numbers of a training where there is none; a size is of components alone."""
    for name, keyword in keywords("pretrain-ae").items():
        is_number = (keyword.stages and name != "latent") or name == "arch"
        if latent == "pca" and name == "latent_size":
            continue
        if is_number and options.get(name, keyword.default) != keyword.default:
            raise UsageError(f"{keyword.flag}: nothing is trained with --latent {latent}; leave it out")


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
        If the files do not go together, `val` was trained on, or a loss is not finite.
    """
    from sertools.training.adversarial import finetune_gan as finetune

    parents = path_of(autoencoder), path_of(latents)

    def learn(run: Run, config: Any, how: Any) -> Iterator[Record]:
        return finetune(*parents, paths_of(stores), run, config, maybe(how.val))

    return _train("finetune-gan", stores, output, options, learn, stop, tell, progress)


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
        If rows lack a label, the stores do not go together, audio is missing, or a loss is not finite.
    """
    from sertools.training.generators import train_kind as train

    def learn(run: Run, config: Any, how: Any) -> Iterator[Record]:
        return train(paths_of(stores), run, config, maybe(how.val), maybe(how.audio_root))

    return _train("train-generator", stores, output, options, learn, stop, tell, progress, together=False)


@takes("train-clf")
def train_clf(
    stores: Paths,
    output: AnyPath,
    *,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
    **options: Unpack[TrainClf],
) -> Record | None:
    """Train a classifier on any number of stores (§3.2).

    Parameters
    ----------
    stores : path or paths
        Training stores: real, altered and generated rows add up.
    output : path
        The classifier (safetensors), written when complete, beside ``OUTPUT.log.ndjson``.
    stop, tell, progress
        As of `pretrain_ae`.
    **options
        Those of ``sertools train-clf``; numbers stand in place of the preset's.

    Returns
    -------
    Record or None
        The last losses; None without steps.

    Raises
    ------
    SertoolsError
        If rows lack a label, the stores do not go together, `val` was trained on, or a loss is not finite.
    """
    from sertools.classifier_config import LINEAR, MLP, LinearConfig
    from sertools.encoding import EMBEDDINGS
    from sertools.store.reader import hdf5_kind

    paths, arch = paths_of(stores), options.get("arch")

    def stage(how: Any, numbers: Mapping[str, Any]) -> str:
        # What is empty, or contradicts itself, is told before a store is opened.
        maybe(how.val)
        configured("train-clf", how, {name: value for name, value in numbers.items() if name != "penalty"})
        vectors = arch is None and bool(paths) and hdf5_kind(paths[0]) == EMBEDDINGS
        return "linear" if vectors or arch == LINEAR else "classifier"

    def learn(run: Run, config: Any, how: Any) -> Iterator[Record]:
        if isinstance(config, LinearConfig):
            from sertools.training.logistic import train_linear

            return train_linear(paths, run, config, val_path=maybe(how.val))
        from sertools.training.classifier import train_classifier

        if arch == MLP and options.get("spec_augment") is None:
            config = dataclasses.replace(config, spec_augment="none")  # a preset's is for pictures
        return train_classifier(paths, run, config, val_path=maybe(how.val))

    return _train("train-clf", stores, output, options, learn, stop, tell, progress, stage=stage)


def _train(
    verb: str,
    stores: Paths,
    output: AnyPath,
    options: Mapping[str, Any],
    learn: Callable[[Run, Any, Any], Iterator[Record]],
    stop: Callable[[], bool],
    tell: Tell,
    progress: Progress[Record],
    *,
    together: bool = True,
    stage: Callable[[Any, Mapping[str, Any]], str] = lambda how, numbers: "",
) -> Record | None:
    """Run a training to its end, by several processes `together` if they were started so; return its last record.

    Parameters
    ----------
    stores
        That are trained on; of the first, whether its rows are vectors decides on the numbers of the preset.
    stage
        Of the preset, where only the stores tell it; asked once the options are checked.
    """
    from sertools.encoding import EMBEDDINGS
    from sertools.store.reader import hdf5_kind
    from sertools.training.distributed import join
    from sertools.training.loop import Run
    from sertools.training.runtime import pick_device, pick_precision

    how, numbers = parted(verb, options)
    output, paths = path_of(output), paths_of(stores)
    name, config = configured(verb, how, numbers, stage(how, numbers))
    if paths and hdf5_kind(paths[0]) == EMBEDDINGS:
        _, config = configured(verb, how, numbers, name, vectors=True)
    with writing(output, distributed=together):
        on = join(how.device) if together else pick_device(how.device)
        at_collapse = getattr(how, "on_collapse", "") == "stop"
        run = Run(output, how.seed, on, stop, how.save_every, at_collapse, pick_precision(how.precision, on))
        return run_through(_telling(learn(run, config, how), tell, name, config), progress)


def _telling(records: Iterator[Record], tell: Tell, stage: str, config: object) -> Iterator[Record]:
    """Report a stage's numbers once its first record is there; what fails before that reports its error alone."""
    for first in records:
        tell(stage, config)
        yield first
        yield from records
