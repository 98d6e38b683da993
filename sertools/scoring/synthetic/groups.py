"""All figures of a class, or of all classes together, from the drawn rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sertools.arrays import Index, Matrix, Pictures
from sertools.errors import printable
from sertools.scoring.synthetic import fidelity as f
from sertools.scoring.synthetic.embedding import ComponentSpace, Embedding
from sertools.scoring.synthetic.samples import Draw, Samples
from sertools.scoring.synthetic.texture import TextureGap, texture, texture_gap
from sertools.scoring.synthetic.verdict import Copying, Distance, Fidelity, Group, Variety
from sertools.scoring.synthetic.ways import Places
from sertools.training.scaling import MinMax, Scaler

_PAIR = 2  # rows that an unbiased distance needs


@dataclass(frozen=True)
class _ClassDistance:
    """KID of one class, and its values by chance."""

    rows: int
    generated: float
    heldout: float
    other: float | None
    same: Matrix
    excess: Matrix


class Groups:
    """Measures groups of classes on the drawn rows.

    Parameters
    ----------
    embeddings
        The first is of pixels or vectors.
    components
        That the first was made with: the training rows are looked up in it.
    seed
        Of the permutations.
    """

    def __init__(
        self,
        samples: Samples,
        draw: Draw,
        embeddings: Sequence[Embedding],
        components: ComponentSpace,
        scaler: Scaler,
        seed: int,
    ) -> None:
        self._draw, self._embeddings = draw, embeddings
        self._range_db = scaler.high_db - scaler.low_db if isinstance(scaler, MinMax) else None
        self._scaled: list[Pictures] = [
            scaler.scale(side.rows.pictures(index))
            for side, index in (
                (samples.real, draw.real),
                (samples.heldout, draw.heldout),
                (samples.synth, draw.synth),
            )
        ]
        self._distances = [_class_distances(embedding, draw, seed) for embedding in embeddings]
        self._places = Places(
            embeddings,
            np.concatenate([draw.label, draw.beside[0]]),
            [printable(name) for name in draw.classes],
            samples.heldout.voices(np.concatenate([draw.heldout, draw.beside[2]])),
            samples.synth.voices(draw.synth),
        )
        self._to_train, self._to_train_heldout = _to_train(samples, draw, embeddings[0], components)
        self._varieties = {number: self._variety(number) for number in np.unique(draw.label).tolist()}

    def measure(self, numbers: Sequence[int]) -> Group:
        """Measure the classes of these numbers as one group."""
        chosen = np.flatnonzero(np.isin(self._draw.label, numbers))
        gap, gap_heldout = self._textures(chosen)
        near, near_heldout = self._to_train[chosen], self._to_train_heldout[chosen]
        return Group(
            rows=len(chosen),
            speakers=self._places.speakers(numbers),
            fidelity=tuple(
                self._fidelity(embedding, distances, numbers, chosen)
                for embedding, distances in zip(self._embeddings, self._distances, strict=True)
            ),
            copying=Copying(
                copied=float(f.copies(near).mean()),
                copied_heldout=float(f.copies(near_heldout).mean()),
                nearness=_ratio(float(np.median(near[:, 0])), float(np.median(near_heldout[:, 0]))),
                z=f.copying_z(near[:, 0], near_heldout[:, 0]),
            ),
            variety=self._pooled_variety(numbers),
            texture=gap,
            texture_heldout=gap_heldout,
            nearness=self._places.of(numbers),
        )

    def _textures(self, chosen: Index) -> tuple[TextureGap | None, TextureGap | None]:
        """Compare generated and held-out pictures with real ones; vectors have no texture."""
        if self._range_db is None:
            return None, None
        real, heldout, synth = (texture(scaled[chosen]) for scaled in self._scaled)
        return texture_gap(synth, real, self._range_db), texture_gap(heldout, real, self._range_db)

    def _fidelity(
        self, embedding: Embedding, distances: dict[int, _ClassDistance], numbers: Sequence[int], chosen: Index
    ) -> Fidelity:
        real, heldout, synth = embedding.sides(chosen)
        return Fidelity(
            embedding=embedding.name,
            distance=_pool([distances[number] for number in numbers if number in distances]),
            frechet=f.frechet(synth, real),
            frechet_heldout=f.frechet(heldout, real),
            frechet_dimensions=f.frechet_dimensions(*real.shape),
            neighbourhood=f.neighbourhood(real, synth),
            neighbourhood_heldout=f.neighbourhood(real, heldout),
        )

    def _variety(self, number: int) -> tuple[int, Matrix, int]:
        """Rows of a class, spread of the real, held-out and generated ones, and how many of the last have a twin.

        In all values, not in principal components: what the real rows' components do not span, such as noise, would
        seem to be all the same there.
        """
        chosen = self._draw.label == number
        real, heldout, synth = (
            scaled[chosen].reshape(int(chosen.sum()), -1).astype(np.float64) for scaled in self._scaled
        )
        spreads: Matrix = np.array([f.mean_distance(side) for side in (real, heldout, synth)])
        usual = float(np.median(f.to_nearest_other(real)))
        n_twins = int((f.to_nearest_other(synth) < f.REPEAT_RATIO * usual).sum()) if len(synth) > 1 else 0
        return len(synth), spreads, n_twins

    def _pooled_variety(self, numbers: Sequence[int]) -> Variety:
        found = [self._varieties[number] for number in numbers if number in self._varieties]
        rows = np.array([n for n, _, _ in found], dtype=np.float64)
        real, heldout, synth = rows @ np.stack([spreads for _, spreads, _ in found])
        return Variety(
            spread=_ratio(synth, real),
            spread_heldout=_ratio(heldout, real),
            repeated=sum(n_twins for _, _, n_twins in found) / float(rows.sum()),
        )


def _class_distances(embedding: Embedding, draw: Draw, seed: int) -> dict[int, _ClassDistance]:
    """KID of every class that has two rows at least."""
    of_class = {number: np.flatnonzero(draw.label == number) for number in np.unique(draw.label).tolist()}
    of_class = {number: chosen for number, chosen in of_class.items() if len(chosen) >= _PAIR}
    found = {}
    for number, chosen in of_class.items():
        real, heldout, synth = embedding.sides(chosen)
        others = [f.kid(embedding.heldout[other], real) for key, other in of_class.items() if key != number]
        rng = np.random.default_rng([seed, 3, number])
        found[number] = _ClassDistance(
            rows=len(chosen),
            generated=f.kid(synth, real),
            heldout=f.kid(heldout, real),
            other=float(np.mean(others)) if others else None,
            same=f.kid_by_chance(synth, real, rng),
            excess=f.excess_by_chance(synth, heldout, real, rng),
        )
    return found


def _pool(classes: Sequence[_ClassDistance]) -> Distance:
    """Mean over classes by their rows: unbiased, however few rows each has, and blind to none of their labels."""
    weight = np.array([each.rows for each in classes], dtype=np.float64)
    weight /= weight.sum()
    generated = float(weight @ [each.generated for each in classes])
    heldout = float(weight @ [each.heldout for each in classes])
    others = [each.other for each in classes if each.other is not None]
    excess: Matrix = weight @ np.stack([each.excess for each in classes])
    return Distance(
        generated=generated,
        heldout=heldout,
        other=float(weight @ others) if len(others) == len(classes) else None,
        p_different=f.p_value(generated, weight @ np.stack([each.same for each in classes])),
        p_farther=f.p_value(generated - heldout, excess),
        chance=float(excess.std()),
    )


def _to_train(samples: Samples, draw: Draw, points: Embedding, components: ComponentSpace) -> tuple[Matrix, Matrix]:
    """Distances of generated and of held-out rows to their two nearest training rows [shape=(n, 2)] each.

    Halves of REAL are not unseen: there a held-out row is compared with the training rows of other utterances.
    """
    index = samples.train.distinct()
    train = components.points(samples.train.rows, index)
    own = None
    if samples.halved:
        utterance = samples.train.rows.utterance
        own = utterance[draw.heldout][:, None] == utterance[index][None]
    return f.to_nearest_two(points.synth, train), f.to_nearest_two(points.heldout, train, own)


def _ratio(generated: float, real: float) -> float:
    # Real rows that are all the same have no spread; a ratio to it says nothing.
    return generated / real if real > 0 else 1.0
