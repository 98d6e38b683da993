"""How a row of one class becomes a row of another: by the map that the generator at hand has learnt.

A GAN's is the transport between its class Gaussians (`transport`). A conditional VAE's is its decoder, told another
class. A diffusion model's is its flow: to noise as the one class, and back as the other (Su et al. 2023, "Dual
Diffusion Implicit Bridges"), or only part of the way (Meng et al. 2022, "SDEdit"). A CycleGAN learns nothing else.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from sertools.arrays import Index, Pictures
from sertools.nets.cvae import Cvae
from sertools.nets.cyclegan import RowTranslator
from sertools.nets.edm import Edm
from sertools.training.drawing import without_channel


class Mover(Protocol):
    """Anything that can say how a row would change if it were of another class."""

    def change(self, x: Tensor, places: Index, labels: Index, number: int) -> Pictures:
        """Say what to add to rows, so that they are of a class [shape=(n, *Shape)].

        Parameters
        ----------
        x
            The scaled rows [shape=(n, *net_shape)].
        places
            Where they stand among the store's real rows [shape=(n,)].
        labels
            Their own class [shape=(n,)].
        number
            The wanted class.
        """


class ClassSwitch:
    """Encodes as the row's own class, and decodes as both: the latent keeps what is not the class."""

    def __init__(self, net: Cvae) -> None:
        self._net = net

    def change(self, x: Tensor, places: Index, labels: Index, number: int) -> Pictures:
        """Difference of the two decoded pictures."""
        net = self._net
        own = torch.from_numpy(labels).to(x.device)
        z, _ = net.encode(x, own)
        made = [
            net.decoder(torch.cat([z, net.embedding(told)], dim=1)) for told in (torch.full_like(own, number), own)
        ]
        return without_channel(made[0] - made[1])


class Flow:
    """Carries rows towards noise as their own class, and back as the wanted one.

    Parameters
    ----------
    strength
        How far towards noise: share of the noise levels. The farther, the more is made anew.
    guidance, n_steps
        As of drawing.
    """

    def __init__(self, net: Edm, strength: float, guidance: float, n_steps: int) -> None:
        self._net, self._strength, self._guidance, self._n_steps = net, strength, guidance, n_steps

    def change(self, x: Tensor, places: Index, labels: Index, number: int) -> Pictures:
        """Difference of the two pictures at the end of the way back, as the wanted class and as the own."""
        own = torch.from_numpy(labels).to(x.device)
        made = self._net.carry(
            x, own, number, strength=self._strength, guidance=self._guidance, n_steps=self._n_steps
        )
        return without_channel(made)


class Cycle:
    """Translates rows by the generator of a CycleGAN, whatever their own class."""

    def __init__(self, net: RowTranslator) -> None:
        self._net = net

    def change(self, x: Tensor, places: Index, labels: Index, number: int) -> Pictures:
        """Difference of the translated row and the row."""
        return without_channel(self._net(x, torch.full((len(x),), number, device=x.device)) - x)
