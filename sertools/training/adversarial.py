"""Adversarial fine-tuning (§2.2, GAN Fine-tuning; §2.3).

D sees a full real batch and a full fake batch in two separate forward and backward passes, because of batch
normalisation (§2.3); the fake loss is weighted 1/classes, as if fake were one class more; the gradients add up to one
Adam step. With `--d-steps two` each pass has a step of its own, and fake is half of what D learns from. Mixed batches
are the original's (§2.4 d): one pass over a real batch and 1/classes as many fakes, which are then 1/(classes + 1) of
what D sees. G's labels are uniform over the real classes, its loss is D's cross-entropy for the very label that drew
the latent. Both nets stay in train mode throughout; D's running statistics are frozen while G learns. At the end G's
batch statistics, which come from encoder latents in natural proportion, are estimated again on class-uniform latents,
since `generate` runs in eval mode. A projection discriminator (§4) has the hinge loss in place of both
cross-entropies, and fake rows weigh as much as real ones, also in a mixed batch (`judging`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from sertools.config import GanConfig
from sertools.errors import ModelError, UsageError
from sertools.nets.conditional import ToldGenerator
from sertools.nets.devices import onto
from sertools.nets.gan import AnyGenerator, Encoder, discriminator_from, generator_from
from sertools.training.autoencoder import load_autoencoder
from sertools.training.calibration import LatentSampler, ToldSampler, calibrate
from sertools.training.checkpoint import prefixed
from sertools.training.competence import Competence
from sertools.training.distributed import parallel, spread, together
from sertools.training.ema import Average
from sertools.training.forecast import without_steps
from sertools.training.gan_file import KIND
from sertools.training.health import GanWatch
from sertools.training.judging import judging_of
from sertools.training.latents import load_latents
from sertools.training.loop import Health, Record, Run
from sertools.training.optimisers import Adam
from sertools.training.order import batch_indices
from sertools.training.reading import BatchReader
from sertools.training.runtime import place, seed_torch
from sertools.training.task import Task, open_task
from sertools.training.validated import Resumable
from sertools.training.vitals import MEASURE_EVERY, GanVitals, frozen_statistics, rows_a_class


def r1_penalty(real: Tensor, realness: Tensor) -> Tensor:
    """Half the squared gradient of how real a row is, on average over real rows (Mescheder et al. 2018).

    Parameters
    ----------
    real
        What D was shown, with `requires_grad` [shape=(B, *net_shape)].
    realness
        How real it took each row for [shape=(B,)].
    """
    (gradient,) = torch.autograd.grad(realness.sum(), real, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(dim=1).mean()


class GanTrainer(Resumable):
    """G, D and their optimisers."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, sampler: LatentSampler, task: Task, config: GanConfig
    ) -> None:
        if config.r1 and together():
            raise UsageError("--r1: takes second derivatives, which several processes cannot; use one")
        if config.d_steps == "two" and config.batches == "mixed":
            raise UsageError(
                "--d-steps two: a step for each batch, and --batches mixed has one batch for both; leave one out, or "
                "give --batches separate"
            )
        self.rows, self.scaler, self.run, device = task.rows, task.scaler, task.run, task.run.device
        self.sampler, self.config = sampler, config
        self.judging = judging_of(config.condition_d, sampler.n_classes)
        self.generator, self.discriminator = place(generator, device), place(discriminator, device)
        self.parallel_g, self.parallel_d = parallel(self.generator), parallel(self.discriminator)
        self.labels = torch.from_numpy(self.rows.labels(sampler.classes)).to(device)
        self._spread = partial(spread, precision=self.run.precision)
        order = partial(batch_indices, len(self.rows), config.batch_size, seed=self.run.seed)
        self.reader = BatchReader(self.rows, order, self.scaler, device)
        betas = (config.beta1, config.beta2)
        self.adam_g = Adam(generator.parameters(), lr=config.lr_g, betas=betas)
        self.adam_d = Adam(discriminator.parameters(), lr=config.lr_d, betas=betas)
        self.average = Average(generator, config.ema) if config.ema else None
        nets = {"generator": self.generator, "discriminator": self.discriminator}
        nets |= {"average": self.average.net} if self.average else {}
        super().__init__(nets, {"adam_g": self.adam_g, "adam_d": self.adam_d})

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one update of D, then one of G."""
        seed_torch(self.run.seed, KIND, step)
        self.generator.train()
        self.discriminator.train()
        index, real = self.reader.batch(step)
        losses = self._update_discriminator(real, self.labels[onto(real.device, torch.from_numpy(index))])
        losses |= self._update_generator()
        if self.average:
            self.average.update(step)
        return losses

    @property
    def chosen(self) -> nn.Module:
        """The generator that is kept: the average where there is one, or the last."""
        return self.average.net if self.average else self.generator

    def _update_discriminator(self, real: Tensor, labels: Tensor) -> dict[str, Tensor]:
        judging, mixed, two = self.judging, self.config.batches == "mixed", self.config.d_steps == "two"
        n_fake = math.ceil(len(real) / judging.real_per_fake) if mixed else len(real)
        wanted = self.sampler.uniform_labels(n_fake)
        with torch.no_grad():
            fake = self._spread(self.generator, self.sampler.latents(wanted))
        real.requires_grad_(self.config.r1 > 0)
        self.adam_d.zero_grad()
        if mixed:
            logits = self._spread(self.parallel_d, torch.cat([real, fake]))
            real_logits, fake_logits = logits[: len(real)], logits[len(real) :]
            real_loss, fake_loss = judging.real(real_logits, labels), judging.fake(fake_logits, wanted)
            loss = (len(real) * real_loss + n_fake * fake_loss) / (len(real) + n_fake)
            penalty = self._penalty(real, judging.realness(real_logits, labels))
            (loss + penalty).backward()
        else:
            real_logits = self._spread(self.parallel_d, real)
            real_loss = judging.real(real_logits, labels)
            penalty = self._penalty(real, judging.realness(real_logits, labels))
            (real_loss + penalty).backward()
            if two:
                self.adam_d.step()
                self.adam_d.zero_grad()
            fake_logits = self._spread(self.parallel_d, fake)
            fake_loss = judging.fake(fake_logits, wanted)
            # A step of Adam is as long whatever its loss is weighted by, so a fake step has no weight.
            (fake_loss if two else 1.0 / judging.real_per_fake * fake_loss).backward()
        self.adam_d.step()
        return {
            "d_real": real_loss.detach(),
            "d_fake": fake_loss.detach(),
            **({"d_r1": penalty.detach()} if self.config.r1 else {}),
            "d_accuracy_real": judging.right_of_real(real_logits, labels).float().mean(),
            "d_accuracy_fake": judging.right_of_fake(fake_logits, wanted).float().mean(),
        }

    def _penalty(self, real: Tensor, realness: Tensor) -> Tensor:
        return self.config.r1 * r1_penalty(real, realness) if self.config.r1 else torch.zeros((), device=real.device)

    def _update_generator(self) -> dict[str, Tensor]:
        labels = self.sampler.uniform_labels(self.config.batch_size)
        self.adam_g.zero_grad()
        self.discriminator.requires_grad_(False)
        with frozen_statistics(self.discriminator):
            made = self._spread(self.parallel_g, self.sampler.latents(labels))
            logits = self._spread(self.discriminator, made)
            loss = self.judging.made(logits, labels)
            loss.backward()
        self.discriminator.requires_grad_(True)
        self.adam_g.step()
        return {"g": loss.detach()}


def finetune_gan(
    autoencoder_path: Path,
    latents_path: Path,
    train_paths: Sequence[Path],
    run: Run,
    config: GanConfig,
    val_path: Path | None = None,
) -> Iterator[Record]:
    """Start a GAN from an autoencoder and its class Gaussians, train it, and write it to ``run.output``.

    With no steps, the GAN is the decoder and the Gaussians: the control that the paper lacks.

    Parameters
    ----------
    val_path
        A store to measure D's competence on (`competence`); without it, training rows serve. Nothing is chosen on
        it, but who looks at the numbers may choose by them: its utterances count as chosen on.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    ModelError
        If the latents were fitted with another autoencoder.
    StoreError
        If the stores' classes or front end differ from the latents'.
    UsageError
        If the autoencoder was not trained, and there are steps to train; or if options contradict each other.
    """
    ae, encoder, decoder = load_autoencoder(autoencoder_path)
    if config.steps and not isinstance(decoder, AnyGenerator):
        raise UsageError(
            f"{autoencoder_path}: is of --latent {ae.net.latent}, which cannot be trained; give --steps 0, or start "
            f"from an autoencoder of `pretrain-ae --latent {'conv' if len(ae.shape) > 1 else 'dense'}`"
        )
    if config.condition_g != "latent" and not isinstance(decoder, AnyGenerator):
        raise UsageError(
            f"--condition-g {config.condition_g}: {autoencoder_path}, of --latent {ae.net.latent}, has no batch "
            "normalisation; leave it out"
        )
    latents = load_latents(latents_path)
    # G and D inherit the sizes of the autoencoder they start from, and how D is fed where nothing else is said.
    fed = dataclasses.replace(ae.net, batches=config.batches or ae.net.batches)
    config = dataclasses.replace(config, batches=fed.batches)
    options = {**dataclasses.asdict(config), "net": ae.config["net"]}
    task = open_task(
        *("finetune-gan", options, run, train_paths, val_path),
        parents={"autoencoder": (autoencoder_path, ae), "latents": (latents_path, latents)},
        vectors=True,
    )
    if latents.autoencoder_digest != task.inputs["autoencoder"]:
        raise ModelError(f"{latents_path}: was fitted with another autoencoder than {autoencoder_path}; fit it again")
    task.rows.check_scale(ae.scaler, autoencoder_path)
    gaussians = latents.gaussians
    task.rows.labels(gaussians.classes)  # refuses a class without a Gaussian, whatever the number of steps
    seed_torch(run.seed, KIND, "init")
    tensors, facts = prefixed(decoder, "generator."), dict[str, object]()
    if isinstance(encoder, Encoder) and isinstance(decoder, AnyGenerator):
        n_classes, conditional = len(gaussians.classes), config.condition_g == "batch-norm"
        sampler = (ToldSampler if conditional else LatentSampler)(gaussians, run.device)
        discriminator = discriminator_from(
            encoder, ae.shape, n_classes, ae.net, norm=config.d_norm == "bn", spectral=config.sn,
            projection=config.condition_d == "projection",
        )  # fmt: skip
        plain = [generator_from(decoder, ae.shape, ae.net) for _ in range(2)]
        generator, first = (ToldGenerator(net, n_classes) if conditional else net for net in plain)
        trainer = GanTrainer(generator, discriminator, sampler, task, config)
        competence = Competence(trainer.discriminator, first, sampler, task, config)
        yield from task.train(trainer, _health(trainer, competence))
        calibrate(trainer.chosen, sampler, config.calibration_batches, run.seed)
        if config.steps:
            facts = competence.facts(trainer.chosen)
        tensors = {**prefixed(trainer.chosen, "generator."), **prefixed(trainer.discriminator, "discriminator.")}
    else:
        without_steps(task.rows, "take no step", run.output, run.log_path)
    tensors |= {
        # Left as it was, so that `generate` can place real rows among the latents.
        **prefixed(encoder, "encoder."),
        "latents.mean": torch.from_numpy(gaussians.mean),
        "latents.covariance": torch.tensor(gaussians.distinct),
    }
    told: dict[str, object] = {"informed": latents.donors} if latents.donors else {}
    own: dict[str, object] = {"n_rows": len(task.rows), "latent_rows": list(gaussians.n_rows), "cov": latents.method}
    facts = own | told | facts
    task.save(KIND, tensors, facts, classes=gaussians.classes)


def _health(trainer: GanTrainer, competence: Competence) -> Health:
    """Watch a GAN from here on."""
    seed, sampler, classes = trainer.run.seed, trainer.sampler, trainer.sampler.classes
    seed_torch(seed, KIND, "vitals")
    labels = torch.arange(len(classes)).repeat_interleave(rows_a_class(len(classes))).to(trainer.run.device)
    settle = partial(calibrate, sampler=sampler, n_batches=1, seed=seed)  # enough to say how far statistics move
    vitals = GanVitals(trainer.generator, trainer.discriminator, sampler.latents(labels), classes, settle)
    start = partial(vitals.start, trainer.rows, trainer.labels, trainer.scaler, seed)
    return Health(
        GanWatch(),
        lambda: {**start(), **competence.measure()},
        lambda: {**vitals.measure(), **competence.measure()},
        MEASURE_EVERY,
    )
