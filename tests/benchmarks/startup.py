"""How long help takes: `sertools --help` and that of every verb, against a Python that does nothing."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial

from pairs import Figure, compare, python, wall_seconds

from sertools.cli import VERBS

NOTHING, TYPER = python("-c", "pass"), python("-c", "import typer.main")
GOAL, GOAL_OF_A_VERB = 10.0, 15.0


def against_nothing(arguments: list[str], pairs: int, what: str, goal: float, size: str) -> Figure:
    command = python("-m", "sertools", *arguments)
    wall_seconds(command)  # once, so that what Python compiles is kept
    return compare(
        partial(wall_seconds, command), partial(wall_seconds, NOTHING), pairs=pairs, what=what,
        against="`python -c pass`", unit="time", goal=goal, size=size,
        floor="importing typer alone", bound=partial(wall_seconds, TYPER),
    )  # fmt: skip


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as compiled:
        # As in an installation, where modules are compiled once.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = compiled
        wall_seconds(NOTHING), wall_seconds(TYPER)
        against_nothing(["--help"], pairs, "`sertools --help`", GOAL, "whole command").say()
        names = [verb.__name__.replace("_", "-") for verb in VERBS]
        figures = [
            against_nothing([name, "--help"], pairs, "`--help` of the slowest verb", GOAL_OF_A_VERB, f"`{name}`")
            for name in names
        ]
        max(figures, key=lambda figure: figure.ratio).say()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
