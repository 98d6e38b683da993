"""The best of many: who is kept, what a critic says, and what the rows know of it."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from chains import CPU, FRONT_END, GAN, classify, finetune, noise, synthesise, write_rows

from sertools.errors import ModelError, StoreError, UsageError
from sertools.generation.choosing import BestOf, Choice, Critic
from sertools.generation.opening import Ways
from sertools.generation.rows import generate
from sertools.generation.translation import Translation
from sertools.store.reader import open_store
from sertools.training.checkpoint import load_header, load_model
from sertools.training.classifier import load_classifier
from sertools.training.drawing import BLOCK, Drawn
from sertools.training.gan_file import load_discriminator


class Numbered:
    """Makes pictures of one pixel, which say their number, and a column that says it too."""

    def __init__(self):
        self.asked = []

    def blocks(self, number, count, seed):
        self.asked.append(count)
        for first in range(0, count, BLOCK):
            here = np.arange(first, min(first + BLOCK, count))
            yield Drawn(here.astype(np.float32)[:, None, None], {"params": [str(i) for i in here]})


def shuffled(pictures, number):
    """A score without any order."""
    return np.sin(pictures[:, 0, 0].astype(np.float64) * 12.9898) * 43758.5453 % 1.0


@pytest.mark.parametrize(("count", "best_of"), [(1, 2), (30, 5), (200, 3), (64, 7), (65, 4), (0, 4)])
def test_of_each_group_the_best_is_kept(count, best_of):
    source = Numbered()
    blocks = list(BestOf(source, shuffled, best_of).blocks(0, count, 0))
    assert source.asked == [count * best_of]
    assert all(1 <= len(block.pictures) <= BLOCK for block in blocks)
    assert [len(block.pictures) for block in blocks[:-1]] == [BLOCK] * (len(blocks) - 1)
    kept = [int(n) for block in blocks for n in block.pictures[:, 0, 0]]
    candidates = np.arange(count * best_of).reshape(count, best_of)
    said = shuffled(candidates.reshape(-1, 1, 1), 0).reshape(count, best_of)
    assert kept == candidates[np.arange(count), said.argmax(1)].tolist()
    assert [int(text) for block in blocks for text in block.columns["params"]] == kept


def test_a_critic_that_says_nothing_takes_the_first():
    blocks = BestOf(Numbered(), lambda pictures, _: np.full(len(pictures), np.nan), 4).blocks(0, 3, 0)
    assert [int(n) for block in blocks for n in block.pictures[:, 0, 0]] == [0, 4, 8]


def test_a_classifier_is_asked_on_its_own_scale(chain, rng, tmp_path):
    louder = write_rows(tmp_path / "r.h5", noise(rng, 8) + 30, ["angry", "happy", "neutral", "sad"] * 2)
    classify([louder], tmp_path / "clf")
    made = load_header(chain.gan)
    header, net = load_classifier(tmp_path / "clf")
    assert header.scaler != made.scaler
    pictures = rng.uniform(-1, 1, (5, 32, 32)).astype(np.float32)
    x = header.scaler.scale(made.scaler.unscale(pictures))
    with torch.inference_mode():
        wanted = F.log_softmax(net(torch.from_numpy(x[:, None])).double(), 1)[:, 2].numpy()
    np.testing.assert_allclose(Critic(tmp_path / "clf", made, chain.gan, CPU)(pictures, 2), wanted, atol=1e-5)


@pytest.mark.parametrize("how", [{}, {"d_norm": "none"}, {"sn": True}, {"d_norm": "none", "sn": True}])
def test_a_discriminator_is_read_as_it_was_trained(chain, rng, tmp_path, how):
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gan", dataclasses.replace(GAN, **how))
    header, net = load_discriminator(tmp_path / "gan")
    stored = load_model(tmp_path / "gan", "gan")[1]
    own = {name.removeprefix("discriminator."): t for name, t in stored.items() if name.startswith("discriminator.")}
    assert all(torch.equal(value, own[name]) for name, value in net.state_dict().items())
    assert not net.training
    pictures = rng.uniform(-1, 1, (5, 32, 32)).astype(np.float32)
    with torch.inference_mode():
        logits = net(torch.from_numpy(pictures[:, None]))
        wanted = F.log_softmax(logits.double(), 1)[:, 1].numpy()
    assert logits.shape == (5, 5)  # four classes, and fake
    np.testing.assert_allclose(Critic(tmp_path / "gan", header, chain.gan, CPU)(pictures, 1), wanted, atol=1e-5)


def choose(gan, output, counts, critic, best_of=3, **ways):
    for _ in generate(gan, output, counts, Ways(choice=Choice(critic, best_of), **ways), device=CPU):
        pass
    return open_store(output)


def test_what_is_kept_pleases_the_critic_more(chain, tmp_path):
    plain = open_store(synthesise(chain.gan, tmp_path / "p.h5", {"sad": 40}))
    best = choose(chain.gan, tmp_path / "b.h5", {"sad": 40}, chain.clf)
    header = load_header(chain.gan)
    critic = Critic(chain.clf, header, chain.gan, CPU)
    number = header.classes.index("sad")
    said = [critic(header.scaler.scale(store.rows(np.arange(40))), number).mean() for store in (plain, best)]
    assert said[1] > said[0]
    candidates = open_store(synthesise(chain.gan, tmp_path / "c.h5", {"sad": 120}))
    known = set(candidates.contents.segments["digest"].tolist())
    assert set(best.contents.segments["digest"].tolist()) <= known


def test_rows_know_who_chose_them(chain, tmp_path):
    """So that `evaluate` refuses a test set that the critic has learnt from."""
    own = chain.test
    classify([chain.train, own], tmp_path / "critic")
    store = choose(chain.gan, tmp_path / "b.h5", {"sad": 2, "angry": 1}, tmp_path / "critic")
    assert store.contents.lineage.trained_on >= set(open_store(own).contents.utterances["digest"].tolist())
    line = json.loads(store.contents.history[-1])
    assert line["options"]["best_of"] == 3
    assert "critic" in line["inputs"]
    assert all("/best3-" in name for name in store.contents.utterances["id"].tolist())
    again = choose(chain.gan, tmp_path / "b2.h5", {"sad": 2, "angry": 1}, tmp_path / "critic")
    np.testing.assert_array_equal(again.rows(np.arange(3)), store.rows(np.arange(3)))


def test_moved_rows_are_chosen_with_their_sources(chain, tmp_path):
    translation = Translation(chain.train, paste=True)
    store = choose(chain.gan, tmp_path / "b.h5", {"angry": 9}, chain.clf, translation=translation)
    all_moved = generate(chain.gan, tmp_path / "a.h5", {"angry": 27}, Ways(translation=translation), device=CPU)
    list(all_moved)
    every = open_store(tmp_path / "a.h5").contents.segments
    told = {digest: every["params"][row] for row, digest in enumerate(every["digest"].tolist())}
    chosen = store.contents.segments
    assert [told[digest] for digest in chosen["digest"].tolist()] == chosen["params"].tolist()


def test_who_cannot_be_a_critic(chain, rng, tmp_path):
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gan0", dataclasses.replace(GAN, steps=0))
    with pytest.raises(UsageError, match="its discriminator has taken no step; give a GAN of --steps above 0"):
        choose(chain.gan, tmp_path / "b.h5", {"sad": 1}, tmp_path / "gan0")
    with pytest.raises(ModelError, match="is of the kind autoencoder; classifier or gan is wanted here"):
        choose(chain.gan, tmp_path / "b.h5", {"sad": 1}, chain.ae)
    two = write_rows(tmp_path / "two.h5", noise(rng, 8), ["angry", "sad"] * 4)
    classify([two], tmp_path / "few")
    with pytest.raises(UsageError, match=r"does not know the class 'happy' of .*gan; give --critic a model"):
        choose(chain.gan, tmp_path / "b.h5", {"sad": 1}, tmp_path / "few")
    long = dataclasses.replace(FRONT_END, segment_seconds=2.0)
    other = write_rows(tmp_path / "o.h5", noise(rng, 8), ["angry", "happy", "neutral", "sad"] * 2, front_end=long)
    classify([other], tmp_path / "other")
    with pytest.raises(StoreError, match="front end"):
        choose(chain.gan, tmp_path / "b.h5", {"sad": 1}, tmp_path / "other")
    assert not (tmp_path / "b.h5").exists()


def test_the_command(chain, tmp_path, call):
    done = call("generate", chain.gan, "--per-class", "2", "--critic", chain.gan, "--best-of", "3", "-o", "b.h5")
    assert done.code == 0, done.err
    assert len(open_store(tmp_path / "b.h5")) == 8
    alone = call("generate", chain.gan, "--per-class", "1", "--best-of", "3", "-o", "x.h5")
    assert alone.code == 2
    assert "--best-of: belongs to --critic MODEL" in alone.err
    tried = call("generate", chain.gan, "--per-class", "2", "--critic", chain.clf, "-o", "y.h5", "--dry-run")
    assert tried.code == 0
    assert not (tmp_path / "y.h5").exists()
    own = (tmp_path / "b.h5").read_bytes()
    over = call("generate", chain.gan, "--per-class", "1", "--critic", "b.h5", "-o", "b.h5")
    assert over.code != 0
    assert (tmp_path / "b.h5").read_bytes() == own
