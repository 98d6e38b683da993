"""`make mine`: rare classes, folds and refusals by the labels alone; its rules; and the whole way on vectors."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_experiment import rules

from sertools.errors import SertoolsError, UsageError
from sertools.experiment import preview as before
from sertools.experiment.__main__ import main
from sertools.experiment.closing import choice, closing, final_lines
from sertools.experiment.fragment import fragment
from sertools.experiment.labels import count_labels, folds_of, rare_classes
from sertools.experiment.mine import Mine, own_settings
from sertools.experiment.preview import preview, rehearsal_line

ROOT = Path(__file__).parent.parent
EVEN = {"angry": 3, "happy": 10, "sad": 10, "neutral": 12}  # of each speaker


def listed(folder: Path, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Write labels.csv: speaker → class → recordings."""
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "emotion", "speaker"])
        for speaker, classes in counts.items():
            for emotion, n in classes.items():
                writer.writerows([f"{speaker}-{emotion}-{k}.wav", emotion, speaker] for k in range(n))


def mine(folder: Path, counts: Mapping[str, Mapping[str, int]], **given: str) -> Mine:
    listed(folder, counts)
    return own_settings({"CORPUS": str(folder), "OUT": str(folder), **given})


@pytest.mark.parametrize(
    ("classes", "rare"),
    [
        ({"a": 100, "b": 80, "c": 60, "d": 39}, ()),
        ({"a": 100, "b": 80, "c": 60, "d": 35}, ()),
        ({"a": 100, "b": 80, "c": 60, "d": 34}, ("d",)),
        ({"a": 1000, "b": 100, "c": 100, "d": 40, "e": 30}, ("e", "d")),
        ({"a": 100, "b": 20}, ("b",)),
    ],
)
def test_a_class_is_rare_below_half_of_the_median_class(classes, rare):
    assert rare_classes(classes) == rare


def test_where_nothing_is_rare_the_smallest_class_is_looked_at_and_a_rehearsal_is_offered(tmp_path):
    own = mine(tmp_path, {s: {"angry": 6, "happy": 10, "sad": 9} for s in "abc"})
    assert own.looked_at == ("angry",)
    text = preview(own, 2)
    assert "No class is rare (fewer than half of the median class's recordings). Looked at: angry." in text
    assert re.search(r"make table2 .*'EMOTIONS=angry happy sad' CLASSES=angry KEEP=0.1 .*FOLDS=3", text)


def test_speakers_are_dealt_so_that_folds_share_the_rare_class(tmp_path):
    counts = {f"s{k}": {"rare": n, "other": 20} for k, n in enumerate((8, 4, 4, 1, 1, 6))}
    listed(tmp_path, counts)
    dealt = folds_of(count_labels(tmp_path / "labels.csv"), ("rare",), 3)
    held = [sum(counts[s]["rare"] for s, fold in dealt.items() if fold == k) for k in (1, 2, 3)]
    assert sorted(held) == [8, 8, 8]
    assert set(dealt) == set(counts)


def test_each_speaker_is_a_fold_where_fewer_would_leave_a_class_out(tmp_path):
    counts = {"a": {"rare": 5, "odd": 4, "other": 9}, "b": {"rare": 3, "other": 9}, "c": {"rare": 4, "other": 9}}
    counts |= {"d": {"rare": 1, "odd": 4, "other": 9}}
    listed(tmp_path, counts)
    assert sorted(folds_of(count_labels(tmp_path / "labels.csv"), ("rare",), 2).values()) == [1, 2, 3, 4]


def test_folds_are_fewer_where_one_would_test_no_rare_recording_unless_they_are_asked_for(tmp_path):
    counts = {f"s{k}": {"rare": 3 * (k < 3), "odd": 3 * (k > 5), "other": 20} for k in range(9)}
    own = mine(tmp_path, counts, CLASSES="rare odd", ENCODER="e")
    assert "3 folds of 9 speakers" in preview(own, 1)
    dealt = folds_of(own.labels, ("rare", "odd"), 5, fewer=True)
    assert [dealt[f"s{k}"] for k in (0, 1, 2)] == [1, 2, 3]
    assert {dealt[f"s{k}"] for k in (6, 7, 8)} == {1, 2, 3}
    assert set(folds_of(own.labels, ("rare", "odd"), 5).values()) == {1, 2, 3, 4, 5}


def test_that_nothing_can_be_shown_is_not_said_as_if_nothing_were_there():
    rows = [row("posthoc", None, None), row("pot", None, None)]
    assert choice({"baseline": "posthoc", "rows": rows}) == (
        "posthoc",
        "none can be shown to be above it here (too few folds)",
    )


@pytest.mark.parametrize(
    ("counts", "given", "words"),
    [
        ({"a": {"sad": 2, "happy": 9}}, {}, "class 'sad' has 2 recordings, and 3 are the fewest .* EMOTIONS='happy'"),
        ({"a": {"sad": 9}}, {}, "the 9 recordings name only 'sad', and two classes are needed; .* READER"),
        ({"a": {"": 9}}, {}, "the 9 recordings name no emotion"),
        (
            {"a": {"sad": 4, "happy": 9, "angry": 9}, "b": {"happy": 9, "angry": 9}},
            {},
            "4 recordings of class 'sad' are of speaker 'a': .* EMOTIONS='angry happy', or take BY=utterance",
        ),
        ({s: {"sad": 9, "happy": 9} for s in "ab"}, {}, "class 'sad' has 18 .* it is not rare.* make table2 CORPUS="),
        ({s: EVEN for s in "ab"}, {"FOLDS": "3"}, "FOLDS 3: .*labels.csv names 2 speakers; use FOLDS=speakers"),
        ({"a": EVEN}, {"BY": "speaker"}, "BY=speaker: .* names 1 speaker, and folds need two; take a READER"),
        ({"": EVEN}, {"FOLDS": "speakers"}, "names 0 speakers, and folds need two"),
        ({s: EVEN for s in "ab"}, {"CLASSES": "agry"}, "has no class 'agry'; it has neutral, happy, sad, angry"),
        ({s: EVEN for s in "ab"}, {"EMOTIONS": "angry cross"}, "no recording of 'cross'; it has angry, happy"),
        ({s: EVEN for s in "ab"}, {"BY": "session"}, "BY 'session': make mine folds by speaker or utterance"),
        ({s: EVEN for s in "ab"}, {"FOLDS": "1"}, "FOLDS 1: what is tested is not trained on"),
        ({s: EVEN for s in "ab"}, {"METHODS": "full"}, "METHODS: full: stands in Table 2 alone"),
        (
            {s: EVEN for s in "ab"},
            {"METHODS": "CP zeroshot", "ENCODER": "e", "DONORS": "x"},
            "METHODS: zeroshot: stands",
        ),
        ({s: {**EVEN, "an gry": 2} for s in "ab"}, {}, "class 'an gry' makes no name of a folder"),
    ],
)
def test_what_would_fail_later_is_refused_before(tmp_path, counts, given, words):
    with pytest.raises(UsageError, match=words):
        preview(mine(tmp_path, counts, **given), 2)


@pytest.mark.parametrize(("corpus", "words"), [("", "^CORPUS: name the rec"), ("/nowhere", "^CORPUS '/nowhere': no")])
def test_a_corpus_that_is_not_there_is_refused_before_anything_runs(corpus, words):
    with pytest.raises(UsageError, match=words):
        fragment({"CORPUS": corpus}, ["mine"])


def test_a_corpus_is_not_written_over_by_its_own_list(tmp_path):
    listed(tmp_path, {s: EVEN for s in "ab"})
    with pytest.raises(UsageError, match=r"^OUT .* lies there, and make mine would write its own labels.csv over it"):
        fragment({"CORPUS": str(tmp_path / "labels.csv"), "OUT": f"{tmp_path}/."}, ["mine"])
    fragment({"CORPUS": str(tmp_path / "labels.csv"), "OUT": str(tmp_path / "out")}, ["mine"])


@pytest.mark.parametrize("goal", ["mine", "table2"])
def test_a_corpus_may_have_any_name(tmp_path, goal):
    corpus = tmp_path / 'it\'s 100% $x #1 "a"'
    corpus.mkdir()
    (tmp_path / "out").mkdir()
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.said"\nexit 1\n')
    tool.chmod(0o755)
    text = fragment({"CORPUS": str(corpus), "OUT": str(tmp_path / "out")}, [goal])
    (tmp_path / "rules.mk").write_text(f"SERTOOLS := {tool}\nREADY :=\nBIN :=\n{text}")
    goals = [goal] if goal == "mine" else [str(tmp_path / "out" / "labels.csv")]
    subprocess.run(["make", "-f", tmp_path / "rules.mk", *goals], capture_output=True, check=False)
    assert (tmp_path / "tool.said").read_text().splitlines() == ["corpus", "folders", str(corpus)]


@pytest.mark.parametrize("text", ["", "file,emotion\na.wav,sad\n"])
def test_a_list_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=r"labels.csv: (expected what `sertools corpus` writes|the 0 recordings)"):
        own_settings({"CORPUS": str(tmp_path), "OUT": str(tmp_path)})


def test_a_choice_on_validation_rows_is_told_to_be_no_final_one(tmp_path):
    own = mine(tmp_path, {s: EVEN for s in "ab"}, METHODS="posthoc RA-chosen", VAL="4")
    assert "RA-chosen is chosen on validation rows: if it does best, no line follows" in preview(own, 1)
    report = {"baseline": "posthoc", "rows": [row("posthoc", None, None), row("RA-chosen", 0.1, 0.01)]}
    (tmp_path / "mine.json").write_text(json.dumps(report))
    text = closing(own, "sertools")
    assert "Choice: RA-chosen, for it is +2.0 [+0.1, +9.0] points above posthoc" in text
    assert text.endswith(
        "It is chosen on validation rows, and training on all recordings leaves none: no line does it.\n"
    )
    assert "RA-chosen is chosen" not in preview(mine(tmp_path, {s: EVEN for s in "ab"}, VAL="4"), 1)


@pytest.mark.parametrize(
    ("speakers", "given", "words"),
    [
        (("",), {}, before.KNOWN_VOICES),
        (("a", ""), {}, before.KNOWN_VOICES),
        (("a",), {}, before.ONE_VOICE),
        (("a", "b"), {"BY": "utterance"}, before.ASKED_VOICES),
        (("a", "b"), {}, "2 folds of 2 speakers, tested by classifiers that never heard them."),
    ],
)
def test_figures_of_known_voices_are_told_as_such(tmp_path, speakers, given, words):
    own = mine(tmp_path, {speaker: EVEN for speaker in speakers}, **given)
    assert words in preview(own, 2).splitlines()
    nothing_shown = f"{before.NO_INTERVAL} The choice will be posthoc."
    assert (nothing_shown in preview(own, 2).splitlines()) == (words in (before.KNOWN_VOICES, before.ONE_VOICE))
    by = "speaker" if words.startswith("2 folds") else "utterance"
    assert own.settings["BY"] == by
    text = fragment({"CORPUS": str(tmp_path), "OUT": str(tmp_path), **given}, ["mine-cells"])
    assert ("--fold 1/3 --by utterance" in text) == (by == "utterance")
    assert ("--folds $(OUT)/speakers.csv --fold 2 -v" in text) == (by == "speaker")


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    own = mine(tmp_path, {s: EVEN for s in "ab"})
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(before.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SertoolsError, match=r"the disk has 1 MB free, and about \d+ MB will be written; free some"):
        preview(own, 2)


def test_other_settings_are_refused_where_files_are_made_so(tmp_path):
    counts = {s: EVEN for s in "abc"}
    preview(mine(tmp_path, counts), 2)
    # Other methods, seeds and classes have files of their own, and donors none yet.
    preview(mine(tmp_path, counts, METHODS="CP", SEEDS="7", CLASSES="angry", DONORS="x.h5"), 2)
    preview(mine(tmp_path, counts), 2)
    with pytest.raises(UsageError, match=r"^DONORS 'y.h5': .* was begun with 'x.h5'"):
        preview(mine(tmp_path, counts, DONORS="y.h5"), 2)
    with pytest.raises(UsageError, match=r"^FOLDS '2': .* was begun with '', .* another folder by OUT="):
        preview(mine(tmp_path, counts, FOLDS="2"), 2)
    (tmp_path / "begun.txt").write_text("ENCODER=\nnonsense\n")
    with pytest.raises(SertoolsError, match=r"begun.txt: damaged, or of another version of sertools; name another"):
        preview(mine(tmp_path, counts), 2)


def test_nothing_is_removed_and_each_rare_class_has_results(tmp_path):
    own = mine(tmp_path, {s: {"a": 2, "b": 3, "c": 20, "d": 20, "e": 20} for s in "xyz"}, ENCODER="e")
    preview(own, 2)
    assert own.looked_at == ("a", "b")
    given = {"CORPUS": str(tmp_path), "OUT": str(tmp_path), "ENCODER": "e", "SEEDS": "0 1", "METHODS": "posthoc pot"}
    found = {lines[0].split(":")[0]: lines for lines in rules(fragment(given, ["mine-cells"]))}
    assert not any("--keep" in line for lines in found.values() for line in lines)
    cell = "$(OUT)/3/a,b/seed1"
    (_, line) = found[f"{cell}/pot-alone.h5"]
    assert "--class a --class b" in line
    head, line = found[f"{cell}/pot.clf.safetensors"]
    assert head.split()[1:] == ["$(OUT)/3/rest.h5", f"{cell}/pot-alone.h5"]
    for name in "ab":
        (_, line) = found[f"{cell}/pot-{name}.json"]
        assert f"--tag reduced={name} --tag seed=1" in line
    assert sum(target.endswith(".json") for target in found) == 3 * 2 * 2 * 2 + 1


def test_time_and_disk_are_of_what_is_missing(tmp_path):
    own = mine(tmp_path, {s: EVEN for s in "ab"}, METHODS="posthoc", SEEDS="0")
    # Rows, classes, for each of two folds a test and a training store, a classifier and a result; and two reports.
    assert "To be made in" in (text := preview(own, 1))
    assert " 12 files, " in text
    assert "after the encoding, 1 at a time" in text
    seconds = [int(re.search(r"about (\d+) seconds", preview(own, jobs))[1]) for jobs in (1, 2)]
    assert seconds == [60, 30]
    (tmp_path / "all.h5").touch()
    assert " 11 files, " in (text := preview(own, 2))
    assert "after" not in text
    # Of which the oldest stems: other labels, other rows.
    os.utime(tmp_path / "all.h5", (0, 0))
    assert " 12 files, " in preview(own, 2)


def test_published_folds_are_counted_and_a_class_is_asked_for_once(tmp_path):
    folds = tmp_path / "folds.csv"
    folds.write_text("speaker,fold\na,x\nb,x\nc,y\nd,y\n")
    own = mine(tmp_path, {s: EVEN for s in "abcd"}, FOLDS=str(folds), CLASSES="angry angry")
    assert own.looked_at == ("angry",)
    assert "each trained on 2 folds × 3 seeds." in preview(own, 1)
    assert f"FOLDS={folds}" in rehearsal_line(own)


def test_recordings_that_are_left_out_are_told(tmp_path):
    text = preview(mine(tmp_path, {**{s: EVEN for s in "ab"}, "": {"sad": 1}, "c": {"": 2, "sad": 1}}), 1)
    assert "Left out, without an emotion: 2 recordings.\n" in text
    assert "Neither trained on nor tested, without a speaker: 1 recording.\n" in text
    assert ", 3 named speakers, 4 classes: " in text
    text = preview(mine(tmp_path, {**{s: EVEN for s in "ab"}, "": {"angry": 1}}), 1)
    assert ", angry 7." in text
    assert "All that is said of angry rests on 6 recordings: " in text


def test_a_corpus_may_grow_and_a_small_one_has_fewer_components(tmp_path):
    small = mine(tmp_path, {s: {"": 1, "angry": 3, "happy": 8, "sad": 9} for s in "ab"})
    preview(small, 1)
    assert (small.settings["PCA"], small.settings["EMOTIONS"]) == ("10", "angry happy sad")
    grown = mine(tmp_path, {s: {"angry": 30, "happy": 80, "sad": 90} for s in "ab"})
    preview(grown, 1)
    assert (grown.settings["PCA"], grown.settings["EMOTIONS"]) == ("60", "")


def row(name: str, low: float | None, p: float | None, estimate: float = 2.0) -> dict[str, object]:
    return {
        "method": name,
        "p_holm": p,
        "lacks": "" if p else "too few folds",
        "anew_difference": {"estimate": estimate, "low": low, "high": 9.0},
    }


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([row("pot", 0.1, 0.2), row("gan", None, None)], "posthoc"),
        ([row("pot", 0.1, 0.04), row("gan", 0.2, 0.01, 3.0)], "gan"),
        ([row("imbalanced", -4.0, 0.01, -2.0)], "posthoc"),
    ],
)
def test_the_baseline_is_chosen_unless_a_method_is_above_it_for_certain(found, chosen):
    assert choice({"baseline": "posthoc", "rows": [row("posthoc", None, None), *found]})[0] == chosen


def test_the_last_lines_train_on_all_rows(tmp_path):
    own = mine(tmp_path, {s: EVEN for s in "ab"}, ENCODER="my enc")
    first, trained, used = final_lines(own, "posthoc", "sertools")
    assert first == f"mkdir -p {tmp_path}/final"
    assert trained.startswith(
        f"sertools train-clf {tmp_path}/specs.h5 -o {tmp_path}/final/imbalanced.clf.safetensors "
    )
    assert used == (
        f"sertools predict {tmp_path}/final/imbalanced.clf.safetensors NEW-RECORDINGS/ --encoder 'my enc' "
        "--adjust priors -o predicted.csv"
    )
    verbs = [line.split()[1] for line in final_lines(own, "pot", "sertools")[1:]]
    assert verbs == ["pretrain-ae", "fit-latents", "finetune-gan", "generate", "train-clf", "predict"]


def test_an_answer_without_a_report_is_refused(tmp_path, monkeypatch, capsys):
    listed(tmp_path, {s: EVEN for s in "ab"})
    assert main(["--answer", f"CORPUS={tmp_path}", f"OUT={tmp_path}"]) == 1
    assert "mine.json: cannot be read" in capsys.readouterr().err


def test_from_recordings_to_an_answer(tiny_corpus, encoder, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ready").touch()
    for name, own in (("python", ""), ("sertools", "-m sertools")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {own} "$@"\n')
        script.chmod(0o755)
    out = tmp_path / "out"
    settings = (
        f"ENCODER={encoder}",
        f"OUT={out}",
        f"VENV={tmp_path}",
        "FOLDS=2",
        "SEEDS=0",
        "METHODS=imbalanced posthoc",
    )

    def make(corpus: Path) -> tuple[str, str]:
        words = ("make", "--no-print-directory", "mine", f"CORPUS={corpus}", *settings)
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    corpus = tmp_path / "corpus"
    shutil.copytree(tiny_corpus, corpus)
    said, _ = make(corpus / "labels.csv")
    assert "48 recordings, 6 named speakers, 4 classes: neutral 18, happy 12, sad 12, angry 6." in said
    assert "2 folds of 6 speakers, tested by classifiers that never heard them." in said
    assert re.search(r"^Choice: \w+, for ", said, re.MULTILINE)
    report = json.loads((out / "mine.json").read_text())
    assert (report["baseline"], report["reduced"], report["n_speakers"]) == ("posthoc", ["angry"], 6)
    assert (out / "mine.html").stat().st_size > 10_000
    # The last lines run.
    lines = [line.strip() for line in said.splitlines() if line.startswith("  ")][-2:]
    script = "\n".join(lines).replace("NEW-RECORDINGS/", f"{corpus}/angry").replace("-o predicted.csv", "-o -")
    assert "train-clf" in script
    done = subprocess.run(["sh", "-ec", f"mkdir -p {out}/final\n{script}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".wav") == 6
    # What is there stays, what is gone is made again, and the end is the same.
    kept, gone = (
        out / "1" / "angry" / "seed0" / "imbalanced.clf.safetensors",
        out / "2" / "angry" / "seed0" / "posthoc.json",
    )
    before, text = kept.stat().st_mtime_ns, (out / "mine.txt").read_bytes()
    gone.unlink()
    said, _ = make(corpus / "labels.csv")
    done = (out / "make.log").read_text()
    assert (done.count("sertools evaluate"), done.count("sertools train-clf")) == (1, 0)
    assert (kept.stat().st_mtime_ns, (out / "mine.txt").read_bytes()) == (before, text)
