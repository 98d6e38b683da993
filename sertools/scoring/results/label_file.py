"""What was predicted, as CSV or NDJSON: a line a recording, written as soon as it is known.

::

    file,predicted,confidence,p_angry,p_happy,p_sad
    wavs/a.wav,angry,0.81,0.81,0.12,0.07

    {"file": "wavs/a.wav", "predicted": "angry", "confidence": 0.81, "posterior": {"angry": 0.81, …}}

``id`` stands for ``file`` where rows came from a store, and ``start`` and ``end`` in seconds come behind it where
recordings are parts of files. Names are as they were given.
"""

import csv
import json
from collections.abc import Iterable
from typing import Any, TextIO

from sertools.scoring.results.predicting import Predicted, Predictions
from sertools.scoring.results.rival_file import POSTERIOR

_DECIMALS = 6  # as in a result file


def write_predictions(found: Predictions, labelled: Iterable[Predicted], stream: TextIO, form: str) -> int:
    """Write what was said, each line as soon as it is there.

    Parameters
    ----------
    found
        What is iterated.
    labelled
        Its recordings, as they come.
    stream
        Open for writing, UTF-8, with ``newline=""`` where it is a file.
    form
        ``csv`` or ``ndjson``.

    Returns
    -------
    int
        How many.
    """
    table = csv.writer(stream, lineterminator="\n")
    if form == "csv":
        spans = ("start", "end") if found.has_spans else ()
        table.writerow(
            [found.named_by, *spans, "predicted", "confidence", *(f"{POSTERIOR}{name}" for name in found.classes)]
        )
    count = 0
    for one in labelled:
        shares = {name: round(share, _DECIMALS) for name, share in one.posterior.items()}
        said: dict[str, Any] = {found.named_by: one.name}
        if found.has_spans:
            said |= {"start": one.start, "end": one.end}
        said |= {"predicted": one.predicted, "confidence": shares[one.predicted]}
        if form == "csv":
            table.writerow([*said.values(), *shares.values()])
        else:
            stream.write(json.dumps({**said, "posterior": shares}) + "\n")
        stream.flush()
        count += 1
    return count
