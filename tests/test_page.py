"""`report --html`: every number of the tables, nothing from outside, hostile names as text, the same bytes twice."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_report import FULL, GAN, IMBALANCED, grid, make_run, with_validation

from sertools.errors import ModelError
from sertools.provenance import Input, history
from sertools.reporting.contents import repeat
from sertools.reporting.reports.answer import answer
from sertools.reporting.reports.formats import percent
from sertools.reporting.reports.layouts import tables_of
from sertools.reporting.reports.page import render_page
from sertools.reporting.reports.tables import difference_tables, score_table
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result
from sertools.scoring.results.result_file import write_result

RUNS = [*FULL, *IMBALANCED, *GAN]
HOSTILE = "</title><script>alert(1)</script>\"'>&\x1b[31m‮"
VOID = ("meta", "link")


class Reader(HTMLParser):
    """Texts of all cells, elements by name, attributes; refuses elements that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self._open and self._open[-1] in ("td", "th"):
            self.cells[-1] += data


def page_of(runs: list[Result], **options) -> str:
    return render_page(summarise(runs), runs, **options)


def write(runs: list[Result], folder: Path) -> list[Path]:
    paths = [folder / f"r{number}.json" for number in range(len(runs))]
    for path, result in zip(paths, runs, strict=True):
        with path.open("w", encoding="utf-8") as stream:
            write_result(result, stream)
    return paths


def with_history(run: Result, *lines: str) -> Result:
    return replace(run, history=lines)


def test_every_cell_of_the_terminals_tables_is_there():
    cells, report = Reader(page_of(RUNS)).cells, summarise(RUNS)
    for table in (score_table(report), *difference_tables(report)):
        flat = [cell for line in table for cell in line]
        assert any(cells[start : start + len(flat)] == flat for start in range(len(cells)))


@pytest.mark.parametrize("layout", ["table2", "table3"])
def test_a_layout_of_the_paper_stands_first(layout):
    cells = Reader(page_of(RUNS, layout=layout, paper=True)).cells
    (table,), _ = tables_of(summarise(RUNS), layout, paper=True)
    flat = [cell for line in table for cell in line]
    assert cells[: len(flat)] == flat
    assert any(cell.endswith(" vs imbalanced") for cell in cells)


def test_recall_and_confusion_are_those_of_the_runs():
    reader, report = Reader(page_of(RUNS)), summarise(RUNS)
    for row in report.rows:
        line = [row.method, *(percent(row.recall[c]) for c in report.classes)]
        assert any(reader.cells[k : k + 4] == line for k in range(len(reader.cells)))
    said = sum(u.emotion == "angry" and u.predicted == "sad" for r in GAN for u in r.utterances)
    true = sum(u.emotion == "angry" for r in GAN for u in r.utterances)
    start = [k for k, cell in enumerate(reader.cells) if cell == "true \\ said"][2]
    assert reader.cells[start + 4] == "angry"
    assert reader.cells[start + 7] == percent(said / true)
    shares = [float(value.removeprefix("--share:")) for name, value in reader.attributes if name == "style"
              and value.startswith("--share:")]  # fmt: skip
    assert shares
    assert all(0 <= share <= 1 for share in shares)


def test_it_says_in_words_what_the_intervals_say():
    words = " ".join(Reader(page_of(RUNS)).words)
    assert all(sentence in words.replace("\xa0", " ") for sentence in answer(summarise(RUNS)).sentences)
    assert "18 utterances" not in words
    assert "54 utterances of 6 speakers, in 3 folds" in words
    assert "One method alone cannot be said to help" in " ".join(Reader(page_of(GAN)).words)
    assert "svg" not in Reader(page_of(GAN)).tags


def test_notes_and_cautions_are_all_there():
    runs = [*grid("CP", 0.5), *(replace(run, allow_seen=True) for run in grid("imbalanced", 0.5))]
    report, words = summarise(runs), " ".join(Reader(page_of(runs)).words).replace("\xa0", " ")
    assert len(report.cautions) > 0
    assert all(note in words for note in (*report.notes, *report.cautions))


def test_adjusted_scores_have_a_picture_of_their_own():
    assert Reader(page_of([with_validation(run) for run in RUNS])).tags.count("svg") == 3
    assert Reader(page_of(RUNS)).tags.count("svg") == 2


def test_nothing_comes_from_outside_and_nothing_runs():
    reader = Reader(page_of(RUNS))
    assert not {"script", "iframe", "object", "embed", "img", "base", "form", "style>"} & set(reader.tags)
    assert reader.tags.count("link") == 1
    for name, value in reader.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "xlink:href", "action"):
            assert value.startswith(("#", "data:,"))
        assert "url(http" not in value
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in reader.attributes
    style = page_of(RUNS).partition("<style>")[2].partition("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style
    ids = [value for name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_hostile_names_are_text():
    def named(run: Result) -> Result:
        def other(name: str) -> str:
            return HOSTILE if name == "angry" else name

        return replace(
            run,
            tags={tag: HOSTILE if value == "GAN" else other(value) for tag, value in run.tags.items()},
            classes=tuple(map(other, run.classes)),
            metrics=json.loads(json.dumps(run.metrics).replace('"angry"', json.dumps(HOSTILE))),
            model={**run.model, "arch": HOSTILE, "n_train_rows": {HOSTILE: 3}},
            utterances=tuple(
                replace(u, emotion=other(u.emotion), predicted=other(u.predicted), speaker=u.speaker + HOSTILE)
                for u in run.utterances
            ),
            history=history(HOSTILE, {HOSTILE: HOSTILE}, {HOSTILE: Input(HOSTILE)}, 1),
        )

    runs = [named(run) for run in [*IMBALANCED, *GAN]]
    page = page_of(runs)
    reader = Reader(page)
    assert not {"script", "img"} & set(reader.tags)
    assert "<script" not in page
    assert "<script>alert(1)</script>" in " ".join(reader.words)


def test_what_steers_a_terminal_is_escaped_on_the_way(tmp_path, call):
    runs = [replace(run, tags={**run.tags, "method": "\x1b[31mred‮"}) for run in GAN]
    done = call("report", *write([*IMBALANCED, *runs], tmp_path), "--html", "p.html")
    assert done.code == 0
    for text in ((tmp_path / "p.html").read_text("utf-8"), done.out):
        assert "\x1b" not in text
        assert "‮" not in text
        assert r"\u001b[31mred" in text


def test_the_command_writes_table_and_page_and_the_same_bytes(tmp_path, call):
    paths = write(RUNS, tmp_path)
    table = call("report", *paths)
    for name in ("one.html", "two.html"):
        done = call("report", *paths, "--html", name)
        assert (done.code, done.out, done.err) == (0, table.out, "")
    content = (tmp_path / "one.html").read_bytes()
    assert content == (tmp_path / "two.html").read_bytes()
    assert content.startswith(b"<!DOCTYPE html>")
    assert str(tmp_path).encode() not in content
    assert {p.name for p in tmp_path.iterdir()} == {*(p.name for p in paths), "one.html", "two.html"}


def test_a_page_cannot_take_the_place_of_a_result(tmp_path, call):
    path, *_ = paths = write(IMBALANCED, tmp_path)
    before = path.read_bytes()
    done = call("report", *paths, "--html", path)
    assert done.code == 2
    assert "is read by this command" in done.err
    assert path.read_bytes() == before
    done = call("report", *paths, "--html", "missing/p.html")
    assert (done.code, "there is no folder" in done.err) == (2, True)


def test_a_baseline_goes_with_a_layout_of_the_paper_on_a_page_alone(tmp_path, call):
    paths = write(RUNS, tmp_path)
    assert call("report", *paths, "--layout", "table3", "--baseline", "full").code == 2
    assert call("report", *paths, "--layout", "table3", "--baseline", "full", "--html", "p.html").code == 0
    assert "reduced AUC vs full" in Reader((tmp_path / "p.html").read_text("utf-8")).cells


# How it was made.

# As earlier versions wrote them: without the corpus, and without the lines that made the inputs.
(EXTRACT,) = history("extract", {"n_mels": 64, "trim_db": 35.0})
(SELECT,) = history("select", {"where": ["emotion=angry,sad"], "fold": "1/3", "by": "speaker", "invert": True},
                    {"store": Input("a8df11bc3621e2af")})  # fmt: skip
(CLASSIFIER,) = history(
    "train-clf", {"arch": "cnn", "steps": 3, "weight_decay": 0.5}, {"train": [Input("1" * 32), Input("2" * 32)]}, 7
)
(EVALUATE,) = history(
    "evaluate",
    {"vote": "majority", "allow_seen": False},
    {"classifier": Input("3" * 32), "test": [Input("4" * 32)], "val": [Input("5" * 32)]},
)


def test_a_history_of_an_earlier_version_reads_as_commands():
    made = repeat.commands(with_history(make_run("CP"), EXTRACT, SELECT, CLASSIFIER, EVALUATE))
    assert [step.line() for step in made.steps] == [
        'sertools extract "$CORPUS" --mels 64 --trim 35.0 -o OUT',
        "sertools select store-a8df11bc.h5 --where emotion=angry,sad --fold 1/3 --by speaker -v -o OUT",
        "sertools train-clf train-11111111.h5 train-22222222.h5 --preset cpu --steps 3 --seed 7 "
        "-o classifier-33333333.safetensors  # no option sets: weight_decay=0.5",
        "sertools evaluate classifier-33333333.safetensors test-44444444.h5 --vote majority --val val-55555555.h5 "
        "--tag method=CP --tag fold=1 --tag reduced=angry --tag seed=0 -o result.json",
    ]
    assert made.files["test-44444444.h5"] == f"made by a line that is not known, digest {'4' * 32}"


def test_what_other_runs_have_else_is_listed():
    keep = [history("select", {"keep": {name: 0.2}}, {"store": Input("aa")}, 1)[0] for name in ("angry", "sad")]
    runs = [with_history(make_run("CP", fold=str(k)), keep[k], EVALUATE) for k in range(2)]
    made = repeat.recipe([*runs, with_history(make_run("CP", fold="3"), EVALUATE)])
    assert made is not None
    assert made.differ == (("select --keep", "angry=0.2; sad=0.2"),)
    assert (made.n_runs, made.n_other, made.run) == (3, 1, "fold 0, reduced angry, seed 0")
    assert repeat.recipe([make_run("svm")]) is None


def test_the_page_holds_the_commands():
    words = " ".join(Reader(page_of([with_history(run, EXTRACT, EVALUATE) for run in RUNS])).words)
    assert 'sertools extract "$CORPUS" --mels 64' in words
    assert "One of 18 runs: fold 1, reduced angry, seed 0." in words


@pytest.mark.parametrize("line", ["{", "[]", '{"verb": 3}', '{"verb": "select", "options": 3}',
                                  '{"verb": "select", "inputs": {"store": 3}}'])  # fmt: skip
def test_a_damaged_history_is_named(line):
    with pytest.raises(ModelError, match=r"imbalanced-1-angry-0\.json: damaged history"):
        repeat.commands(with_history(make_run(), line))
