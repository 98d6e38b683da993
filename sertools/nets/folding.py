"""The same function with less work, for nets that are done with training."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Net = TypeVar("Net", bound=nn.Module)


def folded(net: Net) -> Net:
    """Return a copy that computes the same in eval mode, within rounding, and cannot be trained.

    Every batch normalisation goes into the weights of the convolution before it, dropout is left out, activations
    work in place, and a transposed convolution of stride 1 becomes the convolution that it is: its plain kernel is
    the faster one.

    Parameters
    ----------
    net
        Its convolutions, and what follows them, stand in `torch.nn.Sequential`.
    """
    net = copy.deepcopy(net).eval().requires_grad_(False)
    for parent in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        kept: list[nn.Module] = []
        for layer in parent:
            before = kept[-1] if kept else None
            if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d | nn.ConvTranspose2d):
                kept[-1] = fuse_conv_bn_eval(before, layer, transpose=isinstance(before, nn.ConvTranspose2d))
            elif isinstance(layer, nn.LeakyReLU):
                kept.append(nn.LeakyReLU(layer.negative_slope, inplace=True))
            elif not isinstance(layer, nn.Dropout):
                kept.append(layer)
        parent._modules.clear()
        parent.extend(_plain(layer) for layer in kept)
    return net


def _plain(layer: nn.Module) -> nn.Module:
    """A transposed convolution of stride 1 as a convolution: the kernel turned by 180°, its channels swapped."""
    if not (isinstance(layer, nn.ConvTranspose2d) and layer.stride == (1, 1) and layer.groups == 1):
        return layer
    size, padding = layer.kernel_size, layer.padding
    assert not isinstance(padding, str)
    result = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        (size[0], size[1]),
        padding=(size[0] - 1 - padding[0], size[1] - 1 - padding[1]),
        bias=layer.bias is not None,
    )
    with torch.no_grad():
        result.weight.copy_(layer.weight.flip(2, 3).transpose(0, 1))
        if layer.bias is not None and result.bias is not None:
            result.bias.copy_(layer.bias)
    return result.requires_grad_(False)
