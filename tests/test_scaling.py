"""Min-max scaling: the floor, the range, the way back, and which rows decide it."""

import numpy as np
import pytest
from chains import noise, write_rows

from sertools.training.batches import open_rows
from sertools.training.scaling import MinMax, fit_scaler


def fitted(*blocks: object) -> MinMax:
    scaler, _ = fit_scaler(lambda: [np.asarray(block, dtype=np.float32) for block in blocks])
    return scaler


def test_the_floor_lies_80_db_below_the_loudest_pixel():
    scaler = fitted([[-100.0, -50.0]], [[-30.0, 10.0]])
    assert (scaler.low_db, scaler.high_db) == (-70.0, 10.0)


def test_a_smaller_range_is_taken_whole():
    scaler = fitted([-40.0, -12.5], [-20.0])
    assert (scaler.low_db, scaler.high_db) == (-40.0, -12.5)
    assert scaler.clipped_share == 0.0


def test_the_share_below_the_floor_is_counted_over_all_blocks():
    scaler = fitted([-100.0, -90.0, -80.0], [-80.5, 0.0])
    assert scaler.clipped_share == pytest.approx(3 / 5)  # -80 is the floor itself


def test_the_range_becomes_minus_one_to_one_and_the_rest_is_clipped():
    scaler = MinMax(-70.0, 10.0)
    scaled = scaler.scale(np.array([-200, -70, -30, 10, 99], dtype=np.float32))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [-1, -1, 0, 1, 1], atol=1e-6)


def test_unscale_undoes_scale_within_the_range(rng):
    scaler = MinMax(-73.25, 4.5)
    pictures = rng.uniform(-73.25, 4.5, (5, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(scaler.unscale(scaler.scale(pictures)), pictures, atol=2e-5)
    np.testing.assert_allclose(scaler.unscale(np.array([-1, 1], dtype=np.float32)), [-73.25, 4.5], atol=1e-5)


def test_constant_pictures_stay_finite():
    scaler = fitted(np.full((2, 4, 4), -100.0))
    scaled = scaler.scale(np.full((4, 4), -100.0, dtype=np.float32))
    assert np.isfinite(scaled).all()
    assert scaler.low_db < scaler.high_db
    assert np.isfinite(scaler.unscale(scaled)).all()


def test_only_real_rows_decide_the_scale(rng, tmp_path):
    real = write_rows(tmp_path / "real.h5", noise(rng, 4, -60, -20), ["a", "b", "a", "b"])
    loud = write_rows(tmp_path / "loud.h5", noise(rng, 4, -50, 30), ["a", "b", "a", "b"], origin="generated")
    alone = open_rows([real]).fit_scaler()
    assert open_rows([loud, real]).fit_scaler() == alone
    assert alone.high_db <= -20
    # Where nothing is real, all rows decide.
    assert open_rows([loud]).fit_scaler().high_db > 20


def test_the_scale_is_that_of_all_rows_however_they_are_read(rng, tmp_path):
    pictures = noise(rng, 600)
    pictures[555, 3, 3] = 5.0
    rows = open_rows([write_rows(tmp_path / "s.h5", pictures, ["a"] * 600)])
    scaler = rows.fit_scaler()
    assert scaler.high_db == 5.0
    assert scaler.low_db == pytest.approx(pictures.min())
