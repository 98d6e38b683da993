"""What `extraction` and `vectors` do alike: name the recordings of a corpus, and put down what was made of each."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sertools.corpora.sources import Listing
from sertools.encoding import RowSource
from sertools.errors import AudioError, StoreError, UsageError, printable, warn
from sertools.provenance import Input, Inputs, history, refuse_clobber
from sertools.sound.audio import UtteranceAudio
from sertools.store.escapes import escape_name
from sertools.store.format import (
    BANDWIDTH,
    MIXDOWN,
    RECORDED_COLUMNS,
    REJECTED_COLUMNS,
    SEGMENT_COLUMNS,
    SOURCE_SR,
    UTTERANCE_COLUMNS,
    Contents,
    make_table,
)
from sertools.store.lineage import Lineage
from sertools.store.naming import Job, digest_of, labels_of, named, shard_of
from sertools.store.remarks import remarks

_LONGEST_NAME = 64  # of a column
# Beside letters, their marks and digits of any script; the joiners are part of words.
_IN_NAMES = "_.- \u200c\u200d"
_FAR_BEYOND = 2.0  # lossy codecs overshoot full scale by less


@dataclass(frozen=True)
class ExtractProgress:
    """How far an extraction is: files done of all, rows made, files rejected."""

    done: int
    total: int
    n_rows: int
    n_rejected: int


@dataclass(frozen=True)
class Made:
    """What was made of one recording, or why nothing was.

    Attributes
    ----------
    utterance
        What was decoded; None if nothing was made.
    reason
        Why nothing was; empty if something was.
    starts
        Of each row, in seconds from the start of the utterance.
    n_valid_frames, digests
        Of each row.
    bandwidth_hz
        Up to where there is sound, as in `sertools.sound.features.bandwidth_hz`; 0 where nobody has looked.
    """

    utterance: UtteranceAudio | None
    reason: str = ""
    starts: tuple[float, ...] = ()
    n_valid_frames: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()
    bandwidth_hz: float = 0.0


class Intake:
    """The recordings of one run, and the tables of what has been made of them.

    Parameters
    ----------
    shard
        ``(k, n)``: only the k-th of n parts of the recordings.
    on_error
        ``fail`` or ``skip``; see `extraction.extract`.

    Attributes
    ----------
    jobs
        The recordings of this run, in order.
    """

    def __init__(self, listing: Listing, output: Path, shard: tuple[int, int] | None, on_error: str) -> None:
        refuse_clobber(output, [*listing.tables, *(Path(recording.file) for recording in listing.recordings)])
        jobs = named(listing)
        for name in {name for recording in listing.recordings for name in recording.extra}:
            check_column_name(name)
        self._listing, self._output, self._on_error, self._parts = listing, output, on_error, shard
        self._corpus: Inputs = {"store": listing.store} if listing.store else {"corpus": Input(digest_of(jobs))}
        self._shard = shard_of(shard, jobs) if shard else None
        self.jobs = _part(jobs, shard)
        self._segments: list[dict[str, Any]] = []
        self._utterances: list[dict[str, Any]] = []
        self._rejected: list[dict[str, str]] = []
        self._peaks: list[tuple[float, str]] = []
        self._done = 0

    def put(self, result: Made) -> None:
        """Put down what was made of the next recording."""
        job = self.jobs[self._done]
        self._done += 1
        reason = result.reason
        audio = result.utterance
        if audio is not None and job.digest and job.digest != audio.digest:
            reason = "its audio has changed since the store was extracted"
        if audio is None or reason:
            self._rejected.append({"path": job.path, "reason": reason})
            return
        self._segments += _segment_rows(result, len(self._utterances))
        self._utterances.append(_utterance_row(job, audio, result.bandwidth_hz))
        if audio.peak > _FAR_BEYOND:
            self._peaks.append((audio.peak, job.path))

    @property
    def progress(self) -> ExtractProgress:
        """How far the run is."""
        return ExtractProgress(self._done, len(self.jobs), len(self._segments), len(self._rejected))

    def refuse(self, rejected: list[dict[str, str]]) -> None:
        """Refuse recordings that could not be read, unless they are to be skipped.

        Raises
        ------
        AudioError
            Naming each, with its reason.
        """
        if rejected and self._on_error == "fail":
            raise AudioError(complaint(rejected, len(self.jobs), self._listing.root))

    def contents(
        self, verb: str, front_end: RowSource, options: Mapping[str, object], inputs: Inputs | None = None
    ) -> Contents:
        """Make the tables of the store.

        Parameters
        ----------
        options
            What else decides the rows, for the history.
        inputs
            What else is read, by role.

        Raises
        ------
        AudioError
            Under ``fail``, naming every recording that could not be read.
        StoreError
            If none could be read.
        """
        self.refuse(self._rejected)
        if not self._segments and not self._parts:
            raise StoreError(
                f"{self._output}: none of the {len(self.jobs)} files could be read; the first: "
                f"{_told(self._rejected[0]) if self._rejected else 'there are none'}"
            )
        asked: dict[str, object] = {**options, **self._listing.options()}
        if self._parts:
            asked["shard"] = f"{self._parts[0]}/{self._parts[1]}"
        if self._on_error != "fail":
            asked["on_error"] = self._on_error
        extra = dict.fromkeys(name for job in self.jobs for name in job.recording.extra)
        return Contents(
            front_end=front_end,
            segments=make_table(SEGMENT_COLUMNS, self._segments),
            utterances=make_table(UTTERANCE_COLUMNS, self._utterances, [*extra, *RECORDED_COLUMNS]),
            rejected=make_table(REJECTED_COLUMNS, self._rejected),
            history=history(verb, asked, {**self._corpus, **(inputs or {})}),
            lineage=Lineage(),
            audio_root=escape_name(os.path.relpath(self._listing.root.resolve(), self._output.resolve().parent)),
            shard=self._shard,
        )

    def remark(self, contents: Contents) -> None:
        """Warn of what is odd about the recordings, once the store is written; `merge` does so for shards."""
        if self._peaks:
            peak, path = max(self._peaks)
            warn(
                f"{self._output}: {len(self._peaks)} of {len(self.jobs)} recordings go far beyond full scale, which "
                f"is 1: {path} the farthest with a peak of {peak:.4g}, {20 * np.log10(peak):.0f} dB above; divide "
                "16-bit samples that were kept as floats by 32768, correct others or leave them out"
            )
        if not self._parts:
            for text in remarks(contents):
                warn(f"{self._output}: {text}")


def check_column_name(name: str) -> None:
    """Refuse a further column's name that HDF5 or a shell would trip over, or that the store uses itself.

    Raises
    ------
    UsageError
        With the rule.
    """
    begins = name[:1].isalpha() or name[:1] == "_"
    goes_on = all(letter in _IN_NAMES or unicodedata.category(letter)[0] in "LMN" for letter in name)
    if not (begins and goes_on and len(name) <= _LONGEST_NAME):
        raise UsageError(
            f"column {name!r}: a name is a letter or _, then letters, digits, _ . - or space, up to {_LONGEST_NAME}"
        )
    if name in (*UTTERANCE_COLUMNS, *SEGMENT_COLUMNS, *RECORDED_COLUMNS):
        raise UsageError(f"column {name!r}: the store has a column of that name itself; rename or remove yours")


def _part(jobs: list[Job], shard: tuple[int, int] | None) -> list[Job]:
    if shard is None:
        return jobs
    k, n = shard
    edges = np.linspace(0, len(jobs), n + 1).round().astype(int)
    return jobs[edges[k - 1] : edges[k]]


def _segment_rows(result: Made, utterance: int) -> list[dict[str, Any]]:
    return [
        {"utterance": utterance, "start": start, "n_valid_frames": n_valid, "origin": "real", "digest": digest}
        for start, n_valid, digest in zip(result.starts, result.n_valid_frames, result.digests, strict=True)
    ]


def _utterance_row(job: Job, audio: UtteranceAudio, bandwidth_hz: float) -> dict[str, Any]:
    return {
        **labels_of(job.recording),
        "id": job.id,
        "path": job.path,
        "start": job.recording.start or 0.0,
        "duration": audio.duration,
        "digest": audio.digest,
        SOURCE_SR: f"{audio.sr}",
        MIXDOWN: "" if audio.mixdown_db is None else f"{audio.mixdown_db:.1f}",
        BANDWIDTH: f"{bandwidth_hz:.0f}" if bandwidth_hz else "",
    }


def complaint(rejected: list[dict[str, str]], total: int, root: Path) -> str:
    """Name every recording that could not be used, with its reason, and what helps."""
    remedy = "mend or remove them, or give --on-error skip"
    head = f"{len(rejected)} of {total} files below {root} cannot be used; {remedy}:"
    return "\n  ".join([head, *map(_told, rejected)])


def _told(row: dict[str, str]) -> str:
    # A name may hold a newline; a file has one line here.
    return printable(f"{row['path']}: {row['reason']}")
