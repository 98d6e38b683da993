"""``sertools report``: results → table, or page."""

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
    out: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="P.html",
            help="Also write one page with pictures, that needs no other file.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Put many results into one table, with intervals.

    Rows: full, imbalanced, the paper's methods, then others as the files name them. CSV and JSON hold every number.
    Files of score become a table of generators.
    CSV of another tool: method, id, emotion, predicted; and fold, reduced, seed, speaker, p_CLASS if you like.

    \b
    Example:
      sertools report results/*.json --format markdown
      sertools report results/*.json --layout table3 --paper
      sertools report results/*.json --html report.html
    """
    from sertools.provenance import atomic_output, refuse_clobber
    from sertools.scoring.formats import check_format
    from sertools.scoring.layouts import check_layout, render_layout
    from sertools.scoring.report import summarise
    from sertools.scoring.rivals import read_results
    from sertools.scoring.score_table import compare, is_score

    known_layout = check_layout(layout, paper)
    if baseline is not None and known_layout != "summary" and out is None:
        raise UsageError(f"--baseline: {layout} compares nothing; leave it out, or use --layout summary")
    known_format = check_format(table_format)
    if out is not None:
        refuse_clobber(out, results)
    if any(is_score(path) for path in results):
        if baseline is not None or known_layout != "summary" or out is not None:
            raise UsageError("--baseline, --layout and --html are for results of evaluate; these are scores")
        print(compare(results, known_format), end="")
        return
    read = read_results(results)
    found = summarise(read, baseline)
    if out is not None:
        from sertools.scoring.page import render_page

        page = render_page(found, read, known_layout, paper)
        with atomic_output(out) as part:
            part.write_text(page, encoding="utf-8", newline="\n")
    print(render_layout(found, known_layout, known_format, paper), end="")
