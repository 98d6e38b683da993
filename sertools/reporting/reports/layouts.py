"""The layouts of a report: the summary, or the paper's Table 2 or Table 3, with its own figures beside ours.

A method stands in the row of the paper that does the same, whatever the case of its tag; methods that are not in the
paper follow, in order of appearance.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

from sertools.errors import UsageError
from sertools.experiment.methods import FREE_RIVALS, FULL, GENERATION, KNOWN, NO_CATEGORY, REMOVED
from sertools.reporting.reports.answer import answer
from sertools.reporting.reports.formats import TextTable, percent, rounded_percent, write_tables
from sertools.reporting.reports.paper import TABLE_2, TABLE_3, UAR_ALL_OF_IEMOCAP, Table2Row, Table3Row
from sertools.reporting.reports.tables import difference_tables, score_table, summary_document
from sertools.scoring.comparing.comparison import Report, Row
from sertools.verb_config import Format, Layout

N_NAMES: dict[Layout, int] = {"summary": 1, "table2": 1, "table3": 2, "corpora": 1}  # columns of names
# Every method with a place of its own, in the paper's order and then in ours, and its category in Table 3.
_CATEGORY = {
    FULL: NO_CATEGORY,
    **{method: row.category for method, row in TABLE_3.items()},
    **{name.casefold(): method.group for name, method in KNOWN.items()},
    **dict.fromkeys(REMOVED, GENERATION),  # of results that are there
}
_NOT_LEVELS = "Figures of another corpus are not comparable in level, only in what a method changes."
FACTS = ("classes", "reduced", "n_folds", "n_seeds", "n_speakers", "n_utterances")
_Scores = Mapping[str, tuple[float, float]]  # column → mean and deviation over seeds, fractions
_Published = Table2Row | Table3Row


@dataclass(frozen=True)
class _Line:
    """A row of ours, of the paper, or of both; `method` is None where we have none."""

    key: str
    dataset: str
    method: str | None
    seen: bool
    ours: _Scores
    paper: Mapping[str, float]  # column → percent

    @property
    def category(self) -> str:
        # `CP+specaug` stands with `CP`.
        return _CATEGORY.get(self.key.split("+")[0], FREE_RIVALS)


def render(report: Report, format: Format = "text", layout: Layout = "summary", paper: bool = False) -> str:
    """Write a report in a layout.

    Parameters
    ----------
    report : Report
        What `summarise` made.
    format : {"text", "markdown", "csv", "latex", "json"}
        CSV leaves the notes out.
    layout : {"summary", "table2", "table3"}
        Scores and intervals; or UAR by reduced class and their average, as the paper's Table 2; or UAR and F-score
        (macro F1), as its Table 3. The last two give mean ± standard deviation over seeds.
    paper : bool
        Put the paper's own figures beside ours.

    Returns
    -------
    str
        Ends in a newline.

    Raises
    ------
    UsageError
        If Table 2 is asked for where no class was reduced.
    """
    return write_tables(format, *tables_of(report, layout, paper), n_names=N_NAMES[layout])


def tables_of(report: Report, layout: Layout, paper: bool = False) -> tuple[list[TextTable], dict[str, Any]]:
    """Give a layout as tables and as plain values; parameters and errors as in `render`."""
    if layout == "summary":
        document = {**summary_document(report), "answer": answer(report).sentences}
        return [score_table(report), *difference_tables(report)], document
    table, document = (_table2 if layout == "table2" else _table3)(report, paper)
    return [table], document


def _table2(report: Report, paper: bool) -> tuple[TextTable, dict[str, Any]]:
    if not report.reduced:
        raise UsageError(
            "--layout table2: has a column for each reduced class, but no result has the tag reduced=CLASS; "
            "use --layout table3"
        )

    def scores(row: Row) -> _Scores:
        means, deviations = row.uar_by_reduced, row.uar_sd_by_reduced
        by_class = {f"uar_{c}": (means[c], deviations[c]) for c in report.reduced}
        return {**by_class, "uar_average": (row.uar, row.uar_sd)}

    notes = ["UAR; a column is named after the class that was reduced in training, Average is over these."]
    if paper:
        notes.append(
            f"paper: its Table 2, on IEMOCAP; with nothing removed it has {UAR_ALL_OF_IEMOCAP} (§3.2). {_NOT_LEVELS}"
        )
    titles = {f"uar_{c}": c[:1].upper() + c[1:] for c in (*report.reduced, "angry", "happy", "sad", "average")}
    lines = _lines(report, scores, TABLE_2 if paper else {}, {**TABLE_3, **TABLE_2})
    return _lay_out("table2", report, lines, titles, notes)


def _table3(report: Report, paper: bool) -> tuple[TextTable, dict[str, Any]]:
    def scores(row: Row) -> _Scores:
        return {"uar": (row.uar, row.uar_sd), "f_score": (row.macro_f1, row.macro_f1_sd)}

    lines = _lines(report, scores, TABLE_3 if paper else {}, TABLE_3)
    notes = ["F-score: the mean of the classes' F1."]
    if report.reduced:
        notes.append(f"Reduced: {', '.join(report.reduced)}.")
    if any(line.category == FREE_RIVALS for line in lines):
        notes.append(f"{FREE_RIVALS}: methods that are not in the paper.")
    if paper:
        notes.append(f"paper: its Table 3, on FEEL-25k. {_NOT_LEVELS}")
    return _lay_out("table3", report, lines, {"uar": "UAR", "f_score": "F-score"}, notes)


def _lines(
    report: Report,
    scores: Callable[[Row], _Scores],
    published: Mapping[str, _Published],
    named: Mapping[str, _Published],
) -> list[_Line]:
    """Give our rows and those that only the paper has, in the order of the paper."""
    keys = Counter(row.method.casefold() for row in report.rows)
    lines = []
    for row in report.rows:
        key = row.method.casefold()
        name = named[key].dataset if key in named else row.method
        if keys[key] > 1 and name != row.method:
            name += f" ({row.method})"  # two tags of one row, such as gan and GAN
        lines.append(_Line(key, name, row.method, row.seen, scores(row), _figures(published.get(key))))
    lines += [
        _Line(key, row.dataset, None, False, {}, _figures(row)) for key, row in published.items() if key not in keys
    ]
    order = {key: k for k, key in enumerate(_CATEGORY)}
    return sorted(lines, key=lambda line: order.get(line.key, len(order)))


def _figures(row: _Published | None) -> dict[str, float]:
    return {name: value for name, value in row._asdict().items() if isinstance(value, float)} if row else {}


def _lay_out(
    layout: Layout, report: Report, lines: list[_Line], titles: Mapping[str, str], notes: list[str]
) -> tuple[TextTable, dict[str, Any]]:
    """Put the lines into a table; `titles` are those of all columns."""
    ours = list(next(line.ours for line in lines if line.ours))
    papers = list(next((line.paper for line in lines if line.paper), {}))
    grouped = N_NAMES[layout] > 1
    table = [["Dataset", *(titles[c] for c in ours), *(f"paper {titles[c]}" for c in papers)]]
    if grouped:
        table[0].insert(0, "Category")
    records: list[dict[str, Any]] = []
    above = ""
    for line in lines:
        cells = [line.dataset + (" (seen!)" if line.seen else "")]
        if grouped:
            cells.insert(0, line.category if line.category != above else "")
            above = line.category
        record: dict[str, Any] = {"category": line.category} if grouped else {}
        record |= {"dataset": line.dataset, "method": line.method, "seen": line.seen}
        for c in ours:
            mean, deviation = line.ours.get(c, (nan, nan))
            cells.append(percent(mean, deviation))
            record |= {c: rounded_percent(mean), f"{c}_sd": rounded_percent(deviation)}
        for c in papers:
            cells.append(percent(line.paper.get(c, nan) / 100))
            record[f"paper_{c}"] = line.paper.get(c)
        table.append(cells)
        records.append(record)
    document = {
        "layout": layout,
        "unit": "percent",
        **{name: getattr(report, name) for name in FACTS},
        "rows": records,
        "answer": answer(report).sentences,
        "notes": [report.averaged, *notes, *report.cautions],
    }
    return table, document
