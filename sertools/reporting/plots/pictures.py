"""What `plot` draws of files: spectrograms, map, class balance, confusion matrix, comparison, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sertools.arrays import Pictures
from sertools.config import FrontEnd
from sertools.encoding import Encoding
from sertools.errors import UsageError
from sertools.reporting.contents.description import LATENTS, LOG, RESULT, file_kind
from sertools.reporting.plots.class_balance import class_balance, count_rows
from sertools.reporting.plots.confusion import confusion
from sertools.reporting.plots.curves import training_curves
from sertools.reporting.plots.forest import forest
from sertools.reporting.plots.latent_map import draw_samples, latent_map, map_of_vectors, read_points
from sertools.reporting.plots.spectrograms import spectrogram_grid
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result
from sertools.scoring.results.result_file import read_result
from sertools.sound.features import mel_frequencies
from sertools.store.format import KINDS as STORES
from sertools.store.format import pictures_of, same_front_end
from sertools.store.reader import Store, open_store
from sertools.training.log import read_log
from sertools.verb_config import PICTURES, Plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AUTOENCODER = "autoencoder"
SPECTROGRAMS, MAP, BALANCE, CONFUSION, COMPARISON = PICTURES
_USUAL = Plotting()
_WAYS = {FrontEnd.kind: (SPECTROGRAMS, BALANCE), Encoding.kind: (MAP, BALANCE), RESULT: (CONFUSION, COMPARISON)}


def draw(paths: Sequence[Path], how: Plotting = _USUAL) -> Figure:
    """Draw files, by what they are.

    Stores side by side, class by class, those of vectors as a map; results of one method added up to a confusion
    matrix, of several as a comparison; training logs side by side; a latents file as a map, with rows of stores
    beside their autoencoder.

    Raises
    ------
    UsageError
        If the files do not go together, or `how` does not fit them.
    """
    kinds = {path: file_kind(path) for path in paths}
    found = set(kinds.values())
    listed = ", ".join(f"{path} is {each}" for path, each in kinds.items())
    stores = [path for path in paths if kinds[path] in STORES]
    if how.names and found == {RESULT}:
        raise UsageError("--name: results have methods, not names; leave it out, or use --title")
    if how.names and len(how.names) != len(stores):
        raise UsageError(f"--name: {len(how.names)} for {len(stores)} stores; give one to each, or none")
    fitting = _WAYS.get(next(iter(found)), ()) if len(found) == 1 else ()
    if how.kind and how.kind not in fitting:
        raise UsageError(f"--kind {how.kind}: is not for these files ({listed}); leave it out")
    if len(stores) == len(paths):
        opened = [open_store(path) for path in paths]
        if how.kind == BALANCE:
            return _balance(opened, how)
        heads = how.names or [_column_name(store) for store in opened]
        if Encoding.kind in found:
            return map_of_vectors(paths, heads, how.seed, how.title)
        return _stores(opened, heads, how)
    if found == {RESULT}:
        results = [read_result(path) for path in paths]
        several = len({result.tags.get("method") for result in results}) > 1
        if how.kind == COMPARISON or (several and not how.kind):
            return forest(summarise(results, how.baseline, same_speakers=how.same_speakers), title=how.title)
        return _results(results, how.title)
    if found == {LOG}:
        return training_curves([(path.name, read_log(path)) for path in paths], how.title)
    if LATENTS in found and found <= {LATENTS, AUTOENCODER, *STORES}:
        return _map(kinds, how)
    raise UsageError(
        f"{listed}; give stores only (spectrograms, or a map of vectors), results only (confusion matrix or "
        "comparison), training logs only (curves), or latents, with their autoencoder and stores if you like (map)"
    )


def _map(kinds: Mapping[Path, str], how: Plotting) -> Figure:
    from sertools.training.latents import load_latents  # noqa: PLC0415 - torch, which stores do not need

    latents, autoencoders, stores = (
        [path for path, kind in kinds.items() if kind in wanted] for wanted in ((LATENTS,), (AUTOENCODER,), STORES)
    )
    if len(latents) > 1 or len(autoencoders) > 1 or bool(autoencoders) != bool(stores):
        raise UsageError(
            f"{latents[0]}: a map is of one latents file; with stores to place on it, give their autoencoder as well"
        )
    read = load_latents(latents[0])
    panels = [draw_samples(read.gaussians, how.seed)]
    if stores:
        heads = how.names or [path.stem for path in stores]
        panels = read_points(latents[0], read, autoencoders[0], stores, heads, how.seed)
    return latent_map(read.gaussians, panels, how.title)


def _balance(stores: Sequence[Store], how: Plotting) -> Figure:
    heads = how.names or [store.path.stem for store in stores]
    counts = [count_rows(store.contents.emotion, store.contents.segments["origin"]) for store in stores]
    return class_balance(list(zip(heads, counts, strict=True)), how.title)


def _stores(stores: list[Store], heads: Sequence[str], how: Plotting) -> Figure:
    front_end = pictures_of(stores[0].contents.front_end, str(stores[0].path))
    for store in stores[1:]:
        same_front_end(front_end, store.contents.front_end, str(stores[0].path), str(store.path))
    classes = sorted({name for store in stores for name in (store.contents.classes() or ("",))})
    pictures = [[_some(store, name, how.n, how.seed) for name in classes] for store in stores]
    return spectrogram_grid(
        list(zip(heads, pictures, strict=True)),
        [name or "no label" for name in classes],
        mel_frequencies=mel_frequencies(front_end),
        hop_seconds=front_end.hop_seconds,
        n_each=how.n,
        title=how.title,
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
    return confusion(total, classes, title)
