"""The places of generated rows, class by class and over all: which ways are measured, and between whom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from sertools.arrays import Index, Matrix
from sertools.scoring.synthetic.embedding import Embedding
from sertools.scoring.synthetic.equivalence import Voices, Way, class_way, direction, distance_way, nearness, pool
from sertools.scoring.synthetic.nearness import CLASS, DISTANCE, Nearness

_PAIR = 2  # rows that an unbiased distance needs


class Places:
    """Measures every way once: by distance in each embedding, by class in the one that knows classes best.

    Parameters
    ----------
    embeddings
        Of the rows, the judge's last.
    label, classes
        Class number of each real and held-out row, first of those drawn and then of those beside, and the names.
    heldout, synth
        Who speaks in each of these held-out rows, and in each generated one, whose classes `label` begins with.
    """

    def __init__(
        self,
        embeddings: Sequence[Embedding],
        label: Index,
        classes: Sequence[str],
        heldout: npt.NDArray[np.str_],
        synth: npt.NDArray[np.str_],
    ) -> None:
        self._label, self._classes, self._eyes = label, classes, embeddings[-1].name
        numbers, counts = np.unique(label[: len(synth)], return_counts=True)
        self._rows = {int(number): int(n) for number, n in zip(numbers, counts, strict=True) if n >= _PAIR}
        (_, self._speaker), (_, self._voice) = (np.unique(names, return_inverse=True) for names in (heldout, synth))
        self._distance = {each.name: self._distances(each) for each in embeddings}
        self._class = self._directions(embeddings[-1])

    def speakers(self, numbers: Sequence[int]) -> int:
        """Held-out speakers of those of some classes that have generated rows."""
        drawn = slice(len(self._voice))
        return len(np.unique(self._speaker[drawn][np.isin(self._label[drawn], numbers)]))

    def of(self, numbers: Sequence[int]) -> tuple[Nearness, ...]:
        """Bound the places of some classes: of one, towards each other class; of several, on average."""
        chosen = [number for number in numbers if number in self._rows]
        if not chosen:
            return ()
        n_rows = sum(self._rows[number] for number in chosen)
        found = [
            nearness(_pool(ways, chosen, self._rows), DISTANCE, name, None, n_rows)
            for name, ways in self._distance.items()
            if set(chosen) <= ways.keys()
        ]
        directions = {pair: way for pair, way in self._class.items() if pair[0] in chosen}
        if len(chosen) == 1:
            found += [
                nearness(way, CLASS, self._eyes, self._classes[other], n_rows)
                for (_, other), way in directions.items()
            ]
        elif directions:
            way = pool(list(directions.values()), [self._rows[number] for number, _ in directions])
            found.append(nearness(way, CLASS, self._eyes, None, n_rows))
        return tuple(found)

    def _distances(self, embedding: Embedding) -> dict[int, Way]:
        real, heldout, synth = self._classwise(embedding)
        return {
            number: distance_way(real[number], heldout[number], synth[number], others)
            for number in self._rows
            if (others := [voices for other, voices in heldout.items() if other != number])
        }

    def _directions(self, embedding: Embedding) -> dict[tuple[int, int], Way]:
        real, heldout, synth = self._classwise(embedding)
        ways = {}
        for one, other in combinations(heldout, 2):
            towards = direction(real[one], real[other])
            if towards is not None and one in synth:
                ways[one, other] = class_way(towards, heldout[one], synth[one], heldout[other])
            if towards is not None and other in synth:
                # Fewer of the first is more of the second.
                ways[other, one] = class_way(towards, heldout[other], synth[other], heldout[one]).reversed
        return ways

    def _classwise(self, embedding: Embedding) -> tuple[dict[int, Matrix], dict[int, Voices], dict[int, Voices]]:
        """Real and held-out rows of each class, and generated ones of those that have some; two at least."""
        real, heldout = (
            np.concatenate([drawn, *beside])
            for drawn, beside in ((embedding.real, embedding.beside[:1]), (embedding.heldout, embedding.beside[1:]))
        )
        numbers, counts = np.unique(self._label, return_counts=True)
        rows = {int(number): np.flatnonzero(self._label == number) for number in numbers[counts >= _PAIR]}
        return (
            {number: real[chosen] for number, chosen in rows.items()},
            {number: self._voices(heldout, self._speaker, chosen) for number, chosen in rows.items()},
            {number: self._voices(embedding.synth, self._voice, rows[number]) for number in self._rows},
        )

    @staticmethod
    def _voices(points: Matrix, speaker: Index, chosen: Index) -> Voices:
        return Voices(points[chosen], speaker[chosen], int(speaker.max()) + 1)


def _pool(ways: dict[int, Way], chosen: Sequence[int], rows: dict[int, int]) -> Way:
    return pool([ways[number] for number in chosen], [rows[number] for number in chosen])
