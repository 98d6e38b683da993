"""A CycleGAN that is told the wanted class (Zhu et al. 2017): two generators and two critics.

There are rows of two sorts for every class, those of the class and those of all others. One generator makes rows of
the class of others, `back` makes others of them, and a critic stands at either end; all four are told the class by
one-hot channels beside the row (Choi et al. 2018), so that one file serves every class. Each generator adds what it
changes to its row, and changes nothing at first: a class of a few rows cannot teach what speech is.

Pictures have the nets of the original, of six residual blocks and of patches of 70×70; vectors have dense ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.generator_config import CycleGanConfig
from sertools.nets.conditioning import still
from sertools.nets.layers import scaled

FILTERS = (64, 128, 256)  # of the generator, at full size, a half and a quarter
CRITIC_FILTERS = (64, 128, 256, 512)
N_RESIDUAL = 6  # what the original has for pictures of 128×128
UNITS = 256
_SLOPE = 0.2
_FIRST_SD = 0.02
_SMALL = 32  # pictures with a side below it are halved once less by a critic, or nothing would be left


class _Residual(nn.Module):
    """Layers beside a shortcut."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Change features."""
        y: Tensor = x + self.layers(x)
        return y


def _conv(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, padding_mode="reflect")


def picture_generator(n_in: int, n_out: int, width: float) -> nn.Sequential:
    """c7s1-64, d128, d256, six R256, u128, u64, c7s1 of the original, without its tanh [shape=(B, n_out, h, w)]."""
    first, second, third = (scaled(filters, width) for filters in FILTERS)
    layers: list[nn.Module] = [_conv(n_in, first, 7), nn.InstanceNorm2d(first), nn.ReLU()]
    for before, after in ((first, second), (second, third)):
        layers += [nn.Conv2d(before, after, 3, 2, padding=1), nn.InstanceNorm2d(after), nn.ReLU()]
    for _ in range(N_RESIDUAL):
        pair = (_conv(third, third, 3), nn.InstanceNorm2d(third), nn.ReLU(), _conv(third, third, 3))
        layers.append(_Residual(*pair, nn.InstanceNorm2d(third)))
    for before, after in ((third, second), (second, first)):
        up = nn.ConvTranspose2d(before, after, 3, 2, padding=1, output_padding=1)
        layers += [up, nn.InstanceNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, _conv(first, n_out, 7))


def picture_critic(n_in: int, width: float, n_halvings: int = 3) -> nn.Sequential:
    """C64-C128-C256-C512 of the original [shape=(B, 1, n, m)]: scores of patches, of 70×70 at three halvings."""
    layers: list[nn.Module] = []
    for level, filters in enumerate(CRITIC_FILTERS):
        n_out = scaled(filters, width)
        norm = [nn.InstanceNorm2d(n_out)] if level else []
        layers += [nn.Conv2d(n_in, n_out, 4, 2 if level < n_halvings else 1, padding=1), *norm, nn.LeakyReLU(_SLOPE)]
        n_in = n_out
    return nn.Sequential(*layers, nn.Conv2d(n_in, 1, 4, padding=1))


def vector_generator(n_in: int, n_out: int, width: float) -> nn.Sequential:
    """Two residual blocks of dense layers [shape=(B, n_out)]."""
    units = scaled(UNITS, width)
    blocks = [
        _Residual(nn.LayerNorm(units), nn.SiLU(), nn.Linear(units, units), nn.SiLU(), nn.Linear(units, units))
        for _ in range(2)
    ]
    return nn.Sequential(nn.Linear(n_in, units), *blocks, nn.LayerNorm(units), nn.SiLU(), nn.Linear(units, n_out))


def vector_critic(n_in: int, width: float) -> nn.Sequential:
    """Two hidden layers, and a score [shape=(B, 1)]."""
    units = scaled(UNITS, width)
    first, second = nn.Linear(n_in, units), nn.Linear(units, units)
    return nn.Sequential(first, nn.LeakyReLU(_SLOPE), second, nn.LeakyReLU(_SLOPE), nn.Linear(units, 1))


def _told(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Put the class beside each row: channels of ones and zeros, or values."""
    code = F.one_hot(labels, n_classes).to(x.dtype).view(len(x), -1, *[1] * (x.dim() - 2))
    return torch.cat([x, code.expand(-1, -1, *x.shape[2:])], dim=1)


class RowTranslator(nn.Module):
    """Row [shape=(B, *net_shape)] and class [shape=(B,)] → the row, changed; at first as it was."""

    def __init__(self, shape: Shape, n_classes: int, width: float) -> None:
        super().__init__()
        self.n_classes = n_classes
        build, n_own = (picture_generator, 1) if len(shape) > 1 else (vector_generator, shape[0])
        self.change = build(n_own + n_classes, n_own, width)
        self.change.apply(_initialise)
        last = self.change[-1]
        assert isinstance(last, nn.Conv2d | nn.Linear)
        still(last)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Translate."""
        y: Tensor = x + self.change(_told(x, labels, self.n_classes))
        return y


class RowCritic(nn.Module):
    """Row [shape=(B, *net_shape)] and class [shape=(B,)] → score of each patch [shape=(B, n)]: 1 real, 0 made."""

    def __init__(self, shape: Shape, n_classes: int, width: float) -> None:
        super().__init__()
        self.n_classes = n_classes
        if len(shape) > 1:
            self.score = picture_critic(1 + n_classes, width, 3 if min(shape) >= _SMALL else 2)
        else:
            self.score = vector_critic(shape[0] + n_classes, width)
        self.score.apply(_initialise)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Judge."""
        scores: Tensor = self.score(_told(x, labels, self.n_classes))
        return scores.flatten(1)


class CycleGan(nn.Module):
    """Two generators, two critics, and what either pair learns by.

    Attributes
    ----------
    generator, critic
        To rows of the class that is told.
    back, back_critic
        To rows of the other classes.
    """

    def __init__(self, shape: Shape, n_classes: int, config: CycleGanConfig) -> None:
        super().__init__()
        self.config = config
        self.generator, self.back = (RowTranslator(shape, n_classes, config.width) for _ in range(2))
        self.critic, self.back_critic = (RowCritic(shape, n_classes, config.width) for _ in range(2))

    def generator_losses(self, x: Tensor, y: Tensor, labels: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """What the generators are to minimise, and the rows that they made.

        Parameters
        ----------
        x, y
            Scaled rows of other classes, and of the class told [shape=(B, *net_shape)].
        labels
            That class [shape=(B,)].

        Returns
        -------
        losses
            ``loss``, to be minimised; ``g``, least squares of both critics' scores from 1; ``cycle``, mean
            |there and back − row| per value, of both ways together; ``identity``, the same of rows that are at their
            end already.
        made_y, made_x
            `x` as the class, `y` as another; without gradients.
        """
        made_y, made_x = self.generator(x, labels), self.back(y, labels)
        g = (self.critic(made_y, labels) - 1.0).square().mean()
        g = g + (self.back_critic(made_x, labels) - 1.0).square().mean()
        cycle = F.l1_loss(self.back(made_y, labels), x) + F.l1_loss(self.generator(made_x, labels), y)
        identity = F.l1_loss(self.generator(y, labels), y) + F.l1_loss(self.back(x, labels), x)
        loss = g + self.config.cycle * cycle + self.config.identity * identity
        losses = {"loss": loss, "g": g.detach(), "cycle": cycle.detach(), "identity": identity.detach()}
        return losses, made_y.detach(), made_x.detach()

    def critic_losses(
        self, x: Tensor, y: Tensor, made_y: Tensor, made_x: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Half the least squares of scores from 1 of real rows and from 0 of made ones, by critic."""
        return {
            "d": _least_squares(self.critic(y, labels), self.critic(made_y, labels)),
            "d_back": _least_squares(self.back_critic(x, labels), self.back_critic(made_x, labels)),
        }


def _least_squares(real: Tensor, made: Tensor) -> Tensor:
    return 0.5 * ((real - 1.0).square().mean() + made.square().mean())


def _initialise(module: nn.Module) -> None:
    """Weights of the original: normal, with a standard deviation of 0.02; dense ones as torch draws them."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, _FIRST_SD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
