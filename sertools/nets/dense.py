"""The dense counterpart of Figure 1, for rows that are vectors of an encoder.

What §2.3 puts around a convolution stands around a dense layer: batch normalisation, leaky ReLU, dropout 0.2. An
encoder has done the work of the eight convolutions, and a corpus has some hundred rows; so each side has two hidden
layers, of 512 units next to the row, as many values as the vectors of a base-sized encoder have, and of 256 next to
the latent. The last layer is linear and has no tanh, for vectors are standardised and have no bounds.
"""

from __future__ import annotations

from torch import nn

from sertools.config import NetConfig
from sertools.nets.dropout import Dropout
from sertools.nets.layers import activation_of, after, scaled
from sertools.nets.parts import BatchNorm1d

TRUNK_UNITS = (512, 256)
GENERATOR_UNITS = (256, 512)


class DenseTrunk(nn.Sequential):
    """Vector [shape=(B, n_values)] → features [shape=(B, n_features)]."""

    def __init__(self, n_values: int, config: NetConfig) -> None:
        layers: list[nn.Module] = []
        size = n_values
        for units in TRUNK_UNITS:
            units = scaled(units, config.width)
            # As in the trunk of pictures, dropout stays where normalisation goes.
            kept = [] if config.norm else [Dropout(config.dropout)]
            layers += [nn.Linear(size, units), *_after(units, config, nn.LeakyReLU(config.leaky_slope)), *kept]
            size = units
        super().__init__(*layers)
        self.n_features = size


class DenseGenerator(nn.Sequential):
    """Latent [shape=(B, latent_size)] → standardised vector [shape=(B, n_values)]."""

    def __init__(self, n_values: int, config: NetConfig) -> None:
        layers: list[nn.Module] = []
        size = config.latent_size
        for units in GENERATOR_UNITS:
            units = scaled(units, config.width)
            layers += [nn.Linear(size, units, bias=config.bias), *_after(units, config, activation_of(config))]
            size = units
        super().__init__(*layers, nn.Linear(size, n_values, bias=config.bias))


def _after(units: int, config: NetConfig, activation: nn.Module) -> list[nn.Module]:
    return after(BatchNorm1d(units, momentum=config.bn_momentum), config, activation)
