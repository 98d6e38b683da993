"""``sertools train-clf``: stores → classifier."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import Stores, output
from sertools.cli.training import follow_training
from sertools.cli.verbs import verb


@verb(dry_run=True, distributed=True)
def train_clf(
    stores: Stores, out: Annotated[Path, output("CLF", "The classifier (safetensors).")], **options: Any
) -> None:
    """Train a classifier on any number of stores.

    CLF.log.ndjson logs every tenth step; `plot` draws it.

    \b
    Example:
      sertools train-clf train.h5 synth.h5 -o clf.safetensors
    """
    from sertools import api

    follow_training(api.train_clf, stores, out, **options)
