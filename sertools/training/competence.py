"""How competent a GAN's discriminator is: whether it tells real rows from those of the generator at step 0.

The last generator is no measure of D, for a perfect one leaves any D at chance. What the decoder makes at step 0 is
blurred, and a D that has learnt anything tells it from speech. Said as the AUC of how real D takes a row for: 1 tells
all rows apart, 0.5 is chance. Against the last generator it is said beside a *probe*, a fresh net that learns nothing
but real or fake: where the probe tells the rows apart and D does not, it is D that fails.

**Conventions.** Rows go through D as they do while it learns: real and fake ones in batches of their own, which
normalise themselves (half and half in one, with ``--batches mixed``), but without dropout. To every real row there is
a fake one of its class, so that classes tell nothing. A projection discriminator is told that class, as while it
learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sertools.arrays import Index
from sertools.classifier_config import MLP
from sertools.config import GanConfig
from sertools.errors import StoreError
from sertools.metrics import auc_against_rest
from sertools.nets.classifiers import build_classifier
from sertools.nets.devices import onto
from sertools.training.calibration import LatentSampler
from sertools.training.gan_file import KIND
from sertools.training.health import D_AUC, D_AUC_ROWS
from sertools.training.judging import judging_of
from sertools.training.optimisers import Adam
from sertools.training.order import batch_indices
from sertools.training.runtime import place, seed_torch
from sertools.training.task import Task
from sertools.training.vitals import plainly

PROBE_STEPS = 100  # of as many real and fake rows as a batch has
_PROBE_LR = 3e-3
_MOST_ROWS = 256  # of each kind: an AUC of 0.6 is then known to 0.025


class Competence:
    """Measures a discriminator on real rows: those of the validation store, or of training without one.

    Parameters
    ----------
    decoder
        The generator at step 0; must not learn.

    Raises
    ------
    StoreError
        If the validation store has a class that is none of the GAN's, or fewer than two rows.
    """

    def __init__(
        self, discriminator: nn.Module, decoder: nn.Module, sampler: LatentSampler, task: Task, config: GanConfig
    ) -> None:
        self._discriminator, self._decoder = discriminator, place(decoder, task.run.device)
        self._sampler, self._task, self._config = sampler, task, config
        self._judging = judging_of(config.condition_d, sampler.n_classes)
        rows = task.val or task.rows
        labels = rows.labels(sampler.classes)
        if len(rows.real) < 2:
            raise StoreError(f"{rows.name}: holds 1 row, and batch normalisation needs two; give more")
        index = np.random.default_rng(task.run.seed).permutation(rows.real)[:_MOST_ROWS]
        # No batch is smaller than those of the training, but the only one.
        self._batches = np.array_split(index, max(1, len(index) // config.batch_size))
        self._labels = [self._on_device(labels[batch]) for batch in self._batches]

    def measure(self) -> dict[str, float]:
        """Return ``d_auc``: how well D tells real rows from those of step 0."""
        return {D_AUC: self._auc(self._first)}

    def facts(self, generator: nn.Module) -> dict[str, object]:
        """Measure D at the end, and a probe beside it.

        Parameters
        ----------
        generator
            As it will generate.

        Returns
        -------
        dict
            ``d_auc``; ``d_auc_now``, that of D against rows of `generator`; ``probe_auc``, the same of a probe of
            ``probe_steps`` steps; ``d_auc_rows``, the real rows of all three: validation or training.
        """
        with torch.no_grad():
            now = [generator.eval()(latents) for latents in self._latents("now")]
        found = {**self.measure(), "d_auc_now": self._auc(now), "probe_auc": self._probed(generator, now)}
        rounded = {name: round(value, 4) for name, value in found.items()}
        return {**rounded, "probe_steps": PROBE_STEPS, D_AUC_ROWS: "validation" if self._task.val else "training"}

    @cached_property
    def _first(self) -> list[Tensor]:
        """Rows of step 0, normalised as the training's first batches are."""
        return [plainly(self._decoder, latents) for latents in self._latents("start")]

    def _latents(self, purpose: str) -> list[Tensor]:
        seed_torch(self._task.run.seed, KIND, D_AUC, purpose)
        return [self._sampler.latents(labels) for labels in self._labels]

    def _real(self) -> list[Tensor]:
        rows = self._task.val or self._task.rows
        return [rows.tensor(batch, self._task.scaler, self._task.run.device) for batch in self._batches]

    def _auc(self, fake: Sequence[Tensor]) -> float:
        """How well D tells these batches from the real ones."""
        if self._config.batches == "mixed":
            said = [plainly(self._discriminator, torch.cat(both)) for both in zip(self._real(), fake, strict=True)]
            halves = [logits.chunk(2) for logits in said]
            real_logits, fake_logits = (torch.cat(side) for side in zip(*halves, strict=True))
        else:
            real_logits, fake_logits = (
                torch.cat([plainly(self._discriminator, batch) for batch in side]) for side in (self._real(), fake)
            )
        labels = torch.cat(self._labels)
        real, fakes = (self._judging.realness(logits, labels) for logits in (real_logits, fake_logits))
        return _auc(real, fakes)

    def _probed(self, generator: nn.Module, now: Sequence[Tensor]) -> float:
        """How well a fresh net tells them: it learns from the training's rows and from others of `generator`."""
        rows, scaler, run, size = self._task.rows, self._task.scaler, self._task.run, self._config.batch_size
        seed_torch(run.seed, KIND, "probe")
        probe = place(build_classifier(MLP if rows.are_vectors else "cnn", rows.shape, 2, 1.0), run.device)
        adam = Adam(probe.parameters(), lr=_PROBE_LR, betas=(0.9, 0.999))
        classes = rows.labels(self._sampler.classes)[rows.real]
        truth = torch.arange(2, device=run.device).repeat_interleave(size)
        for step in range(PROBE_STEPS):
            drawn = batch_indices(len(rows.real), size, step, run.seed)
            with torch.no_grad():
                fake = generator(self._sampler.latents(self._on_device(classes[drawn])))
            x = torch.cat([rows.tensor(rows.real[drawn], scaler, run.device), fake])
            adam.zero_grad()
            F.cross_entropy(probe(x), truth).backward()
            adam.step()
        with torch.no_grad():
            real_logits, fake_logits = (torch.cat([probe.eval()(x) for x in side]) for side in (self._real(), now))
        return _auc(*(logits[:, 0] - logits[:, 1] for logits in (real_logits, fake_logits)))

    def _on_device(self, labels: Index) -> Tensor:
        return onto(self._task.run.device, torch.from_numpy(labels))


def _auc(real: Tensor, fake: Tensor) -> float:
    """How often a real row is taken for more real than a fake one."""
    is_real = torch.arange(len(real) + len(fake)) < len(real)
    return auc_against_rest(torch.cat([real, fake]).double().cpu().numpy(), is_real.numpy())
