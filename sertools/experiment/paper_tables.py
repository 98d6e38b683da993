"""Tables 2 and 3 as rules: the corpus, its folds, a result for each method and cell, and the reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sertools.errors import UsageError
from sertools.experiment.methods import (
    FULL,
    TABLE_2,
    TABLE_2_SMOKE,
    TABLE_2_VECTORS,
    TABLE_3,
    TABLE_3_VECTORS,
    Joined,
    joined,
)
from sertools.experiment.places import Cell
from sertools.experiment.rules import OUT, Rule, Section, by_tool, fill
from sertools.experiment.settings import SPEAKERS, Settings, are_parts
from sertools.published_folds import fold_names

ALL = f"{OUT}/all.h5"
SPECS = f"{OUT}/specs.h5"
OF_SPEAKERS = f"{OUT}/speakers.csv"
WILD = f"{OUT}/wild"
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_EXTRACT = "extract $< -o $@ --jobs $(JOBS) {FRONT_END}"
REDUCTION = "select $< --keep {reduced}={KEEP} --seed {keep} -o $@"
_EMBED = "embed $< -o $@ --encoder {ENCODER} --device {DEVICE} {FRONT_END}"
_FOLDS_OF_SPEAKERS = Rule(
    target=OF_SPEAKERS,
    needs=(SPECS,),
    lines=(
        "$(BIN)/sertools info $< --json | $(BIN)/python -m sertools.experiment --speakers > $@.part",
        "mv $@.part $@",
    ),
)


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Attributes
    ----------
    sections : tuple of Section
        What its results stem from.
    results : tuple of str
        Paths, in the order in which the methods were asked for.
    """

    sections: tuple[Section, ...]
    results: tuple[str, ...]


def corpus_stores(settings: Settings) -> Section:
    """Give the rules from the recordings to the store of Table 2's classes."""
    if settings["CORPUS"]:
        labels = f"{OUT}/labels.csv"
        relabel = " ".join(f"--relabel {pair}" for pair in settings["RELABEL"].split())
        read = fill("corpus {READER} {CORPUS} {relabel} > $@", {**settings, "relabel": relabel})
        lines = ("@mkdir -p $(@D)", f"$(SERTOOLS) {read}")
        rule = Rule(target=labels, needs=(), lines=lines, first=("$(READY)",))
    else:
        labels = f"{OUT}/corpus/labels.csv"
        spoken = (f"@mkdir -p {OUT}", "rm -rf $(@D)", "$(BIN)/python $< $(@D)")
        rule = Rule(target=labels, needs=("examples/demo_corpus.py",), lines=spoken, first=("$(READY)",))
    return Section(
        "The corpus",
        (
            rule,
            by_tool(ALL, (labels,), _EMBED if settings["ENCODER"] else _EXTRACT, settings),
            by_tool(SPECS, (ALL,), "select $< {where} -o $@", _where(settings["EMOTIONS"])),
            *([_FOLDS_OF_SPEAKERS] if settings["FOLDS"] == SPEAKERS else []),
        ),
    )


def _where(classes: str) -> dict[str, str]:
    return {"where": f"--where emotion={','.join(classes.split())}" if classes else ""}


@dataclass(frozen=True)
class Fold:
    """One fold of Table 2: its number, from 1."""

    number: str
    settings: Settings

    @property
    def folder(self) -> str:
        """Its folder."""
        return f"{OUT}/{self.number}"

    @property
    def test(self) -> str:
        """The store to test on."""
        return f"{self.folder}/test.h5"

    @property
    def full(self) -> str:
        """The training store with nothing removed."""
        return f"{self.folder}/{'full' if self.settings['VAL'] else 'rest'}.h5"

    @property
    def val(self) -> str:
        """The store to fit operating points on; empty: none."""
        return f"{self.folder}/val.h5" if self.settings["VAL"] else ""

    @property
    def stores(self) -> tuple[str, ...]:
        """What all of its cells share."""
        return (self.full, self.test, *([self.val] if self.val else []))

    def rules(self) -> Section:
        """Give the rules of its stores."""
        rest = f"{self.folder}/rest.h5"
        own = {SPEAKERS: OF_SPEAKERS}.get(self.settings["FOLDS"], "{FOLDS}")
        parts = are_parts(self.settings["FOLDS"])
        part = f"--fold {self.number}/{own} --by {{BY}}" if parts else f"--folds {own} --fold {self.number}"
        specs = (SPECS, OF_SPEAKERS) if own == OF_SPEAKERS else (SPECS,)
        val = "select $< --fold 1/{VAL} --by {VAL_BY}"
        made = (
            (self.test, specs, f"select $< {part} -o $@"),
            (rest, specs, f"select $< {part} -v -o $@"),
            (f"{self.folder}/val.h5", (rest,), f"{val} -o $@"),
            (f"{self.folder}/full.h5", (rest,), f"{val} -v -o $@"),
        )
        rules = [by_tool(target, needs, line, self.settings) for target, needs, line in made]
        rules[-1] = _after(rules[-1], f"{self.folder}/val.h5")
        return Section(f"Fold {self.number}", tuple(rules))

    def cell(self, seed: str, reduced: str = "") -> Cell:
        """Give the cell of a seed and a reduced class; without a class that of everything."""
        everything = f"{self.folder}/seed{seed}"
        folder = f"{self.folder}/{reduced}/seed{seed}"
        return Cell(
            folder=folder if reduced else everything,
            train=f"{folder}/train.h5" if reduced else self.full,
            seed=seed,
            settings=self.settings,
            test=self.test,
            val=self.val,
            fold=self.number,
            reduced=reduced,
            oracles=everything,
            added=_measured_on(self.val),
        )

    def reduction(self, cell: Cell) -> Rule:
        """Give the rule of a cell's training store."""
        return cell.rule(cell.train, (self.full,), REDUCTION, reduced=cell.reduced)


def folds(settings: Settings) -> tuple[Fold, ...]:
    """Give all folds of Table 2; none, while the speakers that are to have one each are not known.

    Raises
    ------
    UsageError
        If published folds cannot be read, or have names that make no folder.
    """
    asked = settings["FOLDS"]
    if are_parts(asked):
        return tuple(Fold(str(number), settings) for number in range(1, int(asked) + 1))
    path = Path((f"{settings['OUT']}/speakers.csv" if asked == SPEAKERS else asked).replace("$$", "$"))
    if asked == SPEAKERS and not path.exists():
        return ()
    names = fold_names(path)
    if odd := [name for name in names if not _FOLDER_NAME.fullmatch(name)]:
        raise UsageError(f"FOLDS {path}: fold {odd[0]!r} makes no name of a folder; use letters, digits, _ and -")
    return tuple(Fold(name, settings) for name in names)


def rows(table: str, settings: Settings) -> tuple[Joined, ...]:
    """Give the methods of ``table2`` or ``table3``: those that are asked for, or the table's own.

    Raises
    ------
    UsageError
        If one is unknown, or needs pictures where there are none.
    """
    if table == "table3":
        own = TABLE_3_VECTORS if settings["ENCODER"] else TABLE_3
    elif settings["ENCODER"]:
        own = TABLE_2_VECTORS
    else:
        own = TABLE_2_SMOKE if settings["PROFILE"] == "smoke" else TABLE_2
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
    for fold in folds(settings):
        sections.append(fold.rules())
        for seed in seeds:
            whole = fold.cell(seed)
            sections.append(_section(f"Fold {fold.number}, all rows, seed {seed}", whole, everything))
            for name in classes:
                cell = fold.cell(seed, name)
                title = f"Fold {fold.number}, {name} reduced, seed {seed}"
                sections.append(_section(title, cell, reduced, fold.reduction(cell)))
    results = [fold.cell(seed).result(m) for m in everything for fold in folds(settings) for seed in seeds]
    results += [
        fold.cell(seed, name).result(method)
        for method in reduced
        for fold in folds(settings)
        for name in classes
        for seed in seeds
    ]
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
    values = {**settings, **_where(settings["WILD"]), "thin": thin}
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
    stores[-1] = _after(stores[-1], val)
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
            added=_measured_on(val),
        )
        for seed in settings["SEEDS"].split()
    ]
    sections += [_section(f"The corpus as it is, seed {cell.seed}", cell, asked) for cell in cells]
    return PaperTable(tuple(sections), tuple(cell.result(method) for method in asked for cell in cells))


def _measured_on(val: str) -> dict[str, str]:
    """Let trainings of GANs measure on validation rows whether D knows real speech; nothing is chosen there."""
    return {"gan": f"--val {val}"} if val else {}


def _after(trained_on: Rule, val: str) -> Rule:
    """Have the validation store there before what is trained on, whose ``$^`` it is no part of."""
    return replace(trained_on, first=(*trained_on.first, val))


def table_text(table: str, results: PaperTable, settings: Settings) -> Section:
    """Give the rule of a table's text: the paper's layout, then scores and intervals."""
    lines = (
        f"$(BIN)/sertools report $^ --layout {table} --paper > $@.part",
        "echo >> $@.part",
        "$(BIN)/sertools report $^ >> $@.part",
        "mv $@.part $@",
    )
    needs = (f"$(results_{table})", *settings["RIVALS"].split())
    rule = Rule(target=f"{OUT}/{table}.txt", needs=needs, lines=lines)
    return Section(f"Table {table[-1]}", (rule,), {f"results_{table}": results.results})
