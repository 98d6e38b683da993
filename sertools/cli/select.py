"""``sertools select``: store → store."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.completion import conditions, shares
from sertools.cli.options import Seed, output
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def select(
    store: Annotated[Path, typer.Argument(metavar="S.h5", help="The store to choose from.", show_default=False)],
    out: Annotated[Path, output("T.h5", "The chosen rows.")],
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL=V[,V]",
            help="Rows whose column has one of the values; COL!=V for none. Repeatable.",
            autocompletion=conditions,
        ),
    ] = None,
    fold: Annotated[str | None, typer.Option(metavar="K/N", help="Part K of N; with -v, all the others.")] = None,
    by: Annotated[
        str, typer.Option(metavar="speaker|session|utterance", help="What a fold keeps together.")
    ] = "speaker",
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=FRACTION",
            help="Keep only this share of a class's utterances. Repeatable.",
            autocompletion=shares,
        ),
    ] = None,
    invert: Annotated[
        bool, typer.Option("-v", "--invert", help="Keep exactly what the same line without -v leaves out.")
    ] = False,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the pictures; otherwise the output points to them.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Choose rows of a store: the toolkit's grep.

    All conditions are ANDed.

    \b
    Example:
      sertools select specs.h5 --fold 1/5 -o test.h5
      sertools select specs.h5 --fold 1/5 -v -o full.h5
      sertools select full.h5 --keep angry=0.2 -o train.h5
    """
    from sertools import api
    from sertools.store.select import parse_keep

    n_rows = api.select(
        store,
        out,
        where=where or (),
        fold=fold,
        by=by,
        keep=parse_keep(keep or ()),
        invert=invert,
        copy=copy,
        seed=seed,
    )
    voice.say(f"{out}: {n_rows} rows")
