"""Figure 1 and §2.3 of the paper as data, and the nets against it; VGGs and AlexNet against their papers."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from sertools.classifier_config import PICTURE_ARCHS
from sertools.config import NetConfig
from sertools.nets.alexnet import AlexNet
from sertools.nets.classifiers import build_classifier
from sertools.nets.cnn import SmallCNN
from sertools.nets.crnn import CRNN
from sertools.nets.gan import (
    Autoencoder,
    Discriminator,
    Encoder,
    Generator,
    clamp_dropout,
    discriminator_from,
    generator_from,
)
from sertools.nets.vgg import CONFIGURATION_D, VGG

PAPER = NetConfig()
FULL = (128, 128)
SMALL = NetConfig(width=1 / 32)

# filters, kernel, stride
ENCODER_CONVOLUTIONS = (
    (32, 3, 2), (64, 3, 1), (128, 3, 2), (256, 3, 1), (256, 3, 2), (256, 3, 1), (256, 3, 2), (256, 3, 1),
)  # fmt: skip
GENERATOR_DECONVOLUTIONS = (
    (256, 5, 1), (256, 4, 2), (256, 5, 1), (256, 4, 2), (256, 5, 1), (256, 4, 2), (128, 5, 1), (128, 4, 2),
)  # fmt: skip
E = (64,) * 2 + (128,) * 2 + (256,) * 4 + (512,) * 8
D = (64,) * 2 + (128,) * 2 + (256,) * 3 + (512,) * 6
# filters, kernel
ONE_TOWER = ((64, 11), (192, 5), (384, 3), (256, 3), (256, 3))


def meta(build, *args, **kwargs):
    """Build without memory: the full nets have 20 to 70 million weights."""
    with torch.device("meta"):
        return build(*args, **kwargs)


def count_parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def leaves(net: nn.Module) -> list[nn.Module]:
    return [module for module in net.modules() if not list(module.children())]


def layout(net: nn.Module, kind: type) -> tuple[tuple[int, int, int], ...]:
    found = [module for module in net.modules() if isinstance(module, kind)]
    assert all(m.kernel_size[0] == m.kernel_size[1] and m.stride[0] == m.stride[1] for m in found)
    return tuple((m.out_channels, m.kernel_size[0], m.stride[0]) for m in found)


def sizes(net: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_features, m.out_features) for m in net.modules() if isinstance(m, nn.Linear)]


def halves(net: nn.Module, kind: type, x: Tensor) -> list[int]:
    """Height of the output of each layer of a kind."""
    heights: list[int] = []
    for module in net.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda _m, _x, y: heights.append(y.shape[2]))
    net(x)
    return heights


def filled(build, *args) -> nn.Module:
    net = build(*args)
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 0.2)
    return net


def test_the_trunk_has_the_papers_eight_convolutions():
    encoder = meta(Encoder, FULL, PAPER)
    assert layout(encoder, nn.Conv2d) == ENCODER_CONVOLUTIONS
    assert sizes(encoder) == [(8 * 8 * 256, 100)]
    heights = halves(encoder, nn.Conv2d, torch.empty(1, 1, *FULL, device="meta"))
    assert heights == [64, 64, 32, 32, 16, 16, 8, 8]


@pytest.mark.parametrize("n_classes", [2, 4, 7])
def test_the_discriminator_has_one_output_more_than_classes(n_classes):
    discriminator = meta(Discriminator, FULL, n_classes, PAPER)
    assert layout(discriminator, nn.Conv2d) == ENCODER_CONVOLUTIONS
    assert sizes(discriminator) == [(8 * 8 * 256, n_classes + 1)]
    # Logits: cross-entropy brings the softmax.
    assert isinstance(leaves(discriminator)[-1], nn.Linear)


def test_the_generator_has_two_dense_eight_transposed_and_one_final_convolution():
    generator = meta(Generator, FULL, PAPER)
    assert sizes(generator) == [(100, 1024), (1024, 8 * 8 * 128)]
    assert layout(generator, nn.ConvTranspose2d) == GENERATOR_DECONVOLUTIONS
    assert layout(generator, nn.Conv2d) == ((1, 2, 1),)
    heights = halves(generator, nn.ConvTranspose2d, torch.empty(1, 100, device="meta"))
    assert heights == [8, 16, 16, 32, 32, 64, 64, 128]
    assert [type(m) for m in leaves(generator)[-3:]] == [nn.ZeroPad2d, nn.Conv2d, nn.Tanh]


@pytest.mark.parametrize(("build", "kind"), [(Encoder, nn.Conv2d), (Generator, nn.ConvTranspose2d)])
def test_normalisation_activation_and_dropout_follow_each_convolution_and_nothing_else(build, kind):
    modules = leaves(meta(build, FULL, PAPER))
    places = [i for i, module in enumerate(modules) if isinstance(module, kind)]
    assert len(places) == 8
    for i in places:
        norm, activation, dropout = modules[i + 1 : i + 4]
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.num_features == modules[i].out_channels
        assert isinstance(activation, nn.LeakyReLU)
        assert activation.negative_slope == 0.3
        assert isinstance(dropout, nn.Dropout)
        assert dropout.p == 0.2
    assert sum(isinstance(m, nn.BatchNorm2d) for m in modules) == 8
    assert sum(isinstance(m, (nn.Dropout, nn.Dropout2d)) for m in modules) == 8
    # Besides, each dense layer of the generator has its leaky ReLU.
    assert sum(isinstance(m, nn.LeakyReLU) for m in modules) == (8 if build is Encoder else 10)
    assert not any(isinstance(m, (nn.ReLU, nn.Upsample, nn.MaxPool2d)) for m in modules)


@pytest.mark.parametrize(
    ("net", "count"),
    [
        # trunk 2,751,168 = convolutions 2,748,160 + normalisation 3,008; head 16,384 × n + n
        (lambda: Encoder(FULL, PAPER), 4_389_668),
        (lambda: Discriminator(FULL, 4, PAPER), 2_833_093),
        # dense 103,424 + 8,396,800; deconvolutions 8,324,864; normalisation 3,584; final 513
        (lambda: Generator(FULL, PAPER), 16_829_185),
        # convolutions 20,023,232; dense 33,558,528 + 16,781,312 + 16,388
        (lambda: VGG(FULL, 4), 70_379_460),
        # normalisation 256 + 320; convolutions 46,384; two LSTMs of 147,968; head 1,028
        (lambda: CRNN(FULL, 4), 343_924),
        (lambda: VGG(FULL, 4, batch_norm=True), 70_379_460 + 2 * sum(E)),
    ],
)
def test_parameters_are_counted_by_hand(net, count):
    assert count_parameters(meta(net)) == count


def test_width_scales_every_filter():
    quarter = NetConfig(width=1 / 4)
    encoder, generator = meta(Encoder, FULL, quarter), meta(Generator, FULL, quarter)
    assert layout(encoder, nn.Conv2d) == tuple((f // 4, k, s) for f, k, s in ENCODER_CONVOLUTIONS)
    assert layout(generator, nn.ConvTranspose2d) == tuple((f // 4, k, s) for f, k, s in GENERATOR_DECONVOLUTIONS)
    assert sizes(encoder) == [(8 * 8 * 64, 100)]
    assert sizes(generator) == [(100, 256), (256, 8 * 8 * 32)]
    assert all(f >= 1 for f, *_ in layout(meta(Encoder, FULL, NetConfig(width=1e-6)), nn.Conv2d))


@pytest.mark.parametrize("shape", [(128, 128), (64, 64), (32, 32), (16, 16), (64, 128), (80, 48)])
def test_an_autoencoder_returns_pictures_of_the_same_shape_in_range(shape, rng):
    torch.manual_seed(0)
    net = Autoencoder(shape, SMALL)
    x = torch.from_numpy(rng.uniform(-1, 1, (3, 1, *shape))).float()
    for training in (True, False):
        y = net.train(training)(x)
        assert y.shape == x.shape
        assert y.abs().max() <= 1
    assert net.encoder(x).shape == (3, 100)


def test_the_last_layer_bounds_any_latent():
    torch.manual_seed(0)
    generator = Generator((32, 32), SMALL).train()
    y = generator(1e4 * torch.randn(8, 100))
    assert y.min() >= -1
    assert y.max() <= 1
    assert y.max() - y.min() > 0.5


def test_evaluation_draws_nothing_and_training_does():
    torch.manual_seed(0)
    net = Autoencoder((32, 32), SMALL)
    x = torch.randn(4, 1, 32, 32)
    net.eval()
    assert torch.equal(net(x), net(x))
    net.train()
    assert not torch.equal(net(x), net(x))
    clamp_dropout(net, False)
    assert torch.equal(net(x), net(x))


def test_the_gan_starts_from_the_autoencoder():
    torch.manual_seed(0)
    net = filled(Autoencoder, (32, 32), SMALL)
    discriminator = discriminator_from(net.encoder, (32, 32), 4, SMALL)
    generator = generator_from(net.decoder, (32, 32), SMALL)
    for ours, theirs in ((discriminator.trunk, net.encoder.trunk), (generator, net.decoder)):
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        for name, value in ours.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name]), name
            # Copies: the GAN's training leaves the autoencoder alone.
            assert value.data_ptr() != theirs.state_dict()[name].data_ptr()
    assert discriminator.head.out_features == 5
    assert not discriminator.head.bias.any()


def test_weights_start_as_glorots():
    torch.manual_seed(0)
    encoder = Autoencoder((32, 32), NetConfig(width=1 / 4)).encoder
    head = encoder.head
    bound = (6 / (head.in_features + head.out_features)) ** 0.5
    assert 0.95 * bound < head.weight.abs().max() <= bound
    assert not any(m.bias.any() for m in encoder.modules() if isinstance(m, (nn.Conv2d, nn.Linear)))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg19_is_configuration_e(batch_norm):
    net = meta(VGG, FULL, 4, batch_norm=batch_norm)
    assert layout(net, nn.Conv2d) == tuple((f, 3, 1) for f in E)
    assert sizes(net) == [(4 * 4 * 512, 4096), (4096, 4096), (4096, 4)]
    assert sum(isinstance(m, nn.MaxPool2d) for m in net.modules()) == 5
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == (16 if batch_norm else 0)
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]
    assert net.features(torch.empty(1, 1, *FULL, device="meta")).shape == (1, 512, 4, 4)


def of_convolutions(layers, channels: int) -> int:
    """Weights and biases of convolutions one after the other, by (filters, kernel)."""
    before = (channels, *(filters for filters, _ in layers))
    return sum(filters * (kernel * kernel * n + 1) for n, (filters, kernel) in zip(before, layers, strict=False))


def of_dense(*units: int) -> int:
    return sum(after * (before + 1) for before, after in pairwise(units))


@pytest.mark.parametrize(
    ("arch", "layers", "published", "left", "ours"),
    [
        # Published for 224×224 in colour and 1000 classes, where 7×7 or 6×6 values are left of each map.
        ("vgg16", [(f, 3) for f in D], 138_357_544, 7 * 7 * 512, 4 * 4 * 512),
        ("vgg19", [(f, 3) for f in E], 143_667_240, 7 * 7 * 512, 4 * 4 * 512),
        ("alexnet", ONE_TOWER, 61_100_840, 6 * 6 * 256, 3 * 3 * 256),
    ],
)
def test_the_rivals_nets_have_the_parameters_that_are_published(arch, layers, published, left, ours):
    assert of_convolutions(layers, 3) + of_dense(left, 4096, 4096, 1000) == published
    net = meta(build_classifier, arch, FULL, 4, 1.0)
    assert count_parameters(net.features) == of_convolutions(layers, 1)
    assert count_parameters(net) == of_convolutions(layers, 1) + of_dense(ours, 4096, 4096, 4)


def test_vgg16_is_configuration_d():
    net = meta(VGG, FULL, 4, blocks=CONFIGURATION_D)
    assert layout(net, nn.Conv2d) == tuple((f, 3, 1) for f in D)
    assert [type(m) for m in net.features].index(nn.MaxPool2d) == 4


def test_alexnet_is_that_of_one_tower():
    net = meta(AlexNet, FULL, 4)
    assert layout(net, nn.Conv2d) == ((64, 11, 4), (192, 5, 1), (384, 3, 1), (256, 3, 1), (256, 3, 1))
    assert [(m.kernel_size, m.stride) for m in net.modules() if isinstance(m, nn.MaxPool2d)] == [(3, 2)] * 3
    assert net.features(torch.empty(1, 1, *FULL, device="meta")).shape == (1, 256, 3, 3)
    # Of a photograph, as many as torchvision has.
    assert net.features(torch.empty(1, 1, 224, 224, device="meta")).shape == (1, 256, 6, 6)
    # A last window of 3 does not fit into 1, and is left out.
    assert meta(AlexNet, (32, 32), 4).features(torch.empty(1, 1, 32, 32, device="meta")).shape == (1, 256, 1, 1)


@pytest.mark.parametrize("arch", PICTURE_ARCHS)
@pytest.mark.parametrize("shape", [(32, 32), (64, 48)])
def test_every_classifier_gives_a_logit_a_class_and_learns(arch, shape):
    torch.manual_seed(0)
    net = build_classifier(arch, shape, 3, 1 / 16)
    x, y = torch.randn(6, 1, *shape), torch.arange(6) % 3
    logits = net.train()(x)
    assert logits.shape == (6, 3)
    nn.functional.cross_entropy(logits, y).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    # The last normalisation takes the bias before it away; every weight matters.
    assert all(p.grad.any() for name, p in net.named_parameters() if name.endswith("weight"))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_the_architectures_by_name():
    assert count_parameters(meta(build_classifier, "vgg19", FULL, 4, 1.0)) == 70_379_460
    assert isinstance(meta(build_classifier, "crnn", FULL, 4, 1.0), CRNN)
    assert isinstance(meta(build_classifier, "cnn", FULL, 4, 1.0), SmallCNN)
    assert count_parameters(meta(build_classifier, "vgg19-bn", FULL, 4, 1.0)) > 70_379_460


def test_the_small_net_sees_each_mel_bin_on_its_own_scale():
    torch.manual_seed(0)
    net = SmallCNN((32, 32), 4).train()
    x = torch.randn(8, 1, 32, 32)
    gain, level = torch.rand(32, 1) + 0.5, 3 * torch.randn(32, 1)
    torch.testing.assert_close(net(x * gain + level), net(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(16, 16), (32, 32), (128, 32), (64, 128), (128, 128)])
def test_the_crnn_leaves_a_sequence_of_a_quarter_of_the_frames(shape):
    net = CRNN(shape, 4, 1 / 4).eval()
    seen = []
    net.over_time.register_forward_hook(lambda _m, inputs, _y: seen.append(inputs[0].shape))
    assert net(torch.randn(2, 1, *shape)).shape == (2, 4)
    assert seen == [(2, shape[1] // 4, 16 * shape[0] // 16)]


def test_width_scales_the_crnn():
    net = meta(CRNN, FULL, 4, 1 / 8)
    assert [m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d)] == [2, 4, 6, 8]
    assert (net.over_time.hidden_size, net.over_time.bidirectional) == (8, True)
    assert count_parameters(meta(CRNN, FULL, 4, 1e-6)) > 0


def two_events(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A low and a high tone in noise; the class is which comes first.

    They lie further apart than a convolution sees, and so far from the ends that it cannot tell where it is.
    """
    x = 0.1 * torch.randn(n, 1, 16, 128, generator=generator)
    y = torch.randint(0, 2, (n,), generator=generator)
    early = torch.randint(20, 64, (n,), generator=generator)
    for picture, low_is_late, start in zip(x[:, 0], y.tolist(), early.tolist(), strict=True):
        low, high = (start + 40, start) if low_is_late else (start, start + 40)
        picture[3:5, low : low + 4] += 1
        picture[11:13, high : high + 4] += 1
    return x, y


def test_the_crnn_hears_which_event_came_first():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    net = CRNN((16, 128), 2, 1 / 2)
    optimiser = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(60):
        x, y = two_events(32, generator)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net.train()(x), y).backward()
        optimiser.step()
    x, y = two_events(200, generator)
    with torch.no_grad():
        logits = net.eval()(x)
        assert torch.equal(logits, net(x))
        assert (logits.argmax(1) == y).float().mean() > 0.95
        # Played backwards, the other event comes first.
        assert (net(x.flip(3)).argmax(1) == 1 - y).float().mean() > 0.95
