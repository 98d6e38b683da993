"""From recordings to a store: name them, have their rows made, write the tables (§3.2).

Files are independent, so several processes may work on them, each writing its rows in their place; rows keep the
order of the recordings, and the store's bytes do not depend on how many worked on it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sertools.config import FrontEnd
from sertools.corpora.sources import Listing
from sertools.corpora.table import Recording
from sertools.errors import AudioError, StoreError, printable, warn
from sertools.parallel import placed_map
from sertools.provenance import Input, canonical_json, digest_each, history, refuse_clobber
from sertools.rehearsal import Plan, begin, memory_so_far, seconds_of
from sertools.sound.audio import UtteranceAudio
from sertools.sound.features import valid_frames
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
    Shard,
    check_column_name,
    make_table,
)
from sertools.store.remarks import dead_bands, remarks
from sertools.store.segments import Decoded, decode, n_rows, portions, try_out, write_rows
from sertools.store.writer import Spool

_TRIED = 8  # files that a rehearsal decodes
_FAR_BEYOND = 2.0  # lossy codecs overshoot full scale by less


@dataclass(frozen=True)
class _Job:
    """One recording, and how the store will call it."""

    recording: Recording
    id: str
    path: str


@dataclass(frozen=True)
class ExtractProgress:
    """How far an extraction is: files done of all, rows made, files rejected."""

    done: int
    total: int
    n_rows: int
    n_rejected: int


def extract(
    listing: Listing,
    output: Path,
    front_end: FrontEnd,
    *,
    jobs: int = 1,
    shard: tuple[int, int] | None = None,
    on_error: str = "fail",
) -> Iterator[ExtractProgress]:
    """Extract a store; yields its progress, and the file is complete when the iterator ends.

    Parameters
    ----------
    jobs
        Processes that decode.
    shard
        ``(k, n)``: only the k-th of n parts of the recordings; `merge` puts the parts together.
    on_error
        ``fail`` reads on, then lists all bad files and writes nothing; ``skip`` records them in ``/rejected``.

    Raises
    ------
    AudioError
        Under ``fail``, naming every file that could not be read.
    StoreError
        If no file could be read.
    """
    refuse_clobber(output, [*listing.tables, *(Path(recording.file) for recording in listing.recordings)])
    jobs_listed = _named(listing)
    corpus = Input(_digest(jobs_listed))
    part = None
    for name in {name for recording in listing.recordings for name in recording.extra}:
        check_column_name(name)
    if shard:
        part = _shard_of(shard, jobs_listed)
        k, n = shard
        edges = np.linspace(0, len(jobs_listed), n + 1).round().astype(int)
        jobs_listed = jobs_listed[edges[k - 1] : edges[k]]
    if dead := dead_bands(front_end):
        warn(f"{output}: {dead}")
    begin(output, lambda: _plan(listing, jobs_listed, output, front_end, jobs, on_error))
    segments: list[dict[str, Any]] = []
    utterances: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    peaks: list[tuple[float, str]] = []
    tasks = portions([job.recording for job in jobs_listed])
    read = partial(decode, front_end=front_end)
    with (
        Spool(output, front_end) as spool,
        closing(
            placed_map(read, n_rows, partial(write_rows, front_end=front_end, rows=spool.rows), tasks, jobs)
        ) as made,
    ):
        for done, (job, result) in enumerate(zip(jobs_listed, chain.from_iterable(made), strict=True), 1):
            if result.utterance is None:
                rejected.append({"path": job.path, "reason": result.reason})
            else:
                segments += _segment_rows(result, result.utterance.offset, len(utterances), front_end)
                utterances.append(_utterance_row(job, result.utterance, result.bandwidth_hz))
                if result.utterance.peak > _FAR_BEYOND:
                    peaks.append((result.utterance.peak, job.path))
            yield ExtractProgress(done, len(jobs_listed), len(segments), len(rejected))
        if rejected and on_error == "fail":
            raise AudioError(_complaint(rejected, len(jobs_listed), listing.root))
        if not segments and not shard:
            first = _told(rejected[0]) if rejected else "there are none"
            raise StoreError(f"{output}: none of the {len(jobs_listed)} files could be read; the first: {first}")
        extra = dict.fromkeys(name for job in jobs_listed for name in job.recording.extra)
        contents = Contents(
            front_end=front_end,
            segments=make_table(SEGMENT_COLUMNS, segments),
            utterances=make_table(UTTERANCE_COLUMNS, utterances, [*extra, *RECORDED_COLUMNS]),
            rejected=make_table(REJECTED_COLUMNS, rejected),
            history=history("extract", _options(front_end, shard, on_error) | listing.options(), {"corpus": corpus}),
            audio_root=escape_name(os.path.relpath(listing.root.resolve(), output.resolve().parent)),
            shard=part,
        )
        spool.finish(contents)
    _warn_of_peaks(output, peaks, len(jobs_listed))
    if not shard:
        # Of a part nobody wants to know; `merge` says it of the whole.
        for text in remarks(contents):
            warn(f"{output}: {text}")


def _warn_of_peaks(output: Path, peaks: list[tuple[float, str]], total: int) -> None:
    """Warn of recordings far beyond full scale: one of them sets the scale of a whole training."""
    if peaks:
        peak, path = max(peaks)
        warn(
            f"{output}: {len(peaks)} of {total} recordings go far beyond full scale, which is 1: {path} the farthest "
            f"with a peak of {peak:.4g}, {20 * np.log10(peak):.0f} dB above; divide 16-bit samples that were kept as "
            "floats by 32768, correct others or leave them out"
        )


def _plan(
    listing: Listing, listed: list[_Job], output: Path, front_end: FrontEnd, n_processes: int, on_error: str
) -> Plan:
    """Say what would be extracted, by a few files spread over all, and those that are not there at all."""
    spread = {int(at) for at in np.linspace(0, len(listed) - 1, min(len(listed), _TRIED))}
    gone = {at for at, job in enumerate(listed) if not Path(job.recording.file).is_file()}
    tried: list[Decoded] = []
    seconds = seconds_of(lambda: tried.extend(_tried(listed, spread - gone, front_end)))
    places = [*sorted(spread - gone), *sorted(gone)]
    found = zip(places, [*tried, *_tried(listed, gone, front_end)], strict=True)
    rejected = [{"path": listed[at].path, "reason": one.reason} for at, one in found if one.reason]
    if rejected and on_error == "fail":
        raise AudioError(_complaint(rejected, len(listed), listing.root))
    share = (len(listed) - len(gone)) / max(1, len(tried))
    count = round(share * n_rows(tried))
    by = f" by {n_processes} processes" if n_processes > 1 else ""
    return Plan(
        reads=(
            f"{len(listed)} recordings below {listing.root}",
            *(f"labels from {table}" for table in listing.tables),
        ),
        work=f"extract about {count} rows of {front_end.n_mels}×{front_end.n_frames}{by}",
        n_rows=count,
        writes=(str(output),),
        output_bytes=count * front_end.n_mels * front_end.n_frames * 4,
        seconds=share * seconds / n_processes,
        measured=f"by {len(tried)} files spread over all; the others were not opened",
        memory_bytes=memory_so_far(),
    )


def _tried(listed: list[_Job], places: set[int], front_end: FrontEnd) -> list[Decoded]:
    return try_out([listed[at].recording for at in sorted(places)], front_end)


def _options(front_end: FrontEnd, shard: tuple[int, int] | None, on_error: str) -> dict[str, object]:
    usual = vars(FrontEnd())
    # 35 for 35.0 is the same front end.
    options = {name: type(usual[name])(value) for name, value in vars(front_end).items() if value != usual[name]}
    if shard:
        options["shard"] = f"{shard[0]}/{shard[1]}"
    return options if on_error == "fail" else {**options, "on_error": on_error}


def _digest(jobs: list[_Job]) -> str:
    """Digest of what the recordings of a corpus are called and labelled; their audio is each row's to tell."""
    rows = [{**vars(job.recording), "file": job.path, "id": job.id} for job in jobs]
    for row in rows:
        if not row["corpus"]:
            del row["corpus"]  # what has no name keeps the digest that it had before there were any
    # Names that are not UTF-8 are of lone surrogates.
    return digest_each(canonical_json(row).encode("utf-8", "surrogatepass") for row in rows)


def _named(listing: Listing) -> list[_Job]:
    """Name each recording by its path below the root, with its span where a file holds several."""
    # Not resolved: below a root that is a link, the files have names below the link.
    relative = [PurePosixPath(Path(os.path.relpath(r.file, listing.root)).as_posix()) for r in listing.recordings]
    # a.wav beside a.flac: the suffix tells them apart; nothing else needs it.
    by_stem: dict[PurePosixPath, set[PurePosixPath]] = {}
    for path in relative:
        by_stem.setdefault(path.with_suffix(""), set()).add(path)
    stems = [p if len(by_stem[p.with_suffix("")]) > 1 else p.with_suffix("") for p in relative]
    # Milliseconds tell most spans apart; where they do not, all digits do.
    names = [f"{stem}{_span(r, '.3f')}" for r, stem in zip(listing.recordings, stems, strict=True)]
    times = Counter(names)
    return [
        _Job(r, escape_name(name if times[name] == 1 else f"{stem}{_span(r, '')}"), escape_name(str(path)))
        for r, stem, path, name in zip(listing.recordings, stems, relative, names, strict=True)
    ]


def _span(recording: Recording, form: str) -> str:
    if recording.start is None and recording.end is None:
        return ""
    end = "" if recording.end is None else f"{recording.end:{form}}"
    return f"@{recording.start or 0.0:{form}}-{end}"


def _shard_of(shard: tuple[int, int], listed: list[_Job]) -> Shard:
    """Say which part of which recordings a shard is, so that parts of others are not put together with it."""
    files = [[job.id, job.path, job.recording.start, job.recording.end] for job in listed]
    labels = [[*_labels(job.recording).items()] for job in listed]
    digests = (digest_each(canonical_json(row).encode() for row in rows) for rows in (files, labels))
    return Shard(*shard, len(listed), *digests)


def _segment_rows(result: Decoded, offset: float, utterance: int, front_end: FrontEnd) -> list[dict[str, Any]]:
    return [
        {
            "utterance": utterance,
            "start": offset + piece.start / front_end.sr,
            "n_valid_frames": valid_frames(piece.n_valid, front_end),
            "origin": "real",
            "digest": digest,
        }
        for piece, digest in zip(result.pieces, result.digests, strict=True)
    ]


def _utterance_row(job: _Job, audio: UtteranceAudio, bandwidth_hz: float) -> dict[str, Any]:
    return {
        **_labels(job.recording),
        "id": job.id,
        "path": job.path,
        "start": job.recording.start or 0.0,
        "duration": audio.duration,
        "digest": audio.digest,
        SOURCE_SR: f"{audio.sr}",
        MIXDOWN: "" if audio.mixdown_db is None else f"{audio.mixdown_db:.1f}",
        BANDWIDTH: f"{bandwidth_hz:.0f}",
    }


def _labels(recording: Recording) -> dict[str, str]:
    known = {name: getattr(recording, name) for name in ("emotion", "speaker", "session", "gender", "corpus")}
    return {**recording.extra, **known}


def _complaint(rejected: list[dict[str, str]], total: int, root: Path) -> str:
    remedy = "mend or remove them, or give --on-error skip"
    head = f"{len(rejected)} of {total} files below {root} cannot be used; {remedy}:"
    return "\n  ".join([head, *map(_told, rejected)])


def _told(row: dict[str, str]) -> str:
    # A name may hold a newline; a file has one line here.
    return printable(f"{row['path']}: {row['reason']}")
