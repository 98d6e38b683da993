"""``sertools augment``: training store → balanced training store."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.balance.strategies import STRATEGIES
from sertools.cli.options import Jobs, Seed, output
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb
from sertools.keywords import JOBS


@verb(dry_run=True)
def augment(
    store: Annotated[Path, typer.Argument(metavar="TRAIN.h5", help="The training store.", show_default=False)],
    out: Annotated[Path, output("OUT.h5", "The whole augmented training store.")],
    strategy: Annotated[
        str, typer.Option(metavar="|".join(STRATEGIES), help="A strategy of the paper's Table 1 or 3.")
    ] = "CP",
    noise: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Background noise, for SA, SAR, SARM and SARB.")
    ] = None,
    audio_root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the corpus lies; no path is followed out of it.")
    ] = None,
    jobs: Jobs = JOBS.default,
    seed: Seed = 0,
) -> None:
    """Balance a training store without a GAN.

    CP copies rows; SA and its variants alter the audio that rows come from
    (stretch, shift, noise); RS removes rows. The output holds the old rows and
    the new.

    \b
    Example:
      sertools augment train.h5 --strategy CP -o train-cp.h5
      sertools augment train.h5 --strategy SAR --noise noise/ -o train-sar.h5
    """
    from sertools import api

    counts = api.augment(
        store,
        out,
        strategy=strategy,
        noise=noise,
        audio_root=audio_root,
        jobs=jobs,
        seed=seed,
        progress=showing("augment", lambda p: (p.done, p.total, "")),
    )
    if counts:
        changes = ", ".join(f"{name} {before} → {after}" for name, (before, after) in counts.items())
        voice.say(f"{out}: {changes}")
