"""The paper's layouts: its figures as printed, our rows in its places, all formats."""

import csv
import io
import json
import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from test_report import DASH, FOLDS, grid, make_run

from sertools.errors import UsageError
from sertools.reporting.reports.layouts import render
from sertools.reporting.reports.paper import TABLE_2, TABLE_3
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result_file import write_result
from sertools.verb_config import Format, Reporting

# As the paper prints them.
PRINTED_2 = """
Imbalanced 47.8 52.2 46.9 49.0
CP 51.5 50.8 45.8 49.4
SA 49.7 49.6 47.6 49.0
Proposed approach 53.5 55.2 52.1 53.6
"""
PRINTED_3 = """
Initial Dataset 52.3 52.7
0.4 Balanced 50.0 50.3
0.6 Balanced 48.5 48.1
0.8 Balanced 49.6 49.5
Fully Balanced 49.4 48.9
CP 51.1 49.8
SA 50.7 49.2
SAR 51.2 50.0
SARM 51.0 50.5
SARB 51.1 49.7
SARS 49.3 48.0
Proposed approach 54.6 55.0
"""
REDUCED, SEEDS = ("angry", "sad"), ("0", "1", "2")
GAN = grid("gan", 0.7, reduced=REDUCED, seeds=SEEDS)
RUNS = [*GAN, *grid("imbalanced", 0.4, reduced=REDUCED, seeds=SEEDS)]
REPORT = summarise(RUNS)


def cells(text: str) -> list[list[str]]:
    """The table of a text report, columns apart."""
    return [re.split(r"  +", line.strip()) for line in text.split("\n\n")[0].splitlines()]


def of_method(text: str, method: str) -> dict[str, object]:
    return next(row for row in json.loads(text)["rows"] if row["method"] == method)


def test_the_figures_are_those_of_table_2():
    ours = "\n".join(f"{r.dataset} {r.uar_angry} {r.uar_happy} {r.uar_sad} {r.uar_average}" for r in TABLE_2.values())
    assert ours == PRINTED_2.strip()
    for row in TABLE_2.values():
        assert row.uar_average == pytest.approx((row.uar_angry + row.uar_happy + row.uar_sad) / 3, abs=0.05)


def test_the_figures_are_those_of_table_3():
    assert "\n".join(f"{r.dataset} {r.uar} {r.f_score}" for r in TABLE_3.values()) == PRINTED_3.strip()
    sizes = {"-": 1, "Random selection": 4, "Signal-based augmentation": 6, "Generation": 1}
    assert {c: sum(r.category == c for r in TABLE_3.values()) for c in sizes} == sizes


def test_table_2_holds_the_uar_of_each_reduced_class_and_their_average():
    found = of_method(render(REPORT, "json", "table2"), "gan")
    for name, columns in (("uar_angry", ["angry"]), ("uar_sad", ["sad"]), ("uar_average", REDUCED)):
        own = [r for r in GAN if r.tags["reduced"] in columns]
        by_seed = [np.mean([r.metrics["uar"] for r in own if r.tags["seed"] == s]) for s in SEEDS]
        assert found[name] == pytest.approx(100 * np.mean(by_seed), abs=0.051)
        assert found[f"{name}_sd"] == pytest.approx(100 * np.std(by_seed, ddof=1), abs=0.051)
    head, imbalanced, gan = cells(render(REPORT, layout="table2"))
    assert head == ["Dataset", "Angry", "Sad", "Average"]
    assert [imbalanced[0], gan[0]] == ["Imbalanced", "Proposed approach"]
    assert gan[3] == f"{found['uar_average']:.1f} ± {found['uar_average_sd']:.1f}"


def test_table_3_holds_uar_and_macro_f1():
    found = of_method(render(REPORT, "json", "table3"), "gan")
    for name, metric in (("uar", "uar"), ("f_score", "macro_f1")):
        by_seed = [np.mean([r.metrics[metric] for r in GAN if r.tags["seed"] == s]) for s in SEEDS]
        assert found[name] == pytest.approx(100 * np.mean(by_seed), abs=0.051)
        assert found[f"{name}_sd"] == pytest.approx(100 * np.std(by_seed, ddof=1), abs=0.051)
    assert cells(render(REPORT, layout="table3"))[0] == ["Category", "Dataset", "UAR", "F-score"]
    assert "±" in render(REPORT, layout="table3")
    assert "±" not in render(summarise(grid("gan", 0.7)), layout="table3")


def test_rows_stand_in_the_order_of_the_paper_whatever_their_case_and_rivals_last():
    names = [
        "mixup",
        "GAN",
        "gauss",
        "smote",
        "potcut",
        "SARM",
        "weighted",
        "cp",
        "rs1.0",
        "RS0.4",
        "Imbalanced",
        "full",
        "SARS",
        "Sa",
    ]
    text = render(summarise([make_run(name) for name in names]), "csv", "table3")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["category"], row["dataset"], row["method"]) for row in rows] == [
        ("-", "full", "full"),
        ("-", "Initial Dataset", "Imbalanced"),
        ("Random selection", "0.4 Balanced", "RS0.4"),
        ("Random selection", "Fully Balanced", "rs1.0"),
        ("Signal-based augmentation", "CP", "cp"),
        ("Signal-based augmentation", "SA", "Sa"),
        ("Signal-based augmentation", "SARM", "SARM"),
        ("Signal-based augmentation", "SARS", "SARS"),
        ("Generation", "Proposed approach", "GAN"),
        *[("Generation", name, name) for name in ("gauss", "smote", "potcut")],
        ("Free rivals", "weighted", "weighted"),
        ("Free rivals", "mixup", "mixup"),
    ]
    table = cells(render(summarise([make_run(name) for name in names]), layout="table3"))
    assert [line[0] for line in table if len(line) == 4] == [
        *("Category", "-", "Random selection", "Signal-based augmentation", "Generation", "Free rivals")
    ]


def test_two_tags_of_one_row_stay_apart():
    text = render(summarise([make_run("gan"), make_run("GAN")]), "csv", "table3")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["dataset"] for row in rows] == ["Proposed approach (gan)", "Proposed approach (GAN)"]


def test_the_papers_figures_stand_beside_ours_and_what_is_missing_is_a_dash():
    head, *rows = cells(render(REPORT, layout="table2", paper=True))
    assert head[-4:] == ["paper Angry", "paper Happy", "paper Sad", "paper Average"]
    found = {row[0]: row[1:] for row in rows}
    assert list(found) == ["Imbalanced", "CP", "SA", "Proposed approach"]
    assert found["CP"] == [DASH] * 3 + ["51.5", "50.8", "45.8", "49.4"]
    assert found["Proposed approach"][3:] == ["53.5", "55.2", "52.1", "53.6"]
    assert DASH not in found["Proposed approach"]

    report = summarise([*RUNS, *grid("mixup", 0.5, reduced=REDUCED, seeds=SEEDS)])
    rows = cells(render(report, layout="table3", paper=True))[1:]
    assert [row[-2:] for row in rows] == [*(line.split()[-2:] for line in PRINTED_3.split("\n")[1:-1]), [DASH] * 2]
    assert sum(row[-4:-2] == [DASH] * 2 for row in rows) == 10


def test_what_the_paper_has_not_is_null_and_empty():
    for layout, column in (("table2", "uar_average"), ("table3", "uar")):
        report = summarise([*RUNS, make_run("mixup", reduced="sad")])
        rows = json.loads(render(report, "json", layout, paper=True))["rows"]
        lines = list(csv.DictReader(io.StringIO(render(report, "csv", layout, paper=True))))
        assert len(rows) == len(lines) == len(TABLE_2 if layout == "table2" else TABLE_3) + 1
        for row, line in zip(rows, lines, strict=True):
            assert line == {name: "" if value is None else str(value) for name, value in row.items()}
            assert (row[column] is None) == (row["method"] is None)
            assert (row[f"paper_{column}"] is None) == (row["method"] == "mixup")
        assert "paper" not in render(report, "csv", layout)


def test_notes_name_the_papers_corpus_and_warn():
    for layout, corpus in (("table2", "IEMOCAP"), ("table3", "FEEL-25k")):
        with_paper = " ".join(render(REPORT, layout=layout, paper=True).split())
        assert f", on {corpus}" in with_paper
        assert "not comparable in level" in with_paper
        assert corpus not in render(REPORT, layout=layout)
        assert "mean over 3 folds, 2 reduced classes and 3 seeds (± standard deviation over seeds)" in with_paper
        assert "jackknife" not in with_paper
    mixed = summarise([*RUNS, make_run("CP", seed="7")])
    assert "Methods differ in folds" in render(mixed, layout="table3")


def test_a_method_without_a_reduced_class_stands_in_every_column():
    report = summarise([*RUNS, *grid("full", 0.9, reduced=[""], seeds=SEEDS)])
    found = of_method(render(report, "json", "table2"), "full")
    assert found["uar_angry"] == found["uar_sad"] == found["uar_average"] is not None


def test_seen_rows_are_marked():
    report = summarise([make_run(), replace(make_run("gan"), allow_seen=True)])
    for layout in ("table2", "table3"):
        text = render(report, layout=layout, paper=True)
        assert "Proposed approach (seen!)" in text
        assert text.count("(seen!)") == 2  # the row and the note
        assert "these numbers prove nothing" in text
        assert of_method(render(report, "json", layout), "gan")["seen"] is True


@pytest.mark.parametrize("format", get_args(Format))
@pytest.mark.parametrize("layout", ["table2", "table3"])
@pytest.mark.parametrize("paper", [False, True])
def test_every_format_is_whole(layout, format, paper):
    report = summarise([*RUNS, make_run("a|b_c&50%")])
    text = render(report, format, layout, paper=paper)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "nan" not in text.lower()
    if format == "latex":
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        n_columns = len(re.search(r"\{(l+r+)\}", text).group(1))
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {n_columns - 1}
    if format == "markdown":
        table = text.split("\n\n")[0].replace(r"\|", "").splitlines()
        assert len({line.count("|") for line in table}) == 1
        assert table[1].startswith("| --- | --- | ---: |" if layout == "table3" else "| --- | ---: |")


def test_the_summary_has_none_of_the_papers_figures():
    assert "paper" not in render(REPORT)
    with pytest.raises(UsageError, match=r"--paper: .* use --layout table2 or table3"):
        Reporting(paper=True)


def test_table_2_needs_a_reduced_class_and_a_layout_must_be_known():
    full = summarise([make_run("full", fold, reduced="") for fold in FOLDS])
    with pytest.raises(UsageError, match="reduced=CLASS; use --layout table3"):
        render(full, layout="table2")
    assert "full" in render(full, layout="table3")
    with pytest.raises(UsageError, match="--layout 'table4': expected one of summary, table2, table3"):
        Reporting(layout="table4")
    with pytest.raises(UsageError, match="--format 'html': expected one of"):
        Reporting(layout="table2", format="html")


def test_on_the_command_line(call, tmp_path):
    path = tmp_path / "r.json"
    with path.open("w", encoding="utf-8") as stream:
        write_result(make_run("gan"), stream)
    done = call("report", path, "--layout", "table3", "--paper", "--format", "markdown")
    assert done.code == 0
    assert "| Generation | Proposed approach |" in done.out
    for options, words in (
        (["--paper"], "table2 or table3"),
        (["--layout", "table9"], "summary, table2, table3"),
        (["--layout", "table2", "--baseline", "gan"], "leave it out"),
    ):
        done = call("report", path, *options)
        assert (done.code, done.out) == (2, "")
        assert words in done.err
