"""A WaveGAN from stores to its file: what it learns from, how it is watched, and the sounds that it makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sertools.arrays import Index, Waveform
from sertools.generator_config import WAVEGAN, WaveganConfig
from sertools.nets.wavegan import LATENT, WaveCritic, WaveGenerator
from sertools.processes import check_alone
from sertools.sound.spectra import Spectra
from sertools.training.checkpoint import Header, load_model, prefixed, rebuild
from sertools.training.health import PAIRWISE, PAIRWISE_REAL, SPECTRAL, WaveWatch
from sertools.training.likelihood import check_counts
from sertools.training.loop import Health, Record, Run
from sertools.training.runtime import mixed_seed, seed_torch
from sertools.training.sound_start import SoundStart, Started
from sertools.training.sounds import SoundBatches, Sounds, as_recorded
from sertools.training.task import open_task
from sertools.training.vitals import rows_a_class
from sertools.training.wasserstein import WaveganTrainer

# A look costs as much as a step of the critic on as many sounds.
_MEASURE_EVERY = 20


class WaveVitals:
    """Compares made sounds with real ones, both the same number of each class, while a WaveGAN learns."""

    def __init__(self, trainer: Started, sounds: Sounds, labels: Index, run: Run) -> None:
        self._trainer, self._device, self._classes = trainer, run.device, trainer.rows.classes()
        classes = len(self._classes)
        n = rows_a_class(classes)
        rng = np.random.default_rng(mixed_seed(run.seed, WAVEGAN, "vitals"))
        self._labels = np.repeat(np.arange(classes), n)
        members = [np.flatnonzero(labels == number) for number in range(classes)]
        index = np.concatenate([own[np.resize(rng.permutation(len(own)), n)] for own in members])
        self._real = sounds.crops(index, rng).reshape(classes, n, -1)
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
        made = make_sounds(self._trainer.chosen, self._z, torch.from_numpy(self._labels), self._device)
        made = made.reshape(self._real.shape)
        values = {SPECTRAL: self._spectra.distance(made.reshape(len(self._labels), -1))}
        return values | {f"{PAIRWISE}{name}": variety for name, variety in self._varieties(made)}

    def _varieties(self, sounds: Waveform) -> Iterator[tuple[str, float]]:
        for name, own in zip(self._classes, sounds, strict=True):
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
    batches = SoundBatches(sounds, classes, run, config)
    game = WaveganTrainer(generator, critic, batches, rows, run, config)
    trainer = Started(SoundStart(game), game)
    vitals = WaveVitals(trainer, sounds, batches.labels, run)
    health = Health(WaveWatch(config.start_steps), vitals.start, vitals.measure, _MEASURE_EVERY)
    yield from task.train(trainer, health, before=config.start_steps)
    facts: dict[str, object] = {"n_rows": len(rows), "n_recordings": len(sounds)}
    if config.start_steps + config.steps:
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
