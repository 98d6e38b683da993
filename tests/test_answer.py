"""The answer in words: planted experiments whose answer is known, and what each sentence says of them."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from test_over_corpora import of_corpus
from test_report import CLASSES, FOLDS, MODEL, make_run

from sertools.metrics import scores
from sertools.provenance import Input, history
from sertools.reporting.reports.answer import answer, answer_over
from sertools.reporting.reports.layouts import render
from sertools.reporting.reports.tables import interval_text
from sertools.scoring.comparing.comparison import Report, Row
from sertools.scoring.comparing.corpora import over_corpora
from sertools.scoring.comparing.power import found_now
from sertools.scoring.comparing.statistics import Interval
from sertools.scoring.comparing.summary import plan, summarise
from sertools.scoring.results.reduction import Reduction, reduction_of
from sertools.scoring.results.result import Result, Utterance

SEEDS = ("0", "1", "2")
N_SPEAKERS, PER_CLASS = 4, 8  # of each fold; of each speaker


def planted(method: str, gain: float, *, seeds: Sequence[str] = SEEDS, folds: Sequence[str] = FOLDS) -> list[Result]:
    """Runs in which a method ranks the reduced class higher by `gain` standard deviations; the rest is as it is."""
    runs = []
    for fold in folds:
        for seed in seeds:
            rng = np.random.default_rng([int(fold), int(seed)])
            truth = np.tile(np.arange(3), N_SPEAKERS * PER_CLASS)
            logits = rng.normal(0, 1, (len(truth), 3)) + 1.2 * np.eye(3)[truth]
            small = np.random.default_rng([int(fold), int(seed), len(method)]).normal(0, 0.02, len(truth))
            logits[:, 0] += np.where(truth == 0, gain, 0.0) + small
            posterior = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            predicted = posterior.argmax(axis=1)
            run = make_run(method, fold, seed=seed)
            utterances = tuple(
                Utterance(
                    id=f"{fold}-{n}",
                    emotion=CLASSES[truth[n]],
                    speaker=f"{fold}{n % N_SPEAKERS}",
                    predicted=CLASSES[predicted[n]],
                    posterior=tuple(posterior[n].tolist()),
                    n_segments=1,
                    tied=False,
                )
                for n in range(len(truth))
            )
            metrics = {**scores(truth, predicted, posterior, CLASSES), "n_ties": 0}
            runs.append(replace(run, utterances=utterances, metrics=metrics))
    return runs


IMBALANCED, HELPS, HARMS, NOTHING = (
    planted(name, gain)
    for name, gain in (("imbalanced", 0.0), ("donors", 1.5), ("noise-in", -1.5), ("as-before", 0.0))
)


def row_of(report: Report, method: str) -> Row:
    return next(row for row in report.rows if row.method == method)


def said(sentences: Sequence[str]) -> str:
    return " ".join(sentences)


def numbers(row: Row) -> str:
    return (
        f"AUC of angry {interval_text(row.anew_difference, '+')}, UAR {interval_text(row.anew_uar_difference, '+')}"
    )


def test_what_helps_is_said_with_the_numbers_of_its_row() -> None:
    report = summarise([*IMBALANCED, *HELPS])
    row = row_of(report, "donors")
    assert row.differs == 1
    first, second, *rest = answer(report).sentences
    assert first == (
        "With angry as the rare class, donors was compared with imbalanced on 288 utterances of 12 speakers, "
        "in 3 folds with 3 seeds."
    )
    assert second == f"It was shown that donors helps: {numbers(row)}."
    assert rest[0].startswith("Numbers are points from imbalanced with the 95 % interval of the method, trained anew")
    assert "not shown" not in said(rest)
    assert "Thin evidence" not in said(rest)


def test_what_harms_is_said_to_harm() -> None:
    report = summarise([*IMBALANCED, *HARMS])
    assert row_of(report, "noise-in").differs == -1
    assert f"It was shown that noise-in harms: {numbers(row_of(report, 'noise-in'))}." in answer(report).sentences


def test_where_nothing_is_shown_the_gain_that_would_be_found_is_said() -> None:
    report = summarise([*IMBALANCED, *NOTHING])
    row = row_of(report, "as-before")
    assert row.differs == 0
    assert row.anew_difference is not None
    gain = f"{100 * found_now(row.anew_difference):.1f}"
    assert (
        f"It was not shown that as-before helps or harms: {numbers(row)}; such an experiment finds a gain of {gain} "
        "points in 80 % of cases, as one comparison."
    ) in answer(report).sentences
    assert "It was shown" not in said(answer(report).sentences)


def test_a_gain_that_no_method_can_have_is_not_told() -> None:
    report = summarise([*IMBALANCED, *NOTHING])
    wide = Interval(0.1, -1.5, 1.7, df=1)
    rows = tuple(replace(row, anew_difference=wide) if row.method == "as-before" else row for row in report.rows)
    text = said(answer(replace(report, rows=rows)).sentences)
    assert "; such an experiment is too small to find any gain." in text
    assert "finds a gain" not in text


def test_of_unnamed_speakers_nothing_is_said_of_new_ones() -> None:
    def unnamed(results: Sequence[Result]) -> list[Result]:
        return [replace(r, utterances=tuple(replace(u, speaker="") for u in r.utterances)) for r in results]

    # With one seed the folds alone give an interval.
    one = [planted(name, gain, seeds="0") for name, gain in (("imbalanced", 0.0), ("donors", 1.5))]
    text = said(answer(summarise([*unnamed(one[0]), *unnamed(one[1])])).reading)
    assert "of the method, trained anew." in text
    assert "of the method, trained anew and tested on new speakers." in said(
        answer(summarise([*IMBALANCED, *HELPS])).reading
    )


def test_an_interval_beside_0_is_not_enough_where_the_corrected_p_is_not_below_5_percent() -> None:
    report = summarise([*IMBALANCED, *HELPS])
    first, second = report.rows
    unsure = replace(report, rows=(first, replace(second, p_holm=0.06)))
    assert second.anew_difference is not None
    assert second.anew_difference.excludes_zero
    assert "It was not shown that donors helps or harms" in said(answer(unsure).sentences)
    assert "It was shown" not in said(answer(unsure).sentences)


def test_methods_are_sorted_by_what_they_do_and_many_are_counted() -> None:
    more = [run for k in range(3) for run in planted(f"method-{k}", 1.2 + k / 5)]
    report = summarise([*IMBALANCED, *HELPS, *HARMS, *NOTHING, *more])
    _, helped, harmed, left_open, *rest = answer(report).sentences
    assert helped.startswith("It was shown that 4 methods help: method-2 (AUC of angry +")
    assert helped.endswith("and 1 more.")
    assert harmed.startswith("It was shown that noise-in harms: ")
    assert left_open.startswith("It was not shown that as-before helps or harms: ")
    assert "corrected for 6 comparisons" in said(rest)


def test_a_uar_that_falls_is_not_passed_over() -> None:
    report = summarise([*IMBALANCED, *HELPS])
    first, second = report.rows
    fallen = replace(second, anew_uar_difference=Interval(-0.05, -0.08, -0.02, 9))
    assert ", but UAR -5.0 [-8.0, -2.0]" in said(answer(replace(report, rows=(first, fallen))).sentences)


def test_full_is_a_reference_and_no_method() -> None:
    full = [replace(run, tags={**run.tags, "method": "full"}) for run in HELPS]
    report = summarise([*IMBALANCED, *NOTHING, *full])
    text = said(answer(report).sentences)
    assert f"With nothing removed (full): {numbers(row_of(report, 'full'))}." in text
    assert "that full" not in text
    assert "as-before was compared with imbalanced" in text
    assert said(answer(summarise([*IMBALANCED, *full])).sentences).startswith(
        "With angry as the rare class, full alone was compared"
    )


def test_one_seed_and_one_fold_are_thin_evidence() -> None:
    one = summarise([*planted("imbalanced", 0.0, seeds="0"), *planted("donors", 1.5, seeds="0")])
    assert answer(one).sentences[-1] == "Thin evidence: one seed says nothing of what another draw or start would do."
    fold = summarise([*planted("imbalanced", 0.0, folds="1"), *planted("donors", 1.5, folds="1")])
    assert "Nothing can be said of a method trained anew (fewer than two folds): donors (AUC of angry +" in said(
        answer(fold).sentences
    )
    assert answer(fold).sentences[-1] == "Thin evidence: one fold says nothing of other training speakers."
    seen = summarise([*IMBALANCED, *(replace(run, allow_seen=True) for run in HELPS)])
    assert "these numbers prove nothing" in said(seen.cautions)
    assert "had met rows of its test set" in answer(seen).sentences[-1]


def test_one_method_has_its_uar_and_no_comparison() -> None:
    report = summarise(IMBALANCED[:1])
    (row,) = report.rows
    first, second, third, thin = answer(report).sentences
    assert first == (
        f"With angry as the rare class, the method imbalanced has a UAR of {100 * row.uar:.1f} %, where guessing has "
        "33.3 %, on 96 utterances of 4 speakers, in 1 fold with 1 seed."
    )
    assert second == f"It recognises {100 * row.reduced_recall:.1f} % of angry (AUC {100 * row.reduced_auc:.1f})."
    assert third == "One method alone cannot be said to help: give results of another one too."
    assert thin.startswith("Thin evidence: ")
    assert "Nothing is said of their differences" in said(answer(summarise([*HELPS, *NOTHING])).sentences)


def test_where_no_class_is_reduced_methods_are_judged_by_their_uar() -> None:
    runs = [replace(r, tags={k: v for k, v in r.tags.items() if k != "reduced"}) for r in [*IMBALANCED, *HELPS]]
    report = summarise(runs)
    text = said(answer(report).sentences)
    assert text.startswith(
        "On 288 utterances of 12 speakers, in 3 folds with 3 seeds, donors was compared with imbalanced."
    )
    assert f"donors helps: UAR {interval_text(row_of(report, 'donors').anew_uar_difference, '+')}." in text
    assert "AUC" not in text
    assert "cut" not in text


def test_several_corpora_are_judged_by_their_mean() -> None:
    runs = [
        run
        for name in ("alpha", "betas")
        for m, s in (("imbalanced", 0.4), ("gan", 0.9))
        for run in of_corpus(name, m, s)
    ]
    report = over_corpora(runs)
    (row,) = report.rows
    first, second, third, *_ = answer_over(report).sentences
    assert "gan was compared with imbalanced on 2 corpora (alpha, betas; 6 speakers each), in 3 folds" in first
    assert interval_text(row.mean_primary, "+") in second
    assert ("It was shown that gan helps" in second) == (row.differs == 1)
    assert "the mean over these corpora" in third


@pytest.mark.parametrize("layout", ["summary", "table2", "table3"])
def test_every_layout_ends_its_first_table_with_it(layout) -> None:
    report = summarise([*IMBALANCED, *HELPS])
    table, below, *_ = render(report, layout=layout).split("\n\n")
    assert "donors" in table
    assert " ".join(below.split()) == said(answer(report).sentences)
    assert json.loads(render(report, "json", layout))["answer"] == answer(report).sentences
    assert said(answer(report).sentences) in render(report, "markdown", layout)
    assert "shown that" not in render(report, "csv", layout)


def test_what_was_left_of_the_class_is_read_from_histories_and_priors() -> None:
    kept = history("select", {"keep": {"angry": 0.05}}, {"store": Input("ab" * 16)}, 1)
    trained = history(
        "train-clf", {"loss": "cross-entropy", "sampling": "shuffled"}, {"train": [Input("ab" * 16)]}, 1
    )
    weighted = history("train-clf", {"loss": "weighted"}, {"train": [Input("ab" * 16)]}, 1)
    model = {**MODEL, "n_train_rows": {"real": 90}, "prior": {"angry": 0.044444444, "happy": 0.5, "sad": 0.455555556}}
    plain = replace(make_run(), history=(*kept, *trained), model=model)
    assert reduction_of([plain]) == Reduction((0.05,), (4,))
    # Of other trainings the prior is not that of the rows; what is damaged or of another class tells nothing.
    assert reduction_of([replace(plain, history=(*kept, *weighted))]) == Reduction((0.05,), ())
    assert reduction_of([replace(plain, tags={**plain.tags, "reduced": "sad"})]).shares == ()
    assert reduction_of([replace(plain, history=("{", '"x"', '{"verb":1}'))]) == Reduction()
    runs = [*(replace(r, history=kept) for r in IMBALANCED), *HELPS]
    assert answer(summarise(runs)).sentences[0].startswith("With angry cut to 5 % of its recordings in training, ")
    one = said(answer(summarise([plain])).sentences)
    assert one.startswith("With angry cut to 5 % of its recordings (4 rows) in training, the method imbalanced has")


def test_the_gain_that_is_found_now_is_that_of_the_plan() -> None:
    runs = [*IMBALANCED, *NOTHING]
    found = row_of(summarise(runs), "as-before").anew_difference
    _, spreads = plan(runs)
    spread, _ = spreads["as-before"]
    assert found is not None
    assert spread is not None
    # The table rounds degrees of freedom down.
    assert found_now(found) == pytest.approx(spread.detectable(spread.design), rel=0.02)
    assert np.isnan(found_now(Interval(0.1, np.nan, np.nan, 0)))
