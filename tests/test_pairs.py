"""Paired differences against a slow recomputation, utterance by utterance, with scikit-learn's scores."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import t as student_t
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score

from sertools.metrics import scores
from sertools.reporting.reports.layouts import render
from sertools.scoring.comparing.resampling import holm
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result, Utterance

CLASSES = ("angry", "happy", "sad")
MODEL = {
    **{"digest": "0a", "arch": "cnn", "n_train_rows": {"real": 9}, "updates": 5},
    "prior": {"angry": 0.2, "happy": 0.5, "sad": 0.3},
}
FOLDS, SEEDS, REDUCED = ("1", "2", "3"), ("0", "1"), ("angry", "sad")
SPEAKERS = {"1": 2, "2": 3, "3": 1}  # of each fold; the last is left empty without its only one
Experiment = Sequence[tuple[Utterance, ...]]  # the test sets of its folds


def make_run(method: str, fold: str, reduced: str, seed: str, skill: float) -> Result:
    """Give a run with random posteriors that favour the truth by `skill`, and shun the reduced class."""
    rng = np.random.default_rng([*map(ord, method + fold + reduced + seed)])
    speakers = [f"{fold}{k}" for k in range(SPEAKERS[fold])] + ["v"]
    truth = np.concatenate([[0] * 4 + [1] * 7 + [2] * 5] * len(speakers))
    logits = rng.normal(0, 1, (len(truth), 3)) + skill * np.eye(3)[truth]
    if reduced:
        logits[:, CLASSES.index(reduced)] -= 1.5
    posterior = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    # A majority vote may differ from the mean posterior.
    predicted = np.where(rng.random(len(truth)) < 0.1, rng.integers(0, 3, len(truth)), posterior.argmax(axis=1))
    utterances = [
        Utterance(
            id=f"{fold}-{k}",
            emotion=CLASSES[truth[k]],
            speaker=speakers[k // 16],
            predicted=CLASSES[predicted[k]],
            posterior=tuple(posterior[k].round(6)),
            n_segments=1,
            tied=False,
        )
        for k in range(len(truth))
    ]
    n = 16 * SPEAKERS[fold]
    tags = {"method": method, "fold": fold, "reduced": reduced, "seed": seed}
    return Result(
        tags={tag: value for tag, value in tags.items() if value},
        classes=CLASSES,
        vote="majority",
        allow_seen=False,
        metrics={**scores(truth[:n], predicted[:n], posterior[:n], CLASSES), "n_ties": 0},
        model=MODEL,
        utterances=tuple(utterances[:n]),
        validation=tuple(utterances[n:]),
        source=f"{method}-{fold}-{reduced}-{seed}.json",
    )


def grid(method: str, skill: float, reduced: Sequence[str] = REDUCED) -> list[Result]:
    return [make_run(method, f, r, s, skill) for f in FOLDS for r in reduced for s in SEEDS]


IMBALANCED, GAN, FULL = grid("imbalanced", 0.8), grid("GAN", 1.3), grid("full", 2.0, reduced=[""])


def places(utterances: Iterable[Utterance], what: str) -> list[int]:
    return [CLASSES.index(getattr(u, what)) for u in utterances]


def slow_uar(folds: Experiment, reduced: str) -> float:
    pooled = [u for fold in folds for u in fold]
    return balanced_accuracy_score(places(pooled, "emotion"), places(pooled, "predicted"))


def slow_recall(folds: Experiment, reduced: str) -> float:
    pooled = [u for fold in folds for u in fold]
    own = [CLASSES.index(reduced)]
    return recall_score(places(pooled, "emotion"), places(pooled, "predicted"), labels=own, average="macro")


def slow_auc(folds: Experiment, reduced: str) -> float:
    """Areas of the folds, weighted by how many utterances of the class they hold."""
    areas, weights = [], []
    for fold in folds:
        member = [u.emotion == reduced for u in fold]
        if any(member):
            areas.append(roc_auc_score(member, [u.posterior[CLASSES.index(reduced)] for u in fold]))
            weights.append(sum(member))
    return float(np.average(areas, weights=weights))


def slow_interval(
    first: Sequence[Result], second: Sequence[Result], score: Callable[[Experiment, str], float]
) -> tuple[float, float, float]:
    """Jackknife the difference over speakers; a run without a reduced class stands in for each of them."""

    def mean(runs: Sequence[Result], without: str | None) -> float:
        return float(
            np.mean(
                [
                    score(
                        [
                            tuple(u for u in run.utterances if u.speaker != without)
                            for run in runs
                            if run.tags["seed"] == seed and run.tags.get("reduced", reduced) == reduced
                        ],
                        reduced,
                    )
                    for reduced in REDUCED
                    for seed in SEEDS
                ]
            )
        )

    speakers = sorted({u.speaker for run in first for u in run.utterances})
    n = len(speakers)
    whole = mean(first, None) - mean(second, None)
    pseudo = [n * whole - (n - 1) * (mean(first, s) - mean(second, s)) for s in speakers]
    half = student_t.ppf(0.975, n - 1) * np.std(pseudo, ddof=1) / np.sqrt(n)
    return whole, whole - half, whole + half


def at_own_point(run: Result, reduced: str) -> Result:
    """Decide anew with the biases that a minimiser finds for the rule's loss."""
    start = -np.log([run.model["prior"][c] for c in run.classes])
    truth = np.array(places(run.validation, "emotion"))
    said = np.array([u.posterior for u in run.validation])
    counts = np.bincount(truth)

    def loss(shifts: np.ndarray) -> float:
        p = said * np.exp(start + shifts)
        own = np.log(p[range(len(p)), truth] / p.sum(axis=1)) / counts[truth]
        undecided = np.log(np.exp(shifts) / np.exp(shifts).sum()) / counts.min()
        return float(-own.sum() - undecided.mean())

    biases = start + minimize(loss, np.zeros(3), tol=1e-12).x
    predicted = (np.log([u.posterior for u in run.utterances]) + biases).argmax(axis=1)
    return replace(
        run,
        utterances=tuple(replace(u, predicted=CLASSES[p]) for u, p in zip(run.utterances, predicted, strict=True)),
        tags={**run.tags, "reduced": reduced},
    )


REPORT = summarise([*FULL, *IMBALANCED, *GAN])
ROWS = {row.method: row for row in REPORT.rows}


@pytest.mark.parametrize("method", ["full", "GAN"])
@pytest.mark.parametrize(
    ("name", "score"),
    [("difference", slow_uar), ("recall_difference", slow_recall), ("auc_difference", slow_auc)],
)
def test_differences_are_those_of_the_slow_way(
    method: str, name: str, score: Callable[[Experiment, str], float]
) -> None:
    found = getattr(ROWS[method], name)
    expected = slow_interval({"full": FULL, "GAN": GAN}[method], IMBALANCED, score)
    assert (found.estimate, found.low, found.high) == pytest.approx(expected)
    assert found.df == 5


def test_at_its_own_operating_point_each_run_decides_anew() -> None:
    adjusted = {
        "imbalanced": [at_own_point(r, r.tags["reduced"]) for r in IMBALANCED],
        "GAN": [at_own_point(r, r.tags["reduced"]) for r in GAN],
        # The same point, whichever class others lack.
        "full": [at_own_point(r, c) for r in FULL for c in REDUCED],
    }
    for method, runs in adjusted.items():
        row = ROWS[method]
        assert row.adjusted_uar == pytest.approx(np.mean([slow_uar([r.utterances], "") for r in runs]))
        recalls = [slow_recall([r.utterances], r.tags["reduced"]) for r in runs]
        assert row.adjusted_recall == pytest.approx(np.mean(recalls))
        if method != "imbalanced":
            found = row.adjusted_difference
            assert found is not None
            expected = slow_interval(runs, adjusted["imbalanced"], slow_uar)
            assert (found.estimate, found.low, found.high) == pytest.approx(expected)
    assert ROWS["imbalanced"].bias > 1
    assert ROWS["imbalanced"].adjusted_recall > ROWS["imbalanced"].reduced_recall + 0.2
    text = " ".join(render(REPORT).split())
    assert "adj. UAR" in text
    assert "decided on mean posteriors even where raw decisions are majority votes" in text


def test_posthoc_divides_by_the_prior_and_chooses_nothing() -> None:
    def by_hand(run: Result) -> float:
        prior = np.array([run.model["prior"][c] for c in CLASSES])
        said = [CLASSES[(np.array(u.posterior) / prior).argmax()] for u in run.utterances]
        return slow_uar([tuple(replace(u, predicted=c) for u, c in zip(run.utterances, said, strict=True))], "")

    unvalidated = [replace(r, validation=()) for r in (*IMBALANCED, *GAN)]
    found = summarise(unvalidated).rows[1]
    assert found.posthoc_uar == pytest.approx(np.mean([by_hand(r) for r in GAN]))
    assert np.isnan(found.adjusted_uar)
    # Posteriors that were divided already imply no prior any more.
    done = summarise([replace(r, adjust="priors") for r in unvalidated[:12]]).rows[0]
    by_mean = [
        tuple(replace(u, predicted=CLASSES[int(np.argmax(u.posterior))]) for u in r.utterances) for r in IMBALANCED
    ]
    assert done.posthoc_uar == pytest.approx(np.mean([slow_uar([run], "") for run in by_mean]))


def test_where_nothing_was_reduced_the_biases_are_fitted_all_the_same() -> None:
    runs = [*FULL, *grid("mixup", 1.5, reduced=[""])]
    report = summarise(runs, baseline="full")
    found = report.rows[1]
    expected = [slow_uar([at_own_point(r, "").utterances], "") for r in runs if r.tags["method"] == "mixup"]
    assert found.adjusted_uar == pytest.approx(np.mean(expected))
    assert np.isnan([found.adjusted_recall, found.bias]).all()
    assert "adj. recall" not in render(report)


@pytest.mark.parametrize("favoured", ["reduced", "others", "any"])
def test_a_threshold_is_no_gain(favoured: str) -> None:
    """A method that is the baseline with factors, whichever classes they favour: the same at its operating point."""
    factors = {"reduced": [], "others": [0.25, 0.6], "any": [0.2, 3.0, 0.7]}[favoured]

    def shifted(u: Utterance, reduced: str) -> Utterance:
        p = np.array(u.posterior)
        k = CLASSES.index(reduced)
        if favoured == "any":
            p *= factors
        elif favoured == "others":
            p[[c for c in range(3) if c != k]] *= factors
        else:
            p[k] *= np.exp(1.5)
        p = (p / p.sum()).round(9)
        return replace(u, posterior=tuple(p), predicted=CLASSES[p.argmax()])

    def of(run: Result) -> Result:
        utterances, validation = (
            tuple(shifted(u, run.tags["reduced"]) for u in part) for part in (run.utterances, run.validation)
        )
        truth, predicted = places(utterances, "emotion"), places(utterances, "predicted")
        metrics = {**scores(truth, predicted, [u.posterior for u in utterances], CLASSES), "n_ties": 0}
        tags = {**run.tags, "method": "shift"}
        return replace(run, utterances=utterances, validation=validation, metrics=metrics, tags=tags)

    row = summarise([*IMBALANCED, *map(of, IMBALANCED)]).rows[1]
    assert row.recall_difference is not None
    assert row.auc_difference is not None
    if favoured == "reduced":
        assert row.recall_difference.low > 0.1
        assert (row.auc_difference.low, row.auc_difference.high) == pytest.approx((0, 0), abs=1e-3)
    assert row.adjusted_difference is not None
    assert row.adjusted_difference.estimate == pytest.approx(0, abs=0.01)
    assert row.adjusted_difference.low < 0 < row.adjusted_difference.high


def test_adjusted_scores_need_a_validation_set_in_every_result() -> None:
    report = summarise([*IMBALANCED, *GAN[1:], replace(GAN[0], validation=())])
    assert np.isnan([row.adjusted_uar for row in report.rows]).all()
    assert report.rows[1].adjusted_difference is None
    text = render(report)
    assert "adj." not in text
    assert "No adjusted scores: 1 of 24 results lack evaluate --val." in " ".join(text.split())
    without = render(summarise([replace(r, validation=()) for r in (*IMBALANCED, *GAN)]))
    assert "adj" not in without


def test_adjusted_scores_need_a_prior_in_every_result() -> None:
    def of_an_earlier_version(run: Result) -> Result:
        return replace(run, model={name: value for name, value in run.model.items() if name != "prior"})

    report = summarise([*IMBALANCED, *GAN[1:], of_an_earlier_version(GAN[0])])
    assert np.isnan([[row.adjusted_uar, row.posthoc_uar, row.bias] for row in report.rows]).all()
    assert report.rows[1].adjusted_difference is None
    text = " ".join(render(report).split())
    assert "adj." not in text
    assert "posthoc UAR" not in text
    assert "No posthoc or adjusted scores: 1 of 24 results do not say what class shares the training implied" in text
    unvalidated = [replace(of_an_earlier_version(r), validation=()) for r in (*IMBALANCED, *GAN)]
    assert "No posthoc scores: 24 of 24 results do not say" in " ".join(render(summarise(unvalidated)).split())


def test_a_validation_set_without_a_class_leaves_its_bias_where_the_prior_puts_it() -> None:
    def lacking(run: Result) -> Result:
        return replace(run, validation=tuple(u for u in run.validation if u.emotion != "angry"))

    report = summarise([*IMBALANCED, *map(lacking, GAN)])
    text = " ".join(render(report).split())
    assert "Methods differ in validation sets: their operating points are not fitted alike." in text
    assert "12 of 24 validation sets lack a class, whose bias stays where the prior puts it." in text
    found = summarise([lacking(r) for r in GAN if r.tags["reduced"] == "angry"]).rows[0]
    # Shares of 0.2, 0.5 and 0.3; the biases of the others move against each other alone.
    assert found.bias == pytest.approx((np.log(0.5) + np.log(0.3)) / 2 - np.log(0.2))
    assert "validation sets" not in render(REPORT)


def test_p_values_are_those_of_the_method_and_full_is_no_comparison() -> None:
    other = grid("CP", 1.0)
    rows = {row.method: row for row in summarise([*FULL, *IMBALANCED, *GAN, *other]).rows}

    def areas(runs: Sequence[Result], fold: str, reduced: str) -> np.ndarray:
        own = [r for r in runs if (r.tags["fold"], r.tags["reduced"]) == (fold, reduced)]
        return np.array([r.metrics["auc"][reduced] for r in sorted(own, key=lambda r: r.tags["seed"])])

    raw = []
    for method, runs in (("GAN", GAN), ("CP", other)):
        raw.append(rows[method].p)
        found, classifiers = rows[method].anew_difference, rows[method].auc_difference
        assert found is not None
        assert classifiers is not None
        cells = [areas(runs, f, c) - areas(IMBALANCED, f, c) for f in FOLDS for c in REDUCED]
        # Folds weigh by their speakers, who have as many utterances of the class each.
        weights = np.repeat([SPEAKERS[f] / 6 / 2 for f in FOLDS], 2)
        n_seeds = len(SEEDS)
        seeds = np.mean([cell.var(ddof=1) for cell in cells]) / n_seeds * np.sum(weights**2)
        jackknife = (classifiers.high - classifiers.low) / 2 / student_t.ppf(0.975, classifiers.df)
        # 96 utterances are tested in all; a training set is what is left of them and of the folds' validation sets.
        trained = np.mean([16 * (6 - SPEAKERS[f]) + 16 * 2 for f in FOLDS])
        speakers = jackknife**2 * (1 + 2 * 96 / trained)
        df = (speakers + seeds) ** 2 / (speakers**2 / classifiers.df + seeds**2 / len(cells) / (n_seeds - 1))
        # Posteriors have six decimals there, and all of them in the metrics here.
        assert found.df == pytest.approx(df, abs=1)
        error = np.sqrt(speakers + seeds)
        assert found.estimate == classifiers.estimate
        assert found.estimate - found.low == pytest.approx(student_t.ppf(0.975, found.df) * error, rel=0.01)
        assert rows[method].p == pytest.approx(2 * student_t.sf(abs(found.estimate) / error, found.df), rel=0.05)
    assert [rows["GAN"].p_holm, rows["CP"].p_holm] == pytest.approx(holm(raw))
    assert 0 < rows["full"].p < 1
    assert np.isnan(rows["full"].p_holm)
    assert np.isnan([rows["imbalanced"].p, rows["imbalanced"].p_holm]).all()


def test_one_fold_gives_no_p_value() -> None:
    report = summarise([r for r in (*IMBALANCED, *GAN) if r.tags["fold"] == "2"])
    assert np.isnan(report.rows[1].p)
    assert report.rows[1].difference is not None
    assert " \N{EN DASH} " in render(report).split("\n\n")[2].splitlines()[1]


def test_noise_of_the_test_set_surrounds_the_pooled_uar() -> None:
    for row in ROWS.values():
        assert row.noise_low < row.pooled_uar < row.noise_high
        assert 0.02 < row.noise_high - row.noise_low < 0.3
