"""``sertools score``: real and generated rows → whether the synthetic data are any good."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Device, Seed, Tags, read_tags
from sertools.cli.verbs import verb


@verb()
def score(
    real: Annotated[
        Path, typer.Argument(metavar="REAL.h5", help="What the generator was trained on.", show_default=False)
    ],
    synth: Annotated[Path, typer.Argument(metavar="SYNTH.h5", help="What it made.", show_default=False)],
    heldout: Annotated[
        Path | None,
        typer.Option(metavar="S.h5", help="Real rows that the generator has not seen; without them REAL is halved."),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(metavar="CLF", help="A classifier trained on REAL; rows are compared in its features as well."),
    ] = None,
    tag: Tags = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as into a pipe.")] = False,
) -> None:
    """Say whether generated rows are any good.

    Every figure stands beside that of real speech that the generator has not seen. Classes with fewer than 30 rows of
    any kind (real, held-out, generated) are not scored on their own.

    \b
    Example:
      sertools score train.h5 synth.h5 --heldout val.h5
      sertools score train.h5 synth.h5 --heldout val.h5 --judge clf.safetensors > score.json
    """
    from sertools import api
    from sertools.reporting.reports.score_page import page

    scored = api.score(real, synth, heldout=heldout, judge=judge, tags=read_tags(tag), seed=seed, device=device)
    if as_json or not _on_terminal():
        print(json.dumps(scored, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(page(scored), end="")


def _on_terminal() -> bool:
    return sys.stdout.isatty()
