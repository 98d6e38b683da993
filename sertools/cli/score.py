"""``sertools score``: real and generated rows → whether the synthetic data are any good."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import AsJson, argument, read_tags
from sertools.cli.verbs import verb


@verb()
def score(
    real: Annotated[Path, argument("REAL.h5", "What the generator was trained on.")],
    synth: Annotated[Path, argument("SYNTH.h5", "What it made.")],
    *,
    as_json: AsJson = False,
    **options: Any,
) -> None:
    """Say whether generated rows are any good.

    Every figure stands beside that of real speech that the generator has not seen. Classes with fewer than 30 rows of
    any kind (real, held-out, generated) are not scored on their own. "As real as held-out speech" has to be shown, by
    --heldout of five or more speakers who are not in REAL; else rows are "not told apart", with how many would do.

    \b
    Example:
      sertools score train.h5 synth.h5 --heldout val.h5
      sertools score train.h5 synth.h5 --heldout val.h5 --judge clf.safetensors > score.json
    """
    from sertools import api
    from sertools.reporting.reports.score_page import page

    options["tags"] = read_tags(options["tags"])
    scored = api.score(real, synth, **options)
    if as_json or not _on_terminal():
        print(json.dumps(scored, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(page(scored), end="")


def _on_terminal() -> bool:
    return sys.stdout.isatty()
