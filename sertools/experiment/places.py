"""What is made in one folder from its training store: generators, stores, classifiers and their results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import join

from sertools.balance.strategies import STRATEGIES
from sertools.errors import UsageError
from sertools.experiment.methods import METHODS, Joined, Method
from sertools.experiment.rules import Rule, by_tool
from sertools.experiment.seeds import PURPOSES, derived_seed
from sertools.experiment.settings import Settings

TRAIN = "train"  # among what an artefact needs: the training store, wherever it lies
DONORS = "donors"  # and the stores of other corpora


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """A file between a training store and generated rows.

    Attributes
    ----------
    file
        Its name in the folder.
    needs
        Names of others in the folder, `TRAIN`, or `DONORS`.
    line
        Verb and options; in braces settings, the generators' seed, the donors as options, and what a figure or an
        ablation adds.
    """

    file: str
    needs: tuple[str, ...]
    line: str


def _informed(autoencoder: str, cov: str) -> tuple[Artefact, ...]:
    """Give what has class means that donors inform."""
    return (
        Artefact(
            file="latents-informed.h5",
            needs=(autoencoder, TRAIN, DONORS),
            line=f"fit-latents $< {{train}} {{donors}} -o $@ --cov {cov} --device {{DEVICE}}",
        ),
        Artefact(
            file="gan0-informed.safetensors",
            needs=(autoencoder, "latents-informed.h5", TRAIN),
            line="finetune-gan $^ -o $@ --seed {generator} --device {DEVICE} --steps 0",
        ),
    )


# Of pictures and of vectors.
TRAINED = (
    Artefact(
        file="ae.safetensors",
        needs=(TRAIN,),
        line="pretrain-ae $< -o $@ --preset {PRESET} --seed {generator} --device {DEVICE} {ae} {width} {AE_OPTS}",
    ),
    Artefact(
        file="latents.h5",
        needs=("ae.safetensors", TRAIN),
        line="fit-latents $^ -o $@ --device {DEVICE} {COV_OPTS}",
    ),
    Artefact(
        file="gan.safetensors",
        needs=("ae.safetensors", "latents.h5", TRAIN),
        line="finetune-gan $^ -o $@ --preset {PRESET} --seed {generator} --device {DEVICE} {gan} {GAN_OPTS}",
    ),
    *(
        Artefact(
            file=f"{kind}.safetensors",
            needs=(TRAIN,),
            line=f"train-generator $< -o $@ --kind {kind} --preset {{PRESET}} --seed {{generator}} "
            "--device {DEVICE} {gen} {width} {GEN_OPTS}",
        )
        for kind in ("cvae", "diffusion")
    ),
)
OF_PICTURES = (
    *TRAINED,
    Artefact(
        file="gauss.safetensors",
        needs=("ae.safetensors", "latents.h5", TRAIN),
        line="finetune-gan $^ -o $@ --preset {PRESET} --seed {generator} --device {DEVICE} --steps 0",
    ),
    Artefact(
        file="ae-pca.safetensors",
        needs=(TRAIN,),
        line="pretrain-ae $< -o $@ --latent pca --latent-size {PCA}",
    ),
    Artefact(
        file="latents-pca.h5",
        needs=("ae-pca.safetensors", TRAIN),
        line="fit-latents $^ -o $@ --cov pooled --device {DEVICE}",
    ),
    Artefact(
        file="gan0-pca.safetensors",
        needs=("ae-pca.safetensors", "latents-pca.h5", TRAIN),
        line="finetune-gan $^ -o $@ --seed {generator} --device {DEVICE} --steps 0",
    ),
    *_informed("ae-pca.safetensors", "pooled"),
)
# Vectors are drawn and moved where they lie.
OF_VECTORS = (
    *TRAINED,
    Artefact(
        file="ae-identity.safetensors",
        needs=(TRAIN,),
        line="pretrain-ae $< -o $@ --latent identity",
    ),
    Artefact(
        file="latents-tied.h5",
        needs=("ae-identity.safetensors", TRAIN),
        line="fit-latents $^ -o $@ --cov tied --device {DEVICE} {COV_OPTS}",
    ),
    Artefact(
        file="gauss.safetensors",
        needs=("ae-identity.safetensors", "latents-tied.h5", TRAIN),
        line="finetune-gan $^ -o $@ --seed {generator} --device {DEVICE} --steps 0",
    ),
    *_informed("ae-identity.safetensors", "tied"),
)
_MODEL_OF_VECTORS = {"gan0-pca": "gauss"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder in which generators are trained.

    Attributes
    ----------
    folder, train, seed : str
        Its path, its training store and its base seed.
    fold, reduced : str
        Number of the fold and the reduced class, for tags and seeds; empty: none.
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
                yield self._altered(method)
            elif method.model and (self.oracles or not method.oracle):
                yield self._generated(method)
                if self.reduced:
                    line = "select $< --where emotion={reduced} -o $@"
                    yield self.rule(self._alone(method), (self._store(method),), line, reduced=self.reduced)

    def classifier(self, method: Joined) -> tuple[Rule, Rule]:
        """Give the rules of a method's classifier, which others may share, and of its result.

        Raises
        ------
        UsageError
            If it needs donors, and none is named.
        """
        if method.of_donors and not self.settings["DONORS"]:
            raise UsageError(
                f"METHODS: {method.name}: needs stores of other corpora; name them by DONORS='emodb.h5 nemo.h5'"
            )
        # The paper's classifier keeps its best weights on validation; a cycle of the learning rate ends in its best.
        val = f"--val {self.val}" if self.val else ""
        trained = self.rule(
            self.path(f"{method.trained}.clf.safetensors"),
            self._trained_on(method),
            "train-clf $^ -o $@ --preset {PRESET} --seed {classifier} --device {DEVICE} "
            "{val} {width} {own} {CLF_OPTS}",
            val=val if self.settings["PRESET"] == "paper" else "",
            own=method.options,
        )
        tags = {"method": method.name, "fold": self.fold, "reduced": self.reduced, "seed": self.seed}
        evaluated = self.rule(
            self.result(method),
            (trained.target, self.test, *([self.val] if self.val else [])),
            "evaluate $< {test} -o $@ --device {DEVICE} {val} {how} {tags}",
            test=self.test,
            how=method.evaluated,
            val=val,
            tags=" ".join(f"--tag {name}={value}" for name, value in tags.items() if value),
        )
        return trained, evaluated

    def result(self, method: Joined) -> str:
        """Give the path of a method's result."""
        return self.path(f"{method.name}.json")

    def _trained_on(self, method: Joined) -> tuple[str, ...]:
        # Shares are those of the reduced class, the one that is asked about. Vectors are made for it alone: into
        # a class that the corpus itself has fewer of, the few rows left would be moved again and again.
        of_reduced = self.reduced and (method.shared or self.settings["ENCODER"])
        generated = self._alone if of_reduced else self._store
        return (
            *([self._store(part) for part in method.strategies] or [self.train]),
            *(generated(part) for part in method.generated),
        )

    def _store(self, method: Method) -> str:
        return self.path(f"{method.name}.h5")

    def _alone(self, method: Method) -> str:
        return self.path(f"{method.name}-alone.h5")

    def _altered(self, method: Method) -> Rule:
        strategy = STRATEGIES[method.strategy]
        noise = self.settings["NOISE"] if "background_noise" in strategy.transforms else ""
        encoder = self.settings["ENCODER"] if strategy.alters else ""
        line = "augment $< --strategy {strategy} {noise} {encoder} --seed {augmentation} -o $@"
        added = {
            "strategy": strategy.name,
            "noise": noise and f"--noise {noise}",
            "encoder": encoder and f"--encoder {encoder} --device {self.settings['DEVICE']}",
        }
        return self.rule(self._store(method), (self.train,), line, **added)

    def _generated(self, method: Method) -> Rule:
        name = _MODEL_OF_VECTORS.get(method.model, method.model) if self.settings["ENCODER"] else method.model
        model = join(self.oracles if method.oracle else self.folder, f"{name}.safetensors")
        line = (
            f"generate $< --balance {{train}} {method.moves} --seed {{generator}} --device {{DEVICE}} -o $@ {{more}}"
        )
        more = self.settings[method.setting] if method.setting else ""
        return self.rule(self._store(method), (model, self.train), line, more=more)
