"""The best of many: of several candidates for a row, the one that a critic takes most for the wanted class is kept.

The critic is a classifier, or the discriminator of a GAN, which also says how real a row looks (selective synthetic
augmentation, Xue et al. 2019, arXiv 1912.03837, is of the first kind).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.arrays import Pictures
from sertools.errors import UsageError
from sertools.provenance import digest_file
from sertools.store.format import same_front_end
from sertools.training.checkpoint import Header, load_header
from sertools.training.classifier import KIND as CLASSIFIER
from sertools.training.classifier import load_classifier
from sertools.training.drawing import BLOCK, Drawn, RowMaker
from sertools.training.gan_file import KIND as GAN
from sertools.training.gan_file import load_discriminator
from sertools.training.runtime import place

BEST_OF = 4


@dataclass(frozen=True)
class Choice:
    """Whom to ask, and how many candidates a row has.

    Attributes
    ----------
    critic
        A classifier, or a GAN.
    best_of
        Candidates for each row.
    """

    critic: Path
    best_of: int = BEST_OF


class Critic:
    """Says how much a picture is of a class.

    Parameters
    ----------
    path
        A classifier, or a GAN, whose discriminator is asked.
    made
        Of the generator whose rows it will see.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or neither.
    StoreError
        If its front end is not the generator's.
    UsageError
        If it does not know a class, or is a GAN that took no step.
    """

    def __init__(self, path: Path, made: Header, path_of_made: Path, device: torch.device) -> None:
        net: nn.Module
        if load_header(path, CLASSIFIER, GAN).kind == GAN:
            self.header, net = load_discriminator(path)
        else:
            self.header, net = load_classifier(path)
        same_front_end(self.header.front_end, made.front_end, str(path), str(path_of_made))
        strange = sorted(set(made.classes) - set(self.header.classes))
        if strange:
            raise UsageError(
                f"{path}: does not know the class {strange[0]!r} of {path_of_made}; "
                "give --critic a model that was trained on its classes"
            )
        self.digest = digest_file(path)
        self._net, self._device, self._made = place(net, device), device, made.scaler
        self._places = [self.header.classes.index(name) for name in made.classes]

    @torch.inference_mode()
    def __call__(self, pictures: Pictures, number: int) -> npt.NDArray[np.float64]:
        """Logarithm of the probability of the generator's class `number` [shape=(n,)]; a GAN's has "fake" beside it.

        Parameters
        ----------
        pictures
            On the generator's scale [shape=(n, n_mels, n_frames)].
        """
        scaled = self.header.scaler.scale(self._made.unscale(pictures))
        logits: Tensor = self._net(torch.from_numpy(scaled[:, None]).to(self._device)).double()
        said: npt.NDArray[np.float64] = F.log_softmax(logits, dim=1)[:, self._places[number]].cpu().numpy()
        return said


@dataclass
class _Kept:
    """Chosen rows that have not been handed on."""

    pictures: list[Pictures] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, drawn: Drawn, row: int) -> None:
        self.pictures.append(drawn.pictures[row])
        for name, values in drawn.columns.items():
            self.columns.setdefault(name, []).append(values[row])

    def hand_on(self) -> Drawn:
        drawn = Drawn(np.stack(self.pictures), self.columns)
        self.pictures, self.columns = [], {}
        return drawn


class BestOf:
    """Makes several candidates for each row in turn, and keeps the best.

    Parameters
    ----------
    source
        What makes them.
    critic
        From pictures and class to how good each is.
    best_of
        Candidates for each row.
    """

    def __init__(
        self, source: RowMaker, critic: Callable[[Pictures, int], npt.NDArray[np.float64]], best_of: int
    ) -> None:
        self._source, self._critic, self._best_of = source, critic, best_of

    def blocks(self, number: int, count: int, seed: int) -> Iterator[Drawn]:
        """Make `count` rows of class `number`."""
        kept, seen = _Kept(), 0
        best: tuple[float, Drawn, int] | None = None
        for drawn in self._source.blocks(number, count * self._best_of, seed):
            for row, said in enumerate(self._critic(drawn.pictures, number).tolist()):
                if best is None or said > best[0]:
                    best = said, drawn, row
                seen += 1
                if seen % self._best_of == 0:
                    kept.add(*best[1:])
                    best = None
                if len(kept.pictures) == BLOCK:
                    yield kept.hand_on()
        if kept.pictures:
            yield kept.hand_on()
