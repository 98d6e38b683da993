"""``sertools extract``: audio → store."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import output
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb
from sertools.config import FITS, PADS, TAILS, FrontEnd


@verb(dry_run=True)
def extract(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC",
            help="Audio files, folders, a labels CSV, or - for either on stdin.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, output("S.h5", "The store.")],
    labels: Annotated[Path | None, typer.Option(metavar="CSV", help="What the audio of SRC is.")] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Processes.")] = 1,
    shard: Annotated[
        str | None, typer.Option(metavar="K/N", help="Only the K-th of N parts; `merge` joins them.")
    ] = None,
    audio_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Refuse audio that lies outside, links followed.")
    ] = None,
    on_error: Annotated[
        str,
        typer.Option(
            metavar="fail|skip",
            help="fail: list all bad files, write nothing; skip: record them in the store.",
        ),
    ] = "fail",
    sr: Annotated[int, typer.Option(help="Sampling rate in Hz.")] = FrontEnd.sr,
    seconds: Annotated[float, typer.Option(help="Length of a segment.")] = FrontEnd.segment_seconds,
    mels: Annotated[int, typer.Option(help="Mel bands.")] = FrontEnd.n_mels,
    frames: Annotated[int, typer.Option(help="Frames of a picture.")] = FrontEnd.n_frames,
    fit: Annotated[str, typer.Option(metavar="|".join(FITS), help="How 121 frames become 128.")] = FrontEnd.fit,
    tail: Annotated[
        str,
        typer.Option(metavar="|".join(TAILS), help="The last piece: pad it, or let it overlap the one before."),
    ] = FrontEnd.tail,
    pad: Annotated[
        str, typer.Option(metavar="|".join(PADS), help="What short pieces are padded with.")
    ] = FrontEnd.pad,
    min_tail: Annotated[
        float, typer.Option(help="A last piece shorter than this many seconds joins the one before.")
    ] = FrontEnd.min_tail_seconds,
    trim: Annotated[
        float,
        typer.Option(
            metavar="DB", help="Leave out silence at both ends, this far below the loudest; 35 is usual, 0 keeps it."
        ),
    ] = FrontEnd.trim_db,
) -> None:
    """Turn audio into a store of log-mel spectrograms.

    Utterances are cut into 3-second segments, each a 128x128 picture. Labels come
    from a CSV; without one, from the name of each file's folder.

    \b
    Example:
      sertools extract wavs/ -o specs.h5
      sertools corpus ravdess RAVDESS/ | sertools extract - -o specs.h5
    """
    from sertools import api

    front_end = FrontEnd(
        sr=sr,
        segment_seconds=seconds,
        n_mels=mels,
        n_frames=frames,
        fit=fit,
        tail=tail,
        pad=pad,
        min_tail_seconds=min_tail,
        trim_db=trim,
    )
    last = api.extract(
        sources,
        out,
        labels=labels,
        audio_root=audio_root,
        jobs=jobs,
        shard=shard,
        on_error=on_error,
        front_end=front_end,
        stdin=io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape", newline=""),
        progress=showing("extract", lambda p: (p.done, p.total, f"{p.n_rows} rows")),
    )
    if last:
        skipped = f", {last.n_rejected} files skipped (see `sertools info {out}`)" if last.n_rejected else ""
        voice.say(f"{out}: {last.n_rows} rows from {last.total - last.n_rejected} recordings{skipped}")
