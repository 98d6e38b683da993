"""``sertools report``: results → table."""

from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import verb


@verb
def report(
    results: Annotated[list[Path], typer.Argument(metavar="R.json", help="From evaluate.", show_default=False)],
    baseline: Annotated[
        str | None, typer.Option(metavar="METHOD", help="What the others are compared with. [imbalanced]")
    ] = None,
    table_format: Annotated[
        str,
        typer.Option("--format", metavar="text|markdown|latex|csv|json", help="How the table is written."),
    ] = "text",
) -> None:
    """Put many results into one table, with intervals.

    Rows: full, imbalanced, then the others in the order in which the files name them. CSV and JSON hold every number.

    \b
    Example:
      sertools report results/*.json --format markdown
    """
    from sertools.scoring.report import summarise
    from sertools.scoring.result_file import read_result
    from sertools.scoring.tables import check_format, render

    known_format = check_format(table_format)
    print(render(summarise([read_result(path) for path in results], baseline), known_format), end="")
