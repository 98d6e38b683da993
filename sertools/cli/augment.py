"""``sertools augment``: training store → balanced training store."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.balance.strategies import STRATEGIES
from sertools.balance.strategies import strategy as find
from sertools.cli.options import Seed, output, verb
from sertools.cli.progress import voice


@verb
def augment(
    store: Annotated[Path, typer.Argument(metavar="TRAIN.h5", help="The training store.", show_default=False)],
    out: Annotated[Path, output("OUT.h5", "The whole augmented training store.")],
    strategy: Annotated[
        str, typer.Option(metavar="|".join(STRATEGIES), help="A strategy of the paper's Table 1.")
    ] = "CP",
    seed: Seed = 0,
) -> None:
    """Balance a training store without a GAN.

    The output holds the old rows and the new.

    \b
    Example:
      sertools augment train.h5 --strategy CP -o train-cp.h5
    """
    from sertools.balance.augmentation import augment_store

    counts = augment_store(store, out, find(strategy), seed=seed)
    voice.say(f"{out}: " + ", ".join(f"{name} {before} → {after}" for name, (before, after) in counts.items()))
