"""``sertools report``: results → table, or page."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.verbs import verb


@verb()
def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="R.json",
            help="From evaluate, or a CSV of another tool; or all from score.",
            show_default=False,
        ),
    ],
    baseline: Annotated[
        str | None, typer.Option(metavar="METHOD", help="What the others are compared with. [imbalanced]")
    ] = None,
    layout: Annotated[
        str, typer.Option(metavar="summary|table2|table3", help="Our table, or the paper's Table 2 or 3.")
    ] = "summary",
    paper: Annotated[
        bool, typer.Option("--paper", help="Put the paper's own figures beside ours, in its layouts.")
    ] = False,
    table_format: Annotated[
        str,
        typer.Option("--format", metavar="text|markdown|latex|csv|json", help="How the table is written."),
    ] = "text",
    out: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="P.html",
            help="Also write a page with pictures that needs no other file.",
            show_default=False,
        ),
    ] = None,
    same_speakers: Annotated[
        bool, typer.Option("--same-speakers", help="Speakers of one name are one person in all corpora.")
    ] = False,
) -> None:
    """Put many results into one table, with intervals.

    The rows are full, imbalanced, the paper's methods, then others as the files name them. CSV and JSON hold every
    number. Files of score become a table of generators. A CSV of another tool has the columns method, id, emotion and
    predicted, and may have fold, reduced, seed, corpus, speaker and p_CLASS.

    \b
    Example:
      sertools report results/*.json --format markdown
      sertools report results/*.json --layout table3 --paper
      sertools report results/*.json --html report.html
    """
    from sertools import api

    table = api.report(
        results,
        baseline=baseline,
        layout=layout,
        paper=paper,
        format=table_format,
        html=out,
        same_speakers=same_speakers,
    )
    print(table, end="")
