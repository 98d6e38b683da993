"""How a store calls the recordings of a listing, and what tells two listings apart."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sertools.corpora.sources import Listing
from sertools.corpora.table import Recording
from sertools.provenance import canonical_json, digest_each
from sertools.store.escapes import escape_name
from sertools.store.format import Shard


@dataclass(frozen=True)
class Job:
    """One recording, how the store will call it, and the digest of its audio if that is known before."""

    recording: Recording
    id: str
    path: str
    digest: str = ""


def digest_of(jobs: list[Job]) -> str:
    """Digest of what the recordings of a corpus are called and labelled; their audio is each row's to tell."""
    rows = [{**vars(job.recording), "file": job.path, "id": job.id} for job in jobs]
    for row in rows:
        if not row["corpus"]:
            del row["corpus"]  # what has no name keeps the digest that it had before there were any
    # Names that are not UTF-8 are of lone surrogates.
    return digest_each(canonical_json(row).encode("utf-8", "surrogatepass") for row in rows)


def named(listing: Listing) -> list[Job]:
    """Name each recording by its path below the root, with its span where a file holds several."""
    # Not resolved: below a root that is a link, the files have names below the link.
    relative = [PurePosixPath(Path(os.path.relpath(r.file, listing.root)).as_posix()) for r in listing.recordings]
    # a.wav beside a.flac: the suffix tells them apart; nothing else needs it.
    by_stem: dict[PurePosixPath, set[PurePosixPath]] = {}
    for path in relative:
        by_stem.setdefault(path.with_suffix(""), set()).add(path)
    stems = [p if len(by_stem[p.with_suffix("")]) > 1 else p.with_suffix("") for p in relative]
    named = list(zip(listing.recordings, stems, relative, strict=True))
    if listing.known:
        ids = zip(named, listing.known, strict=True)
        return [Job(recording, name, escape_name(str(path)), digest) for (recording, _, path), (name, digest) in ids]
    # Milliseconds tell most spans apart; where they do not, all digits do.
    times = Counter(f"{stem}{_span(recording, '.3f')}" for recording, stem, _ in named)
    jobs = []
    for recording, stem, path in named:
        name = f"{stem}{_span(recording, '.3f')}"
        name = name if times[name] == 1 else f"{stem}{_span(recording, '')}"
        jobs.append(Job(recording, escape_name(name), escape_name(str(path))))
    return jobs


def _span(recording: Recording, form: str) -> str:
    if recording.start is None and recording.end is None:
        return ""
    end = "" if recording.end is None else f"{recording.end:{form}}"
    return f"@{recording.start or 0.0:{form}}-{end}"


def shard_of(shard: tuple[int, int], listed: list[Job]) -> Shard:
    """Say which part of which recordings a shard is, so that parts of others are not put together with it."""
    files = [[job.id, job.path, job.recording.start, job.recording.end] for job in listed]
    labels = [[*labels_of(job.recording).items()] for job in listed]
    digests = (digest_each(canonical_json(row).encode() for row in rows) for rows in (files, labels))
    return Shard(*shard, len(listed), *digests)


def labels_of(recording: Recording) -> dict[str, str]:
    """Return what is known of a recording, by column."""
    known = {name: getattr(recording, name) for name in ("emotion", "speaker", "session", "gender", "corpus")}
    return {**recording.extra, **known}
