"""``python3 -m sertools.training.chosen CLASSIFIER VAL OUTPUT``: keep a classifier chosen on validation rows.

Its weights stay as they are. What it was chosen on is no test of it any more, and the copy says so.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from sertools.errors import SertoolsError, UsageError, printable
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_model, save_model
from sertools.training.classifier import KIND


def keep_chosen(classifier: Path, val: Path, output: Path) -> None:
    """Write a copy of a classifier to which the utterances of a store count as chosen on.

    Raises
    ------
    ModelError
        If it is no classifier, or damaged.
    StoreError
        If the store cannot be read.
    """
    header, tensors = load_model(classifier, KIND)
    lineage = header.lineage.selected(open_rows([val]).seen)
    save_model(output, dataclasses.replace(header, lineage=lineage), tensors)


def main(words: Sequence[str]) -> int:
    """Run it; return the exit code."""
    try:
        if len(words) != 3:
            raise UsageError(f"expected CLASSIFIER VAL OUTPUT, and not {len(words)} words")
        keep_chosen(*map(Path, words))
    except SertoolsError as error:
        print(f"sertools.training.chosen: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
