"""Recordings as `extract` and `embed` take them."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sertools.cli.options import argument
from sertools.cli.progress import voice

if TYPE_CHECKING:
    from sertools.store.intake import ExtractProgress

Sources = Annotated[list[str], argument("SRC", "Audio files, folders, a labels CSV, or - for either on stdin.")]


def standard_input() -> io.TextIOWrapper:
    """Read labels or names as they come, whatever their bytes."""
    return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape", newline="")


def say_what_was_made(out: Path, last: "ExtractProgress | None") -> None:
    """Say how many rows were made of how many recordings."""
    if last:
        skipped = f", {last.n_rejected} files skipped (see `sertools info {out}`)" if last.n_rejected else ""
        voice.say(f"{out}: {last.n_rows} rows from {last.total - last.n_rejected} recordings{skipped}")
