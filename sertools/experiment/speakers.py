"""Folds of which each tests one speaker: known when the store is there, and not before."""

from __future__ import annotations

import csv
import io
import json

from sertools.errors import UsageError


def folds_of_speakers(info: str) -> str:
    """Write the folds of a store's speakers, in the order of their names.

    Parameters
    ----------
    info
        What ``sertools info --json`` says of the store.

    Returns
    -------
    str
        A CSV for ``select --folds``: speaker, and the number of the fold that tests nobody else. Who has no name is
        in none, and so neither tested nor trained on.

    Raises
    ------
    UsageError
        If it is no store's, or names fewer than two speakers.
    """
    try:
        speakers = list(json.loads(info)["speakers"])
    except (ValueError, KeyError, TypeError):
        raise UsageError("FOLDS=speakers: expected what `sertools info --json` says of a store") from None
    if len(speakers) < 2:
        raise UsageError(
            f"FOLDS=speakers: the store names {len(speakers)} speakers, and needs two; take a reader that knows "
            "them, or labels with a speaker column"
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("speaker", "fold"))
    writer.writerows(zip(speakers, range(1, len(speakers) + 1), strict=True))
    return text.getvalue()
