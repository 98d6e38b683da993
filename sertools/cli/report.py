"""``sertools report``: results → table."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import verb
from sertools.errors import UsageError


@verb
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
) -> None:
    """Put many results into one table, with intervals.

    Rows: full, imbalanced, the paper's methods, then others as the files name them. CSV and JSON hold every number.
    Files of score become a table of generators.
    CSV of another tool: method, id, emotion, predicted; and fold, reduced, seed, speaker, p_CLASS if you like.

    \b
    Example:
      sertools report results/*.json --format markdown
      sertools report results/*.json --layout table3 --paper
    """
    from sertools.scoring.formats import check_format
    from sertools.scoring.layouts import check_layout, render_layout
    from sertools.scoring.report import summarise
    from sertools.scoring.rivals import read_results
    from sertools.scoring.score_table import compare, is_score

    known_layout = check_layout(layout, paper)
    if baseline is not None and known_layout != "summary":
        raise UsageError(f"--baseline: {layout} compares nothing; leave it out, or use --layout summary")
    known_format = check_format(table_format)
    if any(is_score(path) for path in results):
        if baseline is not None or known_layout != "summary":
            raise UsageError("--baseline and --layout are for results of evaluate; these are scores")
        print(compare(results, known_format), end="")
        return
    found = summarise(read_results(results), baseline)
    print(render_layout(found, known_layout, known_format, paper), end="")
