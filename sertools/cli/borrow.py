"""``sertools borrow``: stores of other corpora → store of their rows in our domain."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import argument, output, read_relabel
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def borrow(
    train: Annotated[Path, argument("TRAIN.h5", "The training store.")],
    donors: Annotated[list[Path], argument("DONOR.h5", "Stores of other corpora that have the class.")],
    out: Annotated[Path, output("BORROWED.h5", "The donors' rows, to train on beside TRAIN.h5.")],
    **options: Any,
) -> None:
    """Bring other corpora's rows of a rare class into our domain.

    It is what informed class means are compared with: `fit-latents --donor` takes
    of donors where the class lies, this their rows themselves, and the classifier
    learns their voices and rooms too. As they are (--map none) they do harm.
    For vectors of an encoder.

    \b
    Example:
      sertools borrow train.h5 emodb.h5 nemo.h5 --class angry -o borrowed.h5
      sertools train-clf train.h5 borrowed.h5 --loss weighted -o linear.safetensors
    """
    from sertools import api

    counts = api.borrow(train, donors, out, **{**options, "relabel": read_relabel(options["relabel"])})
    voice.say(f"{out}: {', '.join(f'{n} {name}' for name, n in counts.items())}")
    for corpus, licence in api.info(out)["licences"].items():
        voice.say(f"licence of {corpus}, for what is made with it too: {licence}")
