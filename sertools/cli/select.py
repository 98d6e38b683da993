"""``sertools select``: store → store."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Seed, output, verb
from sertools.cli.progress import voice


@verb
def select(
    store: Annotated[Path, typer.Argument(metavar="S.h5", help="The store to choose from.", show_default=False)],
    out: Annotated[Path, output("T.h5", "The chosen rows.")],
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL=V[,V]", help="Rows whose column has one of the values; COL!=V for none. Repeatable."
        ),
    ] = None,
    fold: Annotated[str | None, typer.Option(metavar="K/N", help="Part K of N; with -v, all the others.")] = None,
    by: Annotated[
        str, typer.Option(metavar="speaker|session|utterance", help="What a fold keeps together.")
    ] = "speaker",
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=FRACTION", help="Keep only this share of a class's utterances. Repeatable."),
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
    from sertools.store.select import Selection, parse_condition, parse_keep, parse_part, select_store

    selection = Selection(
        where=tuple(parse_condition(text) for text in where or ()),
        fold=parse_part(fold, "--fold") if fold else None,
        by=by,
        keep=parse_keep(keep or ()),
        invert=invert,
        seed=seed,
    )
    voice.say(f"{out}: {select_store(store, out, selection, copy=copy)} rows")
