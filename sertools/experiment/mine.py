"""A corpus of one's own as rules: nothing is removed, its rare classes are looked at, all speakers are tested."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sertools.errors import UsageError
from sertools.experiment.folds import SPECS, Fold, corpus_stores, folds
from sertools.experiment.labels import Labels, count_labels, rare_classes, with_noun
from sertools.experiment.paper_tables import rows
from sertools.experiment.places import Cell
from sertools.experiment.rules import OUT, Rule, Section, needed
from sertools.experiment.settings import SPEAKERS, Settings, are_parts, resolve

GOALS = ("mine", "mine-answer", "mine-cells")  # the first is typed
UTTERANCE = "utterance"
RESULTS = "results_mine"
LISTED = "labels.csv"  # in OUT: what `corpus` says
_BASELINES = ("posthoc", "imbalanced")
_FOLDS = {"embedding": 5, "spectrogram": 3}
_FEWEST_COMPONENTS = 2
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")
_PLAIN = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Mine:
    """The experiment on a corpus of one's own.

    Attributes
    ----------
    settings : dict of str to str
        Every setting's name → its value; CLASSES and FOLDS are chosen where none is given.
    found : Labels or None
        What the corpus holds; None before it is listed.
    asked : dict of str to str
        The settings before the corpus was looked at; there an empty FOLDS, CLASSES or EMOTIONS is chosen here.
    """

    settings: Settings
    found: Labels | None
    asked: Settings

    @property
    def labels(self) -> Labels:
        """What the corpus holds.

        Raises
        ------
        UsageError
            If it is not listed yet.
        """
        if self.found is None:
            raise UsageError(f"{self.settings['OUT']}/{LISTED}: is not there yet; make mine lists the corpus")
        return self.found

    @property
    def looked_at(self) -> tuple[str, ...]:
        """The classes that results are judged by: those asked for, else the rare ones, else the smallest."""
        classes = self.labels.classes
        asked = tuple(dict.fromkeys(self.settings["CLASSES"].split()))
        for name in asked:
            if name not in classes:
                raise UsageError(f"CLASSES: {self.labels.path} has no class {name!r}; it has {', '.join(classes)}")
        found = asked or rare_classes(classes) or tuple(classes)[-1:]
        if odd := [name for name in found if not _PLAIN.fullmatch(name)]:
            raise UsageError(
                f"{self.labels.path}: class {odd[0]!r} makes no name of a folder; rename it in letters, digits, _ "
                "and -, or look at others by CLASSES="
            )
        return found

    @property
    def n_folds(self) -> int:
        """The number of folds: those that are asked for, else by the kind of rows and the speakers."""
        n_speakers = len(self.labels.speakers)
        if self.asked["FOLDS"] == SPEAKERS:
            return n_speakers
        if self.asked["FOLDS"]:
            return len(folds(self.asked))
        most = _FOLDS["embedding" if self.settings["ENCODER"] else "spectrogram"]
        return min(most, n_speakers) if self.settings["BY"] == "speaker" else most

    @property
    def baseline(self) -> str:
        """The method that others are compared with, and that is chosen unless one differs."""
        asked = [method.name for method in rows("mine", self.settings)]
        return next((name for name in _BASELINES if name in asked), asked[0])

    @property
    def results(self) -> tuple[str, ...]:
        """Paths of all results, in the order of methods."""
        cells = self._cells(self.settings)
        return tuple(
            path for method in rows("mine", self.settings) for cell in cells for path in cell.results(method)
        )

    def sections(self) -> tuple[Section, ...]:
        """Give the rules of everything from the labels to the report."""
        escaped = {name: value.replace("$", "$$") for name, value in self.settings.items()}
        stores, asked = corpus_stores(escaped), rows("mine", escaped)
        # The labels are listed before, and folds dealt: neither is made anew by a rule.
        first = stores.rules[1:3]
        sections = [Section("The corpus", first), *(fold.rules() for fold in folds(escaped))]
        for cell in self._cells(escaped):
            made = {rule.target: rule for method in asked for rule in cell.classifier(method)}
            title = f"Fold {cell.fold}, seed {cell.seed}"
            sections.append(Section(title, (*cell.artefacts(), *cell.stores(), *made.values())))
        report = self._report(escaped)
        return tuple(needed((*sections, report), (*(rule.target for rule in report.rules), *self.results)))

    def final(self) -> Cell:
        """Give the place in which a classifier is trained on all rows."""
        return Cell(
            folder=f"{OUT}/final",
            train=SPECS,
            seed="0",
            settings=self.settings,
            test="",
            val="",
            reduced=",".join(self.looked_at),
        )

    def _cells(self, settings: Settings) -> list[Cell]:
        reduced = ",".join(self.looked_at)
        return [
            _cell(fold, seed, reduced, settings) for fold in folds(settings) for seed in settings["SEEDS"].split()
        ]

    def _report(self, settings: Settings) -> Section:
        needs = (f"$({RESULTS})", *settings["RIVALS"].split())
        report = f"$(BIN)/sertools report $^ --baseline {self.baseline}"
        text = (f"@{report} --html {OUT}/mine.html > $@.part", "@mv $@.part $@")
        numbers = (f"@{report} --quiet --format json > $@.part", "@mv $@.part $@")
        rules = (
            Rule(target=f"{OUT}/mine.txt", needs=needs, lines=text),
            Rule(target=f"{OUT}/mine.json", needs=needs, lines=numbers),
        )
        return Section("The report", rules, {RESULTS: self.results})


def _cell(fold: Fold, seed: str, reduced: str, settings: Settings) -> Cell:
    return Cell(
        folder=f"{fold.folder}/{reduced}/seed{seed}",
        train=fold.full,
        seed=seed,
        settings=settings,
        test=fold.test,
        val=fold.val,
        fold=fold.number,
        reduced=reduced,
    )


def unlisted(given: Mapping[str, str]) -> Mine:
    """Settle what is not given, without a look at what the corpus holds.

    Parameters
    ----------
    given
        Name → value of the settings that are given.

    Raises
    ------
    UsageError
        If no corpus is named, it is not there or would be written over, or a setting is wrong.
    """
    corpus, encoder = given.get("CORPUS", "").strip(), given.get("ENCODER", "").strip()
    if not corpus:
        raise UsageError(
            "CORPUS: name the recordings: a folder with one folder per emotion, that of a corpus with its READER, or "
            "a CSV with columns file, emotion, speaker; such as make mine CORPUS=wavs/"
        )
    if not Path(corpus).exists():
        raise UsageError(f"CORPUS {corpus!r}: no such folder or file; check the path")
    is_table = Path(corpus).is_file()
    own_name = Path(corpus).stem if is_table else Path(corpus).resolve().name
    names = ["mine", own_name, *([Path(encoder.removeprefix("hf:")).name] if encoder else [])]
    own = {
        "READER": "nkululeko" if is_table else "folders",
        "PROFILE": "cpu",
        "EMOTIONS": "",
        "CLASSES": "",
        "VAL": "",
        "SEEDS": "0 1 2",
        "OUT": f"build/{_ODD.sub('-', '-'.join(names))}",
        # A few hundred vectors teach a net what there is in fewer steps.
        **({"PRESET": "smoke"} if encoder else {}),
        **given,
    }
    if Path(corpus).resolve() == (Path(own["OUT"]) / LISTED).resolve():
        raise UsageError(
            f"OUT {own['OUT']!r}: CORPUS {corpus!r} lies there, and make mine would write its own {LISTED} over it; "
            "name another folder by OUT="
        )
    folds_asked = own.pop("FOLDS", "").strip()
    settings = resolve({**own, **({"FOLDS": folds_asked} if folds_asked else {})})
    if settings["BY"] not in ("speaker", UTTERANCE):
        raise UsageError(f"BY {settings['BY']!r}: make mine folds by speaker or {UTTERANCE}")
    if folds_asked == "1":
        raise UsageError("FOLDS 1: what is tested is not trained on, so that two are the fewest")
    known = [method.name for method in rows("mine", settings)]
    if other := [name for name in settings["METHODS"].split() if name not in known]:
        raise UsageError(
            f"METHODS: {other[0]}: stands in Table 2 alone, where a class is reduced, and make mine removes nothing; "
            "leave it out"
        )
    if "--on-error" not in settings["FRONT_END"]:
        settings["FRONT_END"] = f"{settings['FRONT_END']} --on-error skip".strip()
    return Mine(settings, None, {**settings, "FOLDS": folds_asked, "PCA": given.get("PCA", "")})


def own_settings(given: Mapping[str, str]) -> Mine:
    """Settle what is not given by what the corpus holds, once its labels lie in OUT.

    Parameters
    ----------
    given
        As of `unlisted`.

    Raises
    ------
    UsageError
        As `unlisted`; or if the labels do not go with the settings.
    """
    mine = unlisted(given)
    path = Path(mine.settings["OUT"]) / LISTED
    if not path.exists():
        return mine
    labels = count_labels(path, mine.settings["EMOTIONS"].split())
    return _settled(replace(mine, found=labels), labels, by_was_asked=bool(given.get("BY", "").strip()))


def _settled(mine: Mine, labels: Labels, *, by_was_asked: bool) -> Mine:
    settings = dict(mine.settings)
    if labels.unlabelled and not settings["EMOTIONS"]:
        settings["EMOTIONS"] = " ".join(sorted(labels.classes))
    if len(labels.speakers) < 2 and settings["BY"] == "speaker":
        if by_was_asked or mine.asked["FOLDS"] == SPEAKERS:
            raise UsageError(
                f"BY=speaker: {labels.path} names {with_noun(len(labels.speakers), 'speaker')}, and folds need two; "
                "take a READER that knows them, or a CSV with a speaker column, or leave BY and FOLDS out to fold by "
                f"{UTTERANCE}"
            )
        settings["BY"] = UTTERANCE
    settled = replace(mine, settings=settings)
    if not mine.asked["FOLDS"] or are_parts(mine.asked["FOLDS"]):
        settings["FOLDS"] = SPEAKERS if settings["BY"] == "speaker" else str(settled.n_folds)
    settings["CLASSES"] = " ".join(settled.looked_at)
    if not mine.asked["PCA"]:
        # The smallest training set, half of the speakers, has two rows a component at least.
        settings["PCA"] = str(max(_FEWEST_COMPONENTS, min(int(settings["PCA"]), sum(labels.classes.values()) // 4)))
    return settled
