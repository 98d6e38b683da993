"""``sertools extract``: audio → store."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.options import Jobs, Missing, Synonyms, output
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb
from sertools.config import FrontEnd
from sertools.keywords import JOBS, SYNONYMS


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
    labels: Annotated[Path | None, typer.Option(metavar="CSV", help="Labels of the audio of SRC.")] = None,
    jobs: Jobs = JOBS.default,
    shard: Annotated[
        str | None, typer.Option(metavar="K/N", help="Only the K-th of N parts; `merge` joins them.")
    ] = None,
    audio_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Refuse audio outside this folder, also behind links.")
    ] = None,
    on_error: Annotated[
        str,
        typer.Option(
            metavar="fail|skip",
            help="fail: list all bad files, write nothing; skip: record them in the store.",
        ),
    ] = "fail",
    missing: Missing = None,
    synonyms: Synonyms = SYNONYMS.default,
    corpus: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which corpus SRC is; ids and speakers are names within it."),
    ] = None,
    **front_end: Any,
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

    last = api.extract(
        sources,
        out,
        labels=labels,
        audio_root=audio_root,
        jobs=jobs,
        shard=shard,
        on_error=on_error,
        missing=missing,
        synonyms=synonyms,
        corpus=corpus,
        front_end=FrontEnd(**front_end),
        stdin=io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape", newline=""),
        progress=showing("extract", lambda p: (p.done, p.total, f"{p.n_rows} rows")),
    )
    if last:
        skipped = f", {last.n_rejected} files skipped (see `sertools info {out}`)" if last.n_rejected else ""
        voice.say(f"{out}: {last.n_rows} rows from {last.total - last.n_rejected} recordings{skipped}")
