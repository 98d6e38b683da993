"""Simulated cross-validations whose truth is known: how often each interval holds it, and what each test finds.

**The world.** What a method adds to the area of a reduced class is a sum of: an effect of the tested speaker;
the mean effect of the training speakers, whom folds share as they do; the mean effect of the class's kept rows,
drawn anew in every cell from those of the training speakers; noise of the nets' start, in every fold, class and
seed; and noise of the utterances. Three classes are reduced, a fifth of the class's eight rows a speaker is
kept, one training speaker in four is for validation, as the experiment has it.

A world is three variances: of tested speakers, of trainers, and of seeds, half from ten kept rows and half from nets.
`python tests/worlds.py` prints all worlds, layouts and tests, also those that need other runs than folds.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from sertools.scoring.comparing.anew import Endpoint, trained_anew
from sertools.scoring.comparing.resampling import corrected_resampled_t
from sertools.scoring.comparing.statistics import Interval, jackknife_interval

LAYOUTS = ((12, 3), (10, 5), (25, 5), (100, 5))  # speakers, folds
# About the middle of four differences of linear classifiers of mel bands' means: docs/statistics.md has them.
MIDDLE = (1.0, 1.2, 1.5)
# What `ratios.py` estimates from result files: rows of an encoder, "posthoc" and "full" against "imbalanced".
ESTIMATED = (1.0, 2.3, 0.4)
ESTIMATED_FULL = (1.0, 8.8, 6.3)
WORLDS = (
    (1.0, 0.0, 0.0),
    (1.0, 1.0, 0.0),
    (1.0, 1.0, 1.0),
    MIDDLE,
    (1.0, 1.0, 3.0),
    (1.0, 2.0, 1.0),
    (1.0, 4.0, 1.0),
    ESTIMATED,
    ESTIMATED_FULL,
)
N_CLASSES, N_SEEDS, ROWS, KEPT, VAL, UTTERANCE_NOISE = 3, 3, 8, 0.2, 4, 0.5
PRINTED = ("this method", "this method, one seed", "these classifiers")
Measured = dict[str, tuple[float, float]]  # test → how often its interval covers, how often it finds the gain


@dataclass(frozen=True)
class Folds:
    """Who is tested in which fold [shape=(S,)], and each fold's training speakers' shares [shape=(K, S)]."""

    fold: np.ndarray
    shares: np.ndarray

    @property
    def tested(self) -> float:
        """Size of all test sets in training sets."""
        return len(self.fold) / float((self.shares > 0).sum(axis=1).mean())


def part(order: np.ndarray, n_folds: int, val: int = VAL) -> Folds:
    """Deal speakers to folds in turn, and every `val`-th of the rest of each to validation."""
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % n_folds
    trains = [[s for i, s in enumerate(order[fold[order] != k]) if not val or i % val] for k in range(n_folds)]
    return Folds(fold, np.array([np.isin(np.arange(len(order)), train) / len(train) for train in trains]))


class World:
    """Speakers and rows of one trial."""

    def __init__(self, rng: np.random.Generator, n_speakers: int, variances: tuple[float, float, float]):
        self.rng, self.n = rng, n_speakers
        spread = np.sqrt(variances)
        self.tested, self.trainer = spread[:2, None, None] * rng.normal(size=(2, N_CLASSES, n_speakers))
        self.rows = spread[2] * np.sqrt(0.5 * 10) * rng.normal(size=(N_CLASSES, n_speakers, ROWS))
        self.start = spread[2] * np.sqrt(0.5)
        self.order = rng.permutation(n_speakers)

    def run(self, folds: Folds, n_seeds: int = N_SEEDS) -> np.ndarray:
        """Give the difference of every class, seed and tested speaker [shape=(C, R, S)]."""
        shift = np.empty((N_CLASSES, n_seeds, len(folds.shares)))
        for k, shares in enumerate(folds.shares):
            pool = self.rows[:, shares > 0].reshape(N_CLASSES, -1)
            n_kept = max(1, round(KEPT * pool.shape[1]))
            for r in range(n_seeds):
                kept = self.rng.permuted(pool, axis=1)[:, :n_kept].mean(axis=1)
                shift[:, r, k] = self.trainer @ shares + kept
        shift += self.start * self.rng.normal(size=shift.shape)
        self.trained = float(shift[..., folds.fold].mean())  # what these classifiers do on average over all people
        noise = UTTERANCE_NOISE * self.rng.normal(size=(N_CLASSES, n_seeds, self.n))
        return self.tested[:, None] + shift[..., folds.fold] + noise


def by_fold(cells: np.ndarray, folds: Folds) -> np.ndarray:
    """Means of the folds [shape=(…, K)] of speakers' values [shape=(…, S)]."""
    return np.stack([cells[..., folds.fold == k].mean(axis=-1) for k in range(len(folds.shares))], axis=-1)


def endpoint(cells: np.ndarray, folds: Folds) -> Endpoint:
    """Sum up cells [shape=(C, R, S)] as results of the toolkit are; folds weigh by their speakers."""
    speakers, means = cells.mean(axis=(0, 1)), by_fold(cells, folds)
    weights = np.bincount(folds.fold) / len(folds.fold) / N_CLASSES
    return Endpoint(
        estimate=float(speakers.mean()),
        left_out=((speakers.sum() - speakers) / (len(speakers) - 1)).tolist(),
        replicates=[(float(w), means[c, :, k].tolist()) for c in range(N_CLASSES) for k, w in enumerate(weights)],
        by_fold=means.mean(axis=(0, 1)).tolist(),
        tested=folds.tested,
    )


def printed(world: World, n_folds: int, gain: float) -> Iterator[tuple[str, Interval, float]]:
    """What a report prints: test, its interval, the truth that it is about."""
    folds = part(world.order, n_folds)
    cells = world.run(folds) + gain
    found = endpoint(cells, folds)
    yield "this method", trained_anew(found)[0], gain
    yield "this method, one seed", trained_anew(endpoint(cells[:, :1], folds))[0], gain
    yield "these classifiers", jackknife_interval(found.estimate, found.left_out), world.trained + gain


def rivals(world: World, n_folds: int, gain: float) -> Iterator[tuple[str, Interval, float]]:
    """Tests that a report does not print, on the same runs or on others."""
    folds = part(world.order, n_folds)
    cells = world.run(folds) + gain
    found, means = endpoint(cells, folds), by_fold(cells, folds)
    ratio = folds.tested / n_folds
    yield "corrected t over folds", corrected_resampled_t(found.by_fold, ratio)[0], gain
    each = means.mean(axis=0).ravel()
    yield "plain t over folds × seeds", corrected_resampled_t(each, 0.0)[0], gain
    yield "corrected t over folds × seeds", corrected_resampled_t(each, ratio)[0], gain
    yield "mixed model", _mixed(cells, folds), gain
    if world.n > 25:
        return
    left_out = []
    for s in range(world.n):
        shares = np.where(np.arange(world.n) == s, 0, folds.shares)
        fewer = world.run(Folds(folds.fold, shares / shares.sum(axis=1, keepdims=True))) + gain
        left_out.append(float(np.delete(fewer.mean(axis=(0, 1)), s).mean()))
    yield "jackknife that refits (S times the runs)", jackknife_interval(found.estimate, left_out), gain
    parts = [part(world.rng.permutation(world.n), n_folds) for _ in range(N_SEEDS)]
    repeated = np.concatenate([by_fold(world.run(each, 1), each).mean(axis=(0, 1)) + gain for each in parts])
    yield "repeated K-fold, corrected t", corrected_resampled_t(repeated, ratio)[0], gain
    alone = part(world.order, world.n, 0)
    single = (world.run(alone, 1) + gain).mean(axis=(0, 1))
    yield "leave one speaker out, corrected t", corrected_resampled_t(single, 1 / (world.n - 1))[0], gain


def _mixed(cells: np.ndarray, folds: Folds) -> Interval:
    """Variance components by moments: within folds, between seeds, and what is left between folds to the trainers."""
    means, speakers, n_folds = by_fold(cells, folds), cells.mean(axis=(0, 1)), len(folds.shares)
    sizes = np.bincount(folds.fold)
    within = float(np.mean([speakers[folds.fold == k].var(ddof=1) / sizes[k] for k in range(n_folds)]))
    seeds = float(means.var(axis=1, ddof=1).mean()) / means[..., 0].size
    overlap = folds.shares @ folds.shares.T
    own, shared = np.trace(overlap) / n_folds, overlap.mean()
    between = (own - shared) * n_folds / (n_folds - 1)
    left = max(float(means.mean(axis=(0, 1)).var(ddof=1)) - within - seeds, 0.0)
    error = np.sqrt((within + seeds) / n_folds + left * shared / between)
    half = student_t.ppf(0.975, n_folds - 1 if left else len(speakers) - n_folds) * error
    estimate = float(speakers.mean())
    return Interval(estimate, estimate - half, estimate + half, n_folds - 1)


Tests = Callable[[World, int, float], Iterator[tuple[str, Interval, float]]]


def measure(
    layout: tuple[int, int], variances: tuple[float, float, float], n: int, tests: Tests = printed, gain: float = 0.0
) -> Measured:
    """Share of `n` trials in which an interval holds the truth, and in which it says that there is a gain."""
    rng = np.random.default_rng([7, *layout])
    held: dict[str, list[tuple[bool, bool]]] = {}
    for _ in range(n):
        for name, interval, truth in tests(World(rng, layout[0], variances), layout[1], gain):
            held.setdefault(name, []).append((interval.low <= truth <= interval.high, interval.low > 0))
    return {name: tuple(np.mean(hits, axis=0).tolist()) for name, hits in held.items()}


def main() -> None:
    """Print a table for each layout: coverage in each world, and power at a gain of 1, a speaker's deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    n = parser.parse_args().trials
    for layout in LAYOUTS:
        print(f"\n{layout[0]} speakers, {layout[1]} folds: covers / finds a gain of 1\n")
        print("| test | " + " | ".join(":".join(f"{v:g}" for v in world) for world in WORLDS) + " |")
        print("| --- |" + " ---: |" * len(WORLDS))
        n_here = n if layout[0] < 100 else n // 4
        for tests in (printed, rivals):
            covers = [measure(layout, world, n_here, tests) for world in WORLDS]
            finds = [measure(layout, world, n_here // 2, tests, gain=1.0) for world in WORLDS]
            for name in covers[0]:
                shares = (f"{c[name][0]:.3f} / {f[name][1]:.2f}" for c, f in zip(covers, finds, strict=True))
                print(f"| {name} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
