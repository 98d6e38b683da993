"""The worlds that are called estimated are what result files say, and the estimate finds what was planted."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import ratios
import worlds


def columns() -> dict[str, np.ndarray]:
    with gzip.open(ratios.RESULTS, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize(
    ("own", "world"), [("posthoc", worlds.ESTIMATED), ("full", worlds.ESTIMATED_FULL)], ids=["posthoc", "full"]
)
def test_estimated_worlds_are_those_of_the_results(own: str, world: tuple[float, float, float]) -> None:
    found = ratios.estimate(own, "imbalanced")
    assert [round(part, 1) for part in found.world] == list(world)


def test_no_one_is_tested_who_is_trained_on() -> None:
    found = columns()
    for tested, trained in zip(found["tested"], found["trained"], strict=True):
        assert not {*tested.split()} & {*trained.split()}
        assert (len(tested.split()), len(trained.split())) == (4, 6)
    assert len(found["fold"]) == 30 * 3 * 3 * 3


def test_planted_variances_are_found(tmp_path: Path) -> None:
    """In the layout of the results; one estimate is uncertain by half, so several are averaged."""
    rng, known = np.random.default_rng(3), columns()
    speakers, planted = sorted({*" ".join(known["tested"]).split()}), np.array([2.0, 4.0, 1.0])
    logs = []
    for trial in range(10):
        effects = {c: np.sqrt(planted[:2, None]) * rng.normal(size=(2, len(speakers))) for c in set(known["reduced"])}
        path = tmp_path / f"{trial}.csv.gz"
        with gzip.open(path, "wt", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(known)
            for fold, tested, trained, reduced, seed in zip(*list(known.values())[:5], strict=True):
                parts = [np.isin(speakers, names.split()) for names in (tested, trained)]
                value = sum(own[part].mean() for own, part in zip(effects[reduced], parts, strict=True))
                value += np.sqrt(planted[2]) * rng.normal()
                lines.writerow([fold, tested, trained, reduced, seed, 0, value / 100, 0])
        found = ratios.estimate("posthoc", "imbalanced", path)
        logs.append(np.log([found.tested, found.trainer, found.seeds]))
    np.testing.assert_allclose(np.exp(np.mean(logs, axis=0)), planted, rtol=0.4)
