"""``sertools embed``: audio → store of vectors."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import output
from sertools.cli.progress import showing
from sertools.cli.sources import Sources, say_what_was_made, standard_input
from sertools.cli.verbs import verb


@verb(dry_run=True)
def embed(
    sources: Sources,
    out: Annotated[Path, output("EMB.h5", "The store.")],
    **options: Any,
) -> None:
    """Turn audio into a store of vectors, by a frozen pretrained encoder.

    A row is an utterance: the average of a hidden layer over its frames. A store
    as SRC stands for its recordings. `pip install 'sertools[encoder]'` brings
    what reads encoders. A run that was stopped starts again; split a long one by --shard.

    \b
    Example:
      sertools embed wavs/ -o emb.h5 --encoder whisper-base/ --trim 35
      sertools embed specs.h5 -o 'emb-{layer}.h5' --encoder whisper-base/ --layer 2,3
    """
    from sertools import api

    last = api.embed(
        sources,
        out,
        stdin=standard_input(),
        progress=showing("embed", lambda p: (p.done, p.total, f"{p.n_rows} rows")),
        **options,
    )
    say_what_was_made(out, last)
