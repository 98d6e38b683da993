"""Recordings: list those of a corpus, extract their spectrograms."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from sertools.api.running import AnyPath, Paths, Progress, maybe, name_of, path_of, run_through, writing
from sertools.config import FrontEnd
from sertools.errors import UsageError, one_of
from sertools.keywords import JOBS, SYNONYMS

if TYPE_CHECKING:
    from sertools.corpora.table import Recording
    from sertools.store.extraction import ExtractProgress


def corpus(
    name: str,
    folder: AnyPath,
    *,
    ambiguous: str = "keep",
    relabel: Mapping[str, str] | None = None,
    missing: str | Sequence[str] | None = None,
    synonyms: str = SYNONYMS.default,
) -> list[Recording]:
    """List the recordings of a corpus folder.

    Parameters
    ----------
    name : str
        A reader: a key of `sertools.READERS`.
    folder : path
        Where the corpus lies; for nkululeko, its CSV.
    ambiguous : {"keep", "drop"}
        What to do with recordings on which the annotators disagree.
    relabel : mapping of str to str
        Emotions that count as another, such as ``{"calm": "neutral"}``.
    missing : str or sequence of str, optional
        Words, in any case, that say that nothing is known, as ``WORD[,WORD]`` or one by one; by default
        `sertools.spelling.MISSING`.
    synonyms : {"merge", "keep"}
        Words of one emotion, such as fear and anxiety: one class, or each a class of its own.

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

    vocabulary = vocabulary_of(missing, synonyms)
    return read_corpus(name, path_of(folder), ambiguous=ambiguous, relabel=relabel, vocabulary=vocabulary)


def extract(
    sources: Paths | Sequence[Recording],
    output: AnyPath,
    *,
    labels: AnyPath | None = None,
    audio_root: AnyPath | None = None,
    jobs: int = 1,
    shard: str | None = None,
    on_error: str = "fail",
    missing: str | Sequence[str] | None = None,
    synonyms: str = SYNONYMS.default,
    corpus: str | None = None,
    front_end: FrontEnd | None = None,
    stdin: TextIO | None = None,
    progress: Progress[ExtractProgress] = iter,
) -> ExtractProgress | None:
    """Turn audio into a store of log-mel spectrograms (§3.2).

    Parameters
    ----------
    sources : path, paths or recordings
        Audio files, folders, labels CSVs, or ``-`` for either on `stdin`; or what `corpus` lists.
    output : path
        The store, written when complete.
    labels : path, optional
        A labels CSV that says what the audio of `sources` is.
    audio_root : path, optional
        A folder that every file must lie in.
    jobs : int
        Processes. With more than one, call this under ``if __name__ == "__main__":``, as multiprocessing asks.
    shard : str, optional
        ``K/N``: only the K-th of N parts; `merge` joins them.
    on_error : {"fail", "skip"}
        fail: list all bad files, write nothing; skip: record them in the store.
    missing, synonyms
        As `corpus` has them, of labels that are read here.
    corpus : str, optional
        Name of the corpus, whatever the labels say: ids and speakers are names within it.
    front_end : FrontEnd, optional
        Sampling rate, segments and pictures; by default the paper's.
    progress : callable
        Passes the records on and shows them, such as ``tqdm.tqdm``.

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

    one_of("--on-error", on_error, ("fail", "skip"))
    JOBS.check(jobs)
    output, root = path_of(output), maybe(audio_root)
    part = None if shard is None else parse_part(shard, "--shard")
    many: Sequence[AnyPath | Recording] = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    recordings = [each for each in many if isinstance(each, Recording)]
    vocabulary = vocabulary_of(missing, synonyms)
    asked = labels is not None or audio_root is not None or vocabulary != USUAL
    if recordings and (asked or len(recordings) < len(many)):
        raise UsageError(
            "recordings bring their labels: leave out `labels`, `audio_root`, `missing` and `synonyms`, and paths "
            "beside recordings"
        )
    if recordings:
        listing = listing_of(recordings)
    else:
        names = [name_of(each) for each in many if not isinstance(each, Recording)]
        listing = list_recordings(names, maybe(labels), stdin or sys.stdin, root, vocabulary)
    if corpus is not None:
        listing = listing.named(corpus)
    with writing(output):
        steps = run(listing, output, front_end or FrontEnd(), jobs=jobs, shard=part, on_error=on_error)
        return run_through(steps, progress)
