"""Fine-tuning step by step against the paper's sentences, with dropout off where steps are compared."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from chains import CPU, FRONT_END, GAN, assert_one_adam_step, finetune, noise, write_rows

from sertools.config import NetConfig
from sertools.errors import StoreError, UsageError
from sertools.nets.gan import Autoencoder, batch_norms, clamp_dropout, discriminator_from, generator_from
from sertools.training.adversarial import GanTrainer
from sertools.training.autoencoder import load_autoencoder
from sertools.training.batches import open_rows
from sertools.training.calibration import LatentSampler, calibrate
from sertools.training.gan_file import load_generator
from sertools.training.gaussians import fit_gaussians
from sertools.training.loop import Run
from sertools.training.order import batch_indices
from sertools.training.task import Task
from sertools.training.vitals import frozen_statistics

N_CLASSES = 3
NET = NetConfig(width=1 / 32, latent_size=8, dropout=0.0, bn_momentum=0.1)


class Recorder(LatentSampler):
    """A sampler that remembers what it was asked for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked, self.drawn = [], []

    def latents(self, labels):
        z = super().latents(labels)
        self.asked.append(labels)
        self.drawn.append(z)
        return z


@pytest.fixture
def trainer(rng, tmp_path):
    torch.manual_seed(0)
    shape = (FRONT_END.n_mels, FRONT_END.n_frames)
    net = Autoencoder(shape, NET)
    rows = open_rows([write_rows(tmp_path / "s.h5", noise(rng, 24), ["a", "b", "c"] * 8)])
    gaussians = fit_gaussians(rng.standard_normal((60, 8)), ["a", "b", "c"] * 20, "empirical")
    return GanTrainer(
        generator_from(net.decoder, shape, NET).train(),
        discriminator_from(net.encoder, shape, N_CLASSES, NET).train(),
        Recorder(gaussians, CPU),
        Task("finetune-gan", {}, Run(tmp_path / "gan"), rows),
        GAN,
    )


def batch(trainer):
    index = np.arange(8)
    return trainer.rows.tensor(index, trainer.scaler, CPU), trainer.labels[:8]


def weights(net):
    return {name: value.clone() for name, value in net.named_parameters()}


def statistics(net):
    return [value.clone() for norm in batch_norms(net) for value in (norm.running_mean, norm.running_var)]


def same(left, right):
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_one_discriminator_step_is_two_separate_passes_and_one_adam_step(trainer):
    real, labels = batch(trainer)
    discriminator, generator = copy.deepcopy(trainer.discriminator), copy.deepcopy(trainer.generator)
    torch.manual_seed(5)
    losses = trainer._update_discriminator(real, labels)

    fake = generator(trainer.sampler.drawn[0]).detach()
    # By hand: the loss of each pass, normalised by its own batch; fake is the last label, weighted 1/classes.
    real_loss = F.cross_entropy(discriminator(real), labels)
    fake_loss = F.cross_entropy(discriminator(fake), torch.full((8,), N_CLASSES))
    (real_loss + fake_loss / N_CLASSES).backward()
    assert_one_adam_step(discriminator, trainer.discriminator, GAN.lr_d)
    assert losses["d_real"].item() == pytest.approx(real_loss.item(), abs=1e-5)
    assert losses["d_fake"].item() == pytest.approx(fake_loss.item(), abs=1e-5)
    # Both passes moved the running statistics, real first.
    torch.testing.assert_close(statistics(trainer.discriminator), statistics(discriminator))
    assert trainer.adam_d.state_dict()["state"][0]["step"] == 1
    assert trainer.adam_d.defaults["betas"] == trainer.adam_g.defaults["betas"] == (0.5, 0.999)


def test_two_steps_take_the_real_batch_and_then_the_fake_one_at_full_weight(trainer):
    trainer.config = dataclasses.replace(GAN, d_steps="two")
    real, labels = batch(trainer)
    discriminator, generator = copy.deepcopy(trainer.discriminator), copy.deepcopy(trainer.generator)
    adam = torch.optim.Adam(discriminator.parameters(), lr=GAN.lr_d, betas=(0.5, 0.999))
    torch.manual_seed(5)
    losses = trainer._update_discriminator(real, labels)

    fake = generator(trainer.sampler.drawn[0]).detach()
    for x, target in ((real, labels), (fake, torch.full((8,), N_CLASSES))):
        adam.zero_grad()
        loss = F.cross_entropy(discriminator(x), target)
        loss.backward()
        adam.step()
    assert losses["d_fake"].item() == pytest.approx(loss.item(), rel=1e-3)
    # The gradient of the fake batch, at the weights that the real one left.
    for (name, ours), theirs in zip(
        trainer.discriminator.named_parameters(), discriminator.parameters(), strict=True
    ):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=2e-2, atol=1e-4, msg=name)
    torch.testing.assert_close(statistics(trainer.discriminator), statistics(discriminator), rtol=1e-3, atol=1e-4)
    assert trainer.adam_d.state_dict()["state"][0]["step"] == 2


def test_two_steps_need_two_batches(chain, tmp_path):
    config = dataclasses.replace(GAN, d_steps="two", batches="mixed")
    with pytest.raises(UsageError, match="--d-steps two: a step for each batch, and --batches mixed has one"):
        finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gan", config)
    assert not (tmp_path / "gan").exists()


def test_one_joint_batch_would_be_another_step(trainer):
    """The comparison above can tell two passes from one."""
    real, labels = batch(trainer)
    joint = copy.deepcopy(trainer.discriminator)
    trainer._update_discriminator(real, labels)
    fake = trainer.generator(trainer.sampler.drawn[0]).detach()
    logits = joint(torch.cat([real, fake]))
    separate = copy.deepcopy(joint)(real)
    assert not torch.allclose(logits[:8], separate, atol=1e-3)


def test_the_discriminator_step_leaves_the_generator_alone(trainer):
    before = weights(trainer.generator)
    trainer._update_discriminator(*batch(trainer))
    assert all(torch.equal(before[name], value) for name, value in trainer.generator.named_parameters())
    assert all(p.grad is None for p in trainer.generator.parameters())


def test_the_generator_step_leaves_weights_and_statistics_of_the_discriminator_alone(trainer):
    frozen, moving = weights(trainer.discriminator), statistics(trainer.discriminator)
    learning, generators = weights(trainer.generator), statistics(trainer.generator)
    trainer._update_generator()
    assert all(torch.equal(frozen[name], value) for name, value in trainer.discriminator.named_parameters())
    assert same(moving, statistics(trainer.discriminator))
    assert not same(generators, statistics(trainer.generator))
    assert all(not torch.equal(learning[n], v) for n, v in trainer.generator.named_parameters() if "weight" in n)
    assert all(p.grad is None for p in trainer.discriminator.parameters())
    # Ready for its own turn, in which the statistics do move.
    assert all(p.requires_grad for p in trainer.discriminator.parameters())
    assert trainer.discriminator.training
    trainer._update_discriminator(*batch(trainer))
    assert not same(moving, statistics(trainer.discriminator))
    assert any(not torch.equal(frozen[name], value) for name, value in trainer.discriminator.named_parameters())


def test_the_generator_learns_the_label_that_drew_its_latent(trainer):
    generator, discriminator = copy.deepcopy(trainer.generator), copy.deepcopy(trainer.discriminator)
    torch.manual_seed(5)
    loss = trainer._update_generator()["g"]
    (z,), (labels,) = trainer.sampler.drawn, trainer.sampler.asked
    assert len(z) == GAN.batch_size
    # Train mode: the batch normalises itself in both nets, and the aim is the drawn class, never "fake".
    by_hand = F.cross_entropy(discriminator(generator(z)), labels)
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-5)
    by_hand.backward()
    assert_one_adam_step(generator, trainer.generator, GAN.lr_g)


def test_labels_are_uniform_over_the_classes_and_never_fake(trainer):
    for step in range(30):
        trainer.step(step)
    labels = torch.cat(trainer.sampler.asked)
    assert len(labels) == 2 * 30 * 8  # a fake batch for each net
    counts = torch.bincount(labels)
    assert len(counts) == N_CLASSES
    assert ((counts - 160).abs() < 53).all()


def test_a_step_takes_its_batch_with_its_labels(trainer, monkeypatch):
    taken = []
    monkeypatch.setattr(trainer, "_update_discriminator", lambda real, labels: taken.append((real, labels)) or {})
    trainer.generator.eval()
    trainer.step(5)
    index = batch_indices(24, GAN.batch_size, 5, trainer.run.seed)
    ((real, labels),) = taken
    assert torch.equal(real, trainer.rows.tensor(index, trainer.scaler, CPU))
    assert labels.tolist() == [("a", "b", "c").index(trainer.rows.emotion[row]) for row in index]
    assert trainer.generator.training


def test_frozen_statistics_still_normalise_by_the_batch(trainer):
    real, _ = batch(trainer)
    twin = copy.deepcopy(trainer.discriminator)
    with frozen_statistics(trainer.discriminator):
        frozen = trainer.discriminator(real)
    assert torch.equal(frozen, twin(real))
    assert all(norm.track_running_stats for norm in batch_norms(trainer.discriminator))


def test_calibration_is_the_mean_over_class_uniform_batches_without_dropout(trainer):
    config = dataclasses.replace(NET, dropout=0.2)
    net = Autoencoder((32, 32), config)
    generator, twin = net.decoder, copy.deepcopy(net.decoder)
    for norm in batch_norms(generator):
        norm.running_mean.fill_(1e3)
        norm.running_var.fill_(1e3)
        norm.num_batches_tracked.fill_(9)
    calibrate(generator, trainer.sampler, 5, seed=7)
    assert not generator.training
    labels = torch.cat(trainer.sampler.asked)
    assert torch.bincount(labels).tolist() == [107, 107, 106]  # 320 draws of three classes

    means, variances = [[] for _ in range(8)], [[] for _ in range(8)]

    def note(norm, inputs):
        number = batch_norms(twin).index(norm)
        means[number].append(inputs[0].mean((0, 2, 3)))
        variances[number].append(inputs[0].transpose(0, 1).flatten(1).var(1))

    for norm in batch_norms(twin):
        norm.register_forward_pre_hook(note)
    twin.train()
    clamp_dropout(twin, False)
    with torch.no_grad():
        for z in trainer.sampler.drawn:
            twin(z)
    for number, norm in enumerate(batch_norms(generator)):
        torch.testing.assert_close(norm.running_mean, torch.stack(means[number]).mean(0), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(norm.running_var, torch.stack(variances[number]).mean(0), rtol=1e-4, atol=1e-5)
        assert norm.momentum == NET.bn_momentum


def test_no_steps_keep_the_decoder_but_for_its_statistics(chain, tmp_path):
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gan", dataclasses.replace(GAN, steps=0))
    _, _, decoder = load_autoencoder(chain.ae)
    header, generator, gaussians = load_generator(tmp_path / "gan")
    for name, value in generator.state_dict().items():
        is_statistic = "running" in name or "num_batches" in name
        assert torch.equal(value, decoder.state_dict()[name]) != is_statistic, name
    assert header.facts["updates"] == 0
    assert gaussians.classes == ("angry", "happy", "neutral", "sad")
    _, trained, _ = load_generator(chain.gan)
    assert any(not torch.equal(a, b) for a, b in zip(trained.parameters(), decoder.parameters(), strict=True))


def test_stores_of_other_classes_are_refused(chain, rng, tmp_path):
    strange = write_rows(tmp_path / "s.h5", noise(rng, 4), ["angry", "happy", "bored", "bored"])
    with pytest.raises(StoreError, match="2 rows have the emotion 'bored', but the classes here are angry"):
        finetune(chain.ae, chain.latents, [strange], tmp_path / "gan")
    assert not (tmp_path / "gan").exists()
