"""Rows of other corpora in our domain: a planted map is found, the rare class is not asked, and nothing leaks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from chains import write_rows
from numpy.typing import NDArray
from test_vector_latents import rows_of, store

from sertools import borrow, evaluate, info, merge, select, train_clf
from sertools.donor_config import ROW_MAPS
from sertools.encoding import Encoding
from sertools.errors import LineageError, SertoolsWarning, StoreError, UsageError
from sertools.store.reader import open_store

D = 12
CLASSES = ("angry", "happy", "neutral", "sad")
Values = NDArray[np.float64]


@pytest.fixture
def centres(rng: np.random.Generator) -> dict[str, Values]:
    """Where each class lies."""
    return {name: 2.0 * rng.standard_normal(D) for name in (*CLASSES, "fearful")}


@pytest.fixture
def files(rng: np.random.Generator, centres: dict[str, Values], tmp_path: Path) -> Path:
    """A folder: `train.h5` with three angry rows, `test.h5`, and `near.h5` and `far.h5` of other domains."""
    few = dict.fromkeys(CLASSES, 30) | {"angry": 3}
    spoken(rng, centres, few, tmp_path / "train.h5", speakers="a")
    spoken(rng, centres, dict.fromkeys(CLASSES, 15), tmp_path / "test.h5", speakers="t")
    even = dict.fromkeys((*CLASSES, "fearful"), 40)
    spoken(rng, centres, even, tmp_path / "near.h5", shift=6.0, speakers="a")
    spoken(rng, centres, even, tmp_path / "far.h5", shift=-9.0, scale=1.5, speakers="f")
    return tmp_path


def spoken(
    rng: np.random.Generator,
    centres: dict[str, Values],
    counts: dict[str, int],
    path: Path,
    *,
    shift: float = 0.0,
    scale: float = 1.0,
    speakers: str,
) -> Path:
    """Write rows about the centres, in a domain of their own."""
    labels = [name for name, n in counts.items() for _ in range(n)]
    values = np.stack([centres[name] for name in labels]) + 0.5 * rng.standard_normal((len(labels), D))
    values = shift * np.linspace(-1.0, 1.0, D) + scale * values
    return store(path, values, labels, [f"{speakers}{number % 5}" for number in range(len(labels))])


def lent(folder: Path, *donors: str, output: str = "borrowed.h5", **options: object) -> Path:
    found = [folder / f"{donor}.h5" for donor in donors]
    borrow(folder / "train.h5", found, folder / output, **{"emotion": "angry", **options})
    return folder / output


@pytest.mark.parametrize(("how", "missed"), [("mean", 0.6), ("standardise", 0.9)])
def test_a_planted_shift_is_brought_back(files, centres, how, missed):
    found = rows_of(lent(files, "near", map=how)).mean(axis=0)
    raw = rows_of(lent(files, "near", map="none", output="raw.h5")).mean(axis=0)
    assert np.linalg.norm(found - centres["angry"]) < missed
    assert np.linalg.norm(raw - centres["angry"]) > 10.0


def test_a_planted_scale_is_brought_back(files, centres):
    for how in ("mean", "standardise"):
        found = rows_of(lent(files, "far", map=how)).mean(axis=0)
        assert np.linalg.norm(found - centres["angry"]) < 1.6


def test_standardised_rows_have_our_moments_on_the_other_classes(files):
    borrowed = open_store(lent(files, "far", map="standardise", all_classes=True))
    others = borrowed.contents.emotion != "angry"
    ours = open_store(files / "train.h5")
    for moment in (np.mean, np.std):
        np.testing.assert_allclose(
            moment(borrowed.rows(np.flatnonzero(others)), axis=0),
            moment(ours.rows(np.flatnonzero(ours.contents.emotion != "angry")), axis=0),
            atol=1e-3,
        )


def test_rows_of_no_map_keep_their_bytes_and_say_where_they_come_from(files):
    borrowed, donor = open_store(lent(files, "near", "far", map="none")), open_store(files / "near.h5")
    (angry,) = np.nonzero(donor.contents.emotion == "angry")
    segments, utterances = borrowed.contents.segments, borrowed.contents.utterances
    np.testing.assert_array_equal(borrowed.rows(np.arange(40)), donor.rows(angry))
    assert segments["parent"].tolist() == segments["digest"].tolist()
    assert set(segments["origin"].tolist()) == {"borrowed"}
    assert [json.loads(text) for text in segments["params"][[0, -1]].tolist()] == [
        {"donor": "near", "map": "none"},
        {"donor": "far", "map": "none"},
    ]
    assert set(utterances["corpus"].tolist()) == {"near", "far"}
    assert set(utterances["path"].tolist()) == {""}
    # Our own speakers are a0 to a4 as well.
    assert "near:a0" in info(borrowed.path)["speakers"]


@pytest.mark.parametrize("how", ROW_MAPS)
def test_the_few_rows_of_the_class_have_no_say_in_its_map(files, how, rng, centres):
    before = rows_of(lent(files, "near", map=how, all_classes=True))
    select(files / "train.h5", files / "others.h5", where=["emotion!=angry"])
    elsewhere = {"angry": centres["angry"] + 50.0}
    spoken(rng, elsewhere, {"angry": 3}, files / "outliers.h5", speakers="o")
    merge([files / "others.h5", files / "outliers.h5"], files / "train.h5.new")
    (files / "train.h5.new").replace(files / "train.h5")
    after = rows_of(lent(files, "near", map=how, all_classes=True))
    # The mean map's slope is one of values that are standardised on all of our rows.
    np.testing.assert_allclose(after, before, atol=0.3 if how == "mean" else 0.0)


def test_all_shared_classes_train_a_classifier_alone(files):
    borrowed = lent(files, "near", "far", all_classes=True)
    assert {name: own["borrowed"] for name, own in info(borrowed)["classes"].items()} == dict.fromkeys(CLASSES, 80)
    train_clf(borrowed, files / "alone.clf")
    train_clf(files / "train.h5", files / "own.clf")
    assert evaluate(files / "alone.clf", files / "test.h5").metrics["uar"] > 0.9
    together = evaluate(files / "own.clf", files / "test.h5", average=[files / "alone.clf"], mean="geometric")
    assert together.metrics["uar"] > 0.9


def test_tests_refuse_what_a_donor_held_and_what_we_hold(files):
    borrowed = lent(files, "near")
    train_clf([files / "train.h5", borrowed], files / "both.clf")
    train_clf([files / "train.h5", lent(files, "far", output="far-borrowed.h5")], files / "far.clf")
    result = evaluate(files / "both.clf", files / "test.h5")
    assert result.model["n_train_rows"] == {"real": 93, "borrowed": 40}
    select(files / "near.h5", files / "held.h5", where=["emotion=happy,sad"])
    for test, clf in (("held.h5", "both.clf"), ("borrowed.h5", "both.clf"), ("train.h5", "far.clf")):
        with pytest.raises(LineageError, match="were trained on"):
            evaluate(files / clf, files / test)
    # Rows that the donor has of no class of ours were looked at, too.
    select(files / "near.h5", files / "fearful.h5", where=["emotion=fearful"])
    assert (
        open_store(files / "fearful.h5").contents.of_utterances("digest")[0]
        in open_store(borrowed).contents.lineage.trained_on
    )
    train_clf(lent(files, "near", all_classes=True), files / "alone.clf")
    with pytest.raises(LineageError, match="were trained on"):
        evaluate(files / "alone.clf", files / "train.h5")


def test_borrowed_rows_count_as_made(files):
    train_clf([files / "train.h5", lent(files, "near")], files / "natural.clf", synthetic_share=0.5)
    prior = info(files / "natural.clf")["facts"]["prior"]
    assert prior["angry"] == pytest.approx(3 / 93)


def test_the_same_stores_give_the_same_bytes_and_commands(files, call):
    done = call(
        "borrow", "train.h5", "near.h5", "far.h5", "--class", "angry", "--map", "standardise", "--all", "-o", "a.h5",
        cwd=files,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "a.h5: 80 angry, 80 happy, 80 neutral, 80 sad" in done.err
    again = lent(files, "near", "far", map="standardise", all_classes=True)
    assert again.read_bytes() == (files / "a.h5").read_bytes()
    (line,) = (line for line in info(again)["commands"] if " borrow " in line)
    assert line.startswith("sertools borrow train-")
    assert line.count(" donor-") == 2
    assert "--class angry --map standardise --all -o" in line


def test_what_cannot_lend_is_refused_in_one_line(files, rng, centres):
    for donor in ("train", "part"):
        select(files / "train.h5", files / "part.h5", where=["emotion=angry,sad"])
        with pytest.raises(LineageError, match="a donor is another corpus"):
            lent(files, donor)
    with pytest.raises(LineageError, match="each given once"):
        lent(files, "near", "near")
    with pytest.raises(UsageError, match=r"--class 'angri': .* has no such class, but angry, .*angry"):
        lent(files, "near", emotion="angri")
    with pytest.raises(UsageError, match="--class 'fearful'"):
        lent(files, "near", emotion="fearful")
    with pytest.raises(UsageError, match=r"--map"):
        lent(files, "near", map="coral")
    with pytest.raises(UsageError, match="--relabel bored=sad: no donor has 'bored'"):
        lent(files, "near", relabel={"bored": "sad"})
    with pytest.raises(UsageError, match="is read by this command"):
        lent(files, "near", output="near.h5")
    select(files / "near.h5", files / "only.h5", where=["emotion=angry,fearful"])
    with pytest.raises(StoreError, match=r"only\.h5: shares no class with ours but 'angry'"):
        lent(files, "only")
    assert len(open_store(lent(files, "only", map="none"))) == 40
    select(files / "near.h5", files / "without.h5", where=["emotion!=angry"])
    with (
        pytest.warns(SertoolsWarning, match="donor without: has no angry"),
        pytest.raises(StoreError, match="no donor has rows of 'angry'"),
    ):
        lent(files, "without")
    other = Encoding(encoder="f" * 32, family="hubert", layer=2, n_values=D)
    write_rows(files / "other.h5", rng.standard_normal((4, D)).astype(np.float32), CLASSES, front_end=other)
    with pytest.raises(StoreError, match=r"other\.h5: its front end differs"):
        lent(files, "other")
    write_rows(files / "train.h5", rng.standard_normal((8, 32, 32)).astype(np.float32) - 40.0, CLASSES * 2)
    with pytest.raises(StoreError, match=r"train\.h5: its rows are pictures; borrow moves vectors"):
        lent(files, "near")


def test_a_donor_without_the_class_is_said_and_others_go_on(files):
    select(files / "far.h5", files / "without.h5", where=["emotion!=angry"])
    with pytest.warns(SertoolsWarning, match="donor without: has no angry"):
        borrowed = lent(files, "without", "near")
    assert len(open_store(borrowed)) == 40
    assert len(info(borrowed)["history"][-1]["inputs"]["donors"]) == 2


def test_words_of_donors_are_matched_and_renamed(files, rng, centres):
    named = {"anger": centres["angry"], "calm": centres["neutral"], "sad": centres["sad"]}
    spoken(rng, named, dict.fromkeys(named, 20), files / "words.h5", shift=6.0, speakers="w")
    with pytest.warns(SertoolsWarning, match="the map is that of sad alone"):
        assert info(lent(files, "words"))["classes"] == {"angry": {"utterances": 20, "borrowed": 20}}
    borrowed = lent(files, "words", relabel={"calm": "neutral"}, all_classes=True)
    assert sorted(info(borrowed)["classes"]) == ["angry", "neutral", "sad"]
    assert "--relabel calm=neutral" in info(borrowed)["commands"][-1]
