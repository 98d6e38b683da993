"""A classifier that starts from another: the same weights, what both have seen, and what cannot be started from."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from chains import CLF, FRONT_END, classify, noise, stop_after, write_rows

from sertools.errors import LineageError, ModelError, Stopped, StoreError, UsageError
from sertools.store.reader import open_store
from sertools.training.checkpoint import load_model
from sertools.training.classifier import load_classifier, train_classifier
from sertools.training.loop import Run


def go_on(stores, output, init, config=CLF, val=None, **run):
    return list(train_classifier(stores, Run(output, **run), config, val_path=val, init_path=init))


def test_without_steps_it_is_the_other(chain, tmp_path):
    go_on([chain.train], tmp_path / "clf", chain.clf, dataclasses.replace(CLF, steps=0))
    (_, own), (_, first) = load_model(tmp_path / "clf", "classifier"), load_model(chain.clf, "classifier")
    assert own.keys() == first.keys()
    assert all(torch.equal(own[name], first[name]) for name in own)


def test_it_goes_on_from_there_and_says_so(chain, tmp_path):
    go_on([chain.train], tmp_path / "clf", chain.clf)
    header, net = load_classifier(tmp_path / "clf")
    first, start = load_classifier(chain.clf)
    assert any(not torch.equal(a, b) for a, b in zip(net.parameters(), start.parameters(), strict=True))
    assert header.facts["updates"] == 2 * CLF.steps
    assert set(first.history) <= set(header.history)
    line = json.loads(header.history[-1])
    assert "init" in line["inputs"]
    # Another start, another end; the same start, the same bytes.
    classify([chain.train], tmp_path / "anew")
    go_on([chain.train], tmp_path / "again", chain.clf)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "clf").read_bytes()
    tensors = load_model(tmp_path / "anew", "classifier")[1]
    assert any(not torch.equal(value, tensors[name]) for name, value in net.state_dict().items())


def test_what_the_first_has_seen_counts(chain, tmp_path):
    classify([chain.train, chain.test], tmp_path / "first")
    go_on([chain.train], tmp_path / "clf", tmp_path / "first")
    seen = load_classifier(tmp_path / "clf")[0].lineage.trained_on
    assert seen >= set(open_store(chain.test).contents.utterances["digest"].tolist())
    with pytest.raises(LineageError, match=r"were trained on by .*first, .*leave out --init"):
        go_on([chain.train], tmp_path / "other", tmp_path / "first", val=chain.test)
    go_on([chain.train], tmp_path / "fine", tmp_path / "first", val=chain.val)


def test_a_broken_off_one_goes_on_to_the_same_bytes_and_no_other_start(chain, tmp_path):
    go_on([chain.train], tmp_path / "whole", chain.clf)
    with pytest.raises(Stopped):
        go_on([chain.train], tmp_path / "clf", chain.clf, stop=stop_after(2))
    go_on([chain.train], tmp_path / "clf", chain.clf)
    assert (tmp_path / "clf").read_bytes() == (tmp_path / "whole").read_bytes()


def test_what_cannot_be_started_from(chain, rng, tmp_path):
    for config, words in (
        (
            dataclasses.replace(CLF, width=0.5),
            r"clf: is --arch cnn --width 0\.25, not cnn and 0\.5; give the same",
        ),
        (dataclasses.replace(CLF, arch="crnn"), r"clf: is --arch cnn --width 0\.25, not crnn and 0\.25"),
    ):
        with pytest.raises(UsageError, match=words):
            go_on([chain.train], tmp_path / "x", chain.clf, config)
    with pytest.raises(ModelError, match="is of the kind gan; classifier is wanted here"):
        go_on([chain.train], tmp_path / "x", chain.gan)
    two = write_rows(tmp_path / "two.h5", noise(rng, 8), ["angry", "sad"] * 4)
    with pytest.raises(
        UsageError, match=r"knows angry, happy, neutral, sad, and .*two\.h5 holds angry, sad; give --init"
    ):
        go_on([two], tmp_path / "x", chain.clf)
    long = dataclasses.replace(FRONT_END, segment_seconds=2.0)
    other = write_rows(tmp_path / "o.h5", noise(rng, 8), ["angry", "happy", "neutral", "sad"] * 2, front_end=long)
    with pytest.raises(StoreError, match="front end"):
        go_on([other], tmp_path / "x", chain.clf)
    assert not (tmp_path / "x").exists()


def test_the_command_does_not_write_over_its_start(chain, tmp_path, call):
    done = call("train-clf", chain.train, "-o", "a.clf", "--init", chain.clf, "--arch", "cnn", "--width", "0.25",
                "--steps", "2", "--batch-size", "8")  # fmt: skip
    assert done.code == 0, done.err
    before = (tmp_path / "a.clf").read_bytes()
    again = call("train-clf", chain.train, "-o", "a.clf", "--init", "a.clf", "--arch", "cnn", "--width", "0.25",
                 "--steps", "2", "--batch-size", "8")  # fmt: skip
    assert again.code != 0
    assert "a.clf" in again.err
    assert (tmp_path / "a.clf").read_bytes() == before
    assert np.isfinite(load_classifier(tmp_path / "a.clf")[0].scaler.low_db)
