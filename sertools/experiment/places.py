"""What is made in one folder from its training store: generators, stores, classifiers and their results."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import join

from sertools.balance.strategies import STRATEGIES
from sertools.errors import UsageError
from sertools.experiment.artefacts import DONORS, MODEL_OF_VECTORS, OF_PICTURES, OF_VECTORS, TRAIN
from sertools.experiment.choosing import CLASSIFIER, ON_VALIDATION
from sertools.experiment.methods import METHODS, Joined, Method, joined
from sertools.experiment.rules import Rule, by_tool
from sertools.experiment.seeds import PURPOSES, derived_seed
from sertools.experiment.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder in which generators are trained.

    Attributes
    ----------
    folder, train, seed : str
        Its path, its training store and its base seed.
    fold, reduced : str
        Number of the fold and the reduced class, for tags and seeds; empty: none. Several rare classes of a corpus
        are joined by a comma: rows are made for all of them, and there is a result for each.
    settings : dict of str to str
        Every setting's name → its value.
    added : dict of str to str
        ``ae``, ``gan`` or ``gen`` → further options of that training.
    """

    folder: str
    train: str
    seed: str
    settings: Settings
    fold: str = ""
    reduced: str = ""
    added: Mapping[str, str] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """Give the path of a file in the folder."""
        return join(self.folder, name)

    def rule(self, target: str, needs: Sequence[str], line: str, **more: str) -> Rule:
        """Give the rule of a file, whose line may name settings, ``width``, ``train``, ``seed``, `more`.

        Each of `PURPOSES` stands for the seed of what is done to that purpose.
        """
        width = self.settings["WIDTH"] and f"--width {self.settings['WIDTH']}"
        values = {**self.settings, "ae": "", "gan": "", "gen": "", **self.added, "width": width}
        return by_tool(
            target, needs, line, {**values, **self._seeds(), "train": self.train, "seed": self.seed, **more}
        )

    def _seeds(self) -> dict[str, str]:
        return {purpose: derived_seed(self.seed, self.fold, self.reduced, purpose) for purpose in PURPOSES}

    def artefacts(self) -> Iterator[Rule]:
        """Give the rules of all artefacts of the kind of rows."""
        donors = self.settings["DONORS"].split()
        outside = {TRAIN: [self.train], DONORS: donors}
        told = " ".join(f"--donor {donor}" for donor in donors)
        for made in OF_VECTORS if self.settings["ENCODER"] else OF_PICTURES:
            needs = [path for name in made.needs for path in outside.get(name, [self.path(name)])]
            yield self.rule(self.path(made.file), needs, made.line, donors=told)


@dataclass(frozen=True, kw_only=True)
class Cell(Place):
    """A folder in which methods are compared: one fold, seed and, in Table 2, reduced class.

    Attributes
    ----------
    test, val : str
        Stores to test on, and to fit operating points on; `val` may be empty.
    oracles : str
        Folder of generators that have seen the removed rows; empty: there are none.
    """

    test: str
    val: str
    oracles: str = ""

    def stores(self) -> Iterator[Rule]:
        """Give the rules of every store that a method may train on."""
        for method in METHODS:
            if method.strategy:
                yield from (self._altered(method, number) for number in range(len(method.grid) or 1))
            elif method.borrows and self.reduced and self.settings["DONORS"]:
                line = "borrow $^ -o $@ --class {reduced} {borrows}"
                needs = (self.train, *self.settings["DONORS"].split())
                yield self.rule(self._store(method), needs, line, reduced=self.reduced, borrows=method.borrows)
            elif method.model and (self.oracles or not method.oracle):
                yield self._generated(method)
                if self.reduced:
                    yield self._generated(method, alone=True)

    def classifier(self, method: Joined) -> tuple[Rule, ...]:
        """Give the rules of a method's classifier, of one that is averaged with it, of its results and of trials.

        Methods may share a classifier, which comes first.

        Raises
        ------
        UsageError
            If it needs donors, and none is named, or vectors, or validation rows, and there are none.
        """
        if method.of_donors and not self.settings["DONORS"]:
            raise UsageError(
                f"METHODS: {method.name}: needs stores of other corpora; name them by DONORS='emodb.h5 nemo.h5'"
            )
        if method.borrowing and not self.settings["ENCODER"]:
            raise UsageError(
                f"METHODS: {method.name}: rows of donors are an encoder's; name one by ENCODER, or leave it out"
            )
        if method.grid and not self.val:
            raise UsageError(f"METHODS: {method.name}: is chosen on validation rows; set them apart by VAL=4, say")
        members = tuple(
            self._chosen(each) if each.grid else self._classifier(each)
            for each in (method, *map(joined, method.beside))
        )
        results = (self._evaluated(method, members, name) for name in self._looked_at)
        trials = (rule for number in range(len(method.grid)) for rule in self._trial(method, number))
        return *members, *results, *trials

    def _evaluated(self, method: Joined, members: Sequence[Rule], looked_at: str) -> Rule:
        val = f"--val {self.val}" if self.val else ""
        own, *beside = (rule.target for rule in members)
        tags = {"method": method.name, "fold": self.fold, "reduced": looked_at, "seed": self.seed}
        return self.rule(
            self.result(method, looked_at),
            (own, *beside, self.test, *([self.val] if self.val else [])),
            "evaluate $< {test} -o $@ --device {DEVICE} {val} {beside} {how} {tags}",
            test=self.test,
            beside=" ".join(f"--average {path}" for path in beside),
            how=method.evaluated,
            val=val,
            tags=" ".join(f"--tag {name}={value}" for name, value in tags.items() if value),
        )

    @property
    def _kept_on_val(self) -> bool:
        """Whether a classifier keeps its best weights on validation."""
        # The paper's does; a cycle of the rate ends in its best.
        return bool(self.val) and self.settings["PRESET"] == "paper"

    def _classifier(self, method: Joined, trial: int | None = None) -> Rule:
        return self.rule(
            self._trial_path(method, trial, CLASSIFIER),
            self._trained_on(method, trial or 0),
            "train-clf $^ -o $@ --preset {PRESET} --seed {classifier} --device {DEVICE} "
            "{val} {width} {own} {CLF_OPTS}",
            val=f"--val {self.val}" if self._kept_on_val else "",
            own=method.options,
        )

    def _trial(self, method: Joined, number: int) -> tuple[Rule, Rule]:
        """Rules of the classifier of one of a grid, and of what it does on validation rows."""
        trained = self._classifier(method, number)
        said = self.rule(
            self._trial_path(method, number, ON_VALIDATION),
            (trained.target, self.val),
            "evaluate $^ -o $@ --device {DEVICE} {seen}",
            seen="--allow-seen" if self._kept_on_val else "",
        )
        return trained, said

    def _chosen(self, method: Joined) -> Rule:
        """Rule of the best classifier of a grid, which says what it was chosen on."""
        said = tuple(self._trial_path(method, number, ON_VALIDATION) for number in range(len(method.grid)))
        best = "$(BIN)/python -m sertools.experiment --best $(filter %.json,$^)"
        line = f"$(BIN)/python -m sertools.training.chosen `{best}` {self.val} -o $@"
        return Rule(target=self._trial_path(method, None, CLASSIFIER), needs=(*said, self.val), lines=(line,))

    def _trial_path(self, method: Joined, number: int | None, suffix: str) -> str:
        return self.path(f"{method.trained}{'' if number is None else f'.{number + 1}'}{suffix}")

    def result(self, method: Joined, looked_at: str = "") -> str:
        """Give the path of a method's result; where there are several classes, of that by which it is judged."""
        several = looked_at and looked_at != self.reduced
        return self.path(f"{method.name}-{looked_at}.json" if several else f"{method.name}.json")

    def results(self, method: Joined) -> tuple[str, ...]:
        """Give the paths of a method's results, one for each class."""
        return tuple(self.result(method, name) for name in self._looked_at)

    @property
    def _looked_at(self) -> tuple[str, ...]:
        return tuple(self.reduced.split(","))

    def _trained_on(self, method: Joined, trial: int) -> tuple[str, ...]:
        # Shares are those of the reduced class, the one that is asked about. Vectors are made for it alone: into
        # a class that the corpus itself has fewer of, the few rows left would be moved again and again.
        of_reduced = self.reduced and (method.shared or self.settings["ENCODER"])
        generated = self._alone if of_reduced else self._store
        return (
            *([self._store(part, trial) for part in method.strategies] or ([] if method.alone else [self.train])),
            *(self._store(part) for part in method.borrowed),
            *(generated(part) for part in method.generated),
        )

    def _store(self, method: Method, trial: int = 0) -> str:
        return self.path(f"{method.name}{f'.{trial + 1}' if method.grid else ''}.h5")

    def _alone(self, method: Method) -> str:
        return self.path(f"{method.name}-alone.h5")

    def _altered(self, method: Method, trial: int) -> Rule:
        strategy = STRATEGIES[method.strategy]
        noise = self.settings["NOISE"] if "background_noise" in strategy.transforms else ""
        encoder = self.settings["ENCODER"] if strategy.alters else ""
        line = "augment $< --strategy {strategy} {chosen} {noise} {encoder} --seed {augmentation} -o $@"
        added = {
            "strategy": strategy.name,
            "chosen": method.grid[trial] if method.grid else "",
            "noise": noise and f"--noise {shlex.quote(noise)}",
            "encoder": encoder and f"--encoder {shlex.quote(encoder)} --device {self.settings['DEVICE']}",
        }
        return self.rule(self._store(method, trial), (self.train,), line, **added)

    def _generated(self, method: Method, *, alone: bool = False) -> Rule:
        name = MODEL_OF_VECTORS.get(method.model, method.model) if self.settings["ENCODER"] else method.model
        model = join(self.oracles if method.oracle else self.folder, f"{name}.safetensors")
        how = f"{{only}} {method.moves} --seed {{generator}} --device {{DEVICE}}"
        only = " ".join(f"--class {name}" for name in self.reduced.split(",")) if alone else ""
        more = self.settings[method.setting] if method.setting else ""
        target = self._alone(method) if alone else self._store(method)
        return self.rule(
            target, (model, self.train), f"generate $< --balance {{train}} {how} -o $@ {{more}}", only=only, more=more
        )
