"""Rows of other classes moved into a class: which rows, in what order, and what is pasted into them.

Speaker, sentence and texture stay, because a source row only gains the change that a generator finds between its
class and the wanted one (`moving`). The paper does not do this.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sertools.arrays import Index, Pictures
from sertools.errors import SertoolsWarning, StoreError
from sertools.generation.moving import Mover
from sertools.generator_config import STRENGTH
from sertools.provenance import canonical_json
from sertools.training.batches import Rows
from sertools.training.checkpoint import Header
from sertools.training.cut_paste import draw_region
from sertools.training.drawing import BLOCK, Drawn, without_channel
from sertools.training.health import UNSEEN
from sertools.training.order import balanced_indices, batch_indices
from sertools.training.runtime import mixed_seed


@dataclass(frozen=True)
class Translation:
    """How rows are translated.

    Attributes
    ----------
    train
        The store whose real rows are moved.
    paste
        Whether a region of a real row of the wanted class is pasted into each.
    within_speaker
        Of a GAN: whether every speaker's own offset, told by his rows of other classes than the wanted one, is taken
        out before the map, and put back after.
    strength
        Of a diffusion model: how far towards noise a row goes, as a share of the noise levels.
    """

    train: Path
    paste: bool = False
    within_speaker: bool = False
    strength: float | None = None

    @property
    def name(self) -> str:
        """A word for it, for the names of utterances."""
        # The usual one has the same name, said or not: a history cannot tell them apart.
        far = "" if self.strength is None or self.strength == STRENGTH else f"-s{self.strength:g}"
        return "translated" + "-pasted" * self.paste + "-within-speaker" * self.within_speaker + far


class Translator:
    """Makes rows of a class from real rows of the others; every class and every row has its turn.

    Raises
    ------
    StoreError
        If a row has no label, or one that the generator does not know.
    """

    def __init__(self, mover: Mover, header: Header, rows: Rows, device: torch.device, *, paste: bool) -> None:
        self._mover, self._header, self._rows, self._device, self._pastes = mover, header, rows, device, paste
        labels = rows.labels(header.classes)
        self._real = np.flatnonzero(rows.origin == "real")
        self._labels = labels[self._real]

    def blocks(self, number: int, count: int, seed: int) -> Iterator[Drawn]:
        """Make `count` rows of class `number`."""
        if not count:
            return
        sources = self._sources(number, count, seed)
        donors = self._donors(number, count, seed) if self._pastes else None
        rng = np.random.default_rng(mixed_seed(seed, "paste", number))
        moved = 0.0
        for first in range(0, count, BLOCK):
            here = slice(first, first + BLOCK)
            x, change = self._changes(sources[here], number)
            pictures = x + change
            moved += float(np.abs(change).mean()) * len(change) / count
            columns = self._columns(sources[here])
            if donors is not None:
                self._paste(donors[here], pictures, columns, rng)
            columns["params"] = [canonical_json(params) for params in columns["params"]]
            yield Drawn(pictures, columns)
        if moved < UNSEEN:
            name = self._header.classes[number]
            warnings.warn(
                f"{self._rows.name}: rows moved into {name!r} change by {moved:.2g} per scaled value: they are still "
                f"other classes' rows, called {name!r}; train for more --steps, or take another kind of generator",
                SertoolsWarning,
                stacklevel=3,
            )

    def _sources(self, number: int, count: int, seed: int) -> Index:
        """Places, among the real rows, of those to move: the other classes take turns, and their rows do."""
        others = np.flatnonzero(self._labels != number)
        name = self._header.classes[number]
        if not len(others):
            raise StoreError(f"{self._rows.name}: has no real row of another class than {name!r} to translate")
        classes = np.unique(self._labels[others], return_inverse=True)[1]
        chosen: Index = others[balanced_indices(classes, count, 0, mixed_seed(seed, "translate", number))]
        n_distinct = len(np.unique(chosen))
        if n_distinct < count and not self._pastes:
            remedy = "ask for fewer" + ", or vary them by --paste" * (not self._rows.are_vectors)
            warnings.warn(
                f"{self._rows.name}: {count} rows of {name!r} come from {n_distinct} of other classes, some more "
                f"than once; {remedy}",
                SertoolsWarning,
                stacklevel=4,
            )
        return chosen

    def _donors(self, number: int, count: int, seed: int) -> Index:
        """Places, among the real rows, of those of the class to paste from; each has its turn."""
        own = np.flatnonzero(self._labels == number)
        if not len(own):
            name = self._header.classes[number]
            raise StoreError(f"{self._rows.name}: has no real row of {name!r} to paste from; leave out --paste")
        chosen: Index = own[batch_indices(len(own), count, 0, mixed_seed(seed, "donors", number))]
        return chosen

    @torch.inference_mode()
    def _changes(self, sources: Index, number: int) -> tuple[Pictures, Pictures]:
        """Scaled rows, and how they change into a class: what the generator does not hold of a row stays."""
        x = self._rows.tensor(self._real[sources], self._header.scaler, self._device)
        return without_channel(x), self._mover.change(x, sources, self._labels[sources], number)

    def _columns(self, sources: Index) -> dict[str, list[Any]]:
        rows = self._real[sources]
        return {
            "parent": self._rows.segment_column("digest")[rows].tolist(),
            "n_valid_frames": self._rows.segment_column("n_valid_frames")[rows].tolist(),
            "params": [
                {"transform": "translate", "source": self._header.classes[label]} for label in self._labels[sources]
            ],
        }

    def _paste(
        self, donors: Index, pictures: Pictures, columns: dict[str, list[Any]], rng: np.random.Generator
    ) -> None:
        """Paste a region of a real row into each picture, and record which."""
        rows = self._real[donors]
        real = self._header.scaler.scale(self._rows.pictures(rows))
        digests = self._rows.segment_column("digest")[rows].tolist()
        n_valid = self._rows.segment_column("n_valid_frames")[rows].tolist()
        for i, (donor, digest, valid) in enumerate(zip(real, digests, n_valid, strict=True)):
            region = draw_region(self._rows.shape, rng)
            region.paste(donor, pictures[i])
            columns["n_valid_frames"][i] = region.n_valid_frames(valid, columns["n_valid_frames"][i])
            columns["params"][i] |= {"pasted": digest, **dataclasses.asdict(region)}
