"""Several stores as one training set, and the order of its rows."""

import dataclasses
import shutil
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from chains import CLF, CPU, FRONT_END, classify, noise, write_rows
from hypothesis import given
from hypothesis import strategies as st

from sertools.balance.augmentation import augment_store
from sertools.balance.strategies import strategy
from sertools.errors import StoreError, UsageError
from sertools.nets.classifiers import build_classifier
from sertools.store.conditions import Condition
from sertools.store.lineage import Lineage
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store
from sertools.training import batches
from sertools.training.batches import open_rows
from sertools.training.classifier import ClassifierTrainer
from sertools.training.loop import Run
from sertools.training.losses import make_loss
from sertools.training.order import balanced_indices, batch_indices, natural_indices
from sertools.training.reading import BatchReader
from sertools.training.scaling import MinMax
from sertools.training.task import Task

FIRST = Selection(where=(Condition("speaker", ("1",)),))


@given(n_rows=st.integers(1, 60), batch_size=st.integers(1, 40), seed=st.integers(0, 5))
def test_each_epoch_sees_each_row_once_and_no_batch_is_short(n_rows, batch_size, seed):
    steps = 3 * -(-n_rows // batch_size)
    batches = [batch_indices(n_rows, batch_size, step, seed) for step in range(steps)]
    assert {len(batch) for batch in batches} == {batch_size}
    stream = np.concatenate(batches)
    for first in range(0, len(stream) - n_rows + 1, n_rows):
        assert sorted(stream[first : first + n_rows]) == list(range(n_rows))


def test_a_batch_depends_on_its_step_and_seed_alone():
    late = batch_indices(50, 8, 100, 3)
    for step in range(20):
        batch_indices(50, 8, step, 7)
    assert np.array_equal(batch_indices(50, 8, 100, 3), late)
    assert not np.array_equal(batch_indices(50, 8, 100, 4), late)
    epochs = [batch_indices(50, 50, step, 0) for step in range(3)]
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], np.arange(50))


@st.composite
def class_labels(draw):
    """Labels of 2 to 5 classes with 1 to 12 rows each, in any order."""
    counts = draw(st.lists(st.integers(1, 12), min_size=2, max_size=5))
    return np.array(draw(st.permutations(np.repeat(np.arange(len(counts)), counts).tolist())))


@given(
    labels=class_labels(),
    batch_size=st.integers(2, 40),
    first=st.integers(0, 30),
    n_steps=st.integers(1, 6),
    seed=st.integers(0, 5),
)
def test_balanced_classes_come_equally_often_in_any_run_of_batches(labels, batch_size, first, n_steps, seed):
    batches = [balanced_indices(labels, batch_size, step, seed) for step in range(first, first + n_steps)]
    assert {len(batch) for batch in batches} == {batch_size}
    counts = np.bincount(labels[np.concatenate(batches)], minlength=labels.max() + 1)
    assert counts.max() - counts.min() <= 1


@given(labels=class_labels(), batch_size=st.integers(2, 40), seed=st.integers(0, 5))
def test_balanced_rows_come_again_only_after_their_whole_class(labels, batch_size, seed):
    most = np.bincount(labels).max()
    n_steps = -(-2 * most * (labels.max() + 1) // batch_size)
    stream = np.concatenate([balanced_indices(labels, batch_size, step, seed) for step in range(n_steps)])
    for number in np.unique(labels):
        members = np.flatnonzero(labels == number)
        drawn = stream[labels[stream] == number]
        assert len(drawn) >= 2 * len(members)
        for start in range(0, len(drawn) - len(members) + 1, len(members)):
            assert sorted(drawn[start : start + len(members)]) == members.tolist()


def test_a_balanced_batch_depends_on_its_step_and_seed_alone():
    labels = np.array([0] * 40 + [1] * 8 + [2] * 8)
    late = balanced_indices(labels, 9, 100, 3)
    for step in range(20):
        balanced_indices(labels, 9, step, 7)
    assert np.array_equal(balanced_indices(labels, 9, 100, 3), late)
    assert not np.array_equal(balanced_indices(labels, 9, 100, 4), late)
    # Classes of the same size have orders of their own.
    one_epoch = balanced_indices(labels, 24, 0, 0)
    orders = [one_epoch[labels[one_epoch] == number] - 32 - 8 * number for number in (1, 2)]
    assert not np.array_equal(*orders)


@given(labels=class_labels(), batch_size=st.integers(2, 40), share=st.floats(0.05, 0.95), seed=st.integers(0, 5))
def test_made_rows_get_their_share_of_each_class_that_has_both_kinds(labels, batch_size, share, seed):
    made = np.arange(len(labels)) % 3 == 0
    n_steps = -(-40 * (labels.max() + 1) // batch_size)
    draw = [balanced_indices(labels, batch_size, step, seed, made, share) for step in range(n_steps)]
    stream = np.concatenate(draw)
    for number in np.unique(labels):
        drawn = stream[labels[stream] == number]
        kinds = {kind: np.flatnonzero((labels == number) & (made == kind)) for kind in (True, False)}
        if min(map(len, kinds.values())):
            part = min(share, made[labels == number].mean())
            assert abs(made[drawn].sum() - part * len(drawn)) <= 1
        for kind, members in kinds.items():
            here = drawn[made[drawn] == kind]
            for start in range(0, len(here) - len(members) + 1, max(1, len(members))):
                assert sorted(here[start : start + len(members)]) == members.tolist()
    assert np.array_equal(balanced_indices(labels, batch_size, n_steps - 1, seed, made, share), draw[-1])


@given(labels=class_labels(), batch_size=st.integers(2, 40), share=st.floats(0.0, 0.95), seed=st.integers(0, 5))
def test_made_rows_stand_in_for_recorded_ones_and_make_no_class_larger(labels, batch_size, share, seed):
    labels = np.concatenate([labels, labels])
    made = np.arange(len(labels)) >= len(labels) // 2
    made[-1] = False
    real = np.flatnonzero(~made)
    for step in range(5):
        drawn = natural_indices(labels, batch_size, step, seed, made, share)
        plain = real[batch_indices(len(real), batch_size, step, seed)]
        assert np.array_equal(labels[drawn], labels[plain])
        assert np.array_equal(drawn[~made[drawn]], plain[~made[drawn]])
        assert np.array_equal(drawn, natural_indices(labels, batch_size, step, seed, made, share))
        if share == 0.0:
            assert np.array_equal(drawn, plain)


def test_a_share_of_each_class_is_made_and_every_made_row_comes():
    labels = np.array([0] * 80 + [1] * 8 + [1] * 40 + [2] * 8)
    made = np.arange(len(labels)) >= 88
    made[-8:] = False
    stream = np.concatenate([natural_indices(labels, 64, step, 0, made, 0.3) for step in range(200)])
    sizes = np.bincount(labels[stream]) / len(stream)
    np.testing.assert_allclose(sizes, np.array([80, 8, 8]) / 96, atol=0.01)
    assert made[stream][labels[stream] == 1].mean() == pytest.approx(0.3, abs=0.03)
    assert not made[stream][labels[stream] != 1].any()
    assert set(stream.tolist()) == set(range(len(labels)))


@pytest.mark.parametrize("order", [balanced_indices, natural_indices])
def test_a_few_made_rows_come_no_oftener_than_recorded_ones(order):
    # What fills the classes up: 50 rows for one, 5 for another.
    labels = np.array([0] * 10 + [1] * 55 + [0] * 50 + [1] * 5)
    made = np.arange(len(labels)) >= 65
    stream = np.concatenate([order(labels, 64, step, 0, made, 0.5) for step in range(400)])
    assert made[stream][labels[stream] == 0].mean() == pytest.approx(0.5, abs=0.02)
    times = np.bincount(stream[labels[stream] == 1], minlength=len(labels))
    assert times[115:].mean() == pytest.approx(times[10:65].mean(), rel=0.1)


@pytest.fixture
def two(rng, tmp_path):
    """A store of 5 rows in 3 utterances, and one of 4 generated rows."""
    first, second = noise(rng, 5), noise(rng, 4)
    paths = [
        write_rows(
            tmp_path / "a.h5", first, ["sad", "angry", "sad"], owner=[0, 0, 1, 2, 2], speakers=["1", "2", "1"]
        ),
        write_rows(tmp_path / "b.h5", second, ["angry"] * 4, origin="generated"),
    ]
    return paths, np.concatenate([first, second])


def test_several_stores_are_as_one(two):
    paths, pictures = two
    rows = open_rows(paths)
    assert len(rows) == 9
    index = np.array([8, 0, 4, 5, 0, 3])
    np.testing.assert_array_equal(rows.pictures(index), pictures[index])
    np.testing.assert_array_equal(np.concatenate(list(rows.blocks(np.arange(9)))), pictures)
    assert rows.emotion.tolist() == ["sad", "sad", "angry", "sad", "sad", *["angry"] * 4]
    assert rows.origin.tolist() == ["real"] * 5 + ["generated"] * 4
    assert rows.utterance.tolist() == [0, 0, 1, 2, 2, 3, 4, 5, 6]
    assert rows.utterance_column("id").tolist() == [*(f"a/{n}" for n in range(3)), *(f"b/{n}" for n in range(4))]
    assert rows.shape == (32, 32)
    scaler = MinMax(-70.0, -10.0)
    np.testing.assert_array_equal(rows.tensor(index, scaler, CPU)[:, 0].numpy(), scaler.scale(pictures[index]))


@pytest.mark.parametrize(("free", "reads"), [(0, 3), (10**9, 1)], ids=["streamed", "kept"])
def test_rows_that_fit_in_memory_are_read_once(two, monkeypatch, free, reads):
    paths, pictures = two
    rows, scaler = open_rows(paths), MinMax(-70.0, -10.0)
    monkeypatch.setattr(batches, "free_memory", lambda device: free)
    seen = []
    monkeypatch.setattr(rows, "pictures", lambda index: seen.append(len(index)) or pictures[index])
    for index in (np.array([8, 0, 4]), np.array([5]), np.array([2, 2])):
        np.testing.assert_array_equal(rows.tensor(index, scaler, CPU)[:, 0].numpy(), scaler.scale(pictures[index]))
    assert len(seen) == reads
    # Another scale is another set of pictures.
    other = MinMax(-60.0, 0.0)
    index = np.array([1, 7])
    np.testing.assert_array_equal(rows.tensor(index, other, CPU)[:, 0].numpy(), other.scale(pictures[index]))


@pytest.mark.parametrize("free", [0, 10**9], ids=["streamed", "kept"])
def test_what_is_read_ahead_is_what_would_be_read_in_time(two, monkeypatch, free):
    paths, pictures = two
    rows, scaler = open_rows(paths), MinMax(-70.0, -10.0)
    monkeypatch.setattr(batches, "free_memory", lambda device: free)
    reader = BatchReader(rows, lambda step: batch_indices(len(rows), 4, step, 3), scaler, CPU)
    # In order, again, and from another step on, as after an interruption.
    for step in (0, 1, 2, 2, 7, 8):
        index, x = reader.batch(step)
        np.testing.assert_array_equal(index, batch_indices(len(rows), 4, step, 3))
        np.testing.assert_array_equal(x[:, 0].numpy(), scaler.scale(pictures[index]))


def test_reading_ahead_is_done_elsewhere_and_fails_at_its_step(two, monkeypatch):
    paths, pictures = two
    rows, scaler = open_rows(paths), MinMax(-70.0, -10.0)
    monkeypatch.setattr(batches, "free_memory", lambda device: 0)
    readers = []

    def spoilt(index):
        readers.append(threading.get_ident())
        if 8 in index:
            raise StoreError("row 8 is gone")
        return pictures[index]

    monkeypatch.setattr(rows, "pictures", spoilt)
    reader = BatchReader(rows, lambda step: np.arange(3 * step, 3 * step + 3), scaler, CPU)
    reader.batch(0)
    reader.batch(1)
    with pytest.raises(StoreError, match="row 8 is gone"):
        reader.batch(2)
    assert readers[0] == threading.get_ident()
    assert len(readers) == 3
    assert threading.get_ident() not in readers[1:]


def test_an_empty_store_between_others_adds_nothing(two, rng, tmp_path):
    # `generate --balance` makes one where nothing is missing.
    (first, second), pictures = two
    none = write_rows(tmp_path / "none.h5", noise(rng, 0), [])
    rows = open_rows([first, none, second])
    np.testing.assert_array_equal(rows.pictures(np.arange(9)), pictures)


def test_classes_are_sorted_and_numbered(two):
    rows = open_rows(two[0])
    assert rows.classes() == ("angry", "sad")
    assert rows.labels(("sad", "neutral", "angry")).tolist() == [0, 0, 2, 0, 0, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("emotions", "words"),
    [
        (["sad", "sad"], "holds 1 class (sad), two are needed"),
        (["", ""], "holds 0 class (no labels), two are needed"),
        (["sad", "angry", "", ""], "2 rows have no emotion, but the classes here are angry, sad"),
    ],
)
def test_too_few_labels_are_refused(emotions, words, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, len(emotions)), emotions)
    with pytest.raises(StoreError) as error:
        open_rows([path]).classes()
    assert words in str(error.value)
    assert str(path) in str(error.value)


def test_a_strange_class_is_named(two):
    with pytest.raises(StoreError, match=r"5 rows have the emotion 'angry', but the classes here are happy, sad"):
        open_rows(two[0]).labels(("happy", "sad"))


def test_the_same_real_row_in_two_stores_is_refused(two, tmp_path):
    (first, second), _ = two
    with pytest.raises(StoreError, match=r"utterance 'a/0' is also in .*a\.h5"):
        open_rows([first, second, first])
    select_store(first, tmp_path / "part.h5", FIRST)
    with pytest.raises(StoreError, match="would count twice"):
        open_rows([first, tmp_path / "part.h5"])
    list(augment_store(first, tmp_path / "more.h5", strategy("CP")))
    with pytest.raises(StoreError, match="an augmented store already holds its source"):
        open_rows([first, tmp_path / "more.h5"])
    # Copied rows within a store are wanted, and two parts of one store are no overlap.
    select_store(first, tmp_path / "rest.h5", dataclasses.replace(FIRST, invert=True))
    assert len(open_rows([tmp_path / "more.h5", second])) > 9
    assert len(open_rows([tmp_path / "part.h5", tmp_path / "rest.h5"])) == 5


def test_front_ends_that_differ_are_refused_and_named(two, rng, tmp_path):
    other = dataclasses.replace(FRONT_END, pad="loop")
    path = write_rows(tmp_path / "c.h5", noise(rng, 1), ["sad"], front_end=other)
    with pytest.raises(StoreError, match=r"c\.h5: its front end differs from .*a\.h5's \(pad 'loop' instead of"):
        open_rows([two[0][0], path])


def test_no_rows_at_all_are_refused(rng, tmp_path):
    none = write_rows(tmp_path / "none.h5", noise(rng, 0), [])
    with pytest.raises(StoreError, match=r"none\.h5: no rows"):
        open_rows([none])


def test_lineage_joins_the_rows_and_what_made_them(two, rng, tmp_path):
    (first, _), _ = two
    made = Lineage(frozenset({"aa"}), frozenset({"bb"}))
    path = write_rows(tmp_path / "d.h5", noise(rng, 2), ["sad"] * 2, lineage=made)
    rows = open_rows([first, path])
    digests = set(rows.utterance_column("digest").tolist())
    assert len(digests) == 5
    assert rows.lineage() == Lineage(frozenset(digests | {"aa"}), frozenset({"bb"}), frozenset("12"))
    assert rows.own_lineage == made
    assert rows.seen == digests | {"aa", "bb"}


def test_files_name_the_physical_store_too(two, tmp_path):
    (first, _), _ = two
    select_store(first, tmp_path / "part.h5", FIRST)
    named = {path.resolve() for path in open_rows([tmp_path / "part.h5"]).files}
    assert named == {(tmp_path / "part.h5").resolve(), first.resolve()}


def test_digests_tell_contents_apart_and_names_do_not_matter(two, tmp_path):
    (first, second), _ = two
    shutil.copy(first, tmp_path / "renamed.h5")
    rows = open_rows([first, second])
    assert open_rows([tmp_path / "renamed.h5"]).digests == rows.digests[:1]
    assert rows.digests[0] != rows.digests[1]
    assert Counter(open_store(second).contents.emotion) == {"angry": 4}


def test_the_loss_knows_classes_by_their_recorded_rows_alone(rng, tmp_path):
    real = write_rows(tmp_path / "r.h5", noise(rng, 8), [*["angry"] * 2, *["sad"] * 6])
    made = write_rows(tmp_path / "m.h5", noise(rng, 4), ["angry"] * 4, origin="generated")
    rows = open_rows([real, made])
    logits, targets = torch.randn(3, 2), torch.eye(2)[[0, 1, 1]]
    for share, counts in ((0.5, [2, 6]), (None, [6, 6])):
        config = dataclasses.replace(CLF, loss="logit-adjust", synthetic_share=share)
        net = build_classifier(config.arch, rows.shape, 2, config.width)
        trainer = ClassifierTrainer(net, Task("train-clf", {}, Run(tmp_path / "clf"), rows), config)
        assert trainer.loss(logits, targets) == make_loss(config, np.array(counts), CPU)(logits, targets)
    only = write_rows(tmp_path / "o.h5", noise(rng, 2), ["happy"] * 2, origin="generated")
    with pytest.raises(UsageError, match=r"o\.h5: a class has no recorded row, which --synthetic-share needs"):
        classify([real, only], tmp_path / "clf", dataclasses.replace(CLF, synthetic_share=0.5))
