"""Rows of several stores as one training set.

``train-clf train.h5 synth.h5`` works as ``cat a b`` does: real, altered and generated rows differ only in their
`origin`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sertools.arrays import Index, Pictures, Shape, net_shape
from sertools.encoding import Encoding, RowSource
from sertools.errors import StoreError
from sertools.nets.devices import onto
from sertools.provenance import Input
from sertools.store.duplicates import refuse_twice
from sertools.store.format import same_front_end
from sertools.store.identity import called
from sertools.store.levels import levels_of, warn_of_another_scale, warn_of_scale
from sertools.store.lineage import Lineage, check_unseen, union
from sertools.store.reader import Store, open_store
from sertools.training.runtime import free_memory
from sertools.training.scaling import MinMax, Scaler, fit_scaler, fit_standardiser

EVALUATION_BATCH = 64  # rows at once through a net that does not learn
_BLOCK_ROWS = 256
_LEVEL_ROWS = 256  # spread over all, that tell how loud they are
_RESIDENT_SHARE = 0.25  # the rest is for nets, gradients and other programs


class Rows:
    """All rows of some stores, in order.

    Attributes
    ----------
    stores
        The open stores.
    front_end
        Their common front end.
    emotion, origin
        Of each row [shape=(N,)].
    utterance
        Number of each row's utterance, counted over all stores [shape=(N,)].
    """

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = list(stores)
        self.front_end: RowSource = stores[0].contents.front_end
        self._ends = np.cumsum([len(store) for store in stores])
        first_utterance = np.cumsum([0, *(len(store.contents.utterances) for store in stores)])
        self.emotion = np.concatenate([store.contents.emotion for store in stores])
        self.origin = self.segment_column("origin")
        self.utterance: Index = np.concatenate(
            [
                store.contents.segments["utterance"] + first
                for store, first in zip(stores, first_utterance, strict=False)
            ]
        ).astype(np.int64)
        self._resident: tuple[tuple[Scaler, torch.device], torch.Tensor | None] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def name(self) -> str:
        """The stores' paths, for messages."""
        return " ".join(str(store.path) for store in self.stores)

    @property
    def files(self) -> list[Path]:
        """The stores, and the files that their pictures lie in: none may be written over."""
        return [path for store in self.stores for path in (store.path, *(s.path for s in store.row_map.sources))]

    @property
    def shape(self) -> Shape:
        """Of a row."""
        return self.front_end.shape

    @property
    def are_vectors(self) -> bool:
        """Whether the rows are an encoder's, and no pictures."""
        return isinstance(self.front_end, Encoding)

    def utterance_column(self, name: str) -> npt.NDArray[np.str_]:
        """Return a column of all utterances, in the order of their numbers."""
        return np.concatenate([store.contents.of_utterances(name) for store in self.stores])

    def full_names(self, column: str) -> npt.NDArray[np.str_]:
        """Return ids, speakers or sessions of all utterances, told apart by corpus."""
        return np.concatenate([store.contents.full_names(column) for store in self.stores])

    def segment_column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of all rows, in their order."""
        return np.concatenate([store.contents.segments[name] for store in self.stores])

    @cached_property
    def digests(self) -> list[str]:
        """Digest of each store."""
        return [store.contents.digest() for store in self.stores]

    @property
    def inputs(self) -> list[Input]:
        """Digest and history of each store."""
        return [
            Input(digest, store.contents.history) for digest, store in zip(self.digests, self.stores, strict=True)
        ]

    @property
    def own_lineage(self) -> Lineage:
        """What made the stores' rows, without the rows themselves."""
        return union(store.contents.lineage for store in self.stores)

    @property
    def seen(self) -> frozenset[str]:
        """Digests of the rows' utterances, and of all that made the rows."""
        own = self.own_lineage
        return own.trained_on | own.selected_on | frozenset(self.utterance_column("digest").tolist())

    def shared_with(self, other: Rows) -> list[str]:
        """Ids of the utterances that are among `other`'s too, by id or by audio; silence never counts."""
        ids = set(other.full_names("id").tolist())
        digests = set(other.utterance_column("digest").tolist()) - {""}
        own = zip(self.full_names("id").tolist(), self.utterance_column("digest").tolist(), strict=True)
        return [called(name) for name, digest in own if name in ids or digest in digests]

    def check_unseen_by(self, lineage: Lineage, *, model: str, remedy: str, selection_too: bool = False) -> None:
        """Refuse rows whose utterances a model, or what it was made from, was trained on; see `check_unseen`.

        Raises
        ------
        LineageError
            Naming how many, and the first of them.
        """
        check_unseen(
            lineage,
            self.utterance_column("digest").tolist(),
            self.utterance_column("id").tolist(),
            model=model,
            store=self.name,
            selection_too=selection_too,
            remedy=remedy,
        )

    def lineage(self) -> Lineage:
        """Lineage of something trained on these rows."""
        return union(store.contents.passed_on for store in self.stores)

    def pictures(self, index: Index) -> Pictures:
        """Read rows as they are stored, pictures in dB [shape=(n, *shape)]."""
        owner = np.searchsorted(self._ends, index, side="right")
        if len(index) and (owner == owner[0]).all():
            store = self.stores[int(owner[0])]
            return store.rows(index - int(self._ends[owner[0]]) + len(store))
        result = np.empty((len(index), *self.shape), dtype=np.float32)
        for number in np.unique(owner):
            here = owner == number
            store = self.stores[number]
            result[here] = store.rows(index[here] - (self._ends[number] - len(store)))
        return result

    def blocks(self, index: Index) -> Iterator[Pictures]:
        """Read rows as they are stored, some at a time."""
        for first in range(0, len(index), _BLOCK_ROWS):
            yield self.pictures(index[first : first + _BLOCK_ROWS])

    def tensor(self, index: Index, scaler: Scaler, device: torch.device) -> torch.Tensor:
        """Return scaled rows on the device: vectors, or pictures of one channel [shape=(n, *net_shape)]."""
        kept = self._kept(scaler, device)
        if kept is not None:
            return kept[onto(device, torch.from_numpy(index))]
        return onto(device, self.read(index, scaler))

    def evaluated(self, scaler: Scaler, device: torch.device, index: Index | None = None) -> Iterator[torch.Tensor]:
        """Give scaled values of all rows, or of those in `index`, to a net that does not learn, some at a time."""
        index = np.arange(len(self)) if index is None else index
        for first in range(0, len(index), EVALUATION_BATCH):
            yield self.tensor(index[first : first + EVALUATION_BATCH], scaler, device)

    def read(self, index: Index, scaler: Scaler) -> torch.Tensor:
        """Read scaled rows from the stores, whether or not they stay somewhere."""
        scaled = scaler.scale(self.pictures(index))
        return torch.from_numpy(scaled.reshape(len(scaled), *net_shape(self.shape)))

    def stay(self, scaler: Scaler, device: torch.device) -> bool:
        """Whether the rows stay on the device; the first to ask has them read if there is room."""
        return self._kept(scaler, device) is not None

    def _kept(self, scaler: Scaler, device: torch.device) -> torch.Tensor | None:
        if self._resident is None or self._resident[0] != (scaler, device):
            # Asked once: what is free changes while nets train, and on a GPU the question waits for it.
            fits = 4 * len(self) * math.prod(self.shape) <= _RESIDENT_SHARE * free_memory(device)
            self._resident = (scaler, device), self._read_all(scaler, device) if fits else None
        return self._resident[1]

    def _read_all(self, scaler: Scaler, device: torch.device) -> torch.Tensor:
        kept = torch.empty(len(self), *net_shape(self.shape), device=device)
        for first in range(0, len(self), _BLOCK_ROWS):
            block = np.arange(len(self))[first : first + _BLOCK_ROWS]
            kept[first : first + len(block)] = self.read(block, scaler)
        return kept

    @property
    def real(self) -> Index:
        """Numbers of the real rows, or of all if none is real."""
        real = np.flatnonzero(self.origin == "real")
        return real if len(real) else np.arange(len(self))

    def fit_scaler(self) -> Scaler:
        """Fit the scaler on the real rows, or on all if none is real; warn where few pictures decide it."""
        rows = self.real
        if self.are_vectors:
            return fit_standardiser(lambda: self.blocks(rows))
        scaler, loudest = fit_scaler(lambda: self.blocks(rows))
        owner = np.searchsorted(self._ends, rows, side="right")
        levels = [
            levels_of(store, rows[owner == number] - (end - len(store)), loudest[owner == number])
            for number, (store, end) in enumerate(zip(self.stores, self._ends, strict=True))
        ]
        warn_of_scale(levels, scaler.low_db, scaler.high_db, scaler.clipped_share)
        return scaler

    def check_scale(self, scaler: Scaler, model: Path) -> None:
        """Warn where the scale that a model brings leaves little of these pictures, by some of them."""
        if not isinstance(scaler, MinMax):
            return
        some = np.unique(np.linspace(0, len(self) - 1, _LEVEL_ROWS).astype(np.int64))
        loudest = float(self.pictures(some).max())
        warn_of_another_scale(self.name, loudest, scaler.low_db, scaler.high_db, str(model))

    def labels(self, classes: Sequence[str]) -> Index:
        """Number each row's class.

        Raises
        ------
        StoreError
            If a row has no label, or one that is not in `classes`.
        """
        strange = sorted(set(self.emotion.tolist()) - set(classes))
        if strange:
            what = "no emotion" if strange[0] == "" else f"the emotion {strange[0]!r}"
            count = int((self.emotion == strange[0]).sum())
            raise StoreError(
                f"{self.name}: {count} rows have {what}, but the classes here are {', '.join(classes)}; "
                "leave them out with `select --where emotion=…`"
            )
        return np.array([classes.index(name) for name in self.emotion.tolist()], dtype=np.int64)

    def classes(self) -> tuple[str, ...]:
        """Return the emotions that occur, sorted.

        Raises
        ------
        StoreError
            If a row has no label, or there are fewer than two classes.
        """
        found = tuple(sorted(set(self.emotion.tolist()) - {""}))
        if len(found) < 2:
            raise StoreError(
                f"{self.name}: holds {len(found)} class ({', '.join(found) or 'no labels'}), two are needed; "
                "extract with --labels, or from one folder per emotion"
            )
        self.labels(found)
        return found


def open_rows(paths: Sequence[Path]) -> Rows:
    """Open stores as one set of rows.

    Raises
    ------
    StoreError
        If the front ends differ, there are no rows, or a row is in two of the stores.
    """
    stores = [open_store(path) for path in paths]
    for store in stores[1:]:
        same_front_end(stores[0].contents.front_end, store.contents.front_end, str(stores[0].path), str(store.path))
    rows = Rows(stores)
    if not len(rows):
        raise StoreError(f"{rows.name}: no rows")
    refuse_twice((store.path, store.contents) for store in stores)
    return rows
