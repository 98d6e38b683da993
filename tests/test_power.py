"""The plan: what results can find, against simulation, and how it is written."""

import json

import numpy as np
import pytest
import worlds
from test_report import grid

from sertools.errors import UsageError
from sertools.reporting.reports.power_table import render_plan
from sertools.scoring.comparing.power import Design, Spread
from sertools.scoring.comparing.statistics import jackknife_variance

SEEDS, REDUCED = ("0", "1"), ("angry", "sad")
RUNS = [*grid("imbalanced", 0.4, reduced=REDUCED, seeds=SEEDS), *grid("GAN", 0.7, reduced=REDUCED, seeds=SEEDS)]


def test_a_gain_that_is_planned_for_is_found_as_often_as_said() -> None:
    """From the spreads that simulated results show on average, about four in five of new ones show the gain."""
    rng, n_folds = np.random.default_rng(0), 3
    speakers, seeds = [], []
    for _ in range(200):
        world = worlds.World(rng, 12, worlds.MIDDLE)
        folds = worlds.part(world.order, n_folds)
        found = worlds.endpoint(world.run(folds), folds)
        speakers.append(12 * jackknife_variance(found.estimate, found.left_out))
        seeds.append(found.seed_variance()[0])
    design = Design(12, n_folds, worlds.N_SEEDS)
    shown = Spread(
        per_speaker=float(np.mean(speakers)), per_cell=float(np.mean(seeds)), n_classes=worlds.N_CLASSES,
        validation=1 / worlds.VAL, design=design,
    )  # fmt: skip
    gain = shown.detectable(design)
    finds = worlds.measure((12, 3), worlds.MIDDLE, 300, gain=gain)["this method"][1]
    assert finds == pytest.approx(0.8, abs=0.12)
    assert shown.speakers_for(gain + 1e-9, 3, worlds.N_SEEDS) == 12
    # More of anything never costs.
    assert shown.detectable(Design(24, 3, 3)) < gain
    assert shown.detectable(Design(12, 3, 9)) < gain
    assert shown.detectable(Design(12, 6, 3)) < gain
    assert shown.speakers_for(1e-9, 3, 3) is None


def test_the_plan_is_a_table_and_a_record() -> None:
    head, line, *_ = render_plan(RUNS, 2).splitlines()
    assert head.split("  ")[0] == "vs imbalanced"
    assert "3 folds, 2 seeds" in head
    assert "10 folds, 10 seeds" in head
    (record,) = json.loads(render_plan(RUNS, 2, format="json"))["rows"]
    assert (record["n_speakers"], record["n_folds"], record["n_seeds"]) == (6, 3, 2)
    assert f" {record['found_now']:.1f} " in line
    easier = json.loads(render_plan(RUNS, 50, format="json"))["rows"][0]
    assert easier["speakers_10_folds_10_seeds"] <= (record["speakers_10_folds_10_seeds"] or 1001)


def test_what_does_not_tell_is_a_dash_with_its_reason() -> None:
    one = [r for r in RUNS if r.tags["seed"] == "0"]
    text = " ".join(render_plan(one, 2).split())
    assert "Nothing to plan with for GAN: one seed, which says nothing of seeds." in text
    with pytest.raises(UsageError, match="--power 0: expected a gain"):
        render_plan(RUNS, 0)
    with pytest.raises(UsageError, match="name another by --baseline"):
        render_plan([r for r in RUNS if r.tags["method"] == "GAN"], 2)
