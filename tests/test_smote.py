"""Latent SMOTE: points between neighbours of one class."""

from pathlib import Path

import numpy as np
import pytest
from stores import read_all

from sertools.errors import StoreError
from sertools.generation.smote import LatentSmote
from sertools.store.reader import open_store


def test_points_lie_between_a_row_and_one_of_its_five_nearest() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((40, 7))
    labels = ["sad"] * 30 + ["angry"] * 10
    drawn = LatentSmote(points, labels, ["angry", "sad"]).sample(1, 60, np.random.default_rng(1))
    own = points[:30]
    distance = np.linalg.norm(own[:, None] - own[None], axis=2)
    n_between = 0
    for point in drawn:
        pairs = [(i, j) for i in range(30) for j in np.argsort(distance[i])[1:6]]
        between = [
            abs(np.linalg.norm(point - own[i]) + np.linalg.norm(point - own[j]) - distance[i, j]) < 1e-9
            for i, j in pairs
        ]
        n_between += any(between)
    assert n_between == 60


def test_every_row_starts_equally_often() -> None:
    # Far apart in pairs: a drawn point tells the pair that it comes from.
    points = np.array([[100.0 * (i // 2) + i % 2] for i in range(10)])
    smote = LatentSmote(points, ["a"] * 10, ["a"])
    smote._neighbours = [np.array([[i ^ 1] for i in range(10)])]
    drawn = smote.sample(0, 20, np.random.default_rng(0))[:, 0]
    assert np.unique(drawn // 100, return_counts=True)[1].tolist() == [4] * 5


def test_a_class_of_one_row_has_no_neighbours() -> None:
    smote = LatentSmote(np.zeros((3, 2)), ["a", "a", "b"], ["a", "b"])
    assert (smote.sample(0, 3, np.random.default_rng(0)) == 0).all()
    with pytest.raises(StoreError, match="class 'b' has 1 row, and SMOTE draws between two at the least"):
        smote.sample(1, 1, np.random.default_rng(0))


def test_generate_between_rows(chain, tmp_path: Path, run) -> None:
    for name, options in (("a", ""), ("b", f"--smote {chain.train}"), ("c", f"--smote {chain.train}")):
        assert (
            run(*f"generate {chain.gan} --per-class 3 {options} --seed 4 -o {tmp_path}/{name}.h5".split()).code == 0
        )
    plain, smote, again = (open_store(tmp_path / f"{name}.h5") for name in "abc")
    assert len(smote) == len(plain)
    assert not np.allclose(read_all(plain), read_all(smote))
    assert (tmp_path / "b.h5").read_bytes() == (tmp_path / "c.h5").read_bytes()
    assert len(again) == len(smote)
    assert smote.contents.lineage.trained_on >= set(open_store(chain.train).contents.utterances["digest"].tolist())
    assert '"smote"' in smote.contents.history[-1]
