"""The conditional VAE and the diffusion model: their losses by hand, their draws, and their files in the chain."""

import dataclasses
import math
import shutil

import numpy as np
import pytest
import torch
from chains import CPU, FRONT_END, NET, noise, stop_after, synthesise, write_rows
from stores import read_all

from sertools.errors import LineageError, ModelError, Stopped, StoreError, UsageError
from sertools.generation.opening import Denoising, Ways
from sertools.generation.rows import generate
from sertools.generator_config import CVAE, DIFFUSION, CvaeConfig, DiffusionConfig
from sertools.nets.cvae import Cvae
from sertools.nets.edm import Edm
from sertools.store.reader import open_store
from sertools.training.checkpoint import load_header, load_model
from sertools.training.ema import Average
from sertools.training.health import GeneratorWatch
from sertools.training.likelihood import load_net, train_generator
from sertools.training.loop import Run
from sertools.training.spec_augment import N_MOVES

SHAPE = (32, 32)
TINY = {
    CVAE: CvaeConfig(
        net=dataclasses.replace(NET, dropout=0.0), steps=4, batch_size=8, lr=1e-3, ema=0.5, validate_every=2
    ),
    DIFFUSION: DiffusionConfig(
        width=1 / 8, dropout=0.0, steps=4, batch_size=8, lr=1e-3, ema=0.5, validate_every=2, sampler_steps=3
    ),
}
KINDS = list(TINY)
pytestmark = pytest.mark.filterwarnings("ignore:.*fewer than 30 rows", "ignore:.*learnt nothing")


def fit(stores, output, config, val=None, **run):
    return list(train_generator(stores, Run(output, **run), config, val))


@pytest.fixture(scope="module", params=KINDS)
def made(request, chain, tmp_path_factory):
    """A tiny generator of each kind, without validation."""
    path = tmp_path_factory.mktemp("generator_config") / request.param
    with pytest.warns(UserWarning, match="fewer than 30 rows"):
        fit([chain.train], path, TINY[request.param])
    return path


# ---- The conditional VAE ----


@pytest.fixture
def cvae():
    torch.manual_seed(0)
    return Cvae(SHAPE, 3, TINY[CVAE])


def test_the_bound_is_the_squared_error_and_the_divergence_from_the_prior(cvae):
    x, labels = torch.rand(5, 1, *SHAPE) * 2 - 1, torch.tensor([0, 1, 2, 0, 1])
    cvae.eval()
    torch.manual_seed(3)
    losses = cvae.losses(x, labels, 1.0)
    torch.manual_seed(3)
    mean, log_variance = cvae.encode(x, labels)
    own = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    z = mean + torch.randn_like(mean) * own.stddev
    made = cvae.decoder(torch.cat([z, cvae.embedding(labels)], dim=1))
    kl = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).mean(0)
    assert losses["kl"].item() == pytest.approx(kl.sum().item(), rel=1e-4)
    assert losses["mse"].item() == pytest.approx((made - x).square().mean().item(), rel=1e-5)
    sd, free = cvae.config.pixel_sd, cvae.config.free_nats
    by_hand = (made - x).square().mean() / (2 * sd**2) + kl.clamp_min(free).sum() / (32 * 32)
    assert losses["loss"].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_divergence_comes_in_slowly_and_what_is_free_has_no_gradient(cvae):
    x, labels = torch.zeros(4, 1, *SHAPE), torch.zeros(4, dtype=torch.long)
    cvae.eval()

    def loss(progress):
        torch.manual_seed(0)
        return cvae.losses(x, labels, progress)

    start, half, whole = (loss(p)["loss"].item() for p in (0.0, 0.1, 0.2))
    assert half - start == pytest.approx((whole - start) / 2, rel=1e-3)
    assert loss(1.0)["loss"].item() == whole
    with torch.no_grad():
        cvae.head.weight.zero_()  # mean 0 and variance 1: no divergence
        cvae.head.bias.zero_()
    paid = loss(1.0)["loss"] - loss(0.0)["loss"]
    assert paid.item() == pytest.approx(NET.latent_size * cvae.config.free_nats / (32 * 32), abs=1e-4)


def test_the_class_is_told_beside_a_latent_of_the_standard_normal(cvae):
    drawn = cvae.sample(2, 4000, np.random.default_rng(0))
    z, told = drawn[:, : NET.latent_size], drawn[:, NET.latent_size :]
    assert abs(z.mean()) < 0.02
    assert z.std() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(told, np.tile(cvae.embedding.weight[2].detach().numpy(), (4000, 1)), rtol=1e-6)
    labels = torch.tensor([1, 0])
    assert torch.equal(cvae.latents(labels)[:, NET.latent_size :], cvae.embedding(labels))


# ---- Diffusion ----


@pytest.fixture
def edm():
    torch.manual_seed(0)
    net = Edm(SHAPE, 3, TINY[DIFFUSION])
    net.centre(torch.full((1, 1, *SHAPE), 0.25), torch.tensor(0.5))
    return net


class Known(Edm):
    """A net that knows the answer: pixels of a Gaussian, `label` above the mean picture."""

    def forward(self, x, sigma, labels, moves=None):
        level = sigma[:, None, None, None].square()
        centre = labels[:, None, None, None].to(x)
        return (self.sd.square() * x + level * centre) / (self.sd.square() + level)


def test_the_loss_is_one_where_the_net_says_nothing(edm):
    """The last layer starts at 0; the weights make the error of every noise level count the same."""
    x = 0.25 + 0.5 * torch.randn(256, 1, *SHAPE)
    assert edm.losses(x, torch.zeros(256, dtype=torch.long), 0.0)["loss"].item() == pytest.approx(1.0, abs=0.05)


def test_the_denoiser_leaves_clean_pictures_and_answers_noise_with_the_mean(edm):
    x, labels = torch.randn(2, 1, *SHAPE), torch.tensor([0, 1])
    torch.testing.assert_close(edm(x, torch.full((2,), 1e-4), labels), x, atol=1e-3, rtol=0)
    assert edm(80.0 * x, torch.full((2,), 80.0), labels).abs().max() < 0.05


@pytest.mark.parametrize(("guidance", "mean"), [(1.0, 1.0), (2.0, -1.0), (0.0, 3.0)])
def test_the_sampler_draws_from_the_distribution_that_the_net_knows(guidance, mean):
    """The mean of class 1 is 1, and 3 where no class is told; guidance goes from there through 1 and beyond."""
    net = Known(SHAPE, 3, DiffusionConfig(width=1 / 8))
    net.centre(torch.full((1, 1, *SHAPE), 0.25), torch.tensor(0.5))
    torch.manual_seed(0)
    made = net.sample(torch.randn(64, 1, *SHAPE), torch.ones(64, dtype=torch.long), guidance=guidance, n_steps=60)
    assert made.mean().item() == pytest.approx(0.25 + mean, abs=0.03)  # the start is centred on 0
    assert made.std().item() == pytest.approx(0.5, abs=0.02)


def test_the_sampler_is_of_second_order():
    """Twice the steps, a quarter of the error; Euler's method halves it."""
    net = Known(SHAPE, 1, DiffusionConfig(width=1 / 8))
    start = torch.randn(4, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(4, dtype=torch.long)
    exact = net.sample(start, labels, guidance=1.0, n_steps=800)
    few, more = ((net.sample(start, labels, guidance=1.0, n_steps=n) - exact).abs().max() for n in (20, 40))
    assert few < 0.2
    assert few / more > 3.0


def test_classes_are_hidden_in_training_alone(edm, monkeypatch):
    told = []
    monkeypatch.setattr(edm, "forward", lambda x, sigma, labels, moves: told.append(labels) or x)
    labels = torch.ones(1000, dtype=torch.long)
    for mode in (True, False):
        edm.train(mode)
        edm.losses(torch.zeros(1000, 1, *SHAPE), labels, 0.0)
    assert 60 < (told[0] == 3).sum() < 140
    assert (told[1] == 1).all()


def test_the_net_is_told_its_class_and_where_it_is(edm):
    for module in edm.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight)
    entered = []
    edm.unet.enter.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    x, sigma = torch.ones(1, 1, *SHAPE), torch.ones(1)
    one, other = (edm(x, sigma, torch.tensor([k])) for k in (0, 1))
    assert not torch.allclose(one, other)
    mel, time = entered[0][0, 4], entered[0][0, 5]
    torch.testing.assert_close(mel, torch.linspace(-1, 1, 16)[:, None].expand(16, 16))
    torch.testing.assert_close(time, torch.linspace(-1, 1, 16)[None].expand(16, 16))


def test_how_a_row_was_altered_is_told_while_the_net_learns_and_nothing_is_told_after():
    torch.manual_seed(0)
    net = Edm(SHAPE, 3, TINY[DIFFUSION], N_MOVES)
    net.centre(torch.full((1, 1, *SHAPE), 0.25), torch.tensor(0.5))
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight)
    x, sigma, labels = torch.ones(2, 1, *SHAPE), torch.ones(2), torch.tensor([0, 1])
    told = [net(x, sigma, labels, moves) for moves in (None, torch.zeros(2, N_MOVES), torch.ones(2, N_MOVES))]
    torch.testing.assert_close(told[0], told[1])
    assert not torch.allclose(told[0], told[2], atol=1e-3)
    losses = net.losses(x, labels, 0.0, torch.ones(2, N_MOVES))
    losses["loss"].backward()
    assert net.unet.moves.weight.grad.abs().sum() > 0
    # The same weights without those of the moves, as a file has them, draw the same pictures.
    plain = Edm(SHAPE, 3, TINY[DIFFUSION])
    kept = {name: value for name, value in net.state_dict().items() if "moves" not in name}
    plain.load_state_dict(kept)
    noise = torch.randn(2, 1, *SHAPE)
    made = [each.eval().sample(noise, labels, guidance=1.0, n_steps=4) for each in (net, plain)]
    assert torch.equal(*made)


def test_the_average_follows_the_weights():
    net = torch.nn.BatchNorm1d(1)
    average = Average(net, 0.9)
    with torch.no_grad():
        net.weight.fill_(3.0)
        net.running_mean.fill_(7.0)
    average.update(0)
    assert average.net.weight.item() == pytest.approx(1.0 + 0.9 * 2.0)  # a tenth is kept at first
    assert average.net.running_mean.item() == 7.0
    average.update(1000)
    assert average.net.weight.item() == pytest.approx(3.0 - 0.9 * (3.0 - 2.8))
    last = Average(net, 0.0)
    with torch.no_grad():
        net.weight.fill_(5.0)
    last.update(100)
    assert last.net.weight.item() == 5.0
    assert not last.net.training
    assert not last.net.weight.requires_grad


# ---- Files ----


def test_a_file_generates_what_its_net_says(made, chain, tmp_path):
    header, net = load_net(made)
    assert header.kind == made.name
    assert header.classes == ("angry", "happy", "neutral", "sad")
    assert not net.training
    # What is told of altered rows is of the training alone: files are as they were before it was told.
    assert not [name for name in load_model(made, made.name)[1] if "moves" in name]
    counts = {"angry": 2, "sad": 3}
    store = open_store(synthesise(made, tmp_path / "a.h5", counts))
    pictures = read_all(store)
    assert store.contents.emotion.tolist() == ["angry"] * 2 + ["sad"] * 3
    assert set(store.contents.segments["origin"].tolist()) == {"generated"}
    assert pictures.min() >= header.scaler.low_db - 1e-3
    assert pictures.max() <= header.scaler.high_db + 1e-3
    assert len(np.unique(pictures.reshape(5, -1), axis=0)) == 5
    assert store.contents.lineage == header.lineage
    assert header.lineage.trained_on == set(open_store(chain.train).contents.utterances["digest"].tolist())
    # The seed decides; one class's count does not touch another.
    again = open_store(synthesise(made, tmp_path / "b.h5", {"sad": 3}))
    np.testing.assert_array_equal(read_all(again), pictures[2:])
    other = open_store(synthesise(made, tmp_path / "c.h5", {"sad": 3}, seed=1))
    assert not np.array_equal(read_all(other), pictures[2:])


def test_the_same_command_gives_the_same_bytes(made, chain, tmp_path):
    fit([chain.train], tmp_path / "again", TINY[made.name])
    assert (tmp_path / "again").read_bytes() == made.read_bytes()
    fit([chain.train], tmp_path / "other", TINY[made.name], seed=1)
    assert (tmp_path / "other").read_bytes() != made.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_run_ends_with_the_bytes_of_an_unbroken_one(kind, chain, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fit([chain.train], whole, TINY[kind], chain.val)
    with pytest.raises(Stopped):
        fit([chain.train], broken, TINY[kind], chain.val, stop=stop_after(3))
    assert not broken.exists()
    fit([chain.train], broken, TINY[kind], chain.val)
    assert broken.read_bytes() == whole.read_bytes()
    logs = [path.with_name(path.name + ".log.ndjson").read_bytes() for path in (whole, broken)]
    assert logs[0] == logs[1]
    facts = load_header(whole, kind).facts
    assert math.isfinite(facts["val_loss"])
    assert load_header(whole, kind).lineage.selected_on
    assert not list(tmp_path.glob(".*state"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_of_the_lowest_held_out_loss_are_kept(kind, chain, tmp_path, monkeypatch):
    scores = iter([1.0, 2.0])
    monkeypatch.setattr("sertools.training.likelihood.held_out_loss", lambda *_, **__: next(scores))
    fit([chain.train], tmp_path / "four", TINY[kind], chain.val)
    monkeypatch.undo()
    fit([chain.train], tmp_path / "two", dataclasses.replace(TINY[kind], steps=2), None)
    if kind == DIFFUSION:  # the other's ramp depends on the number of steps
        for own, other in zip(*(load_net(tmp_path / n)[1].parameters() for n in ("four", "two")), strict=True):
            assert torch.equal(own, other)
    assert load_header(tmp_path / "four", kind).facts["val_loss"] == 1.0


def test_balanced_batches_hold_every_class_equally_often(chain, tmp_path, monkeypatch):
    seen = []

    def losses(self, x, labels, progress, moves):
        seen.append(labels)
        return {"loss": self.unet.enter.weight.sum() * 0.0}

    monkeypatch.setattr(Edm, "losses", losses)
    for sampling in ("balanced", "shuffled"):
        seen.clear()
        fit([chain.train], tmp_path / sampling, dataclasses.replace(TINY[DIFFUSION], sampling=sampling))
        counts = torch.bincount(torch.cat(seen), minlength=4)
        assert (counts.max() - counts.min() <= 1) == (sampling == "balanced")


# ---- What cannot be ----


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_rows_and_one_class_are_refused(kind, rng, tmp_path):
    few = write_rows(tmp_path / "few.h5", noise(rng, 5), ["sad"] * 4 + ["angry"])
    with pytest.raises(
        StoreError, match=r"class 'angry' has 1 row, and a generator needs 2 at the least; 30 or more"
    ):
        fit([few], tmp_path / "out", TINY[kind])
    one = write_rows(tmp_path / "one.h5", noise(rng, 4), ["sad"] * 4)
    with pytest.raises(StoreError, match="holds 1 class"):
        fit([one], tmp_path / "out", TINY[kind])
    assert not (tmp_path / "out").exists()


def test_validation_on_trained_rows_is_refused(chain, tmp_path):
    with pytest.raises(LineageError, match="trained on"):
        fit([chain.train], tmp_path / "out", TINY[CVAE], chain.train)


def test_options_of_another_kind_are_refused(made, chain, tmp_path):
    with pytest.raises(UsageError, match=f"--smote: needs the latents of a GAN, and .* is a {made.name} file"):
        list(generate(made, tmp_path / "s.h5", {"sad": 1}, Ways(smote=chain.train), device=CPU))
    guided = generate(made, tmp_path / "g.h5", {"sad": 2}, Ways(denoising=Denoising(3.0, 2)), device=CPU)
    if made.name == DIFFUSION:
        list(guided)
        history = open_store(tmp_path / "g.h5").contents.history[-1]
        assert '"guidance":3.0' in history
        assert '"denoise_steps":2' in history
        plain = synthesise(made, tmp_path / "p.h5", {"sad": 2})
        assert not np.array_equal(read_all(open_store(tmp_path / "g.h5")), read_all(open_store(plain)))
    else:
        with pytest.raises(UsageError, match=r"belong to a diffusion model, and .* is a cvae file"):
            list(guided)


def test_other_files_are_no_generators(chain, made, tmp_path):
    with pytest.raises(
        ModelError, match="is of the kind classifier; gan or cvae or diffusion or cyclegan or wavegan is wanted here"
    ):
        synthesise(chain.clf, tmp_path / "s.h5", {"sad": 1})
    damaged = tmp_path / "damaged"
    shutil.copy(made, damaged)
    content = damaged.read_bytes()
    damaged.write_bytes(content.replace(b"batch_size", b"batch_sise"))
    with pytest.raises(ModelError, match="do not fit its own sizes"):
        load_net(damaged)


def test_the_verb(chain, tmp_path, call):
    line = ["train-generator", chain.train, "--preset", "smoke", "--steps", 2, "--batch-size", 8, "--width", "1/16"]
    for kind in KINDS:
        done = call(*line, "--kind", kind, "-o", f"{kind}.st")
        assert done.code == 0, done.err
        assert "after 2 steps" in done.err
        assert "fewer than 30 rows of angry (8), happy (" in done.err
        assert call("generate", f"{kind}.st", "--balance", chain.train, "-o", f"{kind}.h5").code == 0
        assert '"kind": "' + kind in call("info", f"{kind}.st").out
    assert len(open_store(tmp_path / "cvae.h5")) == len(open_store(tmp_path / "diffusion.h5")) > 0
    done = call(*line, "--kind", "gan", "-o", "out")
    assert (done.code, "--kind 'gan': expected one of cvae, diffusion, cyclegan, wavegan" in done.err) == (2, True)
    assert call(*line, "-o", "out").code == 2
    assert open_store(tmp_path / "cvae.h5").contents.front_end == FRONT_END


# ---- Health ----


def test_the_watch_tells_of_learning_by_heart_nothing_learnt_and_an_unused_latent():
    watch = GeneratorWatch()
    assert watch.notice(10, 30, {"loss": 1.0, "val_loss": 1.0, "kl": 3.0}) == []
    (found,) = watch.notice(20, 30, {"loss": 0.5, "val_loss": 1.3, "kl": 3.0})
    assert found.name == "by-heart"
    assert "was 1 and is 1.3" in found.text
    assert watch.notice(25, 30, {"loss": 0.4, "val_loss": 1.5}) == []  # once is enough
    names = [found.name for found in watch.notice(30, 30, {"loss": 1.1, "kl": 0.1})]
    assert names == ["nothing-learnt", "unused-latent"]
    assert GeneratorWatch().notice(30, 30, {"loss": 1.0, "kl": 5.0}) == []  # the first record is the last
