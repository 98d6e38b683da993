"""A report as one page of HTML that needs nothing else: no script, no request, light and dark, phone and paper.

Every name is escaped by the template engine, and the page itself forbids scripts and requests (a content security
policy), so a hostile label in a result is a label. The same results give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from sertools.reporting.contents.repeat import recipe
from sertools.reporting.plots.confusion import shares_of_truth
from sertools.reporting.plots.forest import Measure, forest, measures
from sertools.reporting.plots.style import OKABE_ITO, save
from sertools.reporting.reports.answer import answer
from sertools.reporting.reports.formats import DASH, TextTable, percent
from sertools.reporting.reports.layouts import N_NAMES, tables_of
from sertools.reporting.reports.tables import difference_tables
from sertools.scoring.comparing.comparison import Report
from sertools.scoring.comparing.notes import number_of
from sertools.scoring.results.result import EXTERNAL, Result
from sertools.verb_config import Layout

_INKS = {"#000000": "currentColor", "#ffffff": "var(--paper)", OKABE_ITO[0].lower(): "var(--ink)"}


@dataclass(frozen=True)
class _Cell:
    """A cell of a table."""

    text: str
    share: float | None = None  # 0 to 1: how strongly it is coloured; None: not at all


@dataclass(frozen=True)
class _Box:
    """A table with its caption."""

    caption: str
    head: Sequence[str]
    body: Sequence[Sequence[_Cell]]
    n_names: int = 1


def render_page(report: Report, results: Sequence[Result], layout: Layout = "summary", paper: bool = False) -> str:
    """Write a report as a page.

    Parameters
    ----------
    report : Report
        What `summarise` made of the results.
    results : sequence of Result
        The same results.
    layout : {"summary", "table2", "table3"}
        Of the first table.
    paper : bool
        Put the paper's own figures beside ours, in its layouts.

    Returns
    -------
    str
        HTML, ends in a newline.

    Raises
    ------
    UsageError
        If the layout does not fit the results.
    ModelError
        If the history of a result is damaged.
    """
    by_method = {row.method: [r for r in results if r.tags["method"] == row.method] for row in report.rows}
    tables, document = tables_of(report, layout, paper)
    layout_notes = [note for note in document["notes"] if note not in (*report.notes, *report.cautions)]
    said = answer(report)
    environment = Environment(
        loader=PackageLoader("sertools.reporting.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tied"] = _tied
    text = environment.get_template("page.html.j2").render(
        title=f"{number_of(len(report.rows), 'method')} against class imbalance in speech emotion recognition",
        answer=said,
        facts=_facts(report, results),
        scores=[_box(tables[0], "Means over the runs, in percent", N_NAMES[layout])],
        differences=[
            _box(table, f"Differences from {report.baseline}, in points") for table in difference_tables(report)
        ],
        figures=[(measure.name, _svg(report, measure, place)) for place, measure in enumerate(measures(report))],
        recall=_recall(report, results),
        confusions=[_confusion(name, own) for name, own in by_method.items()],
        training=_training(report, by_method),
        notes=[*layout_notes, *report.notes],
        cautions=[*([said.thin] if said.thin else []), *report.cautions],
        recipes=[made for own in by_method.values() if (made := recipe(own))],
        again=_again(report, layout, paper),
        n_runs=len(results),
    )
    return text.rstrip() + "\n"


def _tied(sentence: str) -> str:
    """Keep an interval, and a number with its percent sign, on one line."""
    return re.sub(r"(?<=\d) (?=%|\[)|(?<=,) (?=[+-][\d.]+\])", "\u00a0", sentence)


def _facts(report: Report, results: Sequence[Result]) -> list[tuple[str, str]]:
    """What was measured, in words."""
    trained = [r for r in results if r.model["arch"] != EXTERNAL]
    updates = sorted({int(r.model["updates"]) for r in trained})
    guess = percent(1 / len(report.classes))
    facts = [
        ("Task", f"tell {', '.join(report.classes)} apart in speech; guessing has a UAR of {guess} %"),
        (
            "Tested",
            f"{number_of(report.n_utterances, 'utterance')} of {number_of(report.n_speakers, 'speaker')}, in "
            f"{number_of(report.n_folds, 'fold')}",
        ),
        ("Runs", f"{len(results)}: {number_of(len(report.rows), 'method')}, {number_of(report.n_seeds, 'seed')}"),
    ]
    if report.reduced:
        facts.append(("Reduced in training", ", ".join(report.reduced)))
    if trained:
        archs = ", ".join(sorted({str(r.model["arch"]) for r in trained}))
        facts.append(("Classifier", f"{archs}, {' or '.join(f'{n:,}' for n in updates)} updates"))
        facts.append(("Vote of segments", ", ".join(sorted({r.vote for r in trained}))))
    if report.baseline:
        facts.append(("Compared with", report.baseline))
    return facts


def _box(table: TextTable, caption: str, n_names: int = 1) -> _Box:
    head, *body = table
    return _Box(caption, head, [[_Cell(text) for text in line] for line in body], n_names)


def _shaded(fraction: float | None) -> _Cell:
    """A share in percent on a ground of that strength."""
    if fraction is None or not np.isfinite(fraction):
        return _Cell(DASH)
    return _Cell(percent(fraction), round(float(fraction), 3))


def _recall(report: Report, results: Sequence[Result]) -> _Box:
    truth = {u.key: u.emotion for r in results for u in r.utterances}
    counts = {c: sum(emotion == c for emotion in truth.values()) for c in report.classes}
    body = [[_Cell(row.method), *(_shaded(row.recall[c]) for c in report.classes)] for row in report.rows]
    body.append([_Cell("utterances tested"), *(_Cell(str(counts[c])) for c in report.classes)])
    return _Box("Recall of each class, in percent", ["method", *report.classes], body)


def _confusion(method: str, results: Sequence[Result]) -> _Box:
    """All runs of a method added up; the ground is the share of the true class."""
    classes = results[0].classes
    counts = np.sum([np.array(r.metrics["confusion"]) for r in results], axis=0)
    body = [
        [_Cell(name), *map(_shaded, row)] for name, row in zip(classes, shares_of_truth(counts).tolist(), strict=True)
    ]
    return _Box(method, ["true \\ said", *classes], body)


def _training(report: Report, by_method: Mapping[str, Sequence[Result]]) -> _Box | None:
    """Training rows by origin, and those that were generated by class where a history tells."""
    rows = [row for row in report.rows if any(np.isfinite(n) for n in row.n_train_rows.values())]
    if not rows:
        return None
    origins = sorted({origin for row in rows for origin in row.n_train_rows}, key=lambda o: (o != "real", o))
    body = [
        [
            _Cell(row.method),
            *(_Cell(f"{row.n_train_rows[origin]:,.0f}") for origin in origins),
            _Cell(f"{sum(row.n_train_rows.values()):,.0f}"),
            _Cell(f"{len(by_method[row.method])}"),
        ]
        for row in rows
    ]
    return _Box("Rows trained on, mean over the runs", ["method", *origins, "all", "runs"], body)


def _svg(report: Report, measure: Measure, place: int) -> str:
    """Draw a forest plot that takes the colours of the page; ids are made its own."""
    stream = BytesIO()
    save(forest(report, [measure], narrow=True), stream, "svg")
    text = stream.getvalue().decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>f{place}-", text)
    for colour, ink in _INKS.items():
        text = re.sub(colour, ink, text, flags=re.IGNORECASE)
    return text.replace("<svg", '<svg aria-hidden="true" fill="currentColor"', 1)


def _again(report: Report, layout: Layout, paper: bool) -> str:
    words = ["sertools report RESULTS…"]
    if report.baseline:
        words.append(f"--baseline {report.baseline}")
    if layout != "summary":
        words += [f"--layout {layout}", *(["--paper"] if paper else [])]
    return " ".join([*words, "--html report.html"])
