"""The report: averages and intervals against a slow recomputation, the rows, what is refused, the formats."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from conftest import Outcome
from scipy.stats import t as student_t

from sertools.errors import ModelError, UsageError
from sertools.metrics import scores
from sertools.reporting.reports.layouts import render
from sertools.scoring.comparing.comparison import NEW_SPEAKERS, NEW_TRAINING, Report, Row
from sertools.scoring.comparing.statistics import Interval
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result, Utterance
from sertools.scoring.results.result_file import write_result
from sertools.verb_config import Format, Reporting

CLASSES = ("angry", "happy", "sad")
MODEL = {"digest": "0a", "arch": "cnn", "n_train_rows": {"real": 9}, "updates": 5}
PRIOR = {"angry": 0.2, "happy": 0.5, "sad": 0.3}
FOLDS = ("1", "2", "3")
N = 18  # utterances a fold, by two speakers
DASH = "\N{EN DASH}"


def make_run(
    method: str = "imbalanced",
    fold: str = "1",
    reduced: str = "angry",
    seed: str = "0",
    *,
    skill: float = 0.5,
    speaker: str | None = None,
    n_ties: int = 0,
) -> Result:
    """Give a run whose share `skill` of utterances is right; other tags, other mistakes."""
    rng = np.random.default_rng([sum(map(ord, text)) for text in (method, fold, reduced, seed)])
    truth = np.arange(N) % 3
    predicted = np.where(rng.random(N) < skill, truth, rng.integers(0, 3, N))
    posterior = np.full((N, 3), 0.2)
    posterior[range(N), predicted] = 0.6
    tags = {"method": method, "fold": fold, "reduced": reduced, "seed": seed}
    return Result(
        tags={tag: value for tag, value in tags.items() if value},
        classes=CLASSES,
        vote="majority",
        allow_seen=False,
        metrics={**scores(truth, predicted, posterior, CLASSES), "n_ties": n_ties},
        model=MODEL,
        utterances=tuple(
            Utterance(
                id=f"{fold}-{u}",
                emotion=CLASSES[truth[u]],
                speaker=f"{fold}{'ab'[u // 9]}" if speaker is None else speaker,
                predicted=CLASSES[predicted[u]],
                posterior=tuple(posterior[u]),
                n_segments=1,
                tied=False,
            )
            for u in range(N)
        ),
        source=f"{method}-{fold}-{reduced}-{seed}.json",
    )


def with_validation(run: Result) -> Result:
    """Add a validation set on which a bias in favour of the class `angry` is best, and a prior."""
    posterior = np.array([[0.3, 0.7, 0.0], [0.1, 0.9, 0.0], [0.2, 0.0, 0.8]])
    utterances = tuple(
        replace(
            run.utterances[0], id=f"v{k}", emotion=c, predicted="happy", speaker="v", posterior=tuple(posterior[k])
        )
        for k, c in enumerate(CLASSES)
    )
    return replace(run, validation=utterances, model={**run.model, "prior": PRIOR})


def grid(
    method: str, skill: float, *, reduced: Sequence[str] = ("angry",), seeds: Sequence[str] = ("0",)
) -> list[Result]:
    return [make_run(method, f, r, s, skill=skill) for f in FOLDS for r in reduced for s in seeds]


def row(report: Report, method: str) -> Row:
    return next(row for row in report.rows if row.method == method)


def difference_lines(report: Report) -> list[str]:
    # Below the scores stands the answer in words.
    return render(report).split("\n\n")[2].splitlines()


def naive_uar(runs: Sequence[Result], without: str = "") -> float:
    """UAR of the pooled utterances of each seed and reduced class, averaged; utterance by utterance."""
    groups: dict[tuple[str, str], dict[str, list[bool]]] = {}
    for run in runs:
        by_class = groups.setdefault((run.tags.get("reduced", ""), run.tags["seed"]), {})
        for u in run.utterances:
            if u.speaker != without:
                by_class.setdefault(u.emotion, []).append(u.emotion == u.predicted)
    return float(np.mean([np.mean([np.mean(right) for right in g.values()]) for g in groups.values()]))


def naive_interval(first: Sequence[Result], second: Sequence[Result]) -> tuple[float, float, float]:
    speakers = sorted({u.speaker for run in first for u in run.utterances})
    n = len(speakers)
    whole = naive_uar(first) - naive_uar(second)
    pseudo = [n * whole - (n - 1) * (naive_uar(first, s) - naive_uar(second, s)) for s in speakers]
    half = student_t.ppf(0.975, n - 1) * np.std(pseudo, ddof=1) / np.sqrt(n)
    return whole, whole - half, whole + half


REDUCED, SEEDS = ("angry", "sad"), ("0", "1", "2")
IMBALANCED = grid("imbalanced", 0.4, reduced=REDUCED, seeds=SEEDS)
GAN = grid("GAN", 0.7, reduced=REDUCED, seeds=SEEDS)
FULL = grid("full", 0.9, reduced=[""], seeds=SEEDS)


def test_the_difference_and_its_interval_are_those_of_the_slow_way() -> None:
    found = row(summarise([*IMBALANCED, *GAN]), "GAN").difference
    assert found is not None
    assert (found.estimate, found.low, found.high) == pytest.approx(naive_interval(GAN, IMBALANCED))
    assert found.df == 5


def test_means_are_over_folds_and_seeds_and_the_deviation_over_seeds() -> None:
    found = row(summarise(GAN), "GAN")
    by_seed = [np.mean([r.metrics["uar"] for r in GAN if r.tags["seed"] == s]) for s in SEEDS]
    assert found.uar == pytest.approx(np.mean(by_seed))
    assert found.uar_sd == pytest.approx(np.std(by_seed, ddof=1))
    assert found.pooled_uar == pytest.approx(naive_uar(GAN))
    for c in REDUCED:
        own = [r for r in GAN if r.tags["reduced"] == c]
        assert found.uar_by_reduced[c] == pytest.approx(np.mean([r.metrics["uar"] for r in own]))
    for name, value in (("recall", found.reduced_recall), ("auc", found.reduced_auc)):
        assert value == pytest.approx(np.mean([r.metrics[name][r.tags["reduced"]] for r in GAN]))
    assert found.macro_f1 == pytest.approx(np.mean([r.metrics["macro_f1"] for r in GAN]))
    assert found.recall["happy"] == pytest.approx(np.mean([r.metrics["recall"]["happy"] for r in GAN]))
    assert found.n_results == 18


def test_the_order_of_the_files_changes_no_number() -> None:
    runs = [*IMBALANCED, *GAN, *FULL]
    assert render(summarise(runs), "json") == render(summarise(runs[::-1]), "json")


def test_training_on_everything_stands_in_for_every_reduced_class() -> None:
    report = summarise([*FULL, *IMBALANCED])
    found = row(report, "full")
    assert found.n_results == 9  # runs, not places
    assert found.uar_by_reduced["angry"] == found.uar_by_reduced["sad"] == pytest.approx(found.uar)
    recalls = [[r.metrics["recall"][c] for r in FULL] for c in REDUCED]
    assert found.reduced_recall == pytest.approx(np.mean(recalls))
    twice = [replace(r, tags={**r.tags, "reduced": c}) for r in FULL for c in REDUCED]
    assert found.difference is not None
    estimate = (found.difference.estimate, found.difference.low, found.difference.high)
    assert estimate == pytest.approx(naive_interval(twice, IMBALANCED))


def test_the_gap_closed_is_a_share_of_a_gap_that_is_there() -> None:
    report = summarise([*FULL, *IMBALANCED, *GAN])
    found = row(report, "GAN").closure
    assert found is not None
    low, middle, high = (naive_uar(runs) for runs in (IMBALANCED, GAN, FULL))
    assert found.estimate == pytest.approx((middle - low) / (high - low))
    assert found.low < found.estimate < found.high
    assert row(report, "full").closure is None
    assert "gap closed" in render(report)
    # Full no better than imbalanced: no share of nothing.
    equal = [replace(r, tags={**r.tags, "method": "full"}) for r in IMBALANCED]
    report = summarise([*equal, *IMBALANCED, *GAN])
    assert row(report, "GAN").closure is None
    assert "gap closed" not in render(report)
    # Better, but not surely so.
    unsure = grid("full", 0.45, reduced=REDUCED)
    report = summarise([*unsure, *IMBALANCED, *GAN])
    gap = row(report, "full").difference
    assert gap is not None
    assert gap.low < 0 < gap.estimate
    assert row(report, "GAN").closure is None


def test_rows_stand_in_the_order_of_the_paper_and_strangers_last_as_they_came() -> None:
    names = ["mixup", "GAN", "gauss", "SARM", "class-weights", "cp", "RS0.4", "SA", "imbalanced", "full"]
    report = summarise([make_run(name, fold=fold) for name in names for fold in FOLDS])
    expected = ["full", "imbalanced", "cp", "SA", "SARM", "RS0.4", "gauss", "GAN", "mixup", "class-weights"]
    assert [row.method for row in report.rows] == expected
    assert [line.split()[0] for line in render(report).splitlines()[1:11]] == expected


def test_the_difference_is_over_what_both_have() -> None:
    fewer = [r for r in IMBALANCED if r.tags["seed"] == "1" and r.tags["fold"] != "2"]
    both = [r for r in GAN if r.tags["seed"] == "1" and r.tags["fold"] != "2"]
    report = summarise([*fewer, *GAN])
    found = row(report, "GAN").difference
    assert found is not None
    assert (found.estimate, found.low, found.high) == pytest.approx(naive_interval(both, fewer))
    assert "Methods differ in folds, reduced classes or seeds" in render(report)
    assert "Methods differ" not in render(summarise([*IMBALANCED, *GAN]))


def test_nothing_in_common_gives_a_dash() -> None:
    report = summarise([make_run("imbalanced", fold="1"), make_run("GAN", fold="2")])
    assert row(report, "GAN").difference is None
    found = row(report, "GAN")
    assert (found.recall_difference, found.auc_difference, found.anew_difference) == (None, None, None)
    assert re.split(r"  +", difference_lines(report)[1]) == ["GAN", DASH, DASH, DASH]
    assert "No interval on new training sets for GAN: no scores in common." in " ".join(render(report).split())


def test_without_speakers_there_is_a_difference_but_no_interval() -> None:
    runs = [
        make_run(m, f, seed=seed, speaker="", skill=s)
        for m, s in (("imbalanced", 0.3), ("GAN", 0.8))
        for f in FOLDS
        for seed in ("0", "1")
    ]
    report = summarise(runs)
    found = row(report, "GAN").difference
    assert found is not None
    assert found.estimate == pytest.approx(naive_uar(runs[6:], "x") - naive_uar(runs[:6], "x"))
    assert np.isnan(found.low)
    assert "[" not in difference_lines(report)[1]
    area = row(report, "GAN").auc_difference
    assert area is not None
    assert np.isnan(area.high)
    assert "some utterances name no speaker" in render(report)
    assert "for GAN: fewer than two known speakers." in " ".join(render(report).split())


def test_one_unknown_speaker_spoils_the_interval() -> None:
    runs = [*grid("imbalanced", 0.3), *grid("GAN", 0.8)]
    spoilt = [replace(r, utterances=(replace(r.utterances[0], speaker=""), *r.utterances[1:])) for r in runs]
    found = row(summarise(spoilt), "GAN").difference
    assert found is not None
    assert np.isnan(found.low)


def test_the_baseline_is_imbalanced_or_the_named_one() -> None:
    runs = [*grid("imbalanced", 0.3), *grid("CP", 0.5), *grid("GAN", 0.8)]
    assert summarise(runs).baseline == "imbalanced"
    report = summarise(runs, baseline="CP")
    assert row(report, "CP").difference is None
    assert row(report, "imbalanced").difference is not None
    assert difference_lines(report)[0].startswith("angry AUC vs CP ")
    assert [line.split()[0] for line in difference_lines(report)[1:]] == ["imbalanced", "GAN"]
    assert summarise(runs[3:]).baseline is None
    assert " vs " not in render(summarise(runs[3:]))
    with pytest.raises(UsageError, match=r"method=SA: name one of imbalanced, CP, GAN"):
        summarise(runs, baseline="SA")


def test_what_cannot_stand_in_one_table_is_refused() -> None:
    run, other = make_run(), make_run("GAN")
    with pytest.raises(UsageError, match="no results"):
        summarise([])
    with pytest.raises(ModelError, match=r"GAN-1-angry-0\.json: has no method tag"):
        summarise([run, replace(other, tags={"fold": "1"})])
    with pytest.raises(ModelError, match=r"copy\.json: fills the same place as imbalanced-1-angry-0\.json "):
        summarise([run, replace(run, source="copy.json")])
    with pytest.raises(ModelError, match=r"\(method=imbalanced fold=1 reduced=angry seed=\?\)"):
        summarise([replace(run, tags={"method": "imbalanced", "fold": "1", "reduced": "angry"})] * 2)
    with pytest.raises(ModelError, match=r"GAN-1-angry-0\.json: has the classes a b c, but imbalanced-1"):
        summarise([run, replace(other, classes=("a", "b", "c"))])
    moved = replace(other, utterances=(replace(other.utterances[0], id="else"), *other.utterances[1:]))
    with pytest.raises(ModelError, match="tested on other utterances"):
        summarise([run, moved])


def test_seen_rows_are_marked_everywhere() -> None:
    report = summarise([make_run(), replace(make_run("GAN"), allow_seen=True)])
    for format in ("text", "markdown", "latex"):
        assert "GAN (seen!)" in render(report, format)
        assert "imbalanced (seen!)" not in render(report, format)
        assert "these numbers prove nothing" in render(report, format)
    assert [line["seen"] for line in csv.DictReader(io.StringIO(render(report, "csv")))] == ["False", "True"]
    assert [line["seen"] for line in json.loads(render(report, "json"))["rows"]] == [False, True]


def test_unlike_classifiers_and_missing_classes_are_said() -> None:
    run = make_run()
    metrics = {**run.metrics, "recall": {**run.metrics["recall"], "sad": None}}
    other = replace(make_run("GAN"), model={**run.model, "updates": 900}, metrics=metrics)
    text = render(summarise([run, other]))
    assert "Classifiers differ in number of updates: 5, 900." in text
    assert "1 of 2 test sets lack a class" in text
    assert "differ in vote" not in text
    text = render(summarise([run, make_run("GAN")]))
    assert "differ in" not in text
    assert "lack a class" not in text


def test_the_text_is_aligned_and_explains_itself() -> None:
    report = summarise([*FULL, *IMBALANCED, *GAN])
    head, *body = render(report).split("\n\n")[0].splitlines()
    assert re.split(r"  +", head) == ["method", "UAR", "reduced recall", "reduced AUC", "macro F1", "n"]
    assert {len(line) for line in body} == {len(head)}
    for name in ("reduced AUC", "macro F1", "n"):
        end = head.index(name) + len(name)
        assert all(line[end - 1] != " " and line[end : end + 1] in (" ", "") for line in body)
    found = row(summarise(GAN), "GAN")
    assert body[2].startswith(f"GAN         {100 * found.uar:.1f} ± {100 * found.uar_sd:.1f} ")
    head, *body = difference_lines(report)
    assert re.split(r"  +", head) == ["reduced AUC vs imbalanced", NEW_TRAINING, "p (Holm)", NEW_SPEAKERS]
    assert {len(line) for line in body} == {len(head)}
    end = head.index(NEW_TRAINING) + len(NEW_TRAINING)
    assert all(line[end - 1] == "]" and line[end] == " " for line in body)
    assert re.match(r"GAN +\+\d+\.\d \[[+-]\d+\.\d, \+\d+\.\d\] +[01]\.\d{3} ", body[1])
    head, *_ = render(report).split("\n\n")[3].splitlines()
    assert re.split(r"  +", head) == [f"{NEW_SPEAKERS}, vs imbalanced", "UAR", "gap closed"]
    notes = " ".join(render(report).split("\n\n")[4].split())
    assert "mean over 3 folds, 2 reduced classes and 3 seeds (± standard deviation over seeds)" in notes
    assert "6 speakers, 54 utterances" in notes
    assert "95 % delete-one-speaker jackknife t interval" in notes
    assert "corrected for 1 comparison; full is none." in notes
    assert re.search(r"up to ± \d+\.\d points \(95 % utterance bootstrap\)", notes)
    assert max(map(len, "\n\n".join(render(report).split("\n\n")[i] for i in (1, 4)).splitlines())) <= 100


def test_ten_methods_with_long_names_fit_a_terminal_of_120_columns() -> None:
    names = [f"balanced-sampling-{k}" for k in range(8)]
    runs = [*FULL, *IMBALANCED, *(r for k, name in enumerate(names) for r in grid(name, k / 8, seeds=("0", "1")))]
    lines = render(summarise([with_validation(r) for r in runs])).splitlines()
    assert "gap closed" in " ".join(lines)
    assert "adj. UAR" in " ".join(lines)
    assert max(map(len, lines)) <= 120


def test_one_reduced_class_names_its_columns_and_one_seed_has_no_deviation() -> None:
    text = render(summarise(grid("GAN", 0.5)))
    assert "angry recall  angry AUC" in text.splitlines()[0]
    assert "± s" not in text
    assert "±" not in text.splitlines()[1]
    assert "1 seed;" in text


def test_nothing_reduced_leaves_the_columns_out() -> None:
    runs = [*grid("full", 0.5, reduced=[""]), *grid("mixup", 0.6, reduced=[""])]
    report = summarise(runs, baseline="full")
    assert re.split(r"  +", render(report).splitlines()[0]) == ["method", "UAR", "macro F1", "n"]
    assert re.split(r"  +", difference_lines(report)[0]) == ["UAR vs full", NEW_TRAINING, "p (Holm)", NEW_SPEAKERS]
    assert row(report, "mixup").recall_difference is None
    assert row(report, "mixup").auc_difference is None


def test_csv_and_json_hold_the_same_percent() -> None:
    report = summarise([*IMBALANCED, *GAN])
    lines = list(csv.DictReader(io.StringIO(render(report, "csv"))))
    document = json.loads(render(report, "json"))
    assert document["unit"] == "percent"
    assert document["baseline"] == "imbalanced"
    assert len(lines) == len(document["rows"]) == 2
    for line, record in zip(lines, document["rows"], strict=True):
        assert line["uar"] == str(record["uar"])
        assert line["recall_happy"] == str(record["recall"]["happy"])
        assert line["uar_by_reduced_sad"] == str(record["uar_by_reduced"]["sad"])
    assert (lines[0]["difference_low"], document["rows"][0]["difference"]["low"]) == ("", None)
    found = report.rows[1]
    assert found.difference is not None
    assert document["rows"][1]["difference"]["low"] == round(100 * found.difference.low, 1)
    assert lines[1]["reduced_auc"] == str(round(100 * found.reduced_auc, 1))
    assert found.auc_difference is not None
    assert lines[1]["auc_difference_high"] == str(round(100 * found.auc_difference.high, 1))
    assert lines[1]["p"] == str(round(found.p, 4))
    assert lines[1]["noise_low"] == str(round(100 * found.noise_low, 1))
    assert (lines[1]["bias"], document["rows"][1]["adjusted_uar"]) == ("", None)


def test_csv_and_json_say_what_training_cost() -> None:
    run, other = make_run(), make_run(fold="2")
    other = replace(other, model={**other.model, "n_train_rows": {"real": 12, "copied": 3}, "updates": 6})
    generated = replace(make_run("GAN"), model={**run.model, "n_train_rows": {"generated": 7}})
    lines = list(csv.DictReader(io.StringIO(render(summarise([run, other, generated]), "csv"))))
    columns = ["n_train_rows_copied", "n_train_rows_generated", "n_train_rows_real", "n_updates"]
    assert [[float(line[name]) for name in columns] for line in lines] == [[1.5, 0, 10.5, 5.5], [0, 7, 0, 5]]


def test_markdown_and_latex_keep_their_own_marks_out_of_names() -> None:
    runs = [make_run("a|b_c&50%"), make_run("well-known", skill=0.9)]
    report = summarise(runs, baseline="well-known")
    assert report.rows[0].difference is not None
    assert report.rows[0].difference.estimate < 0
    tables = render(report, "markdown").split("\n\n")
    assert not tables.pop(1).startswith("|")  # the answer in words
    for block in tables[:3]:
        head, rule, *body = block.splitlines()
        assert rule.startswith("| --- | ---: |")
        assert r"| a\|b_c&50% |" in body[0]
        assert {line.replace(r"\|", "").count("|") for line in (head, rule, *body)} == {len(head.split("|")) - 1}
    latex = render(report, "latex")
    assert latex.count(r"a|b\_c\&50\% &") == 3
    assert re.search(r"& \$-\$\d", latex)  # a minus
    assert "well-known &" in latex  # a hyphen
    blocks = latex.split("\n\n")
    assert blocks.pop(1).startswith("% ")
    for block in blocks[:3]:
        rows = [line for line in block.splitlines() if line.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", line)) for line in rows}) == 1
        assert block.splitlines()[-1] == r"\end{tabular}"
    assert all(line.startswith("% ") for line in blocks[3].splitlines())


@pytest.mark.parametrize("format", get_args(Format))
def test_every_format_ends_in_a_newline(format: Format) -> None:
    text = render(summarise([*IMBALANCED, *GAN]), format)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "nan" not in text.lower().replace("imbalanced", "")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="'html': expected one of text, markdown"):
        Reporting(format="html")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "html"], "--format 'html': expected one of text, markdown, latex, csv, json"),
        (
            ["--layout", "table4"],
            "--layout 'table4': expected one of summary, table2, table3, corpora; did you mean 'table3'?",
        ),
        (["--paper"], "--paper: summary is not a table of the paper; use --layout table2 or table3"),
    ],
)
def test_an_unknown_option_is_refused_before_any_file_is_read(
    call: Callable[..., Outcome], options: Sequence[str], said: str
) -> None:
    done = call("report", "no-such-file.json", *options)
    assert (done.code, done.out, done.err) == (2, "", f"sertools report: {said}\n")


def test_the_command_line_prints_strangers_in_the_order_of_the_files(
    call: Callable[..., Outcome], tmp_path: Path
) -> None:
    for name in ("b", "a", "imbalanced"):
        with (tmp_path / f"{name}.json").open("w", encoding="utf-8") as stream:
            write_result(make_run(name), stream)
    done = call("report", "b.json", "a.json", "imbalanced.json", "--format", "csv")
    assert [line["method"] for line in csv.DictReader(io.StringIO(done.out))] == ["imbalanced", "b", "a"]


def test_a_tiny_loss_is_not_minus_nothing() -> None:
    report = summarise([make_run(), make_run("GAN")])
    tiny = replace(report.rows[1], anew_difference=Interval(-1e-5, -2e-5, 1e-5, 1))
    line = difference_lines(replace(report, rows=(report.rows[0], tiny)))[1]
    assert " +0.0 [+0.0, +0.0] " in line


@pytest.mark.parametrize(
    ("p", "shown"), [(0.0, "<0.001"), (0.0004, "<0.001"), (0.0006, "0.001"), (0.0444, "0.044"), (1.0, "1.000")]
)
def test_p_values_have_three_decimals(p: float, shown: str) -> None:
    report = summarise([make_run(), make_run("GAN")])
    found = replace(report, rows=(report.rows[0], replace(report.rows[1], p_holm=p)))
    assert f" {shown} " in difference_lines(found)[1]
    assert shown.replace("<", "$<$") in render(found, "latex")


def test_ties_are_added_up() -> None:
    report = summarise([make_run(fold=f, n_ties=n) for f, n in (("1", 2), ("2", 5))])
    assert report.rows[0].n_ties == 7
