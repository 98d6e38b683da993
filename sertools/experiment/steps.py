"""The way from a fold's training store to a classifier of one method, line by line: for scripts that are not make."""

from __future__ import annotations

from collections.abc import Mapping

from sertools.errors import UsageError
from sertools.experiment.folds import REDUCTION
from sertools.experiment.methods import joined
from sertools.experiment.places import Cell
from sertools.experiment.rules import Rule
from sertools.experiment.settings import resolve


def shell_lines(given: Mapping[str, str]) -> str:
    """Give the commands of one cell, in an order in which they can run.

    Parameters
    ----------
    given
        Name → value of the settings; METHODS holds one method, the first of CLASSES is the reduced class. And FOLD,
        the number of the fold, for the seeds: the same that `make table2` derives; empty: none.

    Returns
    -------
    str
        A line each: the file, then verb and options of the command that makes it, in a folder with ``full.h5``, of
        which ``train.h5`` keeps a share of the class.

    Raises
    ------
    UsageError
        If a setting is wrong, or METHODS is not one method that needs ``train.h5`` alone.
    """
    settings = resolve(given)
    methods = [joined(name) for name in settings["METHODS"].split()]
    if len(methods) != 1 or methods[0].needs_reduction:
        raise UsageError(f"METHODS {settings['METHODS']!r}: expected one method that needs train.h5 alone")
    cell = Cell(
        folder="",
        train="train.h5",
        seed=settings["SEEDS"].split()[0],
        settings=settings,
        test="",
        val="",
        fold=given.get("FOLD", ""),
        reduced=settings["CLASSES"].partition(" ")[0],
    )
    trained, *_ = cell.classifier(methods[0])
    reduction = cell.rule(cell.train, ("full.h5",), REDUCTION, reduced=cell.reduced)
    rules = {rule.target: rule for rule in (reduction, *cell.artefacts(), *cell.stores(), trained)}
    return "".join(f"{command(rule)}\n" for rule in rules_in_order(rules, trained.target))


def rules_in_order(rules: Mapping[str, Rule], target: str) -> list[Rule]:
    """Give the rules that a file stems from, and its own; each once, after those that it needs."""
    before = [rule for need in rules[target].needs if need in rules for rule in rules_in_order(rules, need)]
    return list({rule.target: rule for rule in (*before, rules[target])}.values())


def command(rule: Rule) -> str:
    """Write the file, then verb and options of the command that makes it."""
    names = {"$(SERTOOLS)": "", "$<": rule.needs[0], "$^": " ".join(rule.needs), "$@": rule.target}
    words = (names.get(word, word) for word in rule.lines[-1].split())
    return " ".join([rule.target, *filter(None, words)])
