"""Stores: select, merge, balance, listen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sertools.api.running import AnyPath, Paths, Progress, maybe, path_of, paths_of, run_through, writing
from sertools.keywords import ITERATIONS, JOBS, SEED, WAVS

if TYPE_CHECKING:
    from sertools.balance.augmentation import AugmentProgress
    from sertools.store.listening import ToWavProgress


def select(
    store: AnyPath,
    output: AnyPath,
    *,
    where: str | Sequence[str] = (),
    fold: str | None = None,
    by: str = "speaker",
    keep: Mapping[str, float] | None = None,
    invert: bool = False,
    copy: bool = False,
    seed: int = 0,
) -> int:
    """Choose rows of a store: the toolkit's grep. All conditions are ANDed.

    Parameters
    ----------
    store, output : path
        The store to choose from, and the one to write.
    where : str or sequence of str
        ``COL=V[,V]``: rows whose column has one of the values; ``COL!=V`` for none.
    fold : str, optional
        ``K/N``: part K of N; with `invert`, all the others.
    by : {"speaker", "session", "utterance"}
        What a fold keeps together.
    keep : mapping of str to float
        Class → the share of its utterances that is kept, 0 to 1.
    invert : bool
        Keep exactly what the same call without it leaves out.
    copy : bool
        Copy the pictures; otherwise the output points to them.
    seed : int
        Which utterances `keep` keeps.

    Returns
    -------
    int
        Rows of the output.

    Raises
    ------
    SertoolsError
        If the store, a column, a value or a fold does not exist.
    """
    from sertools.store.conditions import parse_condition
    from sertools.store.select import Selection, parse_keep, parse_part, select_store

    SEED.check(seed)
    selection = Selection(
        where=tuple(map(parse_condition, [where] if isinstance(where, str) else where)),
        fold=None if fold is None else parse_part(fold, "--fold"),
        by=by,
        keep=parse_keep(f"{name}={share}" for name, share in (keep or {}).items()),
        invert=invert,
        seed=seed,
    )
    output = path_of(output)
    with writing(output):
        return select_store(path_of(store), output, selection, copy=copy)


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


def augment(
    store: AnyPath,
    output: AnyPath,
    *,
    strategy: str = "CP",
    noise: AnyPath | None = None,
    audio_root: AnyPath | None = None,
    jobs: int = 1,
    seed: int = 0,
    progress: Progress[AugmentProgress] = iter,
) -> Mapping[str, tuple[int, int]]:
    """Balance a training store without a GAN (§2.5).

    Parameters
    ----------
    store, output : path
        The training store, and the one to write, with the old rows and the new.
    strategy : str
        A key of `sertools.STRATEGIES`: CP copies, SA and its variants alter the audio, RS removes rows.
    noise : path, optional
        A folder of background noise, for SA, SAR, SARM and SARB.
    audio_root : path, optional
        The corpus, if it is no longer where the store says.
    jobs : int
        Processes that alter audio.

    Returns
    -------
    mapping of str to (int, int)
        Class → rows before and after.

    Raises
    ------
    SertoolsError
        If there is nothing to balance, or audio or noise is missing.
    """
    from sertools.balance.augmentation import augment_store
    from sertools.balance.strategies import strategy as find
    from sertools.sound.noise import open_noise
    from sertools.store.reader import open_store

    SEED.check(seed)
    JOBS.check(jobs)
    chosen, source, output = find(strategy), path_of(store), path_of(output)
    sounds, root = maybe(noise), maybe(audio_root)
    folder = open_noise(sounds, open_store(source).contents.front_end.segment_seconds) if sounds else None
    with writing(output):
        steps = augment_store(source, output, chosen, seed=seed, noise=folder, audio_root=root, jobs=jobs)
        last = run_through(steps, progress)
    return last.counts if last else {}


def to_wav(
    store: AnyPath,
    folder: AnyPath,
    *,
    per_class: int | None = None,
    iterations: int = 32,
    seed: int = 0,
    progress: Progress[ToWavProgress] = iter,
) -> ToWavProgress | None:
    """Turn rows of a store back into sound, one wav each.

    Parameters
    ----------
    folder : path
        Made if it is missing.
    per_class : int, optional
        Take only this many rows of each class; by default all.
    iterations : int
        Rounds of Griffin-Lim, at least 1.

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

    SEED.check(seed)
    ITERATIONS.check(iterations)
    WAVS.check(per_class)
    steps = run(path_of(store), path_of(folder), per_class=per_class, n_iter=iterations, seed=seed)
    return run_through(steps, progress)
