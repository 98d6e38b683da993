"""Generated stores: in dB, labelled, their own utterances, as many as balance the classes, each class by itself."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch
from chains import FRONT_END, noise, synthesise, write_rows

from sertools.errors import StoreError, UsageError
from sertools.generation.rows import counts_per_class, counts_to_balance
from sertools.store.reader import open_store
from sertools.training.gan_file import load_generator

CLASSES = ("angry", "happy", "neutral", "sad")


def by_class(path):
    """Pictures and ids of each class."""
    store = open_store(path)
    ids = store.contents.utterances["id"]
    found = {}
    for name in store.contents.classes():
        rows = np.flatnonzero(store.contents.emotion == name)
        found[name] = (store.rows(rows), ids[rows].tolist())
    return found


def test_rows_are_decibels_of_their_own_utterances(chain):
    header, _, _ = load_generator(chain.gan)
    store = open_store(chain.synth)
    contents = store.contents
    pictures = store.rows(np.arange(len(store)))
    assert np.isfinite(pictures).all()
    assert pictures.min() >= header.scaler.low_db - 1e-3
    assert pictures.max() <= header.scaler.high_db + 1e-3
    assert pictures.max() > 0.5 * header.scaler.low_db  # not left in [-1, 1] or at the floor
    assert Counter(contents.emotion.tolist()) == dict.fromkeys(CLASSES, 3)
    assert set(contents.segments["origin"].tolist()) == {"generated"}
    assert set(contents.segments["parent"].tolist()) == {""}
    assert set(contents.segments["n_valid_frames"].tolist()) == {FRONT_END.n_frames}
    utterances = contents.utterances
    assert contents.segments["utterance"].tolist() == list(range(12))
    assert len(set(utterances["id"].tolist())) == 12
    assert set(utterances["path"].tolist()) == set(utterances["speaker"].tolist()) == {""}
    assert set(utterances["duration"].tolist()) == {1.0}
    assert utterances["digest"].tolist() == contents.segments["digest"].tolist()
    assert contents.audio_root == ""
    assert contents.front_end == header.front_end
    assert contents.lineage == header.lineage
    assert contents.lineage.trained_on == set(open_store(chain.train).contents.utterances["digest"].tolist())
    assert store.damaged_rows() == []


def test_pictures_are_what_the_generator_makes_of_its_gaussians(chain):
    header, generator, gaussians = load_generator(chain.gan)
    for number, name in enumerate(CLASSES):
        z = gaussians.sample(number, 3, np.random.default_rng([0, number]))
        with torch.no_grad():
            scaled = generator(torch.from_numpy(z).float())[:, 0].numpy()
        np.testing.assert_allclose(by_class(chain.synth)[name][0], header.scaler.unscale(scaled), atol=1e-3)


def test_no_class_depends_on_the_count_of_another(chain, tmp_path):
    alone = by_class(synthesise(chain.gan, tmp_path / "alone.h5", {"happy": 3}))
    uneven = by_class(synthesise(chain.gan, tmp_path / "uneven.h5", {"angry": 70, "happy": 3, "sad": 1}))
    for found in (alone, uneven):
        np.testing.assert_array_equal(found["happy"][0], by_class(chain.synth)["happy"][0])
        assert found["happy"][1] == by_class(chain.synth)["happy"][1]
    assert {name: len(ids) for name, (_, ids) in uneven.items()} == {"angry": 70, "happy": 3, "sad": 1}
    assert len(set(uneven["angry"][1])) == 70
    pictures = uneven["angry"][0].reshape(70, -1)
    assert len(np.unique(pictures, axis=0)) == 70  # across batches, too


def test_the_seed_decides_pictures_and_names(chain, tmp_path):
    counts = dict.fromkeys(CLASSES, 3)
    assert synthesise(chain.gan, tmp_path / "a.h5", counts).read_bytes() == chain.synth.read_bytes()
    other = by_class(synthesise(chain.gan, tmp_path / "b.h5", counts, seed=1))
    for name, (pictures, ids) in by_class(chain.synth).items():
        assert not np.array_equal(pictures, other[name][0])
        assert not set(ids) & set(other[name][1])


def test_counts_fill_up_to_the_majority(chain, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 9), [*["sad"] * 5, *["angry"] * 1, *["happy"] * 3])
    assert counts_to_balance(chain.gan, path) == {"angry": 4, "happy": 2, "sad": 0}
    assert counts_to_balance(chain.gan, path, ["happy"]) == {"angry": 0, "happy": 2, "sad": 0}
    counts = counts_to_balance(chain.gan, chain.train)
    synth = synthesise(chain.gan, tmp_path / "synth.h5", counts)
    total = Counter(open_store(chain.train).contents.emotion.tolist())
    most = max(total.values())
    total.update(open_store(synth).contents.emotion.tolist())
    assert set(total.values()) == {most}
    assert counts_per_class(chain.gan, 7) == dict.fromkeys(CLASSES, 7)


def test_one_class_is_filled_and_no_other(chain, call, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 9), [*["sad"] * 5, *["angry"] * 1, *["happy"] * 3])
    line = ("generate", chain.gan, "-o", "g.h5")
    done = call(*line, "--balance", path, "--class", " angry")
    assert done.code == 0, done.err
    whole = by_class(synthesise(chain.gan, tmp_path / "whole.h5", counts_to_balance(chain.gan, path)))
    made = by_class(tmp_path / "g.h5")
    assert made.keys() == {"angry"}
    np.testing.assert_array_equal(made["angry"][0], whole["angry"][0])
    done = call(*line, "--balance", path, "--class", "sad")
    assert (done.code, "sad: as large as any class; the output has no rows" in done.err) == (0, True)
    assert not len(open_store(tmp_path / "g.h5"))
    done = call(*line, "--balance", path, "--class", "sda")
    assert (done.code, "--class 'sda': " in done.err, "it has angry, happy, sad" in done.err) == (2, True, True)
    done = call(*line, "--count", "sad=1", "--class", "sad")
    assert (done.code, "--class: belongs to --balance" in done.err) == (2, True)


def test_nothing_to_add_is_an_empty_store(chain, tmp_path):
    store = open_store(synthesise(chain.gan, tmp_path / "none.h5", dict.fromkeys(CLASSES, 0)))
    assert len(store) == 0
    assert store.contents.front_end == FRONT_END


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"hapy": 1}, "class 'hapy': the generator was not trained on it; did you mean 'happy'?"),
        ({"bored": 1}, "it knows angry, happy, neutral, sad"),
        ({"sad": -1}, "sad=-1: a count cannot be negative"),
    ],
)
def test_bad_counts_are_usage_errors(chain, tmp_path, counts, words):
    with pytest.raises(UsageError) as error:
        synthesise(chain.gan, tmp_path / "s.h5", counts)
    assert words in str(error.value)
    assert not list(tmp_path.iterdir())


def test_one_class_cannot_be_balanced(chain, rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 2), ["sad", "sad"])
    with pytest.raises(StoreError, match=r"s\.h5: only 1 class to balance"):
        counts_to_balance(chain.gan, path)


def test_neither_input_is_written_over(chain, tmp_path, call):
    """The store given to --balance, and what its pictures lie in, are safe."""
    specs = open_store(chain.train).row_map.sources[0].path
    before = {path: path.read_bytes() for path in (specs, chain.train, chain.gan)}
    for target in (specs, chain.train, chain.gan):
        done = call("generate", chain.gan, "--balance", chain.train, "-o", target)
        assert done.code == 2
        assert "is read by this command" in done.err
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("options", [[], ["--per-class", "2", "--count", "sad=1"], ["--count", "sad=x"]])
def test_one_way_of_counting_is_wanted(chain, tmp_path, call, options):
    done = call("generate", chain.gan, *options, "-o", "s.h5")
    assert done.code == 2
    assert "--count" in done.err
    assert not list(tmp_path.iterdir())


def test_a_row_more_costs_little_more_memory_than_its_place_in_the_tables(chain, tmp_path):
    peaks = []
    for count in (1000, 4000):
        tracemalloc.start()
        synthesise(chain.gan, tmp_path / f"{count}.h5", {"angry": count})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Digests and an id of 32 characters at four bytes, small columns: 500; and half of that while they are joined.
    assert (peaks[1] - peaks[0]) / 3000 < 950
