"""What donors tell of each class and weigh in it, as a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sertools.cli.progress import voice


def donor_rows(donors: Sequence[Mapping[str, Any]], own: Mapping[str, Mapping[str, float]]) -> list[dict[str, str]]:
    """Give a row for each class and donor that tells of it, and one for what weighs our own rows there."""
    return [row for name in own for row in _rows(name, donors, own[name])]


def _rows(name: str, donors: Sequence[Mapping[str, Any]], own: Mapping[str, float]) -> Iterator[dict[str, str]]:
    yield {"class": name, "of": "own rows", "rows": str(own["rows"]), "AUC": "", "weight": f"{own['weight']:.2f}"}
    for donor in donors:
        if name in donor.get("auc", ()):
            yield {
                "class": name,
                "of": donor["name"],
                "rows": str(donor["rows"][name]),
                "AUC": f"{donor['auc'][name]:.2f}",
                "weight": f"{donor['weight'][name]:.2f}",
            }


def print_table(rows: Sequence[Mapping[str, str]], *, stderr: bool = False) -> None:
    """Print rows of one layout on a terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*rows[0], box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(escape(voice.safe(value)) for value in row.values()))
    Console(stderr=stderr).print(table)
