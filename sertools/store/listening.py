"""Rows of a store as sound files, one each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sertools.errors import StoreError, UsageError
from sertools.provenance import atomic_output, cannot_write
from sertools.sound.inversion import to_audio, write_wav
from sertools.store.format import pictures_of
from sertools.store.reader import open_store

# Names stay harmless, whatever a class is called.
_STRANGE = re.compile(r"[^A-Za-z0-9_.-]+")
_PEAK = 0.99


@dataclass(frozen=True)
class ToWavProgress:
    """Files written of all; how many were made quieter to fit."""

    done: int
    total: int
    n_quieter: int


def to_wav(
    store_path: Path, folder: Path, *, per_class: int | None = None, n_iter: int = 32, seed: int = 0
) -> Iterator[ToWavProgress]:
    """Write rows as 16-bit wavs, called ``ROW-CLASS-ORIGIN.wav``; padding is left out.

    Parameters
    ----------
    folder
        Made if it is missing; files of the same names in it are replaced.
    per_class
        Only this many rows of each class, chosen by `seed`; by default all rows.
    n_iter
        Rounds of Griffin-Lim.
    seed
        Of the choice and of the first phases; a row sounds the same whichever others are chosen.

    Raises
    ------
    StoreError
        If the store has no rows, or a row holds NaN or infinite values.
    UsageError
        If `folder` is a file.
    """
    store = open_store(store_path)
    front_end = pictures_of(store.contents.front_end, str(store_path))
    if not len(store):
        raise StoreError(f"{store_path}: has no rows to listen to")
    wav_folder(folder, "-o")
    contents = store.contents
    chosen = _some(contents.emotion, per_class, seed)
    n_quieter = 0
    for done, row in enumerate(chosen.tolist(), 1):
        picture = store.rows([row])[0]
        n_valid = int(contents.segments["n_valid_frames"][row])
        y = to_audio(picture, front_end, n_valid, n_iter=n_iter, seed=seed)
        # Only made quieter, never louder: levels tell something.
        peak = float(np.abs(y).max(initial=0.0))
        if peak > _PEAK:
            y, n_quieter = y * np.float32(_PEAK / peak), n_quieter + 1
        words = (str(contents.emotion[row]) or "unlabelled", str(contents.segments["origin"][row]))
        name = "-".join([f"{row:06d}", *map(harmless, words)])
        with atomic_output(folder / f"{name}.wav") as part:
            write_wav(part, y, contents.front_end.sr)
        yield ToWavProgress(done, len(chosen), n_quieter)


def wav_folder(folder: Path, option: str) -> Path:
    """Make the folder that `option` names, if it is missing.

    Raises
    ------
    UsageError
        If it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; {option} must name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def harmless(word: str) -> str:
    """Return a word as a part of a file's name, whatever is in it."""
    return _STRANGE.sub("_", word)


def _some(emotion: npt.NDArray[np.str_], per_class: int | None, seed: int) -> npt.NDArray[np.intp]:
    if per_class is None:
        return np.arange(len(emotion))
    rng = np.random.default_rng(seed)
    members = [rng.permutation(np.flatnonzero(emotion == name))[:per_class] for name in np.unique(emotion)]
    return np.sort(np.concatenate(members))
