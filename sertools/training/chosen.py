"""``python3 -m sertools.training.chosen CLASSIFIER VAL -o OUT``: keep a classifier chosen on validation rows.

Its weights stay as they are. What it was chosen on is no test of it any more, and the copy says so.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from sertools.errors import SertoolsError, printable
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


def main(words: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python3 -m sertools.training.chosen",
        description="Copies a classifier, to which the validation rows that it was chosen on then count as seen.",
    )
    parser.add_argument("classifier", type=Path, metavar="CLASSIFIER")
    parser.add_argument("val", type=Path, metavar="VAL", help="the store that it was chosen on")
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="OUT")
    asked = parser.parse_args(words)
    try:
        keep_chosen(asked.classifier, asked.val, asked.output)
    except SertoolsError as error:
        print(f"{parser.prog}: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
