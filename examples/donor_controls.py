"""Controls of informed means: whether it is the donors' mean of the class that helps.

``python examples/donor_controls.py ALL.h5 emodb.h5 nemo.h5 --classes angry,happy,sad --out controls`` cuts one class
at a time down, on every fold of speakers of a store of vectors, moves rows of the other classes to a mean, trains
logistic regression, and prints `sertools report`. Folds, kept rows and seeds are those of ``make table2``. The means:

moved
    that of the few rows that are left, as in its method `pot`
informed
    that, shrunk towards the aligned donors', as in its method `informed`
another
    as far shrunk towards what donors say of the next class: is it this one's mean that helps?
everyone
    as far shrunk towards the mean of all our classes: does it help to shrink at all?
permuted
    as far shrunk towards donors whose labels are permuted: does it help to have donors at all?

``noise-moved``, ``noise-informed`` and ``noise-everyone`` put noise there in place of other classes' rows, every
value as far spread as in ours: is it the mean alone? All are compared with the rows that are left, with adjusted
posteriors (`posthoc`). Loudness and speaking rate alone are no control here: two numbers make no store of an encoder.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sertools
from sertools.errors import SertoolsWarning
from sertools.experiment.seeds import derived_seed
from sertools.provenance import history
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table, picture_digest
from sertools.store.lineage import union
from sertools.store.writer import write_store
from sertools.training.batches import Rows, open_rows
from sertools.training.class_means import Speech, class_means
from sertools.training.donors import align, brought, carried, informed
from sertools.training.informed import check_donors, matched, speech_of
from sertools.training.order import balanced_indices
from sertools.training.scaling import Scaler

Vectors = NDArray[np.float64]
NOISE = "noise-"
AT = ("moved", "informed", "everyone")  # the means that noise is put at, too


def speech_in(rows: Rows, scaler: Scaler, classes: Sequence[str]) -> Speech:
    """Standardise the real rows of some classes, by our words."""
    speech = speech_of(rows, scaler.scale(rows.pictures(np.arange(len(rows)))).astype(np.float64))
    match = matched(sorted(set(speech.labels.tolist()) - {""}), classes, {})
    known = np.isin(speech.labels, list(match)) & (rows.origin == "real")
    words = np.array([match[word] for word in speech.labels[known].tolist()])
    return Speech(speech.latents[known], words, speech.speakers[known])


def target_means(ours: Speech, donors: Sequence[Speech], emotion: str, seed: int) -> dict[str, Vectors]:
    """Give the mean of each control [shape=(n_values,)]; all have the weight of own rows that `informed` found."""
    rng = np.random.default_rng(seed)
    means = class_means(ours)
    found = informed(means, [align(ours, means, donor) for donor in donors])
    at = means.classes.index(emotion)
    own = found.own[at] * means.mean[at]
    another = means.classes[(at + 1) % len(means.classes)]
    told = {"another": own.copy(), "permuted": own.copy()}
    for donor, weight in zip(donors, found.of_donors[:, at], strict=True):
        theirs = class_means(donor)
        if not weight:
            continue
        shared = means.of(theirs.classes).mean
        here = theirs.classes.index(emotion)
        others = np.delete(np.arange(len(shared)), here)
        nearest = theirs.classes.index(another) if another in theirs.classes else others[0]
        told["another"] += weight * brought(shared[others], theirs.mean[others], theirs.mean[nearest])
        mixed = class_means(Speech(donor.latents, rng.permutation(donor.labels), donor.speakers))
        told["permuted"] += weight * carried(shared, mixed.mean)[here]
    everyone = own + (1.0 - found.own[at]) * means.mean.mean(axis=0)
    return {"moved": means.mean[at], "informed": found.mean[at], **told, "everyone": everyone}


def rows_at(ours: Speech, emotion: str, mean: Vectors, noise: bool, seed: int) -> Vectors:
    """Fill a class up to the largest with rows at a mean: others' residuals, or noise [shape=(n, n_values)]."""
    means = class_means(ours)
    sizes = {name: int((ours.labels == name).sum()) for name in means.classes}
    others = ours.of([name for name in means.classes if name != emotion])
    names, numbers = np.unique(others.labels, return_inverse=True)
    residuals = others.latents - means.of(names.tolist()).mean[numbers]
    count = max(sizes.values()) - sizes[emotion]
    if noise:
        return mean + residuals.std(axis=0) * np.random.default_rng(seed).standard_normal((count, len(mean)))
    return mean + residuals[balanced_indices(numbers, count, 0, seed)]


def write_made(path: Path, train: Rows, donors: Sequence[Rows], vectors: Vectors, emotion: str, control: str) -> Path:
    """Write rows that were made, which remember all that they were made from."""
    values = train.fit_scaler().unscale(vectors.astype(np.float32))
    digests = [picture_digest(value) for value in values]
    duration = train.front_end.segment_seconds
    segments = [
        {"utterance": n, "start": 0.0, "n_valid_frames": 1, "origin": "generated", "digest": digest}
        for n, digest in enumerate(digests)
    ]
    utterances = [
        {"id": f"{control}/{n}", "start": 0.0, "duration": duration, "emotion": emotion, "digest": digest}
        for n, digest in enumerate(digests)
    ]
    contents = Contents(
        front_end=train.front_end,
        segments=make_table(SEGMENT_COLUMNS, segments),
        utterances=make_table(UTTERANCE_COLUMNS, utterances),
        history=history(
            "donor_controls.py",
            {"control": control},
            {"train": train.inputs, "donors": [one for donor in donors for one in donor.inputs]},
        ),
        lineage=union(rows.lineage() for rows in (train, *donors)),
    )
    write_store(path, contents, [values])
    return path


def one_cell(
    folder: Path, fold: str, reduced: str, seed: str, keep: float, donor_paths: Sequence[Path]
) -> list[Path]:
    """Train and test every control where one class is reduced."""
    cell = folder / fold / reduced / f"seed{seed}"
    cell.mkdir(parents=True, exist_ok=True)

    def number(purpose: str) -> int:
        return int(derived_seed(seed, fold, reduced, purpose))

    train_path = cell / "train.h5"
    sertools.select(folder / fold / "rest.h5", train_path, keep={reduced: keep}, seed=number("keep"))
    train, donors = open_rows([train_path]), [open_rows([path]) for path in donor_paths]
    check_donors(train, donors, {})
    ours = speech_in(train, train.fit_scaler(), train.classes())
    theirs = [speech_in(donor, train.fit_scaler(), train.classes()) for donor in donors]
    means = target_means(ours, theirs, reduced, number("generator"))
    controls = {name: (mean, False) for name, mean in means.items()}
    controls |= {f"{NOISE}{name}": (means[name], True) for name in AT}
    made = {"posthoc": [train_path]}
    for name, (mean, noise) in controls.items():
        vectors = rows_at(ours, reduced, mean, noise, number("generator"))
        made[name] = [train_path, write_made(cell / f"{name}.h5", train, donors, vectors, reduced, name)]
    results = []
    for name, stores in made.items():
        classifier, result = cell / f"{name}.clf.safetensors", cell / f"{name}.json"
        sertools.train_clf(stores, classifier, seed=number("classifier"))
        tags = {"method": name, "fold": fold, "reduced": reduced, "seed": seed}
        sertools.evaluate(classifier, folder / fold / "test.h5", result, adjust="priors", tags=tags)
        results.append(result)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, metavar="ALL.h5", help="a store of vectors")
    parser.add_argument("donors", type=Path, nargs="+", metavar="DONOR.h5", help="stores of other corpora")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--classes", required=True, metavar="A,B", help="reduced one at a time")
    parser.add_argument("--where", metavar="emotion=A,B", help="rows of ALL.h5 to work on")
    parser.add_argument("--keep", type=float, default=0.05, metavar="SHARE", help="of a reduced class [0.05]")
    parser.add_argument("--folds", type=int, default=3, metavar="N", help="of speakers [3]")
    parser.add_argument("--seeds", default="0", metavar="0,1", help="[0]")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    specs = given.out / "specs.h5"
    sertools.select(given.corpus, specs, where=given.where)
    results = []
    with warnings.catch_warnings():
        # Made rows say that few are left, cell by cell.
        warnings.simplefilter("ignore", SertoolsWarning)
        for fold in map(str, range(1, given.folds + 1)):
            (given.out / fold).mkdir(exist_ok=True)
            part = f"{fold}/{given.folds}"
            sertools.select(specs, given.out / fold / "test.h5", fold=part)
            sertools.select(specs, given.out / fold / "rest.h5", fold=part, invert=True)
            for reduced in given.classes.split(","):
                for seed in given.seeds.split(","):
                    results += one_cell(given.out, fold, reduced, seed, given.keep, given.donors)
    print(sertools.report(results, baseline="posthoc"), end="")


if __name__ == "__main__":
    main()
