"""Better conditioning (§4): batch normalisation of each class in G, and a projection discriminator."""

import dataclasses

import numpy as np
import pytest
import torch
from chains import AE, CPU, GAN, NET, finetune, pretrain, stop_after, synthesise

from sertools.errors import Stopped, UsageError
from sertools.generation.opening import Ways
from sertools.generation.rows import generate
from sertools.generation.translation import Translation
from sertools.generation.transport import GaussianMap
from sertools.nets.conditional import ConditionalNorm, ToldGenerator, with_classes
from sertools.nets.folding import folded
from sertools.nets.gan import Autoencoder, ProjectionDiscriminator, discriminator_from, generator_from
from sertools.store.reader import open_store
from sertools.training.adversarial import GanTrainer
from sertools.training.calibration import LatentSampler, ToldSampler
from sertools.training.drawing import without_channel
from sertools.training.gan_file import load_generator
from sertools.training.gaussians import ClassGaussians, fit_gaussians
from sertools.training.judging import Projected, Softmax
from sertools.training.latents import fit_latents
from sertools.training.loop import Run
from sertools.training.task import open_task

BOTH = dataclasses.replace(GAN, condition_g="batch-norm", condition_d="projection")
DENSE = dataclasses.replace(NET, latent="dense")


@pytest.fixture(params=["pictures", "vectors"])
def net(request):
    torch.manual_seed(0)
    shape, config = ((32, 32), NET) if request.param == "pictures" else ((16,), DENSE)
    net = Autoencoder(shape, config)
    net.train()
    for _ in range(3):
        net(torch.randn(8, *((1, *shape) if len(shape) > 1 else shape)))
    return net, shape, config


@pytest.mark.parametrize("training", [False, True])
def test_g_starts_as_the_decoder_whatever_class_it_is_told(net, training):
    net, shape, config = net
    told = ToldGenerator(generator_from(net.decoder, shape, config), 3)
    z, labels = torch.randn(6, NET.latent_size), torch.tensor([0, 1, 2, 2, 1, 0])
    outputs = []
    for each, x in ((net.decoder, z), (told, with_classes(z, labels, 3))):
        torch.manual_seed(1)  # of dropout
        outputs.append(each.train(training)(x))
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    norms = [module for module in told.modules() if isinstance(module, ConditionalNorm)]
    plain = [module for module in net.decoder.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == len(plain)
    added = sum(2 * 2 * norm.norm.num_features for norm in norms)
    assert sum(p.numel() for p in told.parameters()) == sum(p.numel() for p in net.decoder.parameters()) + added
    with torch.no_grad():
        norms[0].beta[1] += 1.0
    changed = (told.eval()(with_classes(z, labels, 3)) - net.decoder.eval()(z)).flatten(1).abs().amax(1) > 1e-4
    assert changed.tolist() == (labels == 1).tolist()
    torch.testing.assert_close(
        folded(told)(with_classes(z, labels, 3)), told(with_classes(z, labels, 3)), rtol=1e-4, atol=1e-5
    )


def test_the_score_is_linear_in_the_embedding_of_its_class(net):
    net, shape, config = net
    d = discriminator_from(net.encoder, shape, 3, config, projection=True).eval()
    assert isinstance(d, ProjectionDiscriminator)
    x = torch.randn(4, *((1, *shape) if len(shape) > 1 else shape))
    first, v = d(x), torch.randn(d.trunk.n_features)
    assert first.shape == (4, 4)
    assert torch.equal(first[:, -1], torch.zeros(4))
    features = d.trunk(x)
    torch.testing.assert_close(features, net.encoder.eval().trunk(x))
    for scale in (1.0, -2.0):
        other = discriminator_from(net.encoder, shape, 3, config, projection=True).eval()
        other.load_state_dict(d.state_dict())
        with torch.no_grad():
            other.embedding.weight[1] += scale * v
        torch.testing.assert_close(other(x)[:, 1] - first[:, 1], scale * features @ v, rtol=1e-3, atol=1e-4)
        assert torch.equal(other(x)[:, [0, 2]], first[:, [0, 2]])


def test_the_losses_by_hand():
    outputs, labels = torch.tensor([[0.5, -2.0, 0.0], [3.0, 0.25, 0.0]]), torch.tensor([0, 1])
    hinge = Projected(2)
    assert hinge.real(outputs, labels).item() == pytest.approx((0.5 + 0.75) / 2)
    assert hinge.fake(outputs, labels).item() == pytest.approx((1.5 + 1.25) / 2)
    assert hinge.made(outputs, labels).item() == pytest.approx(-(0.5 + 0.25) / 2)
    assert (hinge.real_per_fake, Softmax(2).real_per_fake) == (1, 2)
    fake = torch.nn.functional.cross_entropy(outputs, torch.tensor([2, 2]))
    assert Softmax(2).fake(outputs, labels).item() == pytest.approx(fake.item())


def test_a_projection_discriminator_is_asked_about_the_own_class_alone():
    outputs, labels = torch.tensor([[0.5, -2.0, 0.0], [3.0, -0.25, 0.0]]), torch.tensor([0, 1])
    softmax, projected = Softmax(2), Projected(2)
    log_odds = outputs[:, :2].exp().sum(1).log()
    torch.testing.assert_close(softmax.realness(outputs, labels), log_odds)
    assert projected.realness(outputs, labels).tolist() == [0.5, -0.25]
    assert softmax.right_of_real(outputs, labels).tolist() == [True, False]
    assert softmax.right_of_fake(outputs, labels).tolist() == [False, False]
    assert projected.right_of_real(outputs, labels).tolist() == [True, False]
    assert projected.right_of_fake(outputs, labels).tolist() == [False, True]
    # What a row would be as another class is none of its business.
    other = torch.tensor([[0.5, 9.0, 0.0], [-9.0, -0.25, 0.0]])
    assert torch.equal(projected.realness(outputs, labels), projected.realness(other, labels))


@pytest.mark.parametrize(("condition", "n_fake"), [("softmax", 2), ("projection", 8)])
def test_a_mixed_batch_has_as_many_fakes_as_they_weigh(condition, n_fake, chain, rng, tmp_path):
    shape, classes = (32, 32), open_store(chain.train).contents.classes()
    net = Autoencoder(shape, NET)
    gaussians = fit_gaussians(rng.standard_normal((40, NET.latent_size)), [*classes] * 10, "pooled")
    d = discriminator_from(net.encoder, shape, len(classes), NET, projection=condition == "projection")
    task = open_task("finetune-gan", {"steps": 1}, Run(tmp_path / "gan"), [chain.train])
    config = dataclasses.replace(GAN, batches="mixed", batch_size=8, condition_d=condition)
    sampler = LatentSampler(gaussians, CPU)
    trainer = GanTrainer(generator_from(net.decoder, shape, NET), d, sampler, task, config)
    seen = []
    d.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    trainer.step(0)
    assert seen == [8 + n_fake, 8]


def test_the_sampler_puts_the_class_behind_the_same_latent(rng):
    gaussians = fit_gaussians(rng.standard_normal((60, 4)), ["a", "b", "c"] * 20, "empirical")
    labels, drawn = torch.tensor([2, 0]), []
    for sampler in (LatentSampler, ToldSampler):
        torch.manual_seed(0)
        drawn.append(sampler(gaussians, CPU).latents(labels))
    assert torch.equal(drawn[0], drawn[1][:, :4])
    assert drawn[1][:, 4:].tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("batches", ["separate", "mixed"])
def test_a_file_generates_and_moves_what_its_net_says(batches, chain, tmp_path):
    made = tmp_path / "gan"
    config = dataclasses.replace(BOTH, batches=batches, r1=0.1, ema=0.5)
    finetune(chain.ae, chain.latents, [chain.train], made, config)
    broken = tmp_path / "broken"
    with pytest.raises(Stopped):
        finetune(chain.ae, chain.latents, [chain.train], broken, config, stop=stop_after(2))
    finetune(chain.ae, chain.latents, [chain.train], broken, config)
    assert broken.read_bytes() == made.read_bytes()
    header, generator, gaussians = load_generator(made)
    assert isinstance(generator, ToldGenerator)
    assert 0.0 <= header.facts["d_auc"] <= 1.0
    store = open_store(synthesise(made, tmp_path / "a.h5", {"sad": 3}))
    number = header.classes.index("sad")
    z = torch.from_numpy(gaussians.sample(number, 3, np.random.default_rng([0, number]))).float()
    with torch.inference_mode():
        rows = generator(with_classes(z, torch.full((3,), number), 4))[:, 0].numpy()
    np.testing.assert_allclose(store.rows(np.arange(3)), header.scaler.unscale(rows), atol=5e-3)
    for ways in (Ways(translation=Translation(chain.train)), Ways(smote=chain.train)):
        list(generate(made, tmp_path / "m.h5", {"angry": 3}, ways, device=CPU))
        assert open_store(tmp_path / "m.h5").damaged_rows() == []


def test_a_row_that_is_moved_is_decoded_as_the_class_that_is_wanted(net):
    """Between two Gaussians that are one, so that nothing but what G is told makes the change."""
    net, shape, config = net
    told = ToldGenerator(generator_from(net.decoder, shape, config), 2).eval()
    with torch.no_grad():
        next(module for module in told.modules() if isinstance(module, ConditionalNorm)).beta[1] += 1.0
    same = ClassGaussians(("a", "b"), np.zeros((2, NET.latent_size)), np.stack([np.eye(NET.latent_size)] * 2), (9, 9))
    mover = GaussianMap(net.encoder.eval(), told, same, CPU, method="pooled")
    x = torch.randn(3, *((1, *shape) if len(shape) > 1 else shape))
    with torch.inference_mode():
        change = mover.change(x, np.arange(3), np.zeros(3, dtype=np.int64), 1)
        as_a, as_b = (told(with_classes(net.encoder(x), torch.full((3,), number), 2)) for number in (0, 1))
    assert np.abs(change).max() > 1e-3
    np.testing.assert_allclose(change, without_channel(as_b - as_a), rtol=1e-3, atol=1e-5)


def test_without_batch_normalisation_there_is_nothing_to_condition(chain, tmp_path):
    for name, changes in (("plain", {"norm": False, "dropout": 0.0}), ("pca", {"latent": "pca", "latent_size": 9})):
        net = dataclasses.replace(NET, **changes)
        pretrain([chain.train], tmp_path / name, dataclasses.replace(AE, net=net))
        fit_latents(tmp_path / name, [chain.train], tmp_path / f"{name}.h5", "pooled", CPU)
        config = dataclasses.replace(BOTH, steps=0)
        with pytest.raises(UsageError, match=r"--condition-g batch-norm: .*has no batch normalisation; leave it out"):
            finetune(tmp_path / name, tmp_path / f"{name}.h5", [chain.train], tmp_path / "gan", config)
