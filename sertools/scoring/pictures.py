"""What `plot` draws of a file: stores as spectrograms, results as a confusion matrix, training logs as curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sertools.errors import UsageError
from sertools.scoring import plots
from sertools.scoring.contents import LOG, RESULT, file_kind
from sertools.scoring.curves import training_curves
from sertools.scoring.result import Result
from sertools.scoring.result_file import read_result
from sertools.sound.features import mel_frequencies
from sertools.store.format import KIND as STORE
from sertools.store.format import same_front_end
from sertools.store.reader import Pictures, Store, open_store
from sertools.training.log import read_log

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    paths: Sequence[Path], *, n_each: int = 4, seed: int = 0, title: str = "", names: Sequence[str] = ()
) -> Figure:
    """Draw stores side by side, class by class, results added up, or training logs side by side.

    Parameters
    ----------
    n_each
        Pictures a class and store.
    seed
        Which pictures are drawn.
    names
        One a store, in their order; by default a store's origins and its file's name.

    Raises
    ------
    UsageError
        If the files are not all stores, all results or all logs, or `names` does not fit the stores.
    """
    kinds = {path: file_kind(path) for path in paths}
    if names and set(kinds.values()) == {RESULT}:
        raise UsageError("--name: results are added up to one matrix, which has no columns to name; use --title")
    if names and len(names) != len(paths):
        raise UsageError(f"--name: {len(names)} for {len(paths)} stores; give one to each, or none")
    if set(kinds.values()) == {STORE}:
        return _stores([open_store(path) for path in paths], n_each, seed, title, names)
    if set(kinds.values()) == {RESULT}:
        return _results([read_result(path) for path in paths], title)
    if set(kinds.values()) == {LOG}:
        return training_curves([(path.name, read_log(path)) for path in paths], title)
    listed = ", ".join(f"{path} is {kind}" for path, kind in kinds.items())
    raise UsageError(
        f"{listed}; give stores only (spectrograms), results only (confusion matrix), or training logs only (curves)"
    )


def _stores(stores: list[Store], n_each: int, seed: int, title: str, names: Sequence[str]) -> Figure:
    front_end = stores[0].contents.front_end
    for store in stores[1:]:
        same_front_end(front_end, store.contents.front_end, str(stores[0].path), str(store.path))
    classes = sorted({name for store in stores for name in (store.contents.classes() or ("",))})
    heads = names or [_column_name(store) for store in stores]
    pictures = [[_some(store, name, n_each, seed) for name in classes] for store in stores]
    return plots.spectrogram_grid(
        list(zip(heads, pictures, strict=True)),
        [name or "no label" for name in classes],
        mel_frequencies=mel_frequencies(front_end),
        hop_seconds=front_end.hop_seconds,
        n_each=n_each,
        title=title,
    )


def _column_name(store: Store) -> str:
    origins = sorted(set(store.contents.segments["origin"].tolist()))
    return f"{' + '.join(origins)} ({store.path.stem})"


def _some(store: Store, emotion: str, n_each: int, seed: int) -> list[Pictures]:
    members = np.flatnonzero(store.contents.emotion == emotion)
    chosen = np.random.default_rng(seed).permutation(members)[:n_each]
    return list(store.rows(np.sort(chosen)))


def _results(results: list[Result], title: str) -> Figure:
    classes = results[0].classes
    for result in results[1:]:
        if result.classes != classes:
            raise UsageError(f"{result.source}: other classes than {results[0].source}; draw them apart")
    total = np.sum([np.array(result.metrics["confusion"]) for result in results], axis=0)
    return plots.confusion(total, classes, title)
