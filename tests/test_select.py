"""Choosing rows: conditions, folds that leak nothing, shares of a class, and exact complements."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st
from stores import make_store

from sertools.errors import SertoolsWarning, StoreError, UsageError
from sertools.store.conditions import parse_condition
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table
from sertools.store.reader import open_store
from sertools.store.select import Selection, chosen, parse_keep, parse_part, select_store
from sertools.store.writer import write_store


def where(*texts: str, **others: object) -> Selection:
    return Selection(where=tuple(map(parse_condition, texts)), **others)


def tables(n_speakers: int, n_each: int, rng: np.random.Generator, order: str = "sorted") -> Contents:
    """Speakers of two genders with `n_each` utterances of one to three segments, and three generated rows."""
    utterances = [
        {
            "id": f"s{s}/{u}",
            "path": f"s{s}/{u}.wav",
            "start": 0,
            "duration": 1,
            "emotion": ("angry", "sad", "happy")[u % 3],
            "speaker": f"s{s}",
            "session": f"{s // 2}",
            "gender": ("female", "male")[s >= n_speakers / 2],
        }
        for s in range(n_speakers)
        for u in range(n_each)
    ]
    utterances += [{"id": f"generated/{i}", "start": 0, "duration": 1, "emotion": "angry"} for i in range(3)]
    if order == "shuffled":
        utterances = [utterances[i] for i in rng.permutation(len(utterances))]
    segments = [
        {"utterance": u, "start": k, "n_valid_frames": 1, "digest": f"{row['id']}/{k}"}
        for u, row in enumerate(utterances)
        for k in range(1 + len(row["id"]) % 3)
    ]
    return Contents(TINY, make_table(SEGMENT_COLUMNS, segments), make_table(UTTERANCE_COLUMNS, utterances), ())


def names(contents: Contents, mask: np.ndarray) -> set[str]:
    return set(contents.segments["digest"][mask].tolist())


selections = st.builds(
    Selection,
    where=st.sampled_from([(), (parse_condition("emotion=angry,sad"),), (parse_condition("speaker!=s1"),)]),
    fold=st.none() | st.sampled_from([(1, 2), (2, 3), (3, 3)]),
    by=st.sampled_from(["speaker", "session", "utterance"]),
    keep=st.dictionaries(st.sampled_from(["angry", "sad"]), st.floats(0, 1), max_size=2),
    seed=st.integers(0, 3),
)


# Conditions


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["emotion=sad"], lambda c: c.emotion == "sad"),
        (["emotion=sad,angry"], lambda c: np.isin(c.emotion, ["sad", "angry"])),
        (["emotion!=sad,angry"], lambda c: ~np.isin(c.emotion, ["sad", "angry"])),
        (["emotion=sad", "gender=female"], lambda c: (c.emotion == "sad") & (c.column("gender") == "female")),
        (["speaker=01", "speaker!=01"], lambda c: np.zeros(len(c), dtype=bool)),
        (["start=0"], lambda c: c.segments["start"] == 0),
        (["origin=real"], lambda c: np.ones(len(c), dtype=bool)),
    ],
)
def test_conditions(tiny_store: Path, texts: list[str], expected: object) -> None:
    contents = open_store(tiny_store).contents
    np.testing.assert_array_equal(chosen(contents, where(*texts)), expected(contents))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("emotion=angri", "did you mean 'angry'"),
        ("emotion!=angri", "did you mean 'angry'"),
        ("emotion=angry,xyz", "it has angry, happy, neutral, sad"),
        ("emotin=angry", "no column 'emotin'; the columns are id, path"),
        ("start=soon", "'soon' is not a number"),
        ("start=99", "no row has start '99'"),
    ],
)
def test_what_does_not_occur_is_an_error(tiny_store: Path, text: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(open_store(tiny_store).contents, where(text))
    assert word in str(caught.value)


@pytest.mark.parametrize("text", ["emotion", "=angry", "emotion=", "!=x", ""])
def test_conditions_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="expected COL=VALUE"):
        parse_condition(text)


def test_parts_and_shares_that_are_none() -> None:
    assert parse_part("2/5", "--fold") == (2, 5)
    for text in ("0/5", "6/5", "1", "1/0", "a/b", "-1/5", "1/5/5", "1.0/2"):
        with pytest.raises(UsageError, match="--fold"):
            parse_part(text, "--fold")
    assert parse_keep(["angry=0.2", "sad=1"]) == {"angry": 0.2, "sad": 1.0}
    for text in ("angry", "angry=", "=0.5", "angry=1.1", "angry=-0.1", "angry=nan", "angry=half"):
        with pytest.raises(UsageError, match="--keep"):
            parse_keep([text])


# Complements


@given(selections)
def test_inverted_is_exactly_what_is_left_out(selection: Selection) -> None:
    contents = tables(6, 9, np.random.default_rng(0))
    kept = chosen(contents, selection)
    left = chosen(contents, Selection(**{**vars(selection), "invert": True}))
    np.testing.assert_array_equal(left, ~kept)


# Folds


@pytest.mark.parametrize("by", ["speaker", "session", "utterance"])
@pytest.mark.parametrize("n", [2, 3])
def test_folds_partition_the_rows_and_keep_groups_together(rng: np.random.Generator, by: str, n: int) -> None:
    contents = tables(8, 7, rng)
    real = contents.column("path") != ""
    parts = [chosen(contents, Selection(fold=(k, n), by=by)) for k in range(1, n + 1)]
    # Generated rows belong to no fold.
    np.testing.assert_array_equal(np.sum(parts, axis=0), real.astype(int))
    groups = contents.column("id" if by == "utterance" else by)
    members = [set(groups[part].tolist()) for part in parts]
    assert all(members)
    assert sum(map(len, members)) == len(set.union(*members))
    assert max(map(len, members)) - min(map(len, members)) <= 1


def test_folds_spread_the_genders(rng: np.random.Generator) -> None:
    # Sorted by name, the first half is female: taking every n-th, or blocks, would go wrong.
    for n_speakers, n in ((8, 4), (10, 5), (10, 2), (6, 3)):
        contents = tables(n_speakers, 2, rng)
        for k in range(1, n + 1):
            part = chosen(contents, Selection(fold=(k, n)))
            speakers = dict(zip(contents.column("speaker")[part], contents.column("gender")[part], strict=True))
            counts = Counter(speakers.values())
            assert abs(counts["female"] - counts["male"]) <= 1


def test_folds_of_utterances_are_stratified_by_class(rng: np.random.Generator) -> None:
    contents = tables(4, 30, rng)
    for k in range(1, 6):
        part = chosen(contents, Selection(fold=(k, 5), by="utterance"))
        utterances = dict(zip(contents.column("id")[part], contents.emotion[part], strict=True))
        assert Counter(utterances.values()) == {"angry": 8, "sad": 8, "happy": 8}


def test_folds_do_not_depend_on_the_order_of_rows_or_the_seed(rng: np.random.Generator) -> None:
    contents, shuffled = tables(6, 5, rng), tables(6, 5, rng, "shuffled")
    for by in ("speaker", "session", "utterance"):
        a = names(contents, chosen(contents, Selection(fold=(2, 3), by=by)))
        assert a == names(shuffled, chosen(shuffled, Selection(fold=(2, 3), by=by, seed=5)))


def test_folds_that_cannot_be(tiny_store: Path, rng: np.random.Generator) -> None:
    contents = open_store(tiny_store).contents
    with pytest.raises(UsageError, match="there are only 6 values of speaker; use at most 6"):
        chosen(contents, Selection(fold=(1, 7)))
    with pytest.raises(UsageError, match="--by 'actor'"):
        chosen(contents, Selection(fold=(1, 2), by="actor"))
    nameless = tables(2, 3, rng)
    nameless.utterances.columns["speaker"][0] = ""
    with pytest.raises(UsageError, match="1 of 6 utterances have no speaker"):
        chosen(nameless, Selection(fold=(1, 2)))


# Shares


def test_keep_counts_utterances_and_leaves_the_others(rng: np.random.Generator) -> None:
    contents = tables(8, 15, rng)
    mask = chosen(contents, Selection(keep={"sad": 0.2}))
    sad = contents.emotion == "sad"
    assert mask[~sad].all()
    owner = contents.segments["utterance"]
    assert len(set(owner[mask & sad])) == 8  # 0.2 of 40
    # An utterance is kept with all its segments or not at all.
    assert not set(owner[mask & sad]) & set(owner[~mask & sad])


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_a_smaller_share_is_part_of_a_larger(a: float, b: float, seed: int) -> None:
    contents = tables(4, 12, np.random.default_rng(0))
    small, large = (chosen(contents, Selection(keep={"sad": share}, seed=seed)) for share in sorted((a, b)))
    assert not (small & ~large).any()
    assert (contents.emotion[small] == "sad").any() or min(a, b) == 0.0


def test_keep_does_not_depend_on_the_order_of_rows_but_on_the_seed(rng: np.random.Generator) -> None:
    contents, shuffled = tables(6, 9, rng), tables(6, 9, rng, "shuffled")
    kept = [
        names(each, chosen(each, Selection(keep={"angry": 0.3}, seed=seed)))
        for seed in (0, 1)
        for each in (contents, shuffled)
    ]
    assert kept[0] == kept[1] != kept[2] == kept[3]


def test_keep_takes_its_share_of_what_else_is_selected(rng: np.random.Generator) -> None:
    contents = tables(8, 15, rng)
    for seed in range(5):
        mask = chosen(contents, where("speaker=s0,s1", keep={"sad": 0.5}, seed=seed))
        sad = mask & (contents.emotion == "sad")
        assert len(set(contents.segments["utterance"][sad])) == 5  # half of 10
        assert set(contents.column("speaker")[mask]) == {"s0", "s1"}


def test_keep_of_a_class_that_is_none(tiny_store: Path) -> None:
    with pytest.raises(UsageError, match="no row has emotion 'anger'; did you mean 'angry'"):
        chosen(open_store(tiny_store).contents, Selection(keep={"anger": 0.5}))


# The file


def test_history_tells_what_was_chosen(tiny_store: Path, tmp_path: Path) -> None:
    select_store(tiny_store, tmp_path / "s.h5", where("emotion!=sad", fold=(1, 3), keep={"angry": 0.5}, seed=7))
    before, after = open_store(tiny_store).contents, open_store(tmp_path / "s.h5").contents
    assert after.history[:-1] == before.history
    for word in ('"emotion!=sad"', '"fold":"1/3"', '"by":"speaker"', '{"angry":0.5}', '"seed":7', before.digest()):
        assert word in after.history[-1]
    assert str(tmp_path) not in after.history[-1]
    # Only utterances that are left are named.
    assert set(after.segments["utterance"]) == set(range(len(after.utterances)))


def test_nothing_selected(tiny_store: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="keeps none of its 82 rows"):
        select_store(tiny_store, tmp_path / "s.h5", where(invert=True))
    assert list(tmp_path.iterdir()) == []


def test_a_fold_without_a_class_is_warned_of(tmp_path: Path) -> None:
    pictures = np.zeros((6, TINY.n_mels, TINY.n_frames), dtype=np.float32)
    contents = make_store(tmp_path / "s.h5", pictures)
    speakers = {f"id {i}": name for i, name in enumerate(("a", "a", "a", "b", "Unknown", "b"))}
    named = [speakers[name] for name in contents.utterances["id"].tolist()]
    emotions = ["sad", "angry", "sad", "angry", "angry", "angry"]
    utterances = contents.utterances.with_column("speaker", named).with_column("emotion", emotions)
    write_store(tmp_path / "s.h5", dataclasses.replace(contents, utterances=utterances), [pictures])
    with pytest.warns(SertoolsWarning) as found:
        select_store(tmp_path / "s.h5", tmp_path / "t.h5", Selection(fold=(3, 3)))
    texts = " ".join(str(warning.message) for warning in found)
    assert "fold 3/3 by speaker holds no sad (2 utterances in all)" in texts
    assert "speaker 'Unknown' is kept together as if it were one person" in texts
    with pytest.warns(SertoolsWarning) as found:
        select_store(tmp_path / "s.h5", tmp_path / "t.h5", Selection(fold=(2, 3), invert=True))
    assert "all but fold 2/3 by speaker holds no sad" in str(found[0].message)
    with pytest.warns(SertoolsWarning, match=r"fold 3/5 by utterance holds no sad") as found:
        select_store(tmp_path / "s.h5", tmp_path / "t.h5", Selection(fold=(3, 5), by="utterance"))
    assert "Unknown" not in " ".join(str(warning.message) for warning in found)
