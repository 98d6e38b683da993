"""Classifiers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from sertools.arrays import Shape
from sertools.classifier_config import LINEAR, MLP
from sertools.nets.cnn import SmallCNN
from sertools.nets.crnn import CRNN
from sertools.nets.vgg import VGG19

BUILDERS: Mapping[str, Callable[[Shape, int, float], nn.Module]] = {
    "vgg19": lambda shape, n_classes, width: VGG19(shape, n_classes, width),
    "vgg19-bn": lambda shape, n_classes, width: VGG19(shape, n_classes, width, batch_norm=True),
    "crnn": CRNN,
    "cnn": SmallCNN,
    LINEAR: lambda shape, n_classes, _: nn.Linear(shape[0], n_classes),
    MLP: lambda shape, n_classes, width: mlp(shape[0], n_classes, width),
}


def mlp(n_values: int, n_classes: int, width: float) -> nn.Module:
    """Build a net of one hidden layer for vectors, half of whose units are dropped while it learns."""
    hidden = max(1, round(256 * width))
    return nn.Sequential(nn.Linear(n_values, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, n_classes))


def build_classifier(arch: str, shape: Shape, n_classes: int, width: float) -> nn.Module:
    """Build a classifier; `arch` is one of ``classifier_config.ARCHITECTURES``."""
    return BUILDERS[arch](shape, n_classes, width)
