"""What the nets of Figure 1 are built from, whether their rows are pictures or vectors."""

from __future__ import annotations

from torch import nn

from sertools.config import NetConfig
from sertools.nets.dropout import Dropout


def scaled(units: int, width: float) -> int:
    """Scale a number of filters or units, to at least one."""
    return max(1, round(units * width))


def after(norm: nn.Module, config: NetConfig, activation: nn.Module) -> list[nn.Module]:
    """What follows each (de)convolution or dense layer (§2.3)."""
    return [norm, activation, Dropout(config.dropout)] if config.norm else [activation]


def activation_of(config: NetConfig) -> nn.Module:
    """Make an activation of the generator (§2.4)."""
    return nn.ReLU() if config.activation == "relu" else nn.LeakyReLU(config.leaky_slope)


def as_he(net: nn.Module, head: nn.Linear) -> None:
    """Initialise as He et al. 2015, and small weights in the last layer."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.normal_(head.weight, std=0.01)
