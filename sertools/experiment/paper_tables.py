"""Tables 2 and 3 as rules: a result for each method and cell, and the reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sertools.errors import UsageError
from sertools.experiment.folds import ALL, after_validation, folds, measured_on, where_words
from sertools.experiment.methods import (
    FULL,
    MINE,
    MINE_VECTORS,
    TABLE_2,
    TABLE_2_SMOKE,
    TABLE_2_VECTORS,
    TABLE_3,
    TABLE_3_VECTORS,
    WITH_DONORS,
    Joined,
    joined,
)
from sertools.experiment.places import Cell
from sertools.experiment.rules import OUT, Rule, Section, by_tool
from sertools.experiment.settings import Settings

WILD = f"{OUT}/wild"
DEMO = f"{OUT}/demo.txt"


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Attributes
    ----------
    sections : tuple of Section
        What its results stem from.
    results : tuple of str
        Paths, cell by cell, in the order in which the methods were asked for.
    """

    sections: tuple[Section, ...]
    results: tuple[str, ...]


def rows(table: str, settings: Settings) -> tuple[Joined, ...]:
    """Give the methods of ``table2``, ``table3`` or ``mine``: those that are asked for, or the table's own.

    Raises
    ------
    UsageError
        If one is unknown, or needs pictures where there are none.
    """
    if table == "table3":
        own = TABLE_3_VECTORS if settings["ENCODER"] else TABLE_3
    elif table == "mine":
        with_donors = ("informed",) if settings["DONORS"] else ()
        own = (*(MINE_VECTORS if settings["ENCODER"] else MINE), *with_donors)
    else:
        of_profile = TABLE_2_VECTORS if settings["ENCODER"] else TABLE_2
        own = TABLE_2_SMOKE if settings["PROFILE"] == "smoke" else of_profile
        own = (*own, *(WITH_DONORS if settings["ENCODER"] and settings["DONORS"] else ()))
    asked = [joined(name) for name in dict.fromkeys(settings["METHODS"].split() or own)]
    for method in asked:
        if settings["ENCODER"] and method.of_pictures:
            raise UsageError(
                f"METHODS: {method.name}: needs pictures, and the rows of ENCODER are vectors; leave one of both out"
            )
    return tuple(method for method in asked if table == "table2" or not method.needs_reduction)


def table2(settings: Settings) -> PaperTable:
    """Give the rules of Table 2: folds, reduced classes, seeds.

    Raises
    ------
    UsageError
        If a method is unknown.
    """
    asked = rows("table2", settings)
    everything = [method for method in asked if method.name == FULL]
    reduced = [method for method in asked if method.name != FULL]
    seeds, classes = settings["SEEDS"].split(), settings["CLASSES"].split()
    sections = []
    results = []
    for fold in folds(settings):
        sections.append(fold.rules())
        for seed in seeds:
            whole = fold.cell(seed)
            results += [whole.result(method) for method in everything]
            sections.append(_section(f"Fold {fold.number}, all rows, seed {seed}", whole, everything))
            for name in classes:
                cell = fold.cell(seed, name)
                results += [cell.result(method) for method in reduced]
                title = f"Fold {fold.number}, {name} reduced, seed {seed}"
                sections.append(_section(title, cell, reduced, fold.reduction(cell)))
    return PaperTable(tuple(sections), tuple(results))


def _section(title: str, cell: Cell, asked: Sequence[Joined], *before: Rule) -> Section:
    # Some methods share a classifier.
    trained = {rule.target: rule for method in asked for rule in cell.classifier(method)}
    return Section(title, (*before, *cell.artefacts(), *cell.stores(), *trained.values()))


def table3(settings: Settings) -> PaperTable:
    """Give the rules of Table 3: a corpus as it is, 80 % to train on and 20 % to validate, and a test set apart.

    Raises
    ------
    UsageError
        If a method is unknown.
    """
    whole, rest, pool, val = (f"{WILD}/{name}.h5" for name in ("all", "rest", "pool", "val"))
    test = settings["TEST"] or f"{WILD}/test.h5"
    thin = " ".join(f"--keep {pair}" for pair in settings["THIN"].split())
    values = {**settings, **where_words(settings["WILD"]), "thin": thin}
    made: list[tuple[str, str, str]] = [(whole, ALL, "select $< {where} -o $@")]
    if not settings["TEST"]:
        made += [
            (test, whole, "select $< --fold 1/3 --by {BY} -o $@"),
            (rest, whole, "select $< --fold 1/3 --by {BY} -v -o $@"),
        ]
    made += [
        (pool, whole if settings["TEST"] else rest, "select $< {thin} -o $@"),
        (val, pool, "select $< --fold 1/5 --by utterance -o $@"),
        (f"{WILD}/train.h5", pool, "select $< --fold 1/5 --by utterance -v -o $@"),
    ]
    stores = [by_tool(target, (source,), line, values) for target, source, line in made]
    stores[-1] = after_validation(stores[-1], val)
    sections = [Section("The corpus as it is", tuple(stores))]
    asked = rows("table3", settings)
    cells = [
        Cell(
            folder=f"{WILD}/seed{seed}",
            train=f"{WILD}/train.h5",
            seed=seed,
            settings=settings,
            test=test,
            val=val,
            fold="1",
            added=measured_on(val),
        )
        for seed in settings["SEEDS"].split()
    ]
    sections += [_section(f"The corpus as it is, seed {cell.seed}", cell, asked) for cell in cells]
    return PaperTable(tuple(sections), tuple(cell.result(method) for method in asked for cell in cells))


def demo_report(settings: Settings) -> Section:
    """Give the rule of the demo's report, a text and a page."""
    lines = (f"$(BIN)/sertools report $^ --html {OUT}/demo.html > $@.part", "mv $@.part $@")
    needs = ("$(results_table2)", *settings["RIVALS"].split())
    return Section("The report", (Rule(target=DEMO, needs=needs, lines=lines),))


def table_text(table: str, results: PaperTable, settings: Settings) -> Section:
    """Give the rule of a table's text: the paper's layout, then scores and intervals."""
    # Both reports have the answer and may share notes: what stands in the first is not said again.
    lines = (
        f"$(BIN)/sertools report $^ --layout {table} --paper > $@.both",
        "echo >> $@.both",
        "$(BIN)/sertools report $^ >> $@.both",
        "awk -v RS= -v ORS='\\n\\n' '!said[$$0]++' $@.both > $@.part",
        "rm $@.both",
        "mv $@.part $@",
    )
    needs = (f"$(results_{table})", *settings["RIVALS"].split())
    rule = Rule(target=f"{OUT}/{table}.txt", needs=needs, lines=lines)
    return Section(f"Table {table[-1]}", (rule,), {f"results_{table}": results.results})
