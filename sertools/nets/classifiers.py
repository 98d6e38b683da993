"""Classifiers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from sertools.arrays import Shape
from sertools.classifier_config import LINEAR, MLP
from sertools.nets.alexnet import AlexNet
from sertools.nets.cnn import SmallCNN
from sertools.nets.crnn import CRNN
from sertools.nets.vgg import CONFIGURATION_D, VGG

BUILDERS: Mapping[str, Callable[[Shape, int, float], nn.Module]] = {
    "vgg19": VGG,
    "vgg19-bn": lambda shape, n_classes, width: VGG(shape, n_classes, width, batch_norm=True),
    "vgg16": lambda shape, n_classes, width: VGG(shape, n_classes, width, blocks=CONFIGURATION_D),
    "alexnet": AlexNet,
    "crnn": CRNN,
    "cnn": SmallCNN,
    LINEAR: lambda shape, n_classes, _: nn.Linear(shape[0], n_classes),
    MLP: lambda shape, n_classes, width: mlp(shape[0], n_classes, width),
}

# They halve a picture so often that nothing is left of one with a shorter side.
HALVING = ("vgg19", "vgg19-bn", "vgg16", "alexnet")
LEAST_SIDE = 32


def mlp(n_values: int, n_classes: int, width: float) -> nn.Module:
    """Build a net of one hidden layer for vectors, half of whose units are dropped while it learns."""
    hidden = max(1, round(256 * width))
    return nn.Sequential(nn.Linear(n_values, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, n_classes))


def build_classifier(arch: str, shape: Shape, n_classes: int, width: float) -> nn.Module:
    """Build a classifier; `arch` is one of ``classifier_config.ARCHITECTURES``."""
    return BUILDERS[arch](shape, n_classes, width)
