"""The three sets that `score` compares: real training rows, generated rows, and real rows that nobody has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sertools.arrays import Index, IntArray
from sertools.errors import LineageError, StoreError
from sertools.store.format import same_front_end
from sertools.training.batches import Rows, open_rows

LEAST_ROWS = 30  # of a class on each side: below, even an unbiased distance is mostly noise (KID ±.04 at 20 rows)
LEAST_DISTINCT = 10  # rows to copy from: with fewer, "nearer to one than to any other" means nothing
MOST_ROWS = 250  # of a class on each side: more sharpens nothing that a verdict turns on, and costs memory


@dataclass(frozen=True)
class Side:
    """Some rows of a store.

    Attributes
    ----------
    rows
        All rows of the file.
    index
        Those that count [shape=(n,)].
    """

    rows: Rows
    index: Index

    def __len__(self) -> int:
        return len(self.index)

    @property
    def emotion(self) -> npt.NDArray[np.str_]:
        """Class of each row that counts."""
        emotion: npt.NDArray[np.str_] = self.rows.emotion[self.index]
        return emotion

    def of_class(self, name: str) -> Index:
        """Rows of a class, as numbers within the file."""
        rows: Index = self.index[self.emotion == name]
        return rows

    def voices(self, index: Index) -> npt.NDArray[np.str_]:
        """Who speaks in rows of the file; where nobody is named, each utterance is a voice of its own."""
        utterance = self.rows.utterance[index]
        speaker = self.rows.full_names("speaker")[utterance]
        return np.where(speaker != "", speaker, np.char.add("\t\t", utterance.astype(np.str_)))

    @property
    def speakers(self) -> set[str]:
        """Who speaks in the rows that count, "" for those where nobody is named."""
        return set(self.rows.full_names("speaker")[self.rows.utterance[self.index]].tolist())

    @property
    def digests(self) -> list[str]:
        """Digest of each row's picture or vector."""
        parts = [store.contents.segments["digest"] for store in self.rows.stores]
        return [str(digest) for digest in np.concatenate(parts)[self.index]]

    def distinct(self) -> Index:
        """Rows that count, the first of each picture or vector alone."""
        _, first = np.unique(self.digests, return_index=True)
        return self.index[np.sort(first)]


@dataclass(frozen=True)
class Samples:
    """What is compared.

    Attributes
    ----------
    train
        All real rows of REAL: what a copy would be a copy of.
    real, heldout
        Real rows, and other real rows that stand for the best a generator can do; two halves of `train` where no
        held-out store was given.
    synth
        Rows to be judged.
    classes
        Of REAL, sorted.
    halved
        Whether no held-out store was given.
    known
        Rows of `synth` that are rows of `heldout`.
    set_aside
        Real rows of SYNTH that are not judged, because others of its rows are not real.
    """

    train: Side
    real: Side
    heldout: Side
    synth: Side
    classes: tuple[str, ...]
    halved: bool
    known: int
    set_aside: int

    @property
    def hindrance(self) -> str | None:
        """Why the held-out rows cannot show how far speech of other speakers is from the training rows."""
        if self.halved:
            return "without --heldout there is no speech of other speakers to compare with"
        speakers = self.heldout.speakers
        if "" in speakers:
            return "the speakers of the held-out rows are not known"
        if both := len(speakers & self.train.speakers):
            return f"{both} of {len(speakers)} held-out speakers are in the training rows too: no speech of others"
        return None


def open_samples(real_path: Path, synth_path: Path, heldout_path: Path | None, seed: int) -> Samples:
    """Open the stores and see that they can be compared.

    Parameters
    ----------
    seed
        Decides the halves where no held-out store is given.

    Raises
    ------
    StoreError
        If a store has no rows, REAL has fewer than two classes, fewer than ten different ones or rows without a
        label, another store has classes that REAL lacks, or front ends differ.
    LineageError
        If held-out utterances are in REAL, or shaped the generated rows.
    """
    real, synth = open_rows([real_path]), open_rows([synth_path])
    classes = real.classes()
    same_front_end(real.front_end, synth.front_end, real.name, synth.name)
    synth.labels(classes)
    train = Side(real, _real_rows(real))
    if len(train.distinct()) < LEAST_DISTINCT:
        kind = "vectors" if real.are_vectors else "pictures"
        raise StoreError(
            f"{real.name}: its {len(train)} real rows hold {len(train.distinct())} different {kind}, "
            f"{LEAST_DISTINCT} are needed; are they silence?"
        )
    altered = np.flatnonzero(synth.origin != "real")
    judged = Side(synth, altered if len(altered) else np.arange(len(synth)))
    set_aside = len(synth) - len(judged)
    if heldout_path is None:
        first, second = _halves(train, seed)
        return Samples(train, first, second, judged, classes, True, 0, set_aside)
    heldout = open_rows([heldout_path])
    same_front_end(real.front_end, heldout.front_end, real.name, heldout.name)
    heldout.labels(classes)
    _check_heldout(heldout, real, synth)
    new = Side(heldout, _real_rows(heldout))
    known = len(set(judged.digests) & set(new.digests))
    return Samples(train, train, new, judged, classes, False, known, set_aside)


def _real_rows(rows: Rows) -> Index:
    real = np.flatnonzero(rows.origin == "real")
    if not len(real):
        raise StoreError(f"{rows.name}: holds no real rows; REAL and --heldout want recorded speech")
    return real


def _check_heldout(heldout: Rows, real: Rows, synth: Rows) -> None:
    """Refuse held-out rows that are not held out."""
    ids = heldout.utterance_column("id")
    if both := heldout.shared_with(real):
        raise LineageError(
            f"{heldout.name}: {len(both)} of its {len(ids)} utterances are in {real.name} too, {both[0]!r} among "
            "them; give --heldout other utterances"
        )
    heldout.check_unseen_by(
        synth.own_lineage,
        model=f"what made {synth.name}",
        remedy="give --heldout utterances that the generator has not seen",
    )


def _halves(side: Side, seed: int) -> tuple[Side, Side]:
    """Split real rows by utterance, each class evenly."""
    rng = np.random.default_rng([seed, 1])
    utterance, emotion = side.rows.utterance[side.index], side.emotion
    first: list[int] = []
    for name in sorted(set(emotion.tolist())):
        of_class = rng.permutation(np.unique(utterance[emotion == name]))
        first += of_class[: (len(of_class) + 1) // 2].tolist()
    chosen = np.isin(utterance, first)
    return Side(side.rows, side.index[chosen]), Side(side.rows, side.index[~chosen])


@dataclass(frozen=True)
class Draw:
    """As many rows of each class from each side, in the same order of classes.

    Attributes
    ----------
    label
        Class number of each row, the same on all sides [shape=(n,)].
    real, heldout, synth
        Rows of the sides' files [shape=(n,)].
    classes
        Their names.
    beside
        Class number, real and held-out rows of classes that have no generated rows: ends of a way from those that
        have [shape=(3, m)].
    """

    label: Index
    real: Index
    heldout: Index
    synth: Index
    classes: tuple[str, ...]
    beside: IntArray

    def __len__(self) -> int:
        return len(self.label)

    def count(self, number: int) -> int:
        """Rows of a class on each side."""
        return int((self.label == number).sum())


def draw_equally(samples: Samples, seed: int) -> Draw:
    """Draw the rows to compare: of each class as many as its scarcest side has, 250 at most.

    Raises
    ------
    StoreError
        If that is fewer than 30 rows over all classes.
    """
    sides = (samples.real, samples.heldout, samples.synth)
    label: list[Index] = []
    drawn: tuple[list[Index], ...] = ([], [], [])
    beside: list[IntArray] = []
    for number, name in enumerate(samples.classes):
        of_class = [side.of_class(name) for side in sides]
        n = min(MOST_ROWS, *map(len, of_class))
        label.append(np.full(n, number))
        for k, (into, rows) in enumerate(zip(drawn, of_class, strict=True)):
            into.append(np.sort(np.random.default_rng([seed, 2, k, number]).permutation(rows)[:n]))
        if n == 0:
            n = min(MOST_ROWS, *map(len, of_class[:2]))
            rows_of = (np.random.default_rng([seed, 2, k, number]).permutation(of_class[k])[:n] for k in range(2))
            beside.append(np.stack([np.full(n, number), *map(np.sort, rows_of)]))
    real, heldout, synth = (np.concatenate(parts).astype(np.int64) for parts in drawn)
    ends = np.concatenate([np.empty((3, 0), np.int64), *beside], axis=1)
    draw = Draw(np.concatenate(label), real, heldout, synth, samples.classes, ends)
    if len(draw) < LEAST_ROWS:
        raise StoreError(
            f"{samples.synth.rows.name}: only {len(draw)} rows can be compared, {LEAST_ROWS} are needed: of each "
            f"class as many as its scarcest side has ({_scarcest(samples)}); generate more, or hold out more"
        )
    return draw


def _scarcest(samples: Samples) -> str:
    """Rows of each side, for a message."""
    named: Sequence[tuple[str, Side]] = (
        ("real", samples.real),
        ("held-out", samples.heldout),
        ("generated", samples.synth),
    )
    return ", ".join(f"{len(side)} {name}" for name, side in named)
