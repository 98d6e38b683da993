"""Balancing: plans that add up for any class counts, and the store that comes of one."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import plain, read_all

from sertools.balance.augmentation import augment_store
from sertools.balance.plan import balance_counts, draw_rows, plan_rows
from sertools.balance.strategies import RANDOM_SELECTION, STRATEGIES, TABLE_1, Strategy, strategy
from sertools.errors import StoreError, UsageError
from sertools.store.conditions import parse_condition
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store

class_counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 300), min_size=2)
CP = STRATEGIES["CP"]


# Plans


@given(class_counts, st.sampled_from(["none", "all", "majority"]))
def test_every_class_becomes_as_large_as_the_largest(counts: dict[str, int], replace: str) -> None:
    plans = balance_counts(counts, replace)
    assert list(plans) == list(counts)
    for name, plan in plans.items():
        assert plan.add >= 0
        assert 0 <= plan.replace <= counts[name]
        assert counts[name] + plan.add == max(counts.values())


@given(class_counts)
def test_replacing_in_all_classes_leaves_no_class_recognisable(counts: dict[str, int]) -> None:
    most, least = max(counts.values()), min(counts.values())
    for name, plan in balance_counts(counts, "all").items():
        assert plan.add + plan.replace == most - least
        assert counts[name] - plan.replace == least


@given(class_counts)
def test_replacing_in_the_majority_alone(counts: dict[str, int]) -> None:
    most, least = max(counts.values()), min(counts.values())
    for name, plan in balance_counts(counts, "majority").items():
        assert plan.replace == (most - least if counts[name] == most else 0)


@given(class_counts)
def test_replacing_nothing(counts: dict[str, int]) -> None:
    assert all(plan.replace == 0 for plan in balance_counts(counts, "none").values())


@pytest.mark.parametrize("counts", [{}, {"angry": 3}])
def test_one_class_cannot_be_balanced(counts: dict[str, int]) -> None:
    with pytest.raises(StoreError, match=f"only {len(counts)} class"):
        balance_counts(counts)


@given(st.integers(1, 30), st.integers(0, 100), st.integers(0, 5))
def test_rows_repeat_only_when_they_have_run_out(n: int, count: int, seed: int) -> None:
    rows = np.arange(100, 100 + n)
    drawn = draw_rows(rows, count, np.random.default_rng(seed))
    assert len(drawn) == count
    times = Counter(drawn.tolist())
    assert set(times) <= set(rows.tolist())
    full, rest = divmod(count, n)
    assert sorted(times[row] for row in rows.tolist()) == [full] * (n - rest) + [full + 1] * rest


def test_a_draw_is_drawn() -> None:
    rows = np.arange(50)
    draws = {tuple(draw_rows(rows, 10, np.random.default_rng(seed)).tolist()) for seed in range(5)}
    assert len(draws) == 5
    assert draw_rows(rows[:0], 0, np.random.default_rng(0)).tolist() == []
    with pytest.raises(StoreError, match="cannot be filled"):
        draw_rows(rows[:0], 1, np.random.default_rng(0))


labellings = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=2, max_size=60).filter(
    lambda labels: len(set(labels) - {""}) > 1
)


@given(labellings, st.sampled_from(["none", "all", "majority"]), st.integers(0, 3))
def test_planned_rows_are_rows_of_their_class(labels: list[str], replace: str, seed: int) -> None:
    plan = plan_rows(labels, Strategy(name="X", transforms=("copied",), replace=replace), seed)
    expected = balance_counts(Counter(label for label in labels if label), replace)
    for rows, kind in ((plan.add, "add"), (plan.replace, "replace")):
        found = Counter(labels[row] for row in rows.tolist())
        assert found == Counter({name: getattr(p, kind) for name, p in expected.items() if getattr(p, kind)})
    assert len(set(plan.replace.tolist())) == len(plan.replace)


# Balanced stores


@given(labellings, st.sampled_from(TABLE_1), st.integers(0, 3))
def test_every_strategy_makes_classes_equal(labels: list[str], strategy: Strategy, seed: int) -> None:
    before, plan = Counter(label for label in labels if label), plan_rows(labels, strategy, seed)
    most, least = max(before.values()), min(before.values())
    added = Counter(labels[row] for row in plan.add.tolist())
    replaced = Counter(labels[row] for row in plan.replace.tolist())
    for name, n in before.items():
        assert n + added[name] == most
        if strategy.replace == "all":
            assert (added[name] + replaced[name], n - replaced[name]) == (most - least, least)
        elif strategy.replace == "majority":
            assert replaced[name] == (most - least if n == most else 0)
        else:
            assert not replaced[name]
    assert not len(plan.remove)


@given(labellings, st.integers(0, 3))
def test_random_selection_only_removes(labels: list[str], seed: int) -> None:
    before = Counter(label for label in labels if label)
    least = min(before.values())
    larger: set[int] = set()
    for selection in reversed(RANDOM_SELECTION):
        plan = plan_rows(labels, selection, seed)
        assert not len(plan.add)
        assert not len(plan.replace)
        kept = set(range(len(labels))) - set(plan.remove.tolist())
        assert len(kept) == len(labels) - len(plan.remove)
        # 10 r is whole, so this division is exact.
        allowed = least * 10 // round(selection.ratio * 10)
        for name, n in before.items():
            assert sum(labels[row] == name for row in kept) == min(n, allowed)
        assert {row for row, label in enumerate(labels) if not label} <= kept
        assert larger <= kept
        larger = kept


def test_random_selection_is_drawn() -> None:
    labels = ["a"] * 40 + ["b"] * 10
    removed = [plan_rows(labels, STRATEGIES["RS1.0"], seed).remove.tolist() for seed in range(4)]
    assert all(len(rows) == 30 and rows == sorted(rows) for rows in removed)
    assert len({tuple(rows) for rows in removed}) == 4


# Strategies


def test_an_unknown_strategy_names_the_known() -> None:
    assert strategy("CP") is CP
    with pytest.raises(UsageError, match="--strategy 'cp': no such strategy; did you mean 'CP'"):
        strategy("cp")
    with pytest.raises(UsageError, match="known are CP"):
        strategy("oversample")


# The store


def test_copying(tiny_store: Path, tmp_path: Path) -> None:
    *_, last = augment_store(tiny_store, tmp_path / "cp.h5", CP, seed=1)
    counts = last.counts
    before, after = open_store(tiny_store), open_store(tmp_path / "cp.h5")
    sizes = Counter(before.contents.emotion.tolist())
    assert counts == {name: (n, max(sizes.values())) for name, n in sizes.items()}
    assert set(Counter(after.contents.emotion.tolist()).values()) == {max(sizes.values())}

    n = len(before)
    old, new = after.contents.segments.take(range(n)), after.contents.segments.take(range(n, len(after)))
    for name in old:
        np.testing.assert_array_equal(old[name], before.contents.segments[name])
    assert set(new["origin"]) == {"copied"}
    np.testing.assert_array_equal(new["parent"], new["digest"])
    # A child is its parent: utterance, place and picture.
    row_of = {digest: row for row, digest in enumerate(before.contents.segments["digest"].tolist())}
    parents = [row_of[digest] for digest in new["parent"].tolist()]
    for name in ("utterance", "start", "n_valid_frames"):
        np.testing.assert_array_equal(new[name], before.contents.segments[name][parents])
    expected = np.concatenate([read_all(before), read_all(before)[parents]])
    np.testing.assert_array_equal(read_all(after), expected)
    np.testing.assert_array_equal(plain(after.path), expected)
    # No row is copied twice before all are copied once.
    for name in sizes:
        times = Counter(p for p in parents if before.contents.emotion[p] == name)
        assert not times or max(times.values()) == -(-sum(times.values()) // sizes[name])


def test_random_selection(tiny_store: Path, tmp_path: Path) -> None:
    before, larger = open_store(tiny_store), set()
    least = min(Counter(before.contents.emotion.tolist()).values())
    for selection in reversed(RANDOM_SELECTION):
        *_, last = augment_store(tiny_store, tmp_path / "rs.h5", selection, seed=1)
        after = open_store(tmp_path / "rs.h5")
        assert Counter(after.contents.emotion.tolist()) == {name: n for name, (_, n) in last.counts.items()}
        assert max(n for _, n in last.counts.values()) <= int(least / selection.ratio + 1e-9)
        assert last.counts["angry"] == (least, least)
        digests = after.contents.segments["digest"].tolist()
        keep = np.isin(before.contents.segments["digest"], digests)
        np.testing.assert_array_equal(read_all(after), read_all(before)[keep])
        np.testing.assert_array_equal(plain(after.path), read_all(after))
        assert set(after.contents.segments["origin"]) == {"real"}
        assert larger < set(digests)
        larger = set(digests)


def test_the_seed_fixes_it(tiny_store: Path, tmp_path: Path) -> None:
    for name, seed in (("a.h5", 3), ("b.h5", 3), ("c.h5", 4)):
        list(augment_store(tiny_store, tmp_path / name, CP, seed=seed))
    a, b, c = (open_store(tmp_path / name) for name in ("a.h5", "b.h5", "c.h5"))
    assert a.path.read_bytes() == b.path.read_bytes()
    assert sorted(a.contents.segments["parent"]) != sorted(c.contents.segments["parent"])


def test_what_it_was_made_of_counts_as_trained_on(tiny_store: Path, tmp_path: Path) -> None:
    list(augment_store(tiny_store, tmp_path / "cp.h5", CP, seed=2))
    before, after = open_store(tiny_store).contents, open_store(tmp_path / "cp.h5").contents
    assert after.lineage.trained_on == set(before.utterances["digest"].tolist())
    line = json.loads(after.history[-1])
    assert (line["verb"], line["options"], line["seed"]) == ("augment", {"strategy": "CP"}, 2)
    assert line["inputs"] == {"store": before.digest()}


def test_children_stay_on_their_parents_side(tiny_store: Path, tmp_path: Path) -> None:
    list(augment_store(tiny_store, tmp_path / "cp.h5", CP))
    for k in (1, 2):
        select_store(tmp_path / "cp.h5", tmp_path / f"{k}.h5", Selection(fold=(k, 2)))
    first, second = (set(open_store(tmp_path / f"{k}.h5").contents.segments["digest"]) for k in (1, 2))
    assert not first & second


def test_what_cannot_be_balanced(tiny_store: Path, tmp_path: Path) -> None:
    select_store(tiny_store, tmp_path / "sad.h5", Selection(where=(parse_condition("emotion=sad"),)))
    with pytest.raises(StoreError, match=r"sad\.h5: only 1 class to balance \(sad\)"):
        list(augment_store(tmp_path / "sad.h5", tmp_path / "cp.h5", CP))
    assert not (tmp_path / "cp.h5").exists()
    store = Path(shutil.copy(tiny_store, tmp_path / "s.h5"))
    select_store(store, tmp_path / "v.h5", Selection())
    for output in (store, tmp_path / "v.h5"):
        with pytest.raises(UsageError, match="is read by this command"):
            list(augment_store(tmp_path / "v.h5", output, CP))


def test_a_balanced_store_stays_as_it_is(tiny_store: Path, tmp_path: Path) -> None:
    list(augment_store(tiny_store, tmp_path / "cp.h5", CP))
    *_, last = augment_store(tmp_path / "cp.h5", tmp_path / "again.h5", CP)
    counts = last.counts
    assert all(before == after for before, after in counts.values())
    np.testing.assert_array_equal(
        read_all(open_store(tmp_path / "again.h5")), read_all(open_store(tmp_path / "cp.h5"))
    )
