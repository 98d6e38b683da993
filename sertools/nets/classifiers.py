"""Classifiers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from sertools.arrays import Shape
from sertools.nets.cnn import SmallCNN
from sertools.nets.crnn import CRNN
from sertools.nets.vgg import VGG19

BUILDERS: Mapping[str, Callable[[Shape, int, float], nn.Module]] = {
    "vgg19": lambda shape, n_classes, width: VGG19(shape, n_classes, width),
    "vgg19-bn": lambda shape, n_classes, width: VGG19(shape, n_classes, width, batch_norm=True),
    "crnn": CRNN,
    "cnn": SmallCNN,
}


def build_classifier(arch: str, shape: Shape, n_classes: int, width: float) -> nn.Module:
    """Build a classifier; `arch` is one of ``config.ARCHITECTURES``."""
    return BUILDERS[arch](shape, n_classes, width)
