"""The game of a WaveGAN (Donahue et al. 2019): a generator of sound against its critic.

The critic learns the Wasserstein distance under a gradient penalty (Gulrajani et al. 2017), several steps for each of
the generator. Both are told the class: the penalty is taken, and a sound is judged, as one of its class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sertools.generator_config import WAVEGAN, WaveganConfig
from sertools.nets.devices import onto
from sertools.nets.wavegan import LATENT, WaveCritic, WaveGenerator
from sertools.training.batches import Rows
from sertools.training.ema import Average
from sertools.training.loop import Run
from sertools.training.optimisers import Adam
from sertools.training.runtime import computing, seed_torch
from sertools.training.sounds import SoundBatches
from sertools.training.validated import Resumable


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|gradient of the score| − 1)², between real and made sounds (Gulrajani et al. 2017).

    Parameters
    ----------
    critic
        From sounds [shape=(B, n)] to scores [shape=(B,)].
    real, fake
        The sounds of each pair, at a random place between which the gradient is taken.
    """
    share = onto(real.device, torch.rand(len(real), 1))
    between = (share * real + (1 - share) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # A root of exactly 0 has no gradient.
    length = (gradient.float().square().sum(dim=1) + 1e-12).sqrt()
    penalty: Tensor = (length - 1).square().mean()
    return penalty


class WaveganTrainer(Resumable):
    """Generator, critic, their optimisers, and the generator's running average if there is one."""

    def __init__(
        self,
        generator: WaveGenerator,
        critic: WaveCritic,
        batches: SoundBatches,
        rows: Rows,
        run: Run,
        config: WaveganConfig,
    ) -> None:
        self.rows, self.batches, self.run, self.config = rows, batches, run, config
        self.generator, self.critic = generator.to(run.device), critic.to(run.device)
        betas = (config.beta1, config.beta2)
        self.adam_g = Adam(generator.parameters(), lr=config.lr, betas=betas)
        self.adam_c = Adam(critic.parameters(), lr=config.lr, betas=betas)
        self.average = Average(generator, config.ema) if config.ema else None
        nets = {"generator": self.generator, "critic": self.critic}
        nets |= {"average": self.average.net} if self.average else {}
        super().__init__(nets, {"adam_g": self.adam_g, "adam_c": self.adam_c})

    @property
    def chosen(self) -> WaveGenerator:
        """The generator that is kept: the average where there is one, or the last."""
        return self.average.net if self.average else self.generator

    def step(self, step: int) -> dict[str, Tensor]:
        """Do some updates of the critic, then one of the generator."""
        if not step and self.average:
            # The generator may have learnt before.
            self.average.net.load_state_dict(self.generator.state_dict())
        seed_torch(self.run.seed, WAVEGAN, step)
        each: list[dict[str, Tensor]] = []
        for turn in range(step * self.config.critic_steps, (step + 1) * self.config.critic_steps):
            real, labels = self.batches.draw(turn)
            each.append(self._update_critic(real, labels))
        losses = {name: torch.stack([one[name] for one in each]).mean() for name in each[0]}
        losses["g"] = self._update_generator(labels)
        if self.average:
            self.average.update(step)
        return losses

    def _made(self, labels: Tensor) -> Tensor:
        made: Tensor = self.generator(onto(labels.device, 2 * torch.rand(len(labels), LATENT) - 1), labels)
        return made

    def _update_critic(self, real: Tensor, labels: Tensor) -> dict[str, Tensor]:
        config = self.config
        self.adam_c.zero_grad()
        with computing(self.run.precision, self.run.device):
            with torch.no_grad():
                fake = self._made(labels).float()
            distance = (self.critic(real, labels) - self.critic(fake, labels)).float().mean()
            penalty = gradient_penalty(partial(self.critic, labels=labels), real, fake)
        (config.penalty * penalty - distance).backward()
        self.adam_c.step()
        return {"critic": config.penalty * penalty.detach() - distance.detach(), "penalty": penalty.detach()}

    def _update_generator(self, labels: Tensor) -> Tensor:
        self.adam_g.zero_grad()
        self.critic.requires_grad_(False)
        with computing(self.run.precision, self.run.device):
            loss = -self.critic(self._made(labels), labels).float().mean()
        loss.backward()
        self.critic.requires_grad_(True)
        self.adam_g.step()
        last: Tensor = loss.detach()
        return last
