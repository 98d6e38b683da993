"""How the results of a method were made: the commands of one run, and what the others have else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sertools.errors import ModelError
from sertools.reporting.contents.commands import FILE_FLAGS, Commands, Step, commands_of
from sertools.reporting.contents.words import Word
from sertools.scoring.results.result import Result

_MOST_VALUES = 6


@dataclass(frozen=True)
class Recipe:
    """How the runs of one method were made.

    Attributes
    ----------
    method, run : str
        The method, and which of its runs is shown, by its tags.
    n_runs : int
        Runs of the method.
    lines : tuple of str
        Commands of that run.
    files : mapping of str to str
        What each name in them stands for.
    differ : tuple of (str, str)
        What the other runs have another value of: verb with flag, and the values.
    n_other : int
        Runs that were made by other commands.
    """

    method: str
    run: str
    n_runs: int
    lines: tuple[str, ...]
    files: Mapping[str, str]
    differ: tuple[tuple[str, str], ...]
    n_other: int


def recipe(runs: Sequence[Result]) -> Recipe | None:
    """Tell how the runs of a method were made; None where they came from another tool.

    Raises
    ------
    ModelError
        If a history is damaged.
    """
    made = [commands(run) for run in runs]
    chains = [each.steps for each in made]
    shown = chains[0]
    if not shown:
        return None
    alike = [chain for chain in chains if [step.verb for step in chain] == [step.verb for step in shown]]
    tags = [f"{tag} {value}" for tag, value in runs[0].tags.items() if tag != "method"]
    return Recipe(
        method=runs[0].tags.get("method", ""),
        run=", ".join(tags),
        n_runs=len(runs),
        lines=tuple(step.line() for step in shown),
        files=made[0].files,
        differ=tuple(_differences(alike)),
        n_other=len(chains) - len(alike),
    )


def commands(result: Result) -> Commands:
    """Turn a result's history into commands that make it.

    Raises
    ------
    ModelError
        If the history is damaged.
    """
    try:
        return commands_of(result.history, "result.json", result.tags)
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{result.source}: damaged history ({error}); evaluate again, or restore a copy") from None


def _differences(chains: Sequence[tuple[Step, ...]]) -> Iterator[tuple[str, str]]:
    """Flags whose values are not the same in all chains, which have the same verbs."""
    seen: dict[str, dict[str, None]] = {}
    for place, shown in enumerate(chains[0]):
        rows = [dict(_joined(chain[place].options)) for chain in chains]
        for flag in dict.fromkeys(flag for row in rows for flag in row if flag != "--tag" and flag not in FILE_FLAGS):
            values = dict.fromkeys(row.get(flag, "not given") for row in rows)
            if len(values) > 1:
                seen.setdefault(f"{shown.verb} {flag}", {}).update(values)
    for name, values in seen.items():
        listed = list(values)
        more = f" and {len(listed) - _MOST_VALUES} more" if len(listed) > _MOST_VALUES else ""
        yield name, "; ".join(listed[:_MOST_VALUES]) + more


def _joined(options: Sequence[Word]) -> Iterator[tuple[str, str]]:
    flags = dict.fromkeys(flag for flag, _ in options)
    for flag in flags:
        yield flag, " ".join(value for own, value in options if own == flag) or "given"
