"""WaveGAN (Donahue et al. 2019): a generator of sound and its critic, on the recordings that rows come from.

The critic learns the Wasserstein distance under a gradient penalty (Gulrajani et al. 2017), several steps for each of
the generator. Both are told the class: the penalty is taken, and a sound is judged, as one of its class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sertools.arrays import Waveform
from sertools.generator_config import WAVEGAN, WaveganConfig
from sertools.nets.devices import onto
from sertools.nets.wavegan import LATENT, WaveCritic, WaveGenerator
from sertools.processes import check_alone
from sertools.sound.spectra import Spectra
from sertools.training.batches import Rows
from sertools.training.checkpoint import Header, load_model, prefixed, rebuild
from sertools.training.ema import Average
from sertools.training.health import PAIRWISE, PAIRWISE_REAL, SPECTRAL, WaveWatch
from sertools.training.likelihood import check_counts
from sertools.training.loop import Health, Record, Run
from sertools.training.optimisers import Adam
from sertools.training.order import balanced_indices, batch_indices
from sertools.training.runtime import computing, mixed_seed, seed_torch
from sertools.training.sounds import Sounds, as_recorded
from sertools.training.task import open_task
from sertools.training.validated import Resumable
from sertools.training.vitals import rows_a_class

# A look costs as much as a step of the critic on as many sounds.
_MEASURE_EVERY = 20


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
        sounds: Sounds,
        rows: Rows,
        run: Run,
        config: WaveganConfig,
    ) -> None:
        self.rows, self.sounds, self.run, self.config = rows, sounds, run, config
        self.generator, self.critic = generator.to(run.device), critic.to(run.device)
        self.classes = rows.classes()
        self.labels = np.array([self.classes.index(name) for name in sounds.emotion.tolist()], dtype=np.int64)
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
        seed_torch(self.run.seed, WAVEGAN, step)
        each: list[dict[str, Tensor]] = []
        for turn in range(step * self.config.critic_steps, (step + 1) * self.config.critic_steps):
            real, labels = self._real(turn)
            each.append(self._update_critic(real, labels))
        losses = {name: torch.stack([one[name] for one in each]).mean() for name in each[0]}
        losses["g"] = self._update_generator(labels)
        if self.average:
            self.average.update(step)
        return losses

    def _real(self, turn: int) -> tuple[Tensor, Tensor]:
        """Real sounds of one step of the critic, and their classes."""
        size, seed, device = self.config.batch_size, self.run.seed, self.run.device
        if self.config.sampling == "balanced":
            index = balanced_indices(self.labels, size, turn, seed)
        else:
            index = batch_indices(len(self.sounds), size, turn, seed)
        crops = self.sounds.learnt(self.sounds.crops(index, np.random.default_rng(mixed_seed(seed, "crops", turn))))
        return onto(device, torch.from_numpy(crops)), onto(device, torch.from_numpy(self.labels[index]))

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


class WaveVitals:
    """Compares made sounds with real ones, both the same number of each class, while a WaveGAN learns."""

    def __init__(self, trainer: WaveganTrainer) -> None:
        self._trainer = trainer
        n, classes = rows_a_class(len(trainer.classes)), len(trainer.classes)
        rng = np.random.default_rng(mixed_seed(trainer.run.seed, WAVEGAN, "vitals"))
        self._labels = np.repeat(np.arange(classes), n)
        members = [np.flatnonzero(trainer.labels == number) for number in range(classes)]
        index = np.concatenate([own[np.resize(rng.permutation(len(own)), n)] for own in members])
        self._real = trainer.sounds.crops(index, rng).reshape(classes, n, -1)
        self._spectra = Spectra.of(self._real.reshape(len(index), -1))
        self._z = torch.from_numpy(rng.uniform(-1, 1, (len(index), LATENT)).astype(np.float32))

    def start(self) -> dict[str, float]:
        """Return what is measured before the first step, and ``pairwise_real.CLASS``: the variety of real sounds."""
        of_real = {f"{PAIRWISE_REAL}{name}": variety for name, variety in self._varieties(self._real)}
        return self.measure() | of_real

    def measure(self) -> dict[str, float]:
        """Return what is measured after a step.

        Returns
        -------
        dict
            ``spectral_distance``: of made sounds from real ones in dB, see `Spectra.distance`.
            ``pairwise.CLASS``: how much made sounds of the class differ in dB, see `Spectra.variety`.
        """
        device = self._trainer.run.device
        made = make_sounds(self._trainer.chosen, self._z, torch.from_numpy(self._labels), device)
        made = made.reshape(self._real.shape)
        values = {SPECTRAL: self._spectra.distance(made.reshape(len(self._labels), -1))}
        return values | {f"{PAIRWISE}{name}": variety for name, variety in self._varieties(made)}

    def _varieties(self, sounds: Waveform) -> Iterator[tuple[str, float]]:
        for name, own in zip(self._trainer.classes, sounds, strict=True):
            yield name, self._spectra.variety(own)


@torch.inference_mode()
def make_sounds(net: WaveGenerator, z: Tensor, labels: Tensor, device: torch.device) -> Waveform:
    """Make sounds of latents and classes, as loud as recordings are [shape=(B, samples)]."""
    made = net(z.to(device), labels.to(device)).float().cpu().numpy()
    return as_recorded(made, float(net.level), net.config.pre_emphasis)


def train_wavegan(
    train_paths: Sequence[Path], run: Run, config: WaveganConfig, audio_root: Path | None = None
) -> Iterator[Record]:
    """Train a WaveGAN on the recordings of stores and write it to ``run.output``.

    Parameters
    ----------
    audio_root
        Where the corpus lies, whatever the stores say; no path may lead out of it.

    Raises
    ------
    CorpusError
        If a path leads out of `audio_root`.
    StoreError
        If a row has no label or is no real speech, there are fewer than two classes, one of them has fewer than two
        rows, or the audio is missing or has changed.
    UsageError
        If this is one of several processes, which do not share the steps.
    """
    check_alone("train-generator")
    described = dataclasses.asdict(config)
    task = open_task("train-generator", {"kind": WAVEGAN, **described}, run, train_paths, vectors=True)
    rows, classes = task.rows, task.rows.classes()
    check_counts(rows, classes)
    sounds = Sounds(rows, config.samples, config.pre_emphasis, audio_root)
    seed_torch(run.seed, WAVEGAN, "init")
    generator, critic = WaveGenerator(len(classes), config), WaveCritic(len(classes), config)
    generator.level.fill_(sounds.level)
    trainer = WaveganTrainer(generator, critic, sounds, rows, run, config)
    vitals = WaveVitals(trainer)
    yield from task.train(trainer, Health(WaveWatch(), vitals.start, vitals.measure, _MEASURE_EVERY))
    facts: dict[str, object] = {"n_rows": len(rows), "n_recordings": len(sounds)}
    if config.steps:
        facts |= {SPECTRAL: round(vitals.measure()[SPECTRAL], 4)}
    task.save(WAVEGAN, prefixed(trainer.chosen, "generator."), facts, classes=classes, config=described)


def load_wavegan(path: Path) -> tuple[Header, WaveGenerator]:
    """Read a WaveGAN's generator, in eval mode.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    header, tensors = load_model(path, WAVEGAN)
    build = partial(_rebuilt, header)
    return header, rebuild(build, tensors, "generator.", path).eval()


def _rebuilt(header: Header) -> WaveGenerator:
    return WaveGenerator(len(header.classes), WaveganConfig(**header.config))
