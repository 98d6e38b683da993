"""Stores: select, merge, balance, listen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sertools.api.running import AnyPath, Paths, Progress, maybe, path_of, paths_of, run_through, takes, writing
from sertools.encoding import Encoding
from sertools.errors import UsageError
from sertools.keywords import parted

if TYPE_CHECKING:
    from sertools.api.typed import Augment, Select, ToWav, Unpack
    from sertools.augment_config import Augmenting
    from sertools.balance.augmentation import AugmentProgress
    from sertools.encoders.encoder import FrozenEncoder
    from sertools.store.listening import ToWavProgress


@takes("select")
def select(store: AnyPath, output: AnyPath, **options: Unpack[Select]) -> int:
    """Choose rows of a store: the toolkit's grep. All conditions are ANDed.

    Parameters
    ----------
    store, output : path
        The store to choose from, and the one to write.
    **options
        Those of ``sertools select``; `where` may be one text, and `keep` is a mapping of classes to shares.

    Returns
    -------
    int
        Rows of the output.

    Raises
    ------
    SertoolsError
        If the store, a column, a value or a fold does not exist.
    """
    from sertools.published_folds import read_fold
    from sertools.store.conditions import parse_condition
    from sertools.store.select import Selection, parse_keep, parse_part, select_store

    how, _ = parted("select", options)
    where = [how.where] if isinstance(how.where, str) else how.where or ()
    published = maybe(how.folds)
    if published and how.fold is None:
        raise UsageError(f"--folds {published}: name one of its folds, such as --fold 1")
    selection = Selection(
        where=tuple(map(parse_condition, where)),
        fold=None if how.fold is None or published else parse_part(how.fold, "--fold"),
        by=how.by,
        published=read_fold(published, how.fold) if published else None,
        keep=parse_keep(f"{name}={share}" for name, share in (how.keep or {}).items()),
        invert=how.invert,
        seed=how.seed,
    )
    output = path_of(output)
    with writing(output):
        return select_store(path_of(store), output, selection, copy=how.copy)


def merge(stores: Paths, output: AnyPath) -> int:
    """Put stores together: the toolkit's cat. All shards of one extraction give the unsharded store.

    Parameters
    ----------
    stores : path or paths
        Stores of one front end.
    output : path
        All their rows, written when complete.

    Returns
    -------
    int
        Rows of the output.

    Raises
    ------
    StoreError
        If they do not go together.
    """
    from sertools.store.merge import merge_stores

    output = path_of(output)
    with writing(output):
        return merge_stores(paths_of(stores), output)


@takes("augment")
def augment(
    store: AnyPath,
    output: AnyPath,
    *,
    progress: Progress[AugmentProgress] = iter,
    **options: Unpack[Augment],
) -> Mapping[str, tuple[int, int]]:
    """Balance a training store without a GAN (§2.5).

    Strategies are the keys of `sertools.STRATEGIES`: CP copies, RS removes rows, the others alter the audio.
    Altered audio of a store of vectors is encoded again, by the encoder that made them.

    Parameters
    ----------
    store, output : path
        The training store, and the one to write, with the old rows and the new.
    progress
        As of `extract`.
    **options
        Those of ``sertools augment``.

    Returns
    -------
    mapping of str to (int, int)
        Class → rows before and after.

    Raises
    ------
    SertoolsError
        If there is nothing to balance, or audio, noise or the encoder is missing.
    """
    from sertools.balance.augmentation import augment_store
    from sertools.balance.strategies import adjusted
    from sertools.balance.strategies import strategy as find
    from sertools.sound.noise import open_noise
    from sertools.store.reader import open_store

    how, _ = parted("augment", options)
    chosen = adjusted(find(how.strategy), how.among, how.in_a_row, how.magnitude)
    source, output = path_of(store), path_of(output)
    sounds, root = maybe(how.noise), maybe(how.audio_root)
    contents = open_store(source).contents
    front_end = contents.front_end
    longest = min(front_end.segment_seconds, contents.utterances["duration"].max(initial=0.0))
    folder = open_noise(sounds, longest) if sounds else None
    encoder, computed = None, dict[str, object]()
    if isinstance(front_end, Encoding) and chosen.alters:
        encoder, computed = _opened_again(front_end, str(source), how)
    with writing(output):
        steps = augment_store(
            source, output, chosen, seed=how.seed, noise=folder, encoder=encoder, audio_root=root, jobs=how.jobs,
            computed=computed,
        )  # fmt: skip
        last = run_through(steps, progress)
    return last.counts if last else {}


def _opened_again(encoding: Encoding, store: str, how: Augmenting) -> tuple[FrozenEncoder, dict[str, object]]:
    from sertools.encoders.reopening import encoder_of
    from sertools.training.runtime import computed_on, pick_device, pick_encoder_precision

    device = pick_device(how.device)
    precision = pick_encoder_precision(how.precision, device)
    return encoder_of(encoding, store, how.encoder, device, precision), computed_on(device, precision)


@takes("to-wav")
def to_wav(
    store: AnyPath, folder: AnyPath, *, progress: Progress[ToWavProgress] = iter, **options: Unpack[ToWav]
) -> ToWavProgress | None:
    """Turn rows of a store back into sound, one wav each.

    Parameters
    ----------
    store, folder : path
        The folder is made if it is missing.
    progress
        As of `extract`.
    **options
        Those of ``sertools to-wav``.

    Returns
    -------
    ToWavProgress
        Wavs written, and how many were made quieter to fit.

    Raises
    ------
    SertoolsError
        If the store has no rows, or `folder` cannot be written to.
    """
    from sertools.store.listening import to_wav as run

    how, _ = parted("to-wav", options)
    steps = run(path_of(store), path_of(folder), per_class=how.per_class, n_iter=how.iterations, seed=how.seed)
    return run_through(steps, progress)
