"""``sertools report``: results → table, or page."""

from pathlib import Path
from typing import Annotated, Any

from sertools.cli.options import argument
from sertools.cli.verbs import verb


@verb()
def report(
    results: Annotated[list[Path], argument("R.json", "From evaluate, or a CSV of another tool; or all from score.")],
    **options: Any,
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
      sertools report results/*.json --power 2
    """
    from sertools import api

    print(api.report(results, **options), end="")
