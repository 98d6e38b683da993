"""Recordings: list those of a corpus, extract their spectrograms."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from sertools.api.running import AnyPath, Paths, Progress, maybe, name_of, path_of, run_through, takes, writing
from sertools.config import FrontEnd
from sertools.errors import UsageError
from sertools.keywords import parted

if TYPE_CHECKING:
    from sertools.api.typed import Corpus, Extract, Unpack
    from sertools.corpora.table import Recording
    from sertools.store.extraction import ExtractProgress


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
    from sertools.corpora.sources import list_recordings, listing_of
    from sertools.corpora.table import Recording
    from sertools.corpora.vocabulary import USUAL, vocabulary_of
    from sertools.store.extraction import extract as run
    from sertools.store.select import parse_part

    how, _ = parted("extract", options)
    output, root = path_of(output), maybe(how.audio_root)
    part = None if how.shard is None else parse_part(how.shard, "--shard")
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
    else:
        names = [name_of(each) for each in many if not isinstance(each, Recording)]
        listing = list_recordings(names, maybe(how.labels), stdin or sys.stdin, root, vocabulary)
    if how.corpus is not None:
        listing = listing.named(how.corpus)
    with writing(output):
        steps = run(listing, output, how.front_end or FrontEnd(), jobs=how.jobs, shard=part, on_error=how.on_error)
        return run_through(steps, progress)
