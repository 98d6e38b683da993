"""One update of the autoencoder and of the classifier by hand, and what the loop says of many."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from chains import AE, CLF, CPU, NET, assert_one_adam_step, noise, write_rows

from sertools.classifier_config import ClassifierConfig
from sertools.config import AutoencoderConfig, GanConfig
from sertools.errors import TrainingError
from sertools.nets.classifiers import build_classifier
from sertools.presets import PRESETS
from sertools.training.autoencoder import AutoencoderTrainer
from sertools.training.batches import open_rows
from sertools.training.classifier import ClassifierTrainer
from sertools.training.loop import Run, train
from sertools.training.order import batch_indices
from sertools.training.task import Task

STEP, SEED = 3, 5


@pytest.fixture
def rows(rng, tmp_path):
    return open_rows([write_rows(tmp_path / "s.h5", noise(rng, 24), ["a", "b", "c"] * 8)])


def batch(rows):
    index = batch_indices(24, AE.batch_size, STEP, SEED)
    assert index.tolist() != list(range(8))
    return index, rows.tensor(index, rows.fit_scaler(), CPU)


def test_the_autoencoder_follows_the_squared_error_of_its_batch(rows, tmp_path):
    config = dataclasses.replace(AE, net=dataclasses.replace(NET, dropout=0.0))
    trainer = AutoencoderTrainer(Task("pretrain-ae", {}, Run(tmp_path / "ae", seed=SEED), rows), config)
    by_hand = copy.deepcopy(trainer.net).train()
    trainer.net.eval()  # as a validation leaves it
    loss = trainer.step(STEP)["mse"]
    _, x = batch(rows)
    expected = ((by_hand(x) - x) ** 2).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    assert_one_adam_step(by_hand, trainer.net, AE.lr)
    assert trainer.optimiser.defaults["betas"] == (0.5, 0.999)


def test_the_classifier_follows_the_cross_entropy_of_its_batch(rows, tmp_path):
    torch.manual_seed(0)
    net = build_classifier("cnn", rows.shape, 3, 1 / 4)
    by_hand = copy.deepcopy(net).train()
    trainer = ClassifierTrainer(net, Task("train-clf", {}, Run(tmp_path / "clf", seed=SEED), rows), CLF)
    trainer.net.eval()
    values = trainer.step(STEP)
    index, x = batch(rows)
    truth = torch.tensor([("a", "b", "c").index(rows.emotion[row]) for row in index])
    logits = by_hand(x)
    expected = F.cross_entropy(logits, truth)
    assert values["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert values["accuracy"].item() == pytest.approx(float((logits.argmax(1) == truth).float().mean()))
    expected.backward()
    assert_one_adam_step(by_hand, trainer.net, CLF.lr)


class Counter:
    """A trainer whose losses are its step's number, and a score at every seventh."""

    def step(self, step):
        values = {"loss": torch.tensor(float(step))}
        return values | ({"score": torch.tensor(100.0 + step)} if step % 7 == 0 else {})

    def state(self):
        return {}

    def restore(self, tensors):
        raise AssertionError("there is no state")


def test_records_are_means_since_the_last_one(tmp_path):
    records = list(train(Counter(), 23, Run(tmp_path / "x"), {"verb": "count"}))
    assert [(r.step, r.total) for r in records] == [(10, 23), (20, 23), (23, 23)]
    assert [r.values["loss"] for r in records] == [np.mean(range(10)), np.mean(range(10, 20)), 21.0]
    assert [r.values["score"] for r in records] == [103.5, 114.0, 121.0]


@pytest.mark.parametrize("words", ["CUDA out of memory. Tried", "DefaultCPUAllocator: can't allocate memory: you"])
def test_a_batch_too_large_is_one_line(tmp_path, monkeypatch, words):
    def refuse(*_):
        raise RuntimeError(words)

    monkeypatch.setattr(Counter, "step", refuse)
    with pytest.raises(TrainingError, match=r"x: a batch does not fit into memory; lower --batch-size"):
        list(train(Counter(), 3, Run(tmp_path / "x"), {"verb": "count"}))
    # Any other is a bug, and keeps its traceback.
    words = "expected scalar type Float"
    with pytest.raises(RuntimeError, match="expected scalar"):
        list(train(Counter(), 3, Run(tmp_path / "x"), {"verb": "count"}))


def test_the_papers_numbers():
    """§2.3, and the choices of docs/paper.md."""
    paper = PRESETS["paper"]
    assert paper.autoencoder == AutoencoderConfig(steps=10_000, batch_size=64, lr=5e-5, beta1=0.5, beta2=0.999)
    assert paper.gan == GanConfig(steps=10_000, batch_size=64, lr_g=1e-6, lr_d=1e-6, beta1=0.5, beta2=0.999)
    assert paper.classifier == ClassifierConfig("vgg19", 1.0, 20_000, 32, 1e-4, "constant", 0.0)
    assert (paper.autoencoder.net.width, paper.autoencoder.net.latent_size) == (1.0, 100)
