"""The classical rival: eGeMAPS functionals and a support vector machine, on the folds of a sertools experiment.

``python examples/egemaps_svm.py TRAIN.h5 TEST.h5 --tag method=eGeMAPS+SVM --tag fold=1 > rival.csv`` reads which
utterances to train on and to test on from two stores, and writes a prediction an utterance;
``sertools report results/*.json rival.csv`` puts it beside the results of `sertools evaluate`.

An utterance becomes the 88 functionals of eGeMAPSv02 (Eyben et al., "The Geneva Minimalistic Acoustic Parameter
Set", 2016), standardised on the training utterances. The SVM has an RBF kernel; its C is the one with the best UAR
in speaker-disjoint cross-validation on the training store. Only real utterances that have rows are used, once
each, so a store with copied or generated rows trains the same SVM as without them. The ``p_`` columns are the
softmax of the decision values: they rank utterances, as the AUC needs, and are no calibrated probabilities.

The functionals come from openSMILE (``pip install opensmile``), whose licence allows research only: sertools does
not depend on it. With ``--cache FILE.npz`` each utterance is analysed once for all folds; where the cache holds all
of them, neither openSMILE nor the audio is needed. The same stores and options give the same bytes.
"""

import argparse
import csv
import importlib
import io
import math
import os
import sys
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sertools.errors import SertoolsError, SertoolsWarning
from sertools.metrics import confusion_matrix, uar
from sertools.provenance import atomic_output
from sertools.sound.audio import read_utterance
from sertools.store.escapes import unescape_name

TAGS = ("method", "fold", "reduced", "seed")
SR = 16_000
N_FUNCTIONALS = 88
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
INNER_FOLDS = 5


class RivalError(SertoolsError):
    """The rival cannot be trained or tested."""


class Utterance(NamedTuple):
    """A row of ``/utterance`` that has pictures of its own."""

    id: str
    corpus: str  # that id and speaker are of; may be empty
    emotion: str
    speaker: str
    path: Path
    start: float  # seconds
    duration: float  # seconds
    key: str  # in the cache: the digest of its audio, or the corpus and id of silence

    @property
    def person(self) -> str:
        """Who speaks; empty if unknown."""
        return f"{self.corpus}:{self.speaker}" if self.corpus and self.speaker else self.speaker


def read_utterances(path: Path) -> list[Utterance]:
    """Read the utterances of a store of which it holds real rows, in the order of their ids."""
    try:
        with h5py.File(path, "r") as store:
            # A selection keeps the whole table; its segments say who is in.
            real = store["segment/origin"].asstr()[:] == "real"
            used = np.unique(store["segment/utterance"][:][real])
            root = path.parent / unescape_name(str(_text(store.attrs["audio_root"])))
            words = {
                name: store[f"utterance/{name}"].asstr()[:][used]
                for name in ("id", "emotion", "speaker", "path", "digest")
            }
            named = "corpus" in store["utterance"]
            words["corpus"] = store["utterance/corpus"].asstr()[:][used] if named else np.full(len(used), "")
            times = {name: store[f"utterance/{name}"][:][used] for name in ("start", "duration")}
    except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RivalError(f"{path}: cannot be read as a store ({reason}); make it with sertools select") from error
    found = [
        Utterance(
            id=words["id"][i],
            corpus=words["corpus"][i],
            emotion=words["emotion"][i],
            speaker=words["speaker"][i],
            path=root / unescape_name(words["path"][i]),
            start=float(times["start"][i]),
            duration=float(times["duration"][i]),
            key=words["digest"][i] or f"{words['corpus'][i]}:{words['id'][i]}",
        )
        for i in range(len(used))
    ]
    if not found:
        raise RivalError(f"{path}: holds no row of a real utterance; select others")
    return sorted(found)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def check_pair(train: list[Utterance], test: list[Utterance], names: tuple[Path, Path]) -> None:
    """Refuse a test set that cannot be tested on; warn of shared speakers."""
    shared = {u.key for u in train} & {u.key for u in test}
    if shared:
        name = next(u.id for u in test if u.key in shared)
        raise RivalError(
            f"{names[1]}: {len(shared)} of its utterances are in {names[0]} too, such as {name}; "
            "select one with --fold K/N and the other with the same and -v"
        )
    unknown = sorted({u.emotion for u in test} - {u.emotion for u in train})
    if unknown:
        raise RivalError(f"{names[0]}: lacks the class {unknown[0]}, which {names[1]} has; select both alike")
    if len({u.emotion for u in train}) < 2:
        raise RivalError(f"{names[0]}: has one class only, {train[0].emotion}; select more")
    speakers = sorted({u.person for u in train} & {u.person for u in test} - {""})
    if speakers:
        print(f"egemaps_svm: warning: {names[0]} and {names[1]} share speaker {speakers[0]}", file=sys.stderr)


def functionals(utterances: list[Utterance], cache: Path | None) -> np.ndarray:
    """Give the functionals of each utterance, analysing those that the cache lacks [shape=(n, 88), float32]."""
    known = read_cache(cache) if cache and cache.exists() else {}
    missing = {u.key: u for u in utterances if u.key not in known}
    if missing:
        analyse = load_opensmile()
        for number, (key, u) in enumerate(missing.items(), start=1):
            known[key] = analyse(read_utterance(u.path, SR, u.start, u.start + u.duration).y)
            if number % 100 == 0:
                print(f"egemaps_svm: {number} of {len(missing)} utterances analysed", file=sys.stderr)
        if cache:
            write_cache(cache, known)
    return np.stack([known[u.key] for u in utterances])


def load_opensmile():
    """Return a function from samples at 16 kHz [shape=(n,)] to functionals [shape=(88,)]."""
    try:
        opensmile = importlib.import_module("opensmile")
    except ImportError as error:
        raise RivalError(
            "opensmile is missing (its licence allows research only); pip install opensmile, "
            "or name a --cache that holds every utterance"
        ) from error
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )

    def analyse(y: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # too short to analyse: NaN, and 0 below
            found = smile.process_signal(y, SR).to_numpy(dtype=np.float32)[0]
        return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)

    return analyse


def read_cache(path: Path) -> dict[str, np.ndarray]:
    """Read ``key`` (n,) and ``functionals`` (n, 88) of an .npz file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            keys, values = file["key"], file["functionals"].astype(np.float32)
    except (OSError, KeyError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise RivalError(f"{path}: is not a cache of functionals; remove it") from error
    if keys.ndim != 1 or values.shape != (len(keys), N_FUNCTIONALS) or not np.isfinite(values).all():
        raise RivalError(f"{path}: must hold {N_FUNCTIONALS} finite functionals a key; remove it")
    return dict(zip(keys.astype(str).tolist(), values, strict=True))


def write_cache(path: Path, known: dict[str, np.ndarray]) -> None:
    """Write a cache in the order of its keys."""
    keys = sorted(known)
    with atomic_output(path) as partial, open(partial, "wb") as stream:
        np.savez(stream, key=np.array(keys), functionals=np.stack([known[key] for key in keys]))


def machine(penalty: float, class_weight: str | None) -> Pipeline:
    """A standardised SVM; `break_ties`, so that it predicts the class of the highest decision value."""
    return make_pipeline(StandardScaler(), SVC(C=penalty, class_weight=class_weight, break_ties=True))


def choose_penalty(x: np.ndarray, y: np.ndarray, speakers: list[str], class_weight: str | None) -> float:
    """Choose the C with the best UAR of the pooled speaker-disjoint folds; of equals the smallest."""
    n_folds = min(INNER_FOLDS, len(set(speakers)))
    if n_folds < 2 or "" in speakers:
        raise RivalError("C is chosen across the speakers of the training store, of which it names too few; give --C")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class of fewer utterances than folds
        splits = list(StratifiedGroupKFold(n_folds).split(x, y, speakers))
    if any(len(set(y[inner])) < 2 for inner, _ in splits):
        raise RivalError("without some speakers one class is left in the training store; give --C")
    n_classes = int(y.max()) + 1

    def score(penalty: float) -> float:
        predicted = cross_val_predict(machine(penalty, class_weight), x, y, cv=splits)
        return uar(confusion_matrix(y, predicted, n_classes))

    return max(PENALTIES, key=score)


def softmax(decision: np.ndarray) -> np.ndarray:
    """Decision values [shape=(n, k), or (n,) of two classes] → shares that add up to 1 [shape=(n, k)]."""
    values = np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def predict(options: argparse.Namespace) -> str:
    """Train, test, and write the predictions as CSV."""
    train, test = read_utterances(options.train), read_utterances(options.test)
    check_pair(train, test, (options.train, options.test))
    found = functionals([*train, *test], options.cache)
    x_train, x_test = found[: len(train)], found[len(train) :]
    classes = sorted({u.emotion for u in train})
    y_train, y_test = (np.array([classes.index(u.emotion) for u in part]) for part in (train, test))
    weight = None if options.class_weight == "none" else options.class_weight
    penalty = options.C or choose_penalty(x_train, y_train, [u.person for u in train], weight)
    fitted = machine(penalty, weight).fit(x_train, y_train)
    predicted, shares = fitted.predict(x_test), softmax(fitted.decision_function(x_test))
    reached = uar(confusion_matrix(y_test, predicted, len(classes)))
    print(f"egemaps_svm: {options.test}: C {penalty:g}, UAR {100 * reached:.1f} %", file=sys.stderr)

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    named = any(u.corpus for u in test)
    head = [*options.tag, *(["corpus"] if named else []), "id", "emotion", "predicted", "speaker"]
    writer.writerow([*head, *(f"p_{name}" for name in classes)])
    for u, k, row in zip(test, predicted, shares, strict=True):
        place = [*options.tag.values(), *([u.corpus] if named else [])]
        writer.writerow([*place, u.id, u.emotion, classes[k], u.speaker, *(f"{share:.6f}" for share in row)])
    return stream.getvalue()


def main() -> int:
    description, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train", type=Path, metavar="TRAIN.h5", help="store to train on")
    parser.add_argument("test", type=Path, metavar="TEST.h5", help="store to test on")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="NAME=VALUE", help=f"{', '.join(TAGS)}; method is needed"
    )
    parser.add_argument("--cache", type=Path, metavar="FILE.npz", help="where functionals are kept")
    parser.add_argument(
        "--class-weight", choices=("balanced", "none"), default="balanced", help="of the SVM (default: balanced)"
    )
    parser.add_argument("--C", type=float, metavar="C", help="of the SVM, instead of the chosen one")
    options = parser.parse_args()
    pairs = [text.partition("=")[::2] for text in options.tag]
    for text, (name, value) in zip(options.tag, pairs, strict=True):
        if name not in TAGS or not value:
            parser.error(f"--tag {text!r}: write NAME=VALUE with one of {', '.join(TAGS)}")
    options.tag = {name: dict(pairs)[name] for name in TAGS if name in dict(pairs)}
    if len(pairs) > len(options.tag):
        parser.error("--tag: names a tag twice")
    if "method" not in options.tag:
        parser.error("--tag method=NAME is needed: it is the row of the table")
    if options.C is not None and not 0 < options.C < math.inf:
        parser.error(f"--C is {options.C:g}; choose a number above 0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SertoolsWarning)
            text = predict(options)
        sys.stdout.write(text)
        sys.stdout.flush()
    except SertoolsError as error:
        print(f"egemaps_svm: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
