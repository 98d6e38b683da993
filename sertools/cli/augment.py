"""``sertools augment``: training store → balanced training store."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import argument, output
from sertools.cli.progress import showing, voice
from sertools.cli.verbs import verb


@verb(dry_run=True)
def augment(
    store: Annotated[Path, argument("TRAIN.h5", "The training store.")],
    out: Annotated[Path, output("OUT.h5", "The whole augmented training store.")],
    **options: Any,
) -> None:
    """Balance a training store without a GAN.

    CP copies rows; SA and its variants alter the audio that rows come from
    (stretch, shift, noise); RS removes rows. PS, SP, VTLP and FF have one
    transform each (pitch, speed, vocal tract, frequency filter), RA several in
    a row. The output holds the old rows and the new. Of a store of vectors,
    altered audio is given to their encoder again.

    \b
    Example:
      sertools augment train.h5 --strategy CP -o train-cp.h5
      sertools augment train.h5 --strategy SAR --noise noise/ -o train-sar.h5
      sertools augment train.h5 --strategy RA --in-a-row 3 --magnitude 4 -o train-ra.h5
      sertools augment emb.h5 --strategy SARS --encoder whisper-base/ -o emb-sars.h5
    """
    from sertools import api

    counts = api.augment(store, out, **options, progress=showing("augment", lambda p: (p.done, p.total, "")))
    if counts:
        changes = ", ".join(f"{name} {before} → {after}" for name, (before, after) in counts.items())
        voice.say(f"{out}: {changes}")
