"""The registry of methods: one row each, for the rules of make, the order of a report and the tests.

A method trains a classifier on the training store, on that store altered by a strategy, or with generated rows beside
it, by options of `train-clf`; or has a trained classifier evaluated in another way. Parts are joined by `+`:
`CP+specaug` trains on CP's store with specaug's options, and `CP+posthoc` evaluates CP's classifier once more.
"""

from __future__ import annotations

from dataclasses import dataclass

from sertools.balance.strategies import STRATEGIES
from sertools.errors import UsageError, did_you_mean

FULL = "full"  # nothing removed
IMBALANCED = "imbalanced"  # a class reduced, and nothing done about it
# Groups: those of the paper's Table 3, and one of ours.
NO_CATEGORY = "-"
SELECTION = "Random selection"
SIGNAL = "Signal-based augmentation"
GENERATION = "Generation"
FREE_RIVALS = "Free rivals"
DONORS_ROWS = "Rows of other corpora"
ZERO_SHOT = "zeroshot"  # who knows the donors alone


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row of the tables, or what can be joined to one.

    Attributes
    ----------
    name
        The tag of its results; also the name of its store, if it has one.
    group
        Where it stands in the layout of the paper's Table 3.
    options
        Of `train-clf`.
    evaluated
        Options of `evaluate`, for the classifier that the other parts train, or `IMBALANCED`; empty: it is trained.
    strategy
        Of `augment`, whose store takes the place of the training store; empty: none.
    grid
        Options of `augment` to choose from: those whose classifier does best on validation rows; empty: no choice.
    model
        The artefact whose rows are added to the training store; empty: none.
    moves
        Options of `generate` for rows that are not drawn.
    setting
        Name of the setting with further options of `generate`.
    oracle
        True if the model has seen the rows that were removed: no method, but what one could give at best.
    share
        True if it sets what share of their class's draws new rows get: no method, but to be joined to one.
    pictures
        True if it needs pictures, and cannot be asked of vectors.
    donors
        True if it needs stores of other corpora.
    borrows
        Options of `borrow`, for a store of donors' rows that is trained on beside the training store; empty: none.
    alone
        True if the donors' rows are trained on without the training store.
    beside
        The method whose classifier answers together with that of the other parts; empty: none.
    """

    name: str
    group: str
    options: str = ""
    evaluated: str = ""
    strategy: str = ""
    grid: tuple[str, ...] = ()
    model: str = ""
    moves: str = ""
    setting: str = ""
    oracle: bool = False
    share: bool = False
    pictures: bool = False
    donors: bool = False
    borrows: str = ""
    alone: bool = False
    beside: str = ""


_MOVED = "--translate {train}"
# Donors have as many rows of a class as they have: all classes weigh the same, as where rows are moved.
_WEIGHTED = "--loss weighted"
_ADJUSTED = "--adjust priors"
_BALANCED = "--sampling balanced --loss cross-entropy"

# In the order of a report's rows.
METHODS = (
    Method(name=FULL, group=NO_CATEGORY),
    Method(name=IMBALANCED, group=NO_CATEGORY),
    *(
        Method(name=name, group=SIGNAL if strategy.ratio is None else SELECTION, strategy=name)
        for name, strategy in STRATEGIES.items()
    ),
    # A learned policy of two numbers.
    Method(
        name="RA-chosen",
        group=SIGNAL,
        strategy="RA",
        grid=tuple(f"--in-a-row {n} --magnitude {m}" for n in (1, 2) for m in (2, 5, 8)),
    ),
    # Rows drawn from the class Gaussians, and between neighbours.
    Method(name="gauss", group=GENERATION, model="gauss"),
    Method(name="smote", group=GENERATION, model="gauss", moves="--smote {train}"),
    # Rows of other classes, moved by optimal transport between principal components, or vectors as they are; within
    # speakers; pasted.
    Method(name="pot", group=GENERATION, model="gan0-pca", moves=_MOVED),
    Method(name="potw", group=GENERATION, model="gan0-pca", moves=f"{_MOVED} --within-speaker"),
    # Moved to class means that donors inform.
    Method(name="informed", group=GENERATION, model="gan0-informed", moves=_MOVED, donors=True),
    Method(name="potcut", group=GENERATION, model="gan0-pca", moves=f"{_MOVED} --paste", pictures=True),
    # Rows drawn from a VAE or a diffusion model, and rows of other classes moved by them.
    Method(name="cvae", group=GENERATION, model="cvae"),
    Method(name="switch", group=GENERATION, model="cvae", moves=_MOVED),
    Method(name="diffusion", group=GENERATION, model="diffusion"),
    Method(name="flow", group=GENERATION, model="diffusion", moves=_MOVED, setting="FLOW_OPTS"),
    Method(name="cyclegan", group=GENERATION, model="cyclegan", moves=_MOVED),
    Method(name="pot-oracle", group=GENERATION, model="gan0-pca", moves=_MOVED, oracle=True),
    Method(name="flow-oracle", group=GENERATION, model="diffusion", moves=_MOVED, setting="FLOW_OPTS", oracle=True),
    Method(name="diffusion-oracle", group=GENERATION, model="diffusion", oracle=True),
    Method(name="gan", group=GENERATION, model="gan"),
    # What needs no new row.
    Method(name="weighted", group=FREE_RIVALS, options=_WEIGHTED),
    Method(name="focal", group=FREE_RIVALS, options="--loss focal"),
    Method(name="logit-adjust", group=FREE_RIVALS, options="--loss logit-adjust"),
    Method(name="balanced", group=FREE_RIVALS, options=_BALANCED),
    Method(name="specaug", group=FREE_RIVALS, options="--spec-augment strong", pictures=True),
    Method(name="cutpaste", group=FREE_RIVALS, options="--cut-paste 0.5", pictures=True),
    Method(name="mixup", group=FREE_RIVALS, options="--mixup 0.3", pictures=True),
    # What needs no training: gan+posthoc.
    Method(name="posthoc", group=FREE_RIVALS, evaluated=_ADJUSTED),
    # Donors' rows themselves, rivals of `informed`: as they are; in our domain; of all classes, each corpus
    # standardised by itself; of all classes, in our domain, without our own. borrowed+pot is the strongest.
    *(
        Method(name=name, group=DONORS_ROWS, options=_WEIGHTED, borrows=f"--map {how}", alone=name == ZERO_SHOT)
        for name, how in (
            ("borrowed-raw", "none"),
            ("borrowed", "mean"),
            ("joint", "standardise --all"),
            (ZERO_SHOT, "mean --all"),
        )
    ),
    # Two classifiers together: that of the donors, and that of the other parts, each without the class shares that it
    # was trained on, so that the few rows of a class do not silence its own: average, product+pot.
    Method(name="average", group=DONORS_ROWS, evaluated=_ADJUSTED, beside=ZERO_SHOT),
    Method(name="product", group=DONORS_ROWS, evaluated=f"--mean geometric {_ADJUSTED}", beside=ZERO_SHOT),
    # `natural` makes no class larger, and goes with a loss: flow+natural+logit-adjust.
    Method(name="natural", group=FREE_RIVALS, options="--synthetic-share 0.5", share=True),
    Method(name="quarter", group=FREE_RIVALS, options=f"{_BALANCED} --synthetic-share 0.25", share=True),
    Method(name="half", group=FREE_RIVALS, options=f"{_BALANCED} --synthetic-share 0.5", share=True),
    Method(name="most", group=FREE_RIVALS, options=f"{_BALANCED} --synthetic-share 0.75", share=True),
)
KNOWN = {method.name: method for method in METHODS}
REMOVED = ("potall", "potbest", "ganbest", "flowall", "flowcut", "tuned")

_FREE = tuple(method.name for method in METHODS if method.group == FREE_RIVALS and not method.share)
_SELECTIONS = tuple(method.name for method in METHODS if method.group == SELECTION)
# What the tables hold where METHODS is empty.
TABLE_2 = (FULL, IMBALANCED, *_FREE, "CP", "SA", "smote", "gauss", "gan")
# The demo: what costs nothing, rows that are moved, rows that are drawn.
TABLE_2_SMOKE = (FULL, IMBALANCED, "posthoc", "pot", "gauss", "gan")
# Of vectors: in a regression with free biases, logit-adjust is posthoc, and balanced is weighted.
TABLE_2_VECTORS = (FULL, IMBALANCED, "posthoc", "weighted")
# A corpus of one's own: what is free, rows that are moved, and the paper's way.
MINE = (IMBALANCED, "posthoc", "logit-adjust", "CP", "pot", "gan")
MINE_VECTORS = (IMBALANCED, "posthoc", "weighted", "CP", "pot", "gan")
# Beside these, where stores of other corpora are named.
WITH_DONORS = ("pot", "informed")
_BY_STRATEGY = (IMBALANCED, *_SELECTIONS, "CP", "SA", "SAR", "SARM", "SARB", "SARS")
TABLE_3 = (*_BY_STRATEGY, *_FREE, "smote", "gauss", "gan")
TABLE_3_VECTORS = (*_BY_STRATEGY, "posthoc", "weighted")


@dataclass(frozen=True)
class Joined:
    """A method as it is asked for: one row of the registry, or several joined.

    Attributes
    ----------
    name
        The tag of its results.
    parts
        Rows of the registry, at least one.
    """

    name: str
    parts: tuple[Method, ...]

    @property
    def trained(self) -> str:
        """The method whose classifier it is: its own name without the parts that train nothing."""
        return "+".join(part.name for part in self.parts if not part.evaluated) or IMBALANCED

    @property
    def evaluated(self) -> str:
        """Options of `evaluate`."""
        return " ".join(part.evaluated for part in self.parts if part.evaluated)

    @property
    def options(self) -> str:
        """Options of `train-clf`; those that go with donors' rows first, so that another part's stand."""
        parts = sorted(self.parts, key=lambda part: not part.borrows)
        return " ".join(part.options for part in parts if part.options)

    @property
    def strategies(self) -> tuple[Method, ...]:
        """Parts that alter the training store; at most one."""
        return tuple(part for part in self.parts if part.strategy)

    @property
    def grid(self) -> tuple[str, ...]:
        """Options of `augment` to choose from on validation rows."""
        return tuple(options for part in self.strategies for options in part.grid)

    @property
    def generated(self) -> tuple[Method, ...]:
        """Parts with a store of generated rows."""
        return tuple(part for part in self.parts if part.model)

    @property
    def borrowed(self) -> tuple[Method, ...]:
        """Parts with a store of donors' rows."""
        return tuple(part for part in self.parts if part.borrows)

    @property
    def alone(self) -> bool:
        """Whether the training store is left out."""
        return any(part.alone for part in self.parts)

    @property
    def beside(self) -> tuple[str, ...]:
        """Methods whose classifiers answer together with its own; at most one."""
        return tuple(part.beside for part in self.parts if part.beside)

    @property
    def borrowing(self) -> bool:
        """Whether a classifier of it is trained on donors' rows."""
        return bool(self.borrowed or self.beside)

    @property
    def shared(self) -> bool:
        """Whether new rows get a share of their class's draws."""
        return any(part.share for part in self.parts)

    @property
    def of_pictures(self) -> bool:
        """Whether it needs pictures, and cannot be asked of vectors."""
        return any(part.pictures for part in self.parts)

    @property
    def of_donors(self) -> bool:
        """Whether it needs stores of other corpora."""
        return self.borrowing or any(part.donors for part in self.parts)

    @property
    def needs_reduction(self) -> bool:
        """Whether it stands in Table 2 alone: without a reduced class there is nothing that it could know."""
        return self.name == FULL or self.borrowing or any(part.oracle for part in self.parts)


def joined(name: str) -> Joined:
    """Look up a method by name.

    Parameters
    ----------
    name
        A row of the registry, or several joined by ``+``.

    Raises
    ------
    UsageError
        If a part is unknown, with the one that is most like it, or was removed; or if the parts do not go together.
    """
    parts = name.split("+")
    for part in parts:
        if part in REMOVED:
            raise UsageError(f"METHODS: {name}: {part!r} was removed, for it won nothing; see docs/pictures.md")
        if part not in KNOWN:
            hint = did_you_mean(part, KNOWN) or ";"
            raise UsageError(f"METHODS: {name}: no method is called {part!r}{hint} known are {' '.join(KNOWN)}")
    if FULL in parts and len(parts) > 1:
        raise UsageError(f"METHODS: {name}: {FULL!r} is joined to nothing")
    found = Joined(name, tuple(KNOWN[part] for part in parts))
    if len(found.strategies) > 1:
        raise UsageError(f"METHODS: {name}: one strategy makes the store, not {len(found.strategies)}")
    if len(found.beside) > 1:
        raise UsageError(f"METHODS: {name}: posteriors have one mean, not {len(found.beside)}")
    return found
