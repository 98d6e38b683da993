"""What a reader must know about a table: sentences for below it."""

from collections.abc import Mapping, Sequence
from math import isfinite

from sertools.experiment.methods import FULL, IMBALANCED
from sertools.scoring.comparing.comparison import LEVEL, NEW_SPEAKERS, NEW_TRAINING, Report
from sertools.scoring.comparing.runs import Cell, ScoredRun
from sertools.scoring.results.result import EXTERNAL, Result
from sertools.training.health import COMPETENT


def trained_here(results: Sequence[Result]) -> list[Result]:
    """Leave out the predictions of other tools."""
    return [r for r in results if r.model["arch"] != EXTERNAL]


def averaged_over(report: Report) -> str:
    """Say over what the scores are averaged, and on what they were tested."""
    spread = " (± standard deviation over seeds)" if any(isfinite(row.uar_sd) for row in report.rows) else ""
    simulations = f", {len(report.reduced)} reduced classes" if len(report.reduced) > 1 else ""
    averaged = f"mean over {number_of(report.n_folds, 'fold')}{simulations} and {number_of(report.n_seeds, 'seed')}"
    tested = f"{number_of(report.n_speakers, 'speaker')}, {number_of(report.n_utterances, 'utterance')}"
    return f"All scores in percent, {averaged}{spread}; {tested}."


def legend(report: Report) -> list[str]:
    """Explain the columns of the summary."""
    notes = []
    if report.reduced:
        notes.append(f"Reduced: {', '.join(report.reduced)}. Recall and AUC (against the rest) are that class's.")
    if report.posthoc:
        notes.append(
            "posthoc: mean posteriors divided by the class shares that the training implied, which chooses nothing."
        )
    if report.adjusted:
        notes.append(
            "adj.: each classifier at its own operating point, a bias for each class that starts at posthoc's and is "
            "fitted on its validation set; decided on mean posteriors even where raw decisions are majority votes. A "
            "difference that is gone there was a shifted threshold."
        )
    if report.baseline and len(report.rows) > 1:
        notes += _differences(report)
    if any(row.closure for row in report.rows):
        notes.append(
            f"Gap closed: share of the pooled UAR between {IMBALANCED} and {FULL} that is won back "
            "[jackknife interval, in percent]."
        )
    if any(isfinite(row.d_auc) for row in report.rows):
        rows = " or ".join(sorted({rows for row in report.rows for rows in row.d_auc_rows}))
        notes.append(
            f"D's AUC: how well the GAN's discriminator tells real rows ({rows}) from those of its generator before "
            f"the first step; below {100 * COMPETENT:.0f} it taught the generator little."
        )
    noise = max((row.noise_high - row.noise_low) / 2 for row in report.rows)
    if isfinite(noise):
        notes.append(
            f"Other utterances of the same speakers move a pooled UAR by up to ± {100 * noise:.1f} points (95 % "
            "utterance bootstrap): noise of the test set, no test of a method."
        )
    return notes


def _differences(report: Report) -> list[str]:
    """Explain the two questions that a difference may answer, and say where one has no answer."""
    n_tests = number_of(sum(isfinite(row.p_holm) for row in report.rows), "comparison")
    reference = f"; {FULL} is none" if report.rows[0].method == FULL != report.baseline else ""
    within = (
        " within folds, which weigh by their utterances of the class" if report.reduced else " of the pooled folds"
    )
    notes = [
        f"{NEW_TRAINING.capitalize()}: difference of the {report.primary}{within}, in points, seeds "
        "averaged [95 % interval: what the method would do if all were done again]. p (Holm): of that difference, "
        f"corrected for {n_tests}{reference}. A method differs only where this interval excludes 0 and p is below "
        f"{LEVEL}.",
        f"{NEW_SPEAKERS.capitalize()}: the same classifiers on other people [95 % delete-one-speaker jackknife t "
        "interval]; it says nothing of a method that is trained again. The UAR is that of the pooled folds.",
    ]
    reasons: dict[str, list[str]] = {}
    for row in report.rows:
        if row.lacks:
            reasons.setdefault(row.lacks, []).append(row.method)
    notes += [f"No interval on new training sets for {', '.join(own)}: {why}." for why, own in reasons.items()]
    single = [row for row in report.rows if row.anew_difference and isfinite(row.p)]
    if single and report.n_seeds == 1:
        notes.append("One seed says nothing of seeds: the interval on new training sets rests on the folds alone.")
    return notes


def cautions(results: Sequence[Result], cells: Mapping[str, Mapping[Cell, ScoredRun]]) -> list[str]:
    """Say where the rows prove less than they seem to, or are not alike."""
    notes = []
    if any(r.allow_seen for r in results):
        notes.append("(seen!): a classifier had met rows of its test set; these numbers prove nothing.")
    trained = trained_here(results)
    external = {r.tags["method"] for r in results if r.model["arch"] == EXTERNAL}
    rivals = [name for name in cells if name in external]
    if rivals:
        notes.append(
            f"Predicted by another tool: {', '.join(rivals)}. What it was trained on, and ties, cannot be seen here; "
            "no AUC without its posteriors, no operating point without a validation set."
        )
    if any(own.keys() != next(iter(cells.values())).keys() for own in cells.values()):
        notes.append("Methods differ in folds, reduced classes or seeds: compare differences, not means.")
    for what, values in (
        ("vote", {r.vote for r in trained}),
        ("architecture", {name for r in trained for name in _archs(str(r.model["arch"]))}),
        ("number of updates", {str(r.model["updates"]) for r in trained}),
    ):
        if len(values) > 1:
            notes.append(f"Classifiers differ in {what}: {', '.join(sorted(values))}.")
    n_partial = sum(None in r.metrics["recall"].values() for r in results)
    if n_partial:
        notes.append(f"{n_partial} of {len(results)} test sets lack a class; their UAR averages the others.")
    n_validated = sum(bool(r.validation) for r in trained)
    if 0 < n_validated < len(trained):
        notes.append(
            f"No adjusted scores: {len(trained) - n_validated} of {len(trained)} results lack evaluate --val."
        )
    n_unknown = sum(r.implied_prior is None for r in trained)
    if n_unknown:
        notes.append(
            f"No posthoc {'or adjusted ' if n_validated else ''}scores: {n_unknown} of {len(trained)} results do not "
            "say what class shares the training implied: classifiers of earlier versions do not (train them again), "
            "nor does an arithmetic mean of several whose shares differ (--mean geometric does)."
        )
    elif trained and n_validated == len(trained):
        notes += _validation_warnings(cells)
    if any(not u.speaker for r in results for u in r.utterances):
        notes.append("No intervals on new speakers where some utterances name no speaker.")
    return notes


def _validation_warnings(cells: Mapping[str, Mapping[Cell, ScoredRun]]) -> list[str]:
    notes = []
    runs = [(cell, run.result) for own in cells.values() for cell, run in own.items()]
    places = [(cell, result.validation) for cell, result in runs if result.model["arch"] != EXTERNAL]
    sets: dict[Cell, set[frozenset[tuple[str, str]]]] = {}
    for cell, utterances in places:
        sets.setdefault(cell, set()).add(frozenset(u.key for u in utterances))
    if any(len(different) > 1 for different in sets.values()):
        notes.append("Methods differ in validation sets: their operating points are not fitted alike.")
    classes = {u.emotion for _, result in runs for u in result.utterances}
    n_lacking = sum(bool(classes - {u.emotion for u in utterances}) for _, utterances in places)
    if n_lacking:
        notes.append(
            f"{n_lacking} of {len(places)} validation sets lack a class, whose bias stays where the prior puts it."
        )
    return notes


def number_of(n: int, noun: str) -> str:
    """Say a number of things."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _archs(said: str) -> list[str]:
    """Architectures of a classifier, or of several whose posteriors were averaged: ``cnn + 2 × linear``."""
    return [part.split(" × ")[-1] for part in said.split(" + ")]
