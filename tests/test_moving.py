"""Learned maps: a diffusion model's flow carries one distribution to another, a VAE's decoder changes class."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from chains import CPU, FRONT_END, NET, noise, write_rows
from stores import read_all

from sertools.errors import StoreError, UsageError
from sertools.generation.moving import ClassSwitch, Flow
from sertools.generation.opening import Denoising, Ways
from sertools.generation.rows import generate
from sertools.generation.translation import Translation
from sertools.generator_config import CVAE, DIFFUSION, GUIDANCE, STRENGTH, CvaeConfig, DiffusionConfig
from sertools.nets.edm import Edm
from sertools.store.reader import open_store
from sertools.training.likelihood import load_net, train_generator
from sertools.training.loop import Run

SHAPE = (32, 32)
CLASSES = ("angry", "happy", "neutral", "sad")
CONFIGS = {
    CVAE: CvaeConfig(net=dataclasses.replace(NET, dropout=0.0), steps=3, batch_size=8, lr=1e-3, ema=0.5),
    DIFFUSION: DiffusionConfig(
        width=1 / 8, dropout=0.0, steps=3, batch_size=8, lr=1e-2, ema=0.0, sampler_steps=4, sigma_max=5.0
    ),
}
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fewer than 30 rows", "ignore:.*learnt nothing", "ignore:.*rows moved into"
)


@pytest.fixture(scope="module", params=CONFIGS)
def model(request, chain, tmp_path_factory) -> Path:
    """A tiny generator of each kind that learns a map."""
    path = tmp_path_factory.mktemp("moving") / request.param
    list(train_generator([chain.train], Run(path), CONFIGS[request.param]))
    return path


def move(model: Path, output: Path, train: Path, counts: dict[str, int], ways: Ways | None = None, **how: object):
    ways = ways or Ways(translation=Translation(train, **how))
    for _ in generate(model, output, counts, ways, device=CPU):
        pass
    return open_store(output)


class Known(Edm):
    """A net that knows the answer: pixels of Gaussians, one a class, of the means and deviations below."""

    means, sds = torch.tensor([0.0, 1.0, 0.5]), torch.tensor([0.3, 0.6, 0.3])

    def forward(self, x, sigma, labels):
        level = sigma[:, None, None, None].square()
        mean, variance = (v.to(x)[labels][:, None, None, None] for v in (self.means, self.sds.square()))
        return (variance * x + level * mean) / (variance + level)


@pytest.fixture
def known():
    config = dataclasses.replace(CONFIGS[DIFFUSION], sigma_max=80.0)
    net = Known(SHAPE, 2, config)
    net.centre(torch.full((1, 1, *SHAPE), 0.25), torch.tensor(0.5))
    return net


def test_the_flow_is_the_optimal_transport_between_gaussians(known):
    """In one dimension a monotone flow that carries one to the other is the transport map."""
    labels = torch.tensor([0, 0, 1, 1])
    clean = known.means[labels][:, None, None, None] + 0.4 * torch.randn(4, 1, *SHAPE)
    for number in (0, 1):
        mean, sd = (v[labels][:, None, None, None] for v in (known.means, known.sds))
        wanted = known.means[number] + known.sds[number] / sd * (clean - mean)
        change = known.carry(clean + 0.25, labels, number, strength=1.0, guidance=1.0, n_steps=80)
        torch.testing.assert_close(clean + change, wanted, atol=0.02, rtol=0)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_there_and_back_as_the_same_class_changes_nothing(known, strength):
    x, labels = torch.randn(3, 1, *SHAPE), torch.tensor([1, 1, 1])
    assert known.carry(x, labels, 1, strength=strength, guidance=1.0, n_steps=6).abs().max() == 0


def test_less_noise_changes_less_and_guidance_overdoes_it(known):
    x, labels = 0.25 + 0.3 * torch.randn(8, 1, *SHAPE), torch.zeros(8, dtype=torch.long)
    sizes = [
        known.carry(x, labels, 1, strength=s, guidance=1.0, n_steps=40).mean().item() for s in (0.0, 0.4, 0.7, 1.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] == pytest.approx(0.0, abs=0.02)
    overdone = known.carry(x, labels, 1, strength=0.7, guidance=3.0, n_steps=40).mean().item()
    assert overdone > sizes[2] + 0.1


def test_the_switch_is_the_decoder_told_another_class(model, rng):
    _, net = load_net(model)
    x = torch.from_numpy(rng.uniform(-1, 1, (5, 1, *SHAPE)).astype(np.float32))
    labels = np.array([0, 1, 2, 3, 1])
    places = np.arange(5)
    with torch.inference_mode():
        if isinstance(net, Edm):
            mover = Flow(net, 0.5, 1.0, 4)
        else:
            mover = ClassSwitch(net)
            z, _ = net.encode(x, torch.from_numpy(labels))
            as_one, as_own = (
                net.decoder(torch.cat([z, net.embedding(told)], 1))
                for told in (torch.ones(5, dtype=torch.long), torch.from_numpy(labels))
            )
            np.testing.assert_allclose(mover.change(x, places, labels, 1), (as_one - as_own)[:, 0].numpy(), atol=1e-6)
        change = mover.change(x, places, labels, 1)
    # Rows of the class itself are left alone.
    assert np.abs(change[[1, 4]]).max() == 0
    assert np.abs(change[[0, 2, 3]]).max() > 0


def test_rows_keep_what_the_generator_does_not_hold(chain, model, tmp_path):
    store = move(model, tmp_path / "t.h5", chain.train, {"angry": 12, "sad": 2})
    header, net = load_net(model)
    mover = Flow(net, STRENGTH, GUIDANCE, 4) if isinstance(net, Edm) else ClassSwitch(net)
    train = open_store(chain.train)
    row_of = {digest: row for row, digest in enumerate(train.contents.segments["digest"].tolist())}
    sources = [row_of[digest] for digest in store.contents.segments["parent"].tolist()]
    x = header.scaler.scale(train.rows(sources))
    made, own = store.contents.emotion.tolist(), [str(train.contents.emotion[row]) for row in sources]
    for row, picture in enumerate(store.rows(np.arange(len(store)))):
        assert made[row] != own[row]
        with torch.inference_mode():
            change = mover.change(
                torch.from_numpy(x[row][None, None]), np.zeros(1, dtype=int), np.array([CLASSES.index(own[row])]),
                CLASSES.index(made[row]),
            )  # fmt: skip
        wanted = header.scaler.unscale(np.clip(x[row] + change[0], -1, 1))
        np.testing.assert_allclose(picture, wanted, atol=5e-3)
    assert set(store.contents.lineage.trained_on) >= set(train.contents.utterances["digest"].tolist())
    assert store.damaged_rows() == []


def test_the_same_bytes_and_another_name_for_another_strength(chain, model, tmp_path):
    move(model, tmp_path / "a.h5", chain.train, {"happy": 3}, paste=True)
    move(model, tmp_path / "b.h5", chain.train, {"happy": 3}, paste=True)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    options = json.loads(open_store(tmp_path / "a.h5").contents.history[-1])["options"]
    assert options["paste"] is True
    if model.name == DIFFUSION:
        assert (options["strength"], options["guidance"]) == (STRENGTH, GUIDANCE)
        ways = Ways(translation=Translation(chain.train, strength=0.5), denoising=Denoising(2.0, 6))
        weak = move(model, tmp_path / "c.h5", chain.train, {"happy": 3}, ways)
        strong = move(model, tmp_path / "d.h5", chain.train, {"happy": 3})
        assert not np.array_equal(read_all(weak), read_all(strong))
        assert not set(weak.contents.utterances["id"].tolist()) & set(strong.contents.utterances["id"].tolist())
        options = json.loads(weak.contents.history[-1])["options"]
        assert (options["strength"], options["guidance"], options["denoise_steps"]) == (0.5, 2.0, 6)


def test_what_belongs_to_another_kind_is_refused(chain, model, rng, tmp_path):
    within = Ways(translation=Translation(chain.train, within_speaker=True))
    with pytest.raises(
        UsageError, match=f"--within-speaker: needs the latents of a GAN, and .* is a {model.name} file"
    ):
        move(model, tmp_path / "t.h5", chain.train, {"angry": 1}, within)
    for wrong in (chain.gan, model) if model.name == CVAE else (chain.gan,):
        with pytest.raises(UsageError, match=r"--strength: belongs to a diffusion model, .* is a (gan|cvae) file"):
            move(wrong, tmp_path / "t.h5", chain.train, {"angry": 1}, strength=0.5)
    strange = write_rows(tmp_path / "r.h5", noise(rng, 3), ["bored", "sad", "angry"])
    with pytest.raises(StoreError, match="the emotion 'bored'"):
        move(model, tmp_path / "t.h5", strange, {"angry": 1})
    other = write_rows(
        tmp_path / "o.h5", noise(rng, 3), ["happy", "sad", "angry"],
        front_end=dataclasses.replace(FRONT_END, segment_seconds=2.0),
    )  # fmt: skip
    with pytest.raises(StoreError, match="front end"):
        move(model, tmp_path / "t.h5", other, {"angry": 1})
    assert not (tmp_path / "t.h5").exists()


def test_the_command(chain, model, tmp_path, call):
    strength = ["--strength", "0.6"] if model.name == DIFFUSION else []
    done = call("generate", model, "--balance", chain.train, "--translate", chain.train, *strength, "-o", "t.h5")
    assert done.code == 0, done.err
    assert len(open_store(tmp_path / "t.h5")) > 0
    alone = call("generate", model, "--per-class", "1", "--strength", "0.5", "-o", "x.h5")
    assert alone.code == 2
    assert "--strength: belongs to --translate" in alone.err
