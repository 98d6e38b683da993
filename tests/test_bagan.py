"""§2.4 switch by switch: what each puts in the nets and in D's batches, and that it changes nothing else."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from chains import AE, CPU, FRONT_END, GAN, NET, assert_one_adam_step, finetune, noise, pretrain, write_rows
from test_nets import FULL, GENERATOR_DECONVOLUTIONS, SMALL, count_parameters, layout, leaves, meta, sizes
from torch import nn

from sertools.architectures import GAN_ARCHS
from sertools.config import NetConfig
from sertools.errors import ModelError, UsageError
from sertools.nets.gan import (
    Autoencoder,
    Discriminator,
    Encoder,
    Generator,
    discriminator_from,
    generator_from,
)
from sertools.training.adversarial import GanTrainer
from sertools.training.autoencoder import load_autoencoder
from sertools.training.batches import open_rows
from sertools.training.calibration import LatentSampler
from sertools.training.checkpoint import load_header
from sertools.training.gaussians import fit_gaussians
from sertools.training.latents import fit_latents
from sertools.training.loop import Run
from sertools.training.task import Task
from sertools.verb_config import AutoencoderTraining

ORIGINAL = NetConfig(**GAN_ARCHS["bagan"])
SWITCHES = {"up": "upsample", "activation": "relu", "norm": False}


def kinds(net: nn.Module) -> list[str]:
    return [type(module).__name__ for module in leaves(net)]


def count(net: nn.Module, name: str) -> int:
    return kinds(net).count(name)


def test_the_original_generator_is_the_published_builders():
    generator = meta(Generator, FULL, ORIGINAL)
    assert kinds(generator) == [
        *["Linear", "ReLU"] * 2,
        *["Upsample", "Conv2d", "ReLU"] * 4,
        *["ZeroPad2d", "Conv2d", "Tanh"],
    ]
    assert sizes(generator) == [(100, 1024), (1024, 8 * 8 * 128)]
    assert layout(generator, nn.Conv2d) == ((256, 5, 1), (256, 5, 1), (256, 5, 1), (128, 5, 1), (1, 2, 1))
    assert {module.mode for module in leaves(generator) if isinstance(module, nn.Upsample)} == {"nearest"}
    # dense 102,400 + 8,388,608; 25 × (128·256 + 2·256·256 + 256·128) = 4,915,200; final 512; no biases
    assert count_parameters(generator) == 102_400 + 8_388_608 + 4_915_200 + 512
    assert not any(name.endswith("bias") for name, _ in generator.named_parameters())


def test_the_original_trunk_is_leaky_with_more_dropout_and_no_normalisation():
    for net, n_out in ((meta(Encoder, FULL, ORIGINAL), 100), (meta(Discriminator, FULL, 4, ORIGINAL), 5)):
        assert kinds(net) == [*["Conv2d", "LeakyReLU", "Dropout"] * 8, "Flatten", "Linear"]
        assert {module.p for module in leaves(net) if isinstance(module, nn.Dropout)} == {0.3}
        # convolutions with biases 2,748,160
        assert count_parameters(net) == 2_748_160 + 16_384 * n_out + n_out


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_of_the_nets_changes_what_it_says_and_nothing_else(switch):
    paper, switched = NetConfig(), NetConfig(**{switch: SWITCHES[switch]})
    before, after = meta(Generator, FULL, paper), meta(Generator, FULL, switched)
    trunk_before, trunk = meta(Encoder, FULL, paper), meta(Encoder, FULL, switched)
    assert sizes(after) == sizes(before)
    if switch == "up":
        assert (count(after, "Upsample"), count(after, "ConvTranspose2d"), count(after, "Conv2d")) == (4, 0, 5)
        assert [count(after, name) for name in ("BatchNorm2d", "LeakyReLU", "Dropout")] == [4, 6, 4]
        assert kinds(trunk) == kinds(trunk_before)
        # 1,024 fewer biases of 8 layers than of 4 (1,792 and 896), as many weights and shifts of BN
        assert count_parameters(after) == 103_424 + 8_396_800 + 4_915_200 + 896 + 1_792 + 513
    elif switch == "activation":
        assert kinds(after) == [name.replace("LeakyReLU", "ReLU") for name in kinds(before)]
        assert kinds(trunk) == kinds(trunk_before)
        assert count_parameters(after) == count_parameters(before)
    else:
        assert kinds(after) == [name for name in kinds(before) if name not in ("BatchNorm2d", "Dropout")]
        assert kinds(trunk) == [name for name in kinds(trunk_before) if name != "BatchNorm2d"]
        assert count_parameters(before) - count_parameters(after) == 3_584
        assert count_parameters(trunk_before) - count_parameters(trunk) == 3_008
    if switch != "up":
        assert layout(after, nn.ConvTranspose2d) == GENERATOR_DECONVOLUTIONS


def test_the_four_switches_less_biases_and_more_dropout_are_the_original():
    one_by_one = NetConfig(**SWITCHES, batches="mixed", bias=False, dropout=0.3)
    assert one_by_one == ORIGINAL
    assert NetConfig(**GAN_ARCHS["paper"]) == NetConfig()


@pytest.mark.parametrize("switches", [GAN_ARCHS["bagan"], *({name: value} for name, value in SWITCHES.items())])
@pytest.mark.parametrize("shape", [(32, 32), (64, 128), (80, 48)])
def test_every_variant_returns_pictures_of_the_same_shape_and_learns(switches, shape, rng):
    torch.manual_seed(0)
    net = Autoencoder(shape, dataclasses.replace(SMALL, **switches)).train()
    x = torch.from_numpy(rng.uniform(-1, 1, (3, 1, *shape))).float()
    y = net(x)
    assert y.shape == x.shape
    assert y.abs().max() <= 1
    F.mse_loss(y, x).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.decoder.deconvolutions.parameters())


@pytest.mark.parametrize(
    ("words", "make"),
    [
        ("--up 'pixel': expected one of transposed, upsample", lambda: NetConfig(up="pixel")),
        ("--activation 'gelu': expected one of leaky, relu", lambda: NetConfig(activation="gelu")),
        ("--batches 'none': expected one of separate, mixed", lambda: NetConfig(batches="none")),
        ("--arch 'vgg': expected one of paper, bagan", lambda: AutoencoderTraining(arch="vgg")),
    ],
)
def test_an_unknown_choice_is_refused_by_name(words, make):
    with pytest.raises(UsageError, match=words):
        make()


@pytest.fixture
def trainer(rng, tmp_path):
    """A trainer of mixed batches whose nets have no dropout, on three classes."""
    torch.manual_seed(0)
    net_config = dataclasses.replace(NET, dropout=0.0)
    shape = (FRONT_END.n_mels, FRONT_END.n_frames)
    net = Autoencoder(shape, net_config)
    rows = open_rows([write_rows(tmp_path / "s.h5", noise(rng, 24), ["a", "b", "c"] * 8)])
    gaussians = fit_gaussians(rng.standard_normal((60, 12)), ["a", "b", "c"] * 20, "empirical")
    return GanTrainer(
        generator_from(net.decoder, shape, net_config).train(),
        discriminator_from(net.encoder, shape, 3, net_config).train(),
        LatentSampler(gaussians, CPU),
        Task("finetune-gan", {}, Run(tmp_path / "gan"), rows),
        dataclasses.replace(GAN, batches="mixed"),
    )


def test_a_mixed_batch_is_one_pass_with_one_part_fake_in_classes_and_one(trainer):
    real, labels = trainer.rows.tensor(np.arange(9), trainer.scaler, CPU), trainer.labels[:9]
    discriminator, generator = copy.deepcopy(trainer.discriminator), copy.deepcopy(trainer.generator)
    seen = []
    trainer.discriminator.register_forward_hook(lambda _net, x, _y: seen.append(x[0]))
    torch.manual_seed(5)
    losses = trainer._update_discriminator(real, labels)
    torch.manual_seed(5)
    # Three classes: 9 real rows, 3 fake ones.
    fake = generator(trainer.sampler.latents(trainer.sampler.uniform_labels(3))).detach()
    (batch,) = seen
    torch.testing.assert_close(batch, torch.cat([real, fake]))
    logits = discriminator(batch)
    F.cross_entropy(logits, torch.cat([labels, torch.full((3,), 3)])).backward()
    assert_one_adam_step(discriminator, trainer.discriminator, GAN.lr_d)
    assert losses["d_fake"].item() == pytest.approx(F.cross_entropy(logits[9:], torch.full((3,), 3)).item(), abs=1e-5)
    assert losses["d_real"].item() == pytest.approx(F.cross_entropy(logits[:9], labels).item(), abs=1e-5)


def test_few_real_rows_still_meet_a_fake(trainer):
    sizes_seen = []
    trainer.discriminator.register_forward_hook(lambda _net, x, _y: sizes_seen.append(len(x[0])))
    trainer._update_discriminator(trainer.rows.tensor(np.arange(2), trainer.scaler, CPU), trainer.labels[:2])
    assert sizes_seen == [3]


@pytest.fixture
def original(chain, tmp_path):
    """An autoencoder of the original's nets, and its latents."""
    net = dataclasses.replace(NET, **GAN_ARCHS["bagan"])
    pretrain([chain.train], tmp_path / "ae", dataclasses.replace(AE, net=net))
    fit_latents(tmp_path / "ae", [chain.train], tmp_path / "l.h5", "empirical", CPU)
    return tmp_path / "ae", tmp_path / "l.h5"


@pytest.mark.parametrize(("given", "used"), [(None, "mixed"), ("separate", "separate")])
def test_the_gan_inherits_the_architecture_and_its_batches(original, chain, tmp_path, given, used):
    ae, latents = original
    finetune(ae, latents, [chain.train], tmp_path / "gan", dataclasses.replace(GAN, batches=given))
    header = load_header(tmp_path / "gan", "gan")
    assert header.net == load_header(ae).net == dataclasses.replace(NET, **GAN_ARCHS["bagan"])
    assert header.config["batches"] == used


def test_an_unknown_way_to_feed_the_discriminator_is_refused(chain, tmp_path):
    with pytest.raises(UsageError, match="--batches 'half': expected one of separate, mixed"):
        finetune(chain.ae, chain.latents, [chain.train], tmp_path / "g", dataclasses.replace(GAN, batches="half"))


def test_the_paper_has_separate_batches(chain):
    assert load_header(chain.gan, "gan").config["batches"] == "separate"


def test_switches_beside_an_architecture_override_it(chain, call):
    given = ("--preset", "smoke", "--width", "1/32", "--steps", 2, "--batch-size", 8)
    done = call(
        "pretrain-ae",
        chain.train,
        "-o",
        "ae",
        *given,
        "--arch",
        "bagan",
        "--norm",
        "--up",
        "transposed",
        "--dropout",
        0,
    )
    assert done.code == 0, done.err
    net = load_autoencoder(Path("ae"))[0].net
    assert (net.up, net.activation, net.norm, net.batches, net.bias) == ("transposed", "relu", True, "mixed", False)
    assert net.dropout == 0
    done = call("pretrain-ae", chain.train, "-o", "ae2", *given, "--no-norm")
    assert done.code == 0, done.err
    assert load_autoencoder(Path("ae2"))[0].net == NetConfig(width=1 / 32, bn_momentum=0.1, norm=False)


def test_a_model_file_from_before_the_switches_is_the_papers(chain, tmp_path):
    rewrite(
        chain.ae,
        tmp_path / "old",
        lambda net: {k: v for k, v in net.items() if k not in {*SWITCHES, "batches", "bias"}},
    )
    assert load_autoencoder(tmp_path / "old")[0].net == load_header(chain.ae).net


def test_a_model_file_with_an_unknown_choice_is_refused(chain, tmp_path):
    rewrite(chain.ae, tmp_path / "odd", lambda net: net | {"up": "pixel"})
    with pytest.raises(ModelError, match="odd: its weights do not fit its own sizes"):
        load_autoencoder(tmp_path / "odd")


def rewrite(source: Path, target: Path, change) -> None:
    from sertools.training.checkpoint import load_model, save_model

    header, tensors = load_model(source, "autoencoder")
    config = {**header.config, "net": change(dict(header.config["net"]))}
    save_model(target, dataclasses.replace(header, config=config), tensors)
