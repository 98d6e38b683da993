"""A folded net computes what the net does, from weights of its own."""

import pytest
import torch
from torch import nn

from sertools.config import NetConfig
from sertools.nets.classifiers import build_classifier
from sertools.nets.folding import folded
from sertools.nets.gan import Autoencoder, Generator
from sertools.training.runtime import place

CPU = torch.device("cpu")
VARIANTS = ({}, {"up": "upsample"}, {"activation": "relu"}, {"norm": False}, {"bias": False}, {"dropout": 0.0})


def trained(net):
    """Statistics and weights as training might leave them."""
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 3)
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    return net


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_generator_makes_the_same_pictures(variant):
    net = trained(Generator((32, 48), NetConfig(width=1 / 16, **variant)))
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    z = torch.randn(5, 100)
    fast = place(folded(net), CPU)
    assert net.training, "the net itself is left as it was"
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    net.eval()
    with torch.inference_mode():
        expected = net(z)
        assert expected.std() > 1e-3
        torch.testing.assert_close(fast(z), expected, rtol=0, atol=2e-5)
    layers = [type(layer) for layer in fast.modules()]
    assert nn.BatchNorm2d not in layers
    if variant != {"up": "upsample"}:
        assert {layer.stride for layer in fast.modules() if isinstance(layer, nn.ConvTranspose2d)} == {(2, 2)}


@pytest.mark.parametrize("net", ["autoencoder", "vgg19-bn", "cnn", "crnn"])
def test_other_nets_compute_the_same(net):
    net = (
        Autoencoder((32, 32), NetConfig(width=1 / 16))
        if net == "autoencoder"
        else build_classifier(net, (32, 32), 3, 1 / 16)
    )
    net, x = trained(net).eval(), torch.randn(4, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(folded(net)(x), net(x), rtol=1e-4, atol=2e-5)
