"""Rivals: CSV of another tool's predictions beside our results; whatever is wrong with it is one line."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_report import CLASSES, DASH, grid, make_run, row, with_validation

from sertools.errors import ModelError, SertoolsError, SertoolsWarning
from sertools.reporting.reports.layouts import render
from sertools.scoring.comparing.comparison import Report
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result
from sertools.scoring.results.result_file import write_result
from sertools.scoring.results.rivals import read_results

OURS = [*grid("imbalanced", 0.4), *grid("GAN", 0.7)]
COLUMNS = ("method", "fold", "reduced", "seed", "id", "emotion", "predicted", "speaker")


def save(result: Result, folder: Path) -> Path:
    path = folder / result.source
    with path.open("w", encoding="utf-8") as stream:
        write_result(result, stream)
    return path


def as_csv(results: Sequence[Result], *, columns: Sequence[str] = COLUMNS, posteriors: bool = True) -> str:
    """The predictions of results as another tool would write them."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*columns, *(f"p_{c}" for c in CLASSES if posteriors)])
    for result in results:
        for u in result.utterances:
            cells = {**result.tags, "id": u.id, "emotion": u.emotion, "predicted": u.predicted, "speaker": u.speaker}
            writer.writerow([*(cells.get(c, "") for c in columns), *(u.posterior if posteriors else ())])
    return stream.getvalue()


@pytest.fixture
def ours(tmp_path: Path) -> list[Path]:
    return [save(result, tmp_path) for result in OURS]


@pytest.fixture
def rival(tmp_path: Path):
    """Write a rival's file: ``rival(text)``."""

    def write(text: str | bytes, name: str = "rival.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


SVM = grid("SVM", 0.8)


def scores_of(report: Report, method: str) -> str:
    """All that a row says of the predictions, as text, in which NaN equals NaN."""
    training = ("n_updates", "n_train_rows")
    return str({name: value for name, value in asdict(row(report, method)).items() if name not in training})


def test_predictions_from_csv_count_as_those_of_a_result(ours, rival):
    report = summarise(read_results([*ours, rival(as_csv(SVM))]))
    expected = summarise([*OURS, *SVM])
    assert scores_of(report, "SVM") == scores_of(expected, "SVM")
    assert scores_of(report, "GAN") == scores_of(expected, "GAN")
    assert row(report, "SVM").difference is not None
    assert [r.method for r in report.rows] == ["imbalanced", "GAN", "SVM"]
    notes = " ".join(render(report).split())
    assert "Predicted by another tool: SVM." in notes
    assert "differ in" not in notes


def test_it_stands_in_the_papers_layouts(ours, rival):
    report = summarise(read_results([rival(as_csv(SVM)), *ours]))
    assert re.search(r"^Free rivals +SVM +\d", render(report, layout="table3", paper=True), re.MULTILINE)
    assert re.search(r"^SVM +\d", render(report, layout="table2", paper=True), re.MULTILINE)


def test_without_posteriors_there_is_no_auc(ours, rival):
    report = summarise(read_results([*ours, rival(as_csv(SVM, posteriors=False))]))
    found, whole = row(report, "SVM"), row(summarise([*OURS, *SVM]), "SVM")
    assert found.uar == whole.uar
    assert found.difference == whole.difference
    assert found.auc_difference is None
    assert whole.auc_difference is not None
    head, *lines = render(report).splitlines()
    end = head.index("angry AUC") + len("angry AUC")
    assert [line[:end].endswith(DASH) for line in lines[:3]] == [False, False, True]
    results = read_results([*ours, rival(as_csv(SVM, posteriors=False))])
    assert results[-1].metrics["auc"] == dict.fromkeys(CLASSES)
    assert results[-1].model["arch"] == "external"


def test_what_it_was_trained_on_is_unknown(ours, rival):
    text = render(summarise(read_results([*ours, rival(as_csv(SVM))])), "json")
    found = next(row for row in json.loads(text)["rows"] if row["method"] == "SVM")
    assert found["n_updates"] is None
    assert found["n_train_rows"] == {"real": None}


def test_it_takes_no_adjusted_scores_from_the_others(rival):
    validation = tuple(replace(u, id=f"v{u.id}") for u in OURS[0].utterances)
    ours = [replace(with_validation(result), validation=validation) for result in OURS]
    report = summarise([*ours, *read_results([rival(as_csv(SVM))])])
    assert report.adjusted
    assert row(report, "GAN").adjusted_difference is not None
    assert row(report, "SVM").adjusted_difference is None
    assert row(report, "SVM").difference is not None
    assert re.search(rf"^SVM .* {DASH} +{DASH} +3$", render(report), re.MULTILINE)
    alone = summarise([*ours, *read_results([rival(as_csv(SVM))])], baseline="SVM")
    assert row(alone, "GAN").adjusted_difference is None


def test_ten_methods_and_a_rival_fit_a_terminal_of_120_columns(rival):
    names = ["full", "imbalanced", *(f"balanced-sampling-{k}" for k in range(8))]
    reduced, seeds = ("angry", "sad"), ("0", "1")
    ours = [
        with_validation(run)
        for k, name in enumerate(names)
        for run in grid(name, 1.0 if name == "full" else k / 12, reduced=reduced, seeds=seeds)
    ]
    text = as_csv(grid("eGeMAPS+SVM", 0.8, reduced=reduced, seeds=seeds), posteriors=False)
    written = render(summarise([*ours, *read_results([rival(text)])]))
    tables = [table.splitlines() for table in written.split("\n\n")[:4]]
    del tables[1]  # the answer in words
    assert [len(table) for table in tables] == [12, 11, 11]
    dashes = [re.split(r"  +", table[-1]).count(DASH) for table in tables]
    # AUC, posthoc UAR, adj. UAR, adj. recall; both differences of AUC, and p; difference of adj. UAR
    assert dashes == [4, 3, 1]
    assert "gap closed" in tables[2][0]
    assert max(map(len, written.splitlines())) <= 120


def test_what_is_said_of_validation_sets_is_said_beside_a_rival_too(rival):
    ours = [with_validation(run) for run in OURS]
    other = replace(ours[-1], validation=tuple(u for u in ours[-1].validation if u.emotion != "angry"))
    beside = summarise([*ours[:-1], other, *read_results([rival(as_csv(SVM))])])
    assert "Methods differ in validation sets: their operating points are not fitted alike." in beside.cautions
    assert "1 of 6 validation sets lack a class, whose bias stays where the prior puts it." in beside.cautions
    equal = summarise([*ours, *read_results([rival(as_csv(SVM))])])
    assert "validation sets" not in " ".join(equal.cautions)


def test_one_fold_without_posteriors_leaves_the_auc_of_the_others(ours, rival, tmp_path):
    paths = [
        rival(as_csv(SVM[:2]), "1.csv"),
        rival(as_csv(SVM[2:], posteriors=False), "2.csv"),
    ]
    found = row(summarise(read_results([*ours, *paths])), "SVM")
    assert found.reduced_auc == row(summarise(SVM[:2]), "SVM").reduced_auc


def test_speakers_are_taken_from_our_results_of_the_fold(ours, rival):
    columns = [c for c in COLUMNS if c != "speaker"]
    report = summarise(read_results([*ours, rival(as_csv(SVM, columns=columns))]))
    assert row(report, "SVM").difference == row(summarise([*OURS, *SVM]), "SVM").difference
    some = as_csv(SVM).replace(",1a,", ",,")
    assert scores_of(summarise(read_results([*ours, rival(some)])), "SVM") == scores_of(report, "SVM")
    # Of another reduced class and seed: the fold's test set all the same.
    text = as_csv([make_run("SVM", "1", "sad", "9")], columns=columns)
    assert {u.speaker for u in read_results([*ours, rival(text)])[-1].utterances} == {"1a", "1b"}


def test_a_rival_trained_on_everything_needs_no_reduced_column(ours, rival):
    full = grid("SVM", 0.8, reduced=[""])
    text = as_csv(full, columns=[c for c in COLUMNS if c != "reduced"])
    report = summarise(read_results([*ours, rival(text)]))
    assert scores_of(report, "SVM") == scores_of(summarise([*OURS, *full]), "SVM")
    assert row(report, "SVM").difference is not None


def test_words_for_emotions_are_understood(ours, rival):
    text = as_csv(SVM).replace("p_sad", "p_Sadness").replace(",angry,", ",Anger,").replace(",happy,", ", hap ,")
    assert ",Anger,Anger," in text or ",Anger, hap ," in text
    with pytest.warns(SertoolsWarning, match="count as one class, '(angry|happy)'"):
        report = summarise(read_results([*ours, rival(text)]))
    assert scores_of(report, "SVM") == scores_of(summarise([*OURS, *SVM]), "SVM")


@pytest.mark.parametrize(
    "change", [str, lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t + "\n"]
)
def test_the_content_says_what_a_file_is(ours, rival, change):
    renamed = [path.rename(path.with_suffix(".csv")) for path in ours]
    report = summarise(read_results([rival(change(as_csv(SVM)), "rival.json"), *renamed]))
    assert row(report, "SVM").uar == row(summarise(SVM), "SVM").uar


def test_the_order_of_columns_and_lines_changes_nothing(ours, rival):
    head, *lines = as_csv(SVM, columns=COLUMNS[::-1]).splitlines()
    report = summarise(read_results([*ours, rival("\n".join([head, *lines[::-1]]))]))
    assert scores_of(report, "SVM") == scores_of(summarise([*OURS, *SVM]), "SVM")


def test_rivals_alone_make_a_table(rival):
    report = summarise(read_results([rival(as_csv(SVM))]))
    assert report.classes == CLASSES
    assert row(report, "SVM").uar == row(summarise(SVM), "SVM").uar
    assert report.n_speakers == 6


def test_a_rival_can_come_through_a_pipe(ours, run):
    done = run("report", *ours, "/dev/stdin", stdin=as_csv(SVM))
    assert done.code == 0, done.err
    assert re.search(r"^SVM +\d", done.out, re.MULTILINE)
    done = run("report", *ours[1:], "/dev/stdin", stdin=ours[0].read_bytes())
    assert done.code == 0, done.err


HEAD = "method,fold,reduced,seed,id,emotion,predicted,speaker\n"
LINE = "SVM,1,angry,0,1-0,angry,angry,1a\n"
WITH_P = "method,fold,reduced,seed,id,emotion,predicted,p_angry,p_happy,p_sad\nSVM,1,angry,0,1-0,angry,angry,"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"rival\.csv: is neither a result of 'sertools evaluate' nor a comma-separated table .* method, id"),
        ("a,b\n1,2\n", r"rival\.csv: is neither"),
        ("method;id;emotion;predicted\n", r"rival\.csv: is neither"),
        (b"\x89HDF\r\n\x1a\n\x00\x00method", r"rival\.csv: is neither"),
        ("method,id,emotion\nSVM,1-0,angry\n", r"rival\.csv:1: lacks the column 'predicted'"),
        ("method,id,emotion,predicted,sed\n", r"rival\.csv:1: the column 'sed' is unknown: use method, fold"),
        ("method,id,id,emotion,predicted\n", r"rival\.csv:1: has the column 'id' twice"),
        ("method,id,emotion,predicted,p_sad,p_sadness\n", r"rival\.csv:1: p_sad and 'p_sadness' are the same class"),
        (HEAD, r"rival\.csv:1: no prediction follows"),
        (HEAD + LINE + "SVM,1\n", r"rival\.csv:3: has 2 cells, the header 8"),
        (HEAD + LINE.replace("SVM", " "), r"rival\.csv:2: the method is empty"),
        (HEAD + "\n\n" + LINE.replace("1-0", ""), r"rival\.csv:4: the id is empty"),
        (HEAD + LINE + LINE, r"rival\.csv:3: '1-0' stands in line 2 too"),
        (
            HEAD + LINE.replace("angry,angry", "angry,bored"),
            r"rival\.csv:2: predicted 'bored' is none of the classes an",
        ),
        (
            HEAD + LINE.replace("angry,angry", "sad,angry"),
            r"rival\.csv:2: emotion of '1-0' is 'sad', but 'angry' in im",
        ),
        (HEAD + LINE.replace(",angry,0", ",calm,0"), r"rival\.csv:2: reduced 'calm' is none of the classes"),
        (HEAD + LINE.replace("1a", "9"), r"rival\.csv:2: speaker of '1-0' is '9', but '1a' in imbalanced-1-angry-0"),
        (HEAD + LINE.replace("1-0", "7-0"), r"rival\.csv:2: '7-0' is not an utterance of imbalanced-1-angry-0\.json"),
        (
            HEAD + LINE,
            r"rival\.csv:2: method=SVM fold=1 reduced=angry seed=0 ends here and lacks 17 of the 18 utt.*'1-1'",
        ),
        (HEAD + LINE.replace("SVM", '"SVM'), r"rival\.csv:2: is not CSV \(unexpected end of data\)"),
        (HEAD + LINE.replace("SVM", '"S"VM'), r"rival\.csv:2: is not CSV"),
        (HEAD + LINE.replace("SVM", "S" * 200_000), r"rival\.csv:2: is not CSV \(field larger"),
        ((HEAD + LINE).encode() + b"\xff\n", r"rival\.csv:3: is not UTF-8"),
        (WITH_P + "0.5,0.5,x\n", r"rival\.csv:2: p_sad is 'x', not a number from 0 to 1"),
        (WITH_P + "0.5,0.5,nan\n", r"rival\.csv:2: p_sad is 'nan'"),
        (WITH_P + "-0.5,1.5,0\n", r"rival\.csv:2: p_angry is '-0\.5'"),
        (WITH_P + "0.5,0.5,0.5\n", r"rival\.csv:2: the posteriors add up to 1\.5, not to 1"),
        (
            WITH_P.replace("p_sad", "p_calm") + "1,0,0\n",
            r"rival\.csv:2: the posteriors need one column for each .* 'p_calm'",
        ),
        (WITH_P.replace(",p_sad", "") + "1,0\n", r"rival\.csv:2: the posteriors need one column .* 'p_sad'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(ours, call, rival, text, said, tmp_path):
    rival(text)
    done = call("report", *(path.name for path in ours), "rival.csv", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert re.search(said, done.err)
    assert len(done.err.splitlines()) == 1
    assert len(done.err) < 400


def test_a_place_that_is_filled_is_refused(ours, rival):
    twice = as_csv([replace(r, tags={**r.tags, "method": "GAN"}) for r in SVM])
    with pytest.raises(ModelError, match=r"rival\.csv: fills the same place as .*GAN-1-angry-0\.json"):
        summarise(read_results([*ours, rival(twice)]))


def test_files_that_cannot_be_read(ours, tmp_path):
    with pytest.raises(ModelError, match=r"none\.csv: cannot be read: No such file"):
        read_results([*ours, tmp_path / "none.csv"])
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        read_results([tmp_path])
    (tmp_path / "bad.json").write_text('{"sertools_kind": ')
    with pytest.raises(ModelError, match=r"bad\.json: is damaged at line 1"):
        read_results([tmp_path / "bad.json"])


def test_what_would_steer_a_terminal_is_escaped(rival):
    text = as_csv(SVM).replace("SVM", "S\x1b[2JM")
    report = summarise(read_results([rival(text)]))
    assert r"S\u001b[2JM" in render(report)
    with pytest.raises(ModelError, match=r"'\\u001b\[1m' is unknown") as caught:
        read_results([rival(text.replace("speaker", "\x1b[1m", 1))])
    assert str(caught.value).isprintable()


GOOD = as_csv(SVM[:1]).encode()
ODD = (
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"{",
    b"nan",
    b"1e999",
    b"angry",
    b"\xef\xbb\xbf",
    b"p_",
    b"\x1b[2J",
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(GOOD)), st.integers(0, 40), st.one_of(st.sampled_from(ODD), st.binary(max_size=6))),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, with_ours=st.booleans())
def test_a_mangled_file_never_ends_in_a_traceback(ours, rival, edits, with_ours):
    text = GOOD
    for place, n_gone, new in edits:
        text = text[:place] + new + text[place + n_gone :]
    path = rival(text)
    try:
        shown = render(summarise(read_results([*ours[:3], path] if with_ours else [path])))
    except SertoolsError as error:
        shown = str(error)
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize("fold", ["1.0", "01", " 1 ", "1.", "1e0", "\N{FULLWIDTH DIGIT ONE}", "+1", "\u200b1"])
def test_a_fold_is_a_number_however_it_is_written(ours, rival, fold):
    """A spreadsheet's 1.0 was a fold of its own, whose test was as easy as the rival liked."""
    runs = [replace(run, tags={**run.tags, "fold": fold}) for run in SVM if run.tags["fold"] == "1"]
    whole = rival(as_csv([*runs, *SVM[1:]]))
    assert summarise(read_results([*ours, whole])).n_folds == 3
    part = replace(runs[0], utterances=runs[0].utterances[:5])
    with pytest.raises(ModelError, match=r"method=SVM fold=1 .* lacks 13 of the 18 utterances"):
        read_results([*ours, rival(as_csv([part]))])


@pytest.mark.parametrize("fold", ["4", "1.5", "one", "1st", ""])
def test_a_fold_that_no_result_has_is_refused(ours, rival, fold):
    easier = replace(SVM[0], tags={**SVM[0].tags, "fold": fold}, utterances=SVM[0].utterances[:5])
    with pytest.raises(ModelError, match="is none of our results' folds, they are 1, 2, 3"):
        read_results([*ours, rival(as_csv([easier]))])


def test_results_without_folds_have_no_rival_with_one(tmp_path, rival):
    own = save(make_run("GAN", fold="", seed=""), tmp_path)
    with pytest.raises(ModelError, match="they have none; leave the column out"):
        read_results([own, rival(as_csv([make_run("SVM", fold="1")]))])


def test_rivals_alone_must_be_tested_alike_too(rival):
    """Without results of ours, and without a baseline, nobody looked."""
    easier = replace(make_run("SVM"), utterances=make_run("SVM").utterances[:5])
    paths = [rival(as_csv([make_run("forest")]), "a.csv"), rival(as_csv([easier]), "b.csv")]
    with pytest.raises(ModelError, match=r"b\.csv: was tested on other utterances than .*a.csv"):
        summarise(read_results(paths))


@pytest.mark.parametrize("word", ["nan", "NA", "None", "<NA>", "NULL"])
def test_a_word_for_nothing_is_nobody(rival, word):
    runs = [make_run("SVM", speaker=word)]
    with pytest.warns(SertoolsWarning, match=rf"count as missing: speaker '{word}' \(18\)"):
        report = summarise(read_results([rival(as_csv(runs))]))
    assert report.n_speakers == 0
    with pytest.raises(ModelError, match="which counts as missing; fill it"):
        read_results([rival(as_csv(runs).replace(",angry,angry,", f",angry,{word},"))])


def test_cells_have_one_spelling(ours, rival):
    text = as_csv(SVM).replace(",1a,", ', "1\u200ba\N{NO-BREAK SPACE}",').replace("SVM,", ' "SVM",')
    assert scores_of(summarise(read_results([*ours, rival(text)])), "SVM") == scores_of(
        summarise([*OURS, *SVM]), "SVM"
    )


def test_two_words_of_one_class_are_told(rival):
    text = as_csv([make_run("SVM")], posteriors=False)
    lines = text.replace(",happy,", ",fear,").splitlines()
    lines[1:] = [line.replace(",fear,", ",anxiety,") if n % 2 else line for n, line in enumerate(lines[1:])]
    with pytest.warns(SertoolsWarning, match="'anxiety', 'fear' count as one class, 'fearful'"):
        read_results([rival("\n".join(lines))])


def test_one_result_without_a_method_has_the_name_of_its_file(tmp_path: Path, call) -> None:
    lone = replace(make_run("GAN"), tags={"fold": "1", "reduced": "angry"}, source="my run.json")
    path = save(lone, tmp_path)
    report = summarise(read_results([path]))
    assert [each.method for each in report.rows] == ["my run"]
    for options in ((), ("--format", "csv"), ("--html", "page.html")):
        done = call("report", path, *options)
        assert (done.code, "my run" in done.out) == (0, True), done.err
    assert "my run" in (tmp_path / "page.html").read_text(encoding="utf-8")
    # Of several, each is to say what it is: two folds are not two methods.
    other = save(replace(lone, source="other.json"), tmp_path)
    done = call("report", path, other)
    assert done.code == 1
    assert "my run.json: has no method tag; evaluate it with --tag method=NAME" in done.err
