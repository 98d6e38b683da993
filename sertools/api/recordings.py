"""Recordings: list those of a corpus, extract their spectrograms."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sertools.api.running import AnyPath, Paths, Progress, maybe, path_of, run_through, takes, writing
from sertools.config import FrontEnd
from sertools.errors import UsageError
from sertools.fields import name_of
from sertools.keywords import parted

if TYPE_CHECKING:
    from sertools.api.typed import Corpus, Embed, Extract, Unpack
    from sertools.corpora.sources import Listing
    from sertools.corpora.table import Recording
    from sertools.recording_config import Taking
    from sertools.store.intake import ExtractProgress


@takes("corpus")
def corpus(name: str, folder: AnyPath, **options: Unpack[Corpus]) -> list[Recording]:
    """List the recordings of a corpus folder.

    Parameters
    ----------
    name : str
        A reader: a key of `sertools.READERS`.
    folder : path
        Where the corpus lies; for nkululeko, its CSV.
    **options
        Those of ``sertools corpus``; `relabel` is a mapping, such as ``{"calm": "neutral"}``.

    Returns
    -------
    list of Recording
        Sorted by path; `extract` takes it as it is.

    Raises
    ------
    CorpusError, UsageError
        As `sertools.corpora.read_corpus` says.
    """
    from sertools.corpora import read_corpus
    from sertools.corpora.vocabulary import vocabulary_of

    how, _ = parted("corpus", options)
    vocabulary = vocabulary_of(how.missing, how.synonyms)
    return read_corpus(name, path_of(folder), ambiguous=how.ambiguous, relabel=how.relabel, vocabulary=vocabulary)


@takes("extract")
def extract(
    sources: Paths | Sequence[Recording],
    output: AnyPath,
    *,
    stdin: TextIO | None = None,
    progress: Progress[ExtractProgress] = iter,
    **options: Unpack[Extract],
) -> ExtractProgress | None:
    """Turn audio into a store of log-mel spectrograms (§3.2).

    With more than one of `jobs`, call this under ``if __name__ == "__main__":``, as multiprocessing asks.

    Parameters
    ----------
    sources : path, paths or recordings
        Audio files, folders, labels CSVs, or ``-`` for either on `stdin`; or what `corpus` lists.
    output : path
        The store, written when complete.
    stdin : text stream, optional
        What ``-`` stands for; by default the process's own.
    progress : callable
        Passes the records on and shows them, such as ``tqdm.tqdm``.
    **options
        Those of ``sertools extract``; those of pictures are a `FrontEnd`.

    Returns
    -------
    ExtractProgress or None
        Files and rows; None if there was no file.

    Raises
    ------
    SertoolsError
        If a source cannot be used; the message names file, value and remedy.
    """
    from sertools.store.extraction import extract as run
    from sertools.store.select import parse_part

    how, _ = parted("extract", options)
    output = path_of(output)
    part = None if how.shard is None else parse_part(how.shard, "--shard")
    listing = _listed(sources, how, stdin)
    with writing(output):
        steps = run(listing, output, how.front_end or FrontEnd(), jobs=how.jobs, shard=part, on_error=how.on_error)
        return run_through(steps, progress)


@takes("embed")
def embed(
    sources: Paths | Sequence[Recording],
    output: AnyPath,
    *,
    stdin: TextIO | None = None,
    progress: Progress[ExtractProgress] = iter,
    **options: Unpack[Embed],
) -> ExtractProgress | None:
    """Turn audio into a store of vectors, by a frozen pretrained encoder.

    Parameters
    ----------
    sources : path, paths or recordings
        As of `extract`; or a store, which stands for its recordings.
    output : path
        The store, written when complete; of several layers, a name with ``{layer}`` in it.
    stdin, progress
        As of `extract`.
    **options
        Those of ``sertools embed``, of which `encoder` is needed.

    Returns
    -------
    ExtractProgress or None
        Files and rows; None if there was no file.

    Raises
    ------
    SertoolsError
        If a source or the encoder cannot be used; the message names file, value and remedy.
    """
    from sertools.encoders.encoder import open_encoder
    from sertools.store.select import parse_part
    from sertools.store.vectors import embed as run
    from sertools.training.runtime import computed_on, pick_device, pick_encoder_precision

    how, _ = parted("embed", options)
    name = name_of(output)
    layers = _layers(how.layer, name)
    part = None if how.shard is None else parse_part(how.shard, "--shard")
    listing = _listed(sources, how, stdin, stores=True)
    device = pick_device(how.device)
    precision = pick_encoder_precision(how.precision, device)
    encoder = open_encoder(
        how.encoder, layers=layers, pool=how.pool, device=device, precision=precision, sr=how.sr, padded=how.padded
    )
    outputs = {layer: path_of(name.replace("{layer}", str(layer))) for layer in encoder.layers}
    with ExitStack() as stack:
        for each in outputs.values():
            stack.enter_context(writing(each))
        steps = run(
            listing, outputs, encoder, seconds=how.segment_seconds, trim_db=how.trim_db, shard=part,
            on_error=how.on_error, on_gpu=device.type != "cpu", computed=computed_on(device, precision),
        )  # fmt: skip
        return run_through(steps, progress)


def _layers(text: str | None, output: str) -> list[int] | None:
    """Read ``K[,K]``; several need a name for each."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"--layer {text!r}: expected numbers such as 3 or 2,3,4")
    layers = sorted(set(map(int, parts)))
    if len(layers) < len(parts):
        raise UsageError(f"--layer {text!r}: a layer is given twice")
    if len(layers) > 1 and "{layer}" not in output:
        raise UsageError(f"-o {output}: {len(layers)} layers need a name for each, such as -o 'emb-{{layer}}.h5'")
    return layers


def _listed(
    sources: Paths | Sequence[Recording], how: Taking, stdin: TextIO | None, *, stores: bool = False
) -> Listing:
    """List the recordings of sources, of one store if `stores` allows it, or those that are given."""
    from sertools.corpora.sources import list_recordings, listing_of
    from sertools.corpora.table import Recording
    from sertools.corpora.vocabulary import USUAL, vocabulary_of
    from sertools.store.guard import is_hdf5
    from sertools.store.relisting import listing_of_store

    root = maybe(how.audio_root)
    many: Sequence[AnyPath | Recording] = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    recordings = [each for each in many if isinstance(each, Recording)]
    vocabulary = vocabulary_of(how.missing, how.synonyms)
    asked = how.labels is not None or root is not None or vocabulary != USUAL
    if recordings and (asked or len(recordings) < len(many)):
        raise UsageError(
            "recordings bring their labels: leave out `labels`, `audio_root`, `missing` and `synonyms`, and paths "
            "beside recordings"
        )
    if recordings:
        listing = listing_of(recordings)
    elif stores and len(many) == 1 and not isinstance(many[0], Recording) and is_hdf5(Path(name_of(many[0]))):
        if asked:
            raise UsageError("a store brings its labels: leave out --labels, --audio-root, --missing and --synonyms")
        listing = listing_of_store(path_of(many[0]))
    else:
        names = [name_of(each) for each in many if not isinstance(each, Recording)]
        listing = list_recordings(names, maybe(how.labels), stdin or sys.stdin, root, vocabulary)
    return listing if how.corpus is None else listing.named(how.corpus)
