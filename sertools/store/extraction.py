"""From recordings to a store: name them, have their rows made, write the tables (§3.2).

Files are independent, so several processes may work on them, each writing its rows in their place; rows keep the
order of the recordings, and the store's bytes do not depend on how many worked on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from sertools.config import FrontEnd
from sertools.corpora.sources import Listing
from sertools.errors import warn
from sertools.parallel import placed_map
from sertools.rehearsal import Plan, begin, memory_so_far, seconds_of
from sertools.sound.features import valid_frames
from sertools.store.intake import ExtractProgress, Intake, Made
from sertools.store.naming import Job
from sertools.store.remarks import dead_bands
from sertools.store.segments import Decoded, decode, n_rows, portions, try_out, write_rows
from sertools.store.writer import Spool

_TRIED = 8  # files that a rehearsal decodes


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
    intake = Intake(listing, output, shard, on_error)
    recordings = [job.recording for job in intake.jobs]
    if dead := dead_bands(front_end):
        warn(f"{output}: {dead}")
    begin(output, lambda: _plan(listing, intake, output, front_end, jobs))
    read = partial(decode, front_end=front_end)
    with (
        Spool(output, front_end) as spool,
        closing(
            placed_map(
                read, n_rows, partial(write_rows, front_end=front_end, rows=spool.rows), portions(recordings), jobs
            )
        ) as made,
    ):
        for result in chain.from_iterable(made):
            intake.put(_made(result, front_end))
            yield intake.progress
        contents = intake.contents("extract", front_end, _options(front_end))
        spool.finish(contents)
    intake.remark(contents)


def _made(one: Decoded, front_end: FrontEnd) -> Made:
    if one.utterance is None:
        return Made(None, one.reason)
    return Made(
        one.utterance,
        starts=tuple(one.utterance.offset + piece.start / front_end.sr for piece in one.pieces),
        n_valid_frames=tuple(valid_frames(piece.n_valid, front_end) for piece in one.pieces),
        digests=one.digests,
        bandwidth_hz=one.bandwidth_hz,
    )


def _plan(listing: Listing, intake: Intake, output: Path, front_end: FrontEnd, n_processes: int) -> Plan:
    """Say what would be extracted, by a few files spread over all, and those that are not there at all."""
    listed = intake.jobs
    spread = {int(at) for at in np.linspace(0, len(listed) - 1, min(len(listed), _TRIED))}
    gone = {at for at, job in enumerate(listed) if not Path(job.recording.file).is_file()}
    tried: list[Decoded] = []
    seconds = seconds_of(lambda: tried.extend(_tried(listed, spread - gone, front_end)))
    intake.refuse(
        [
            {"path": listed[at].path, "reason": one.reason}
            for at, one in zip(
                [*sorted(spread - gone), *sorted(gone)], [*tried, *_tried(listed, gone, front_end)], strict=True
            )
            if one.reason
        ]
    )
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


def _tried(listed: list[Job], places: set[int], front_end: FrontEnd) -> list[Decoded]:
    return try_out([listed[at].recording for at in sorted(places)], front_end)


def _options(front_end: FrontEnd) -> dict[str, object]:
    usual = vars(FrontEnd())
    # 35 for 35.0 is the same front end.
    return {name: type(usual[name])(value) for name, value in vars(front_end).items() if value != usual[name]}
