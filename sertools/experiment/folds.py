"""The corpus and its folds as rules: from recordings to what is trained on, chosen on and tested on."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from sertools.errors import UsageError
from sertools.experiment.places import Cell
from sertools.experiment.rules import OUT, Rule, Section, by_tool, fill
from sertools.experiment.settings import SPEAKERS, Settings, are_parts
from sertools.published_folds import fold_names

# An autoencoder of a GAN whose pictures are worth a look; a table's many cells cannot have so many steps. And rates
# of a D that knows speech: docs/generator.md.
FOR_PICTURES = "--width 1/8 --dropout 0 --batch-size 16 --steps 1800"
_OF_DEMO = {"ae": FOR_PICTURES, "gan": "--lr-g 3e-5 --lr-d 3e-3"}
ALL = f"{OUT}/all.h5"
SPECS = f"{OUT}/specs.h5"
OF_SPEAKERS = f"{OUT}/speakers.csv"
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_EXTRACT = "extract $< -o $@ --jobs $(JOBS) {FRONT_END}"
REDUCTION = "select $< --keep {reduced}={KEEP} --seed {keep} -o $@"
_EMBED = "embed $< -o $@ --encoder {encoder} --device {DEVICE} {FRONT_END}"
_FOLDS_OF_SPEAKERS = Rule(
    target=OF_SPEAKERS,
    needs=(SPECS,),
    lines=(
        "$(BIN)/sertools info $< --json | $(BIN)/python -m sertools.experiment --speakers > $@.part",
        "mv $@.part $@",
    ),
)


def corpus_stores(settings: Settings) -> Section:
    """Give the rules from the recordings to the store of Table 2's classes."""
    if settings["CORPUS"]:
        labels = f"{OUT}/labels.csv"
        lines = ("@mkdir -p $(@D)", f"{listing(settings)} > $@")
        rule = Rule(target=labels, needs=(), lines=lines, first=("$(READY)",))
    else:
        labels = f"{OUT}/corpus/labels.csv"
        spoken = (f"@mkdir -p {OUT}", "rm -rf $(@D)", "$(BIN)/python $< $(@D)")
        rule = Rule(target=labels, needs=("examples/demo_corpus.py",), lines=spoken, first=("$(READY)",))
    values = {**settings, "encoder": shlex.quote(settings["ENCODER"])}
    return Section(
        "The corpus",
        (
            rule,
            by_tool(ALL, (labels,), _EMBED if settings["ENCODER"] else _EXTRACT, values),
            by_tool(SPECS, (ALL,), "select $< {where} -o $@", where_words(settings["EMOTIONS"])),
            *([_FOLDS_OF_SPEAKERS] if settings["FOLDS"] == SPEAKERS else []),
        ),
    )


def listing(settings: Settings) -> str:
    """Give the command that lists a corpus as CSV on standard output."""
    values = {
        **settings,
        "corpus": shlex.quote(settings["CORPUS"]),
        "relabel": " ".join(f"--relabel {pair}" for pair in settings["RELABEL"].split()),
    }
    return f"$(SERTOOLS) {fill('corpus {READER} {corpus} {relabel}', values)}"


def where_words(classes: str) -> dict[str, str]:
    """Give the words of `select` that keep some classes, as a value for a line; without a class none."""
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
        own = {SPEAKERS: OF_SPEAKERS}.get(self.settings["FOLDS"], "{folds}")
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
        values = {**self.settings, "folds": shlex.quote(self.settings["FOLDS"])}
        rules = [by_tool(target, needs, line, values) for target, needs, line in made]
        rules[-1] = after_validation(rules[-1], f"{self.folder}/val.h5")
        return Section(f"Fold {self.number}, who trains and who tests", tuple(rules))

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
            added=self._added(),
        )

    def _added(self) -> dict[str, str]:
        """Give what its trainings need beside the preset; the demo, which has few cells, shows their pictures."""
        measured = measured_on(self.val)
        if self.settings["PROFILE"] != "smoke" or self.settings["ENCODER"]:
            return measured
        return {**_OF_DEMO, "gan": " ".join([_OF_DEMO["gan"], *measured.values()])}

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


def measured_on(val: str) -> dict[str, str]:
    """Let trainings of GANs measure on validation rows whether D knows real speech; nothing is chosen there."""
    return {"gan": f"--val {val}"} if val else {}


def after_validation(trained_on: Rule, val: str) -> Rule:
    """Have the validation store there before what is trained on, whose ``$^`` it is no part of."""
    return replace(trained_on, first=(*trained_on.first, val))
