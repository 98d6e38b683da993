"""Vectors without voices, or without loudness and speaking rate: what is planted is taken out, and nothing else."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from test_vector_latents import rows_of, store

from sertools import info

SCRIPT = Path(__file__).parents[1] / "examples" / "rows_without.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rows_without", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["rows_without"] = module
    spec.loader.exec_module(module)
    return module


def test_voices_are_taken_out_and_the_store_is_sound(script, rng, tmp_path, monkeypatch):
    speakers = np.repeat(["a", "b", "c"], 8).tolist()
    offsets = {name: 10.0 * rng.standard_normal(6) for name in "abc"}
    vectors = np.stack([offsets[name] for name in speakers]) + rng.standard_normal((24, 6))
    path = store(tmp_path / "rows.h5", vectors, ["angry", "sad"] * 12, speakers)
    monkeypatch.setattr(sys, "argv", ["x", str(path), "-o", str(tmp_path / "out.h5"), "--take-out", "speakers"])
    script.main()
    made = rows_of(tmp_path / "out.h5").reshape(3, 8, 6)
    np.testing.assert_allclose(made.mean(axis=1), 0.0, atol=1e-5)
    np.testing.assert_allclose(made.std(axis=1), 1.0, atol=1e-5)
    described = info(tmp_path / "out.h5", verify=True)
    assert described["verified"] is True
    assert described["speakers"] == ["a", "b", "c"]
    assert described["classes"]["sad"]["utterances"] == 12


def test_what_two_numbers_explain_is_found_and_no_more(script, rng):
    facts = np.column_stack([rng.uniform(40, 80, 300), rng.uniform(1, 6, 300)])
    z = (facts - facts.mean(axis=0)) / facts.std(axis=0)
    part = np.column_stack([2 * z[:, 0] + z[:, 1] ** 2, z.prod(axis=1), np.zeros(300)])
    rest = 0.5 * rng.standard_normal((300, 3))
    found = script.explained(part + rest, facts)
    np.testing.assert_allclose(found - found.mean(axis=0), part - part.mean(axis=0), atol=0.35)


def test_loudness_and_rate_are_those_of_what_is_heard(script, rng, tmp_path):
    t = np.arange(32_000) / 16_000
    silence = np.zeros(16_000)
    measured = {}
    for name, scale, hz in (("loud", 0.1, 2), ("quiet", 0.01, 2), ("fast", 0.1, 6)):
        bursts = rng.standard_normal(len(t)) * np.exp(-8.0 * (t * hz % 1.0))
        y = np.concatenate([silence, scale * bursts, silence])
        soundfile.write(tmp_path / f"{name}.wav", y, 16_000)
        measured[name] = script.loudness_and_rate(tmp_path / f"{name}.wav", 16_000)
    assert measured["loud"][0] - measured["quiet"][0] == pytest.approx(20.0, abs=0.5)
    assert measured["fast"][1] > 2.0 * measured["loud"][1] > 2.0
