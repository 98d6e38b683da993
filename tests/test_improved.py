"""What the improved presets change of the GAN: what each change does to a step, and how each is taken back."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from chains import CPU, FRONT_END, GAN, NET, finetune, noise, stop_after, write_rows

from sertools.config import GanConfig
from sertools.errors import Stopped
from sertools.nets.gan import Autoencoder, Discriminator, batch_norms, discriminator_from, generator_from
from sertools.presets import IMPROVED, PRESETS, beside_paper, override
from sertools.training.adversarial import GanTrainer, r1_penalty
from sertools.training.batches import open_rows
from sertools.training.calibration import LatentSampler
from sertools.training.checkpoint import load_header
from sertools.training.gaussians import fit_gaussians
from sertools.training.loop import Run
from sertools.training.task import Task

SHAPE = (FRONT_END.n_mels, FRONT_END.n_frames)
PLAIN = dataclasses.replace(NET, dropout=0.0)
ALL = dataclasses.replace(
    GAN, **{name: value for name, value in IMPROVED["gan"].items() if not name.startswith("lr")}
)


@pytest.fixture
def make(rng, tmp_path):
    """Make a trainer of a changed configuration; every one starts with the same weights."""
    rows = open_rows([write_rows(tmp_path / "s.h5", noise(rng, 20), ["a", "b", "c", "c"] * 5)])
    gaussians = fit_gaussians(rng.standard_normal((60, NET.latent_size)), ["a", "b", "c"] * 20, "empirical")

    def make(config):
        torch.manual_seed(0)
        net = Autoencoder(SHAPE, PLAIN)
        discriminator = discriminator_from(
            net.encoder, SHAPE, 3, PLAIN, norm=config.d_norm == "bn", spectral=config.sn
        )
        return GanTrainer(
            generator_from(net.decoder, SHAPE, PLAIN).train(),
            discriminator.train(),
            LatentSampler(gaussians, CPU),
            Task("finetune-gan", {}, Run(tmp_path / "gan"), rows),
            config,
        )

    return make


# ---- D ----


@pytest.fixture
def encoder():
    """An encoder whose normalisation has something to do."""
    torch.manual_seed(0)
    encoder = Autoencoder(SHAPE, PLAIN).encoder
    for norm in batch_norms(encoder):
        torch.nn.init.normal_(norm.running_mean, std=0.2)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
        torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
        torch.nn.init.normal_(norm.bias, std=0.2)
    return encoder.eval()


def test_without_normalisation_d_starts_with_the_features_of_the_encoder(encoder):
    discriminator = discriminator_from(encoder, SHAPE, 3, PLAIN, norm=False)
    assert batch_norms(discriminator) == []
    x = torch.rand(4, 1, *SHAPE) * 2 - 1
    torch.testing.assert_close(discriminator.eval().trunk(x), encoder.trunk(x), atol=1e-4, rtol=1e-4)


def test_spectral_normalisation_holds_every_layer_where_it_starts(encoder):
    plain = discriminator_from(encoder, SHAPE, 3, PLAIN, norm=False)
    torch.manual_seed(0)
    held = discriminator_from(encoder, SHAPE, 3, PLAIN, norm=False, spectral=True)
    x = torch.rand(4, 1, *SHAPE) * 2 - 1
    torch.testing.assert_close(held.eval().trunk(x), plain.eval().trunk(x), atol=1e-2, rtol=0.05)
    with torch.no_grad():  # whatever is learnt
        for parameter in held.parameters():
            if parameter.dim() > 1:
                parameter.mul_(50.0).add_(torch.randn_like(parameter))
    held.train()
    for _ in range(60):
        held(x)  # each look is a step of the power iteration
    held.eval()
    starts, layers = ([m for m in net.modules() if isinstance(m, torch.nn.Conv2d)] for net in (plain, held))
    assert len(layers) == 8
    for start, layer in zip(starts, layers, strict=True):
        first, now = (torch.linalg.matrix_norm(m.weight.flatten(1), ord=2).item() for m in (start, layer))
        assert now == pytest.approx(first, rel=0.05)


# ---- Steps ----


def test_the_penalty_is_half_the_squared_gradient_at_real_rows():
    x = torch.ones(2, 1, 2, 2, requires_grad=True)
    slope = torch.tensor([[1.0, 2.0], [0.0, 2.0]])  # squares: 9
    assert r1_penalty(x, (x * slope).sum((1, 2, 3))).item() == pytest.approx(4.5)


def test_the_penalty_makes_d_flatter_at_real_rows(make):
    def steepness(trainer):
        index = np.arange(12)
        x = trainer.rows.tensor(index, trainer.scaler, CPU).requires_grad_(True)
        return r1_penalty(x, trainer.judging.realness(trainer.discriminator(x), trainer.labels[index])).item()

    base = dataclasses.replace(GAN, d_norm="none", lr_d=3e-3)
    plain, flat = make(base), make(dataclasses.replace(base, r1=100.0))
    assert steepness(plain) == pytest.approx(steepness(flat))
    for trainer in (plain, flat):
        for step in range(10):
            trainer.step(step)
    assert steepness(flat) < 0.5 * steepness(plain)


@pytest.mark.parametrize("batches", ["separate", "mixed"])
def test_all_changes_together_train_both_nets(make, batches):
    trainer = make(dataclasses.replace(ALL, batches=batches))
    before = [p.clone() for net in (trainer.generator, trainer.discriminator) for p in net.parameters()]
    for step in range(3):
        losses = trainer.step(step)
    assert all(torch.isfinite(value) for value in losses.values())
    after = [p for net in (trainer.generator, trainer.discriminator) for p in net.parameters()]
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert np.mean(moved) > 0.9
    assert trainer.adam_d.defaults["betas"] == (0.0, 0.99)


def test_the_average_is_what_is_kept(make, chain, tmp_path):
    trainer = make(dataclasses.replace(GAN, ema=0.9))
    for step in range(3):
        trainer.step(step)
    live, kept = (dict(net.named_parameters()) for net in (trainer.generator, trainer.chosen))
    assert trainer.chosen is not trainer.generator
    assert not torch.equal(live["dense.0.weight"], kept["dense.0.weight"])
    assert make(GAN).chosen is not None
    assert make(GAN).average is None


# ---- The run ----


def test_a_broken_run_ends_with_the_bytes_of_an_unbroken_one(chain, tmp_path):
    paths = [tmp_path / name for name in ("whole", "broken")]
    finetune(chain.ae, chain.latents, [chain.train], paths[0], ALL)
    with pytest.raises(Stopped):
        finetune(chain.ae, chain.latents, [chain.train], paths[1], ALL, stop=stop_after(2))
    finetune(chain.ae, chain.latents, [chain.train], paths[1], ALL)
    assert paths[0].read_bytes() == paths[1].read_bytes()


# ---- Presets ----


def test_the_paper_has_no_change_and_improved_has_its_own():
    paper = PRESETS["paper"]
    assert beside_paper("gan", dataclasses.asdict(paper.gan)) == {}
    for name in ("paper", "cpu", "smoke"):
        off = GanConfig()
        gan = PRESETS[name].gan
        for change in ("d_norm", "sn", "r1", "ema", "beta1", "beta2"):
            assert getattr(gan, change) == getattr(off, change), (name, change)
    different = beside_paper("gan", dataclasses.asdict(PRESETS["improved"].gan))
    assert different == dict(IMPROVED["gan"])
    assert beside_paper("autoencoder", dataclasses.asdict(PRESETS["improved"].autoencoder)) == {}
    cpu = PRESETS["improved-cpu"]
    assert cpu.autoencoder == PRESETS["cpu"].autoencoder
    assert (cpu.gan.d_norm, cpu.gan.sn) == ("none", True)
    assert cpu.classifier.loss == PRESETS["improved"].classifier.loss == "logit-adjust"


@pytest.mark.parametrize("change", sorted(IMPROVED["gan"]))
def test_leaving_one_out_is_the_preset_and_one_option(change):
    improved, paper = PRESETS["improved"].gan, PRESETS["paper"].gan
    without = override(improved, **{change: getattr(paper, change)})
    left = {n for n in IMPROVED["gan"] if getattr(without, n) != getattr(improved, n)}
    assert left == {change}


def test_the_verb_reads_its_options_and_info_tells_what_differs(chain, tmp_path, call):
    line = ["finetune-gan", chain.ae, chain.latents, chain.train, "--preset", "improved-cpu", "--steps", 2]
    done = call(*line, "--batch-size", 8, "--no-sn", "--beta1", 0.1, "--beta2", 0.9, "-o", "gan")
    assert done.code == 0, done.err
    assert "differs from --preset paper: steps=2  batch_size=8" in done.err
    found = load_header(tmp_path / "gan").config
    assert (found["sn"], found["beta1"], found["d_norm"]) == (False, 0.1, "none")
    assert '"differs_from_paper": {' in call("info", "gan").out
    for bad, words in (
        (["--betas", "0,1"], "--betas: was removed: it is two options now; give --beta1 and --beta2"),
        (["--beta2", "1"], "--beta2 1: expected 0 to below 1"),
        (["--ema", "1"], "--ema 1: expected 0 to below 1"),
        (["--d-norm", "gn"], "--d-norm 'gn': expected one of bn, none"),
        (["--r1", "-1"], "--r1 -1: expected at least 0"),
    ):
        done = call(*line, *bad, "-o", "out")
        assert (done.code, words in done.err) == (2, True), done.err


def test_d_and_its_copy_can_both_be_made(encoder):
    """Vitals and tests copy nets; parametrised ones too."""
    discriminator = discriminator_from(encoder, SHAPE, 3, PLAIN, spectral=True).eval()
    x = torch.rand(2, 1, *SHAPE)
    assert isinstance(discriminator, Discriminator)
    torch.testing.assert_close(copy.deepcopy(discriminator)(x), discriminator(x))
