"""What the intervals and tests promise, against simulated cross-validations whose truth is known.

The first tests are of what a report prints, in the worlds of `worlds.py`, which draw as the experiment does; two of
them are estimates (`ratios.py`). `docs/statistics.md` has their table. The others are of utterances that are right or
wrong, and of posteriors.

**The world of utterances.** 10 speakers in 5 folds of 2, 3 seeds; every utterance of a fold is judged by classifiers
that were trained on the other 8 speakers. What a method does to recall is a sum of: an effect of the tested speaker;
the mean effect of the 8 training speakers, which all speakers and seeds of a fold share, and two folds in part, for 6
of their 8 training speakers are the same; and noise of the seed. Then utterances are right or wrong by chance.

**Measured** over 3000 simulations each, standard error 0.004 at 0.95 (the tests below run 1000). The columns are
worlds: spread (not variance) of the speakers' effects as tested : as trainers : of seeds.

=======================================  =====  =====  =====  =====
share of simulations                     1:0:0  1:1:1  1:2:1  1:4:1
=======================================  =====  =====  =====  =====
jackknife t covers these classifiers      .945   .961   .967   .976
jackknife t covers the method             .945   .871   .742   .520
Nadeau-Bengio covers the method           .984   .970   .935   .820
Nadeau-Bengio, type I error               .016   .030   .065   .180
t over folds × seeds, type I error        .178   .187   .333   .546
6 methods, family-wise error with Holm    .015   .023   .064   .184
6 methods, without Holm                   .082   .125   .284   .562
=======================================  =====  =====  =====  =====

So the jackknife interval is about the classifiers that were trained. It covers the method, as it does when trained on
other speakers, only while training speakers matter little: the part of their effect that all folds share shows in no
spread over the tested ones. Nadeau and Bengio's interval covers the method where training speakers matter about as
much as tested ones, and is wide where they do not; where they matter far more, folds are more alike than the
correlation of 1/K that it assumes, and it covers too little as well. The t test over folds × seeds takes 15 numbers
for independent and finds differences that are not there.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import worlds
from scipy.stats import ttest_1samp

from sertools.metrics import auc_against_rest
from sertools.scoring.comparing.pairs import paired_differences
from sertools.scoring.comparing.resampling import corrected_resampled_t, holm
from sertools.scoring.comparing.runs import ScoredRun
from sertools.scoring.comparing.statistics import jackknife_t, pooled_uar
from sertools.scoring.results.result import Result, Utterance

N_SPEAKERS, N_FOLDS, N_SEEDS = 10, 5, 3
RATIO = 1 / (N_FOLDS - 1)  # tested : trained on, without validation
FOLD = np.repeat(np.arange(N_FOLDS), N_SPEAKERS // N_FOLDS)
N_BY_CLASS = np.array([20, 40, 60])
MEAN_RECALL = np.array([0.4, 0.5, 0.6])
UNIT = 0.05
N_TRIALS = 1000


@dataclass(frozen=True)
class World:
    """How much an effect varies over tested speakers, training speakers and seeds, in units of 5 points of recall."""

    tested: float
    trainers: float
    seeds: float


ALIKE = World(1, 0, 0)
SHARED = World(1, 1, 1)


@dataclass(frozen=True)
class Trial:
    """One simulated cross-validation.

    `counts` are confusion matrices [shape=(n_speakers, n_methods, n_seeds, 3, 3)]; `trained` is the true effect of
    each method's classifiers [shape=(n_methods,)]; what the methods do on average is the `gain` that was asked for.
    """

    counts: np.ndarray
    trained: np.ndarray

    def fold_uar(self, method: int) -> np.ndarray:
        """UAR of each fold and seed [shape=(n_folds, n_seeds)]."""
        by_fold = np.stack([self.counts[f == FOLD, method].sum(axis=0) for f in range(N_FOLDS)])
        return (np.diagonal(by_fold, axis1=-2, axis2=-1) / by_fold.sum(axis=-1)).mean(axis=-1)


def simulate(rng: np.random.Generator, world: World, n_methods: int = 2, gain: float = 0.0) -> Trial:
    """Draw a cross-validation; methods after the first are better by `gain`, on average over all speakers."""
    as_tested = UNIT * world.tested * rng.normal(size=(N_SPEAKERS, n_methods))
    as_trainer = UNIT * world.trainers * rng.normal(size=(N_SPEAKERS, n_methods))
    seed = UNIT * world.seeds * rng.normal(size=(N_FOLDS, n_methods, N_SEEDS))
    training = np.stack([as_trainer[f != FOLD].mean(axis=0) for f in range(N_FOLDS)])
    by_fold = training[:, :, None] + seed + gain * (np.arange(n_methods) > 0)[None, :, None]
    ability = UNIT * rng.normal(size=N_SPEAKERS)  # shared by all methods
    shift = ability[:, None, None] + as_tested[:, :, None] + by_fold[FOLD]
    recall = np.clip(MEAN_RECALL + shift[..., None], 0, 1)
    right = rng.binomial(N_BY_CLASS, recall)
    counts = np.zeros((*shift.shape, 3, 3), dtype=np.int64)
    counts[..., range(3), range(3)] = right
    counts[..., range(3), [1, 2, 0]] = N_BY_CLASS - right
    return Trial(counts, by_fold.mean(axis=(0, 2)))


def jackknife(trial: Trial, method: int = 1):
    pair = trial.counts[:, [method, 0]]
    return jackknife_t(pair, lambda c: pooled_uar(c[0]) - pooled_uar(c[1]))


def by_fold_and_seed(trial: Trial, method: int = 1) -> np.ndarray:
    return trial.fold_uar(method) - trial.fold_uar(0)


def four_errors(rate: float, n: int = N_TRIALS) -> float:
    """Four binomial standard errors of a share."""
    return 4 * float(np.sqrt(rate * (1 - rate) / n))


def trials(world: World, n: int = N_TRIALS, **options: float):
    rng = np.random.default_rng(7)
    return (simulate(rng, world, **options) for _ in range(n))


def measure(world: World, n: int = N_TRIALS) -> dict[str, float]:
    """Shares of simulated comparisons of two equal methods: intervals that hold the truth, tests that reject it."""
    hits = dict.fromkeys(("jackknife, classifiers", "jackknife, method", "folds, method", "type I", "naive"), 0)
    for trial in trials(world, n):
        interval = jackknife(trial)
        hits["jackknife, classifiers"] += interval.low <= trial.trained[1] - trial.trained[0] <= interval.high
        hits["jackknife, method"] += interval.low <= 0 <= interval.high
        differences = by_fold_and_seed(trial)
        over_folds, p = corrected_resampled_t(differences.mean(axis=1), RATIO)
        hits["folds, method"] += over_folds.low <= 0 <= over_folds.high
        hits["type I"] += p <= 0.05
        hits["naive"] += ttest_1samp(differences.ravel(), 0).pvalue <= 0.05
    return {name: count / n for name, count in hits.items()}


def family(world: World, n: int = N_TRIALS) -> tuple[float, float]:
    """How often one of 6 methods, none better than the baseline, is found to differ: with Holm, and without."""
    with_holm = without = 0
    for trial in trials(world, n, n_methods=7):
        p = [corrected_resampled_t(by_fold_and_seed(trial, m).mean(axis=1), RATIO)[1] for m in range(1, 7)]
        with_holm += min(holm(p)) <= 0.05
        without += min(p) <= 0.05
    return with_holm / n, without / n


@pytest.mark.parametrize(("layout", "n"), [*zip(worlds.LAYOUTS, (1000, 1000, 600, 300), strict=True)], ids=str)
def test_in_the_middle_world_every_printed_interval_covers(layout: tuple[int, int], n: int) -> None:
    found = worlds.measure(layout, worlds.MIDDLE, n)
    assert set(found) == set(worlds.PRINTED)
    for name, (covers, _) in found.items():
        assert covers >= 0.93, name
    # The two tests are of methods that do not differ: what they do not cover they find.
    for name in ("this method", "this method, one seed"):
        assert 1 - found[name][0] <= 0.05 + four_errors(0.05, n), name


@pytest.mark.parametrize(("layout", "n"), [*zip(worlds.LAYOUTS, (500, 500, 300, 150), strict=True)], ids=str)
def test_in_the_world_of_result_files_every_printed_interval_covers(layout: tuple[int, int], n: int) -> None:
    found = worlds.measure(layout, worlds.ESTIMATED, n)
    for name, (covers, _) in found.items():
        assert covers >= 0.93, name
    for name in ("this method", "this method, one seed"):
        assert 1 - found[name][0] <= 0.05 + four_errors(0.05, n), name


def test_all_worlds_are_printed_and_a_gain_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Worlds in which trainers matter more than tested speakers are harder; none is left out."""
    with capsys.disabled():
        for layout, n in zip(worlds.LAYOUTS, (100, 100, 100, 40), strict=True):
            print(f"\n{layout[0]} speakers, {layout[1]} folds: covers / finds a gain of 1")
            for variances in worlds.WORLDS:
                covers, finds = (worlds.measure(layout, variances, n, gain=gain) for gain in (0.0, 1.0))
                shown = (f"{name} {covers[name][0]:.2f} / {finds[name][1]:.2f}" for name in worlds.PRINTED)
                print(":".join(f"{v:g}" for v in variances), *shown, sep="  ")
                assert covers["these classifiers"][0] > 0.95 - four_errors(0.95, n)
                assert covers["this method"][0] > 0.75
                # Where seeds matter, one of them costs power.
                assert not variances[2] or finds["this method"][1] >= finds["this method, one seed"][1]


def test_where_only_tested_speakers_differ_every_interval_covers() -> None:
    found = measure(ALIKE)
    for name in ("jackknife, classifiers", "jackknife, method"):
        assert found[name] == pytest.approx(0.95, abs=four_errors(0.95))
    assert found["folds, method"] > 0.95 - four_errors(0.95)  # wide
    assert found["type I"] < 0.05 + four_errors(0.05)


def test_where_training_speakers_matter_too() -> None:
    found = measure(SHARED)
    assert 0.95 - four_errors(0.95) < found["jackknife, classifiers"] < 0.99
    # The interval is about the classifiers, not about the method: too narrow for that.
    assert 0.80 < found["jackknife, method"] < 0.95 - four_errors(0.95)
    assert found["folds, method"] > 0.95 - four_errors(0.95)
    assert found["folds, method"] == pytest.approx(1 - found["type I"], abs=1e-9)
    assert found["type I"] < 0.05 + four_errors(0.05)
    # Why the correction: nearly one time in five, a plain t over folds and seeds finds what is not there.
    assert found["naive"] > 0.05 + four_errors(0.05)


def test_one_false_find_among_six_methods_stays_rare() -> None:
    with_holm, without = family(SHARED)
    assert with_holm < 0.05 + four_errors(0.05)
    assert without > 0.05 + four_errors(0.05)


def test_a_difference_that_is_there_is_found() -> None:
    found_by_speakers = found_by_folds = 0
    for trial in trials(SHARED, 200, gain=0.15):
        found_by_speakers += jackknife(trial).low > 0
        found_by_folds += corrected_resampled_t(by_fold_and_seed(trial).mean(axis=1), RATIO)[1] <= 0.05
    assert found_by_speakers > 0.95 * 200
    assert found_by_folds > 0.6 * 200


def run_of(fold: int, score: np.ndarray, member: np.ndarray, speaker: np.ndarray) -> ScoredRun:
    """Give a run that has posteriors of two classes, and no more than the comparison of areas needs."""
    p = 1 / (1 + np.exp(-score))
    utterances = tuple(
        Utterance(
            id=f"{fold}-{k}",
            emotion="angry" if member[k] else "sad",
            speaker=f"{speaker[k]:02}",
            predicted="angry" if p[k] > 0.5 else "sad",
            posterior=(float(p[k]), float(1 - p[k])),
            n_segments=1,
            tied=False,
        )
        for k in range(len(p))
    )
    area = auc_against_rest(p, member)
    return ScoredRun(Result(
        tags={}, classes=("angry", "sad"), vote="mean", allow_seen=False,
        metrics={"uar": 0.5, "auc": {"angry": area, "sad": area}}, model={}, utterances=utterances,
    ))  # fmt: skip


def test_the_interval_of_the_area_covers() -> None:
    """Two methods that rank alike on average: their areas' difference is 0. Measured over 1000: .967."""
    rng = np.random.default_rng(3)
    n = 250
    speaker, member = np.repeat(np.arange(N_SPEAKERS), 20), np.tile(np.arange(20) < 5, N_SPEAKERS)
    hits = 0
    for _ in range(n):
        shared = rng.normal(size=200) + 0.5 * rng.normal(size=N_SPEAKERS)[speaker]
        methods = []
        for _ in range(2):
            skill, lean = 1 + 0.4 * rng.normal(size=N_SPEAKERS)[speaker], 0.4 * rng.normal(size=N_SPEAKERS)[speaker]
            score = shared + skill * member + lean + 0.5 * rng.normal(size=200)
            methods.append(
                {
                    (str(f), "angry", "0"): run_of(f, *(a[FOLD[speaker] == f] for a in (score, member, speaker)))
                    for f in range(N_FOLDS)
                }
            )
        found = paired_differences(*methods, adjusted=False).auc
        assert found is not None
        hits += found.low <= 0 <= found.high
    assert hits / n == pytest.approx(0.95, abs=four_errors(0.95, n))
