"""Make ravdess-partitions.csv.gz: many partitions of the same speakers into folds, so that trainers can be told by.

``python docs/data/partitions.py ravdess.h5 ravdess-partitions.csv.gz``; README.md says what ravdess.h5 is. In every
fold the lines of `make table2` with METHODS="full imbalanced posthoc" KEEP=0.1 are run; seeds of a cell follow from
the number of its partition and fold, such as 3.1.
"""

import csv
import gzip
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import sertools
from sertools.experiment.seeds import derived_seed

PARTITIONS, FOLDS, VAL, SEEDS, KEEP = 30, 3, 4, ("0", "1", "2"), 0.1
EMOTIONS, CLASSES = "angry,happy,neutral,sad", ("angry", "happy", "sad")
COLUMNS = ("fold", "tested", "trained", "reduced", "seed", "imbalanced", "posthoc", "full")


def folds(speakers: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Name every fold, and say who is tested in it and who is trained on; the others are for validation."""
    rng = np.random.default_rng(0)
    for partition in range(1, PARTITIONS + 1):
        order = [speakers[k] for k in rng.permutation(len(speakers))]
        for fold in range(FOLDS):
            tested = order[fold::FOLDS]
            rest = [name for name in order if name not in tested]
            yield f"{partition}.{fold + 1}", sorted(tested), sorted({*rest} - {*rest[::VAL]})


def areas(train: Path, test: Path, folder: Path, seed: int = 0) -> tuple[dict, dict]:
    """Train a classifier; give the AUC of each class, plain and with the implied prior divided out."""
    sertools.train_clf(train, folder / "clf", preset="cpu", seed=seed, device="cpu")
    plain, posthoc = (
        sertools.evaluate(folder / "clf", test, adjust=adjust, device="cpu") for adjust in ("none", "priors")
    )
    return plain.metrics["auc"], posthoc.metrics["auc"]


def lines(store: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """Run all cells."""
    rows, test, full, train = (folder / f"{name}.h5" for name in ("rows", "test", "full", "train"))
    sertools.select(store, rows, where=[f"emotion={EMOTIONS}"], copy=True)
    speakers = sorted({*sertools.open_store(rows).contents.of_utterances("speaker").tolist()})
    for fold, tested, trained in folds(speakers):
        sertools.select(rows, test, where=[f"speaker={','.join(tested)}"])
        sertools.select(rows, full, where=[f"speaker={','.join(trained)}"])
        whole, _ = areas(full, test, folder)
        for reduced in CLASSES:
            for seed in SEEDS:
                keep, classifier = (int(derived_seed(seed, fold, reduced, p)) for p in ("keep", "classifier"))
                sertools.select(full, train, keep={reduced: KEEP}, seed=keep)
                found = (*(auc[reduced] for auc in areas(train, test, folder, classifier)), whole[reduced])
                yield fold, " ".join(tested), " ".join(trained), reduced, seed, *(f"{auc:.6f}" for auc in found)


def main() -> None:
    store, output = map(Path, sys.argv[1:])
    text = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *lines(store, Path(folder))])
    with output.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.getvalue().encode())


if __name__ == "__main__":
    main()
