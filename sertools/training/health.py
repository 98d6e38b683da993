"""What a training's numbers say of its health, each thing once and with its remedy.

A watch is fed the records of the log in order and knows nothing else, so a training that goes on after an
interruption reads its log again and warns of the same things at the same steps as an unbroken one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

# Spread within a class, against the start. Spread wanders by a tenth or two in sound runs and falls to nothing in
# collapsed ones; at a third, nine tenths of the variance are gone.
COLLAPSED_SPREAD = 1 / 3
# D recognises nearly all: one error in a hundred rows, real or fake, over 200 steps. A D that leads for a while
# is what drives G; one that leads this long beside a G that gets worse teaches it nothing.
SEES_THROUGH = 0.99
DEAD_RECORDS = 20
# G's gradient, against its first: a hundredth is what saturated logits leave of it.
VANISHED = 0.01
# AUC of real rows against those of step 0. Heads that nobody trained have 0.50 ± 0.09 (three folds of RAVDESS, twelve
# seeds): one of 36 reaches this.
COMPETENT = 0.7
# Change of a scaled value that nothing can tell: of a pixel, one grey level of 256 on the scale from −1 to 1.
UNSEEN = 2 / 256

# Held-out loss against its lowest: noise is some hundredths, learning by heart goes on without end.
OVERFITTED = 1.2
UNUSED_NATS = 0.5  # less than a bit: the latent cannot tell two rows apart

PAIRWISE, PAIRWISE_REAL = "pairwise.", "pairwise_real."
SPECTRAL = "spectral_distance"
# How well D tells real rows from those of step 0, in the log and in a GAN's facts, and which real rows.
D_AUC, D_AUC_ROWS = "d_auc", "d_auc_rows"
COLLAPSE = "collapse"


@dataclass(frozen=True)
class Finding:
    """Something to warn of.

    Attributes
    ----------
    name
        As the log has it.
    text
        What is wrong, and what helps.
    """

    name: str
    text: str


class Watch:
    """The watch of every training; it looks at nothing.

    Attributes
    ----------
    rates
        The options to lower where a loss is not finite.
    """

    rates = "--lr"

    def notice(self, step: int, n_steps: int, values: Mapping[str, float]) -> list[Finding]:
        """Take the next record; return what is new about it."""
        return []


class GeneratorWatch(Watch):
    """Looks for a generator that learns nothing, learns by heart, or makes one row of a class."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._lowest = math.inf
        self._by_heart = False

    def notice(self, step: int, n_steps: int, values: Mapping[str, float]) -> list[Finding]:
        """Take the next record; return what is new about it."""
        found = []
        learnt = self._first is None or values["loss"] < self._first
        self._first = values["loss"] if self._first is None else self._first
        if "val_loss" in values:
            held_out = values["val_loss"]
            self._lowest = min(self._lowest, held_out)
            if held_out > OVERFITTED * self._lowest and not self._by_heart:
                self._by_heart = True
                text = (
                    f"learns its rows by heart: the held-out loss was {self._lowest:.4g} and is {held_out:.4g}; the "
                    "weights of the lowest are kept, and fewer --steps would do"
                )
                found.append(Finding("by-heart", text))
        if step == n_steps:
            if not learnt:
                text = f"learnt nothing: the loss was {self._first:.4g} and is {values['loss']:.4g}; try another --lr"
                found.append(Finding("nothing-learnt", text))
            if values.get("kl", math.inf) < UNUSED_NATS:
                text = (
                    f"the latent is unused ({values['kl']:.2g} nats per row), so rows of a class are alike; take "
                    "more --steps or another --lr"
                )
                found.append(Finding("unused-latent", text))
        return found


class CycleWatch(Watch):
    """Looks for a CycleGAN whose ways do not lead back, whose critic sees nothing, or that moves nothing."""

    def __init__(self) -> None:
        self._apart = math.inf
        self._lost = False

    def notice(self, step: int, n_steps: int, values: Mapping[str, float]) -> list[Finding]:
        """Take the next record, the one of step 0 first; return what is new about it."""
        if step == 0:
            self._apart = values["pairwise_real"]
            return []
        found = []
        # Of both ways together.
        if values["cycle"] > 2 * self._apart and not self._lost:
            self._lost = True
            text = (
                f"diverges: a row there and back differs by {values['cycle'] / 2:.2g} per scaled value, and two real "
                f"rows by {self._apart:.2g}; lower --lr"
            )
            found.append(Finding("diverged", text))
        if step == n_steps and values[D_AUC] < COMPETENT:
            text = (
                f"the critic does not tell the wanted class's rows from others (AUC {values[D_AUC]:.2f}, {COMPETENT} "
                "at the least), so the generator learns little from it; raise --lr, or take more --steps"
            )
            found.append(Finding("blind-discriminator", text))
        if step == n_steps and values["moved"] < UNSEEN:
            text = f"nothing moved: rows change by {values['moved']:.2g} per scaled value; take more --steps"
            found.append(Finding("nothing-moved", text))
        return found


class GanWatch(Watch):
    """Looks for collapse, a dead discriminator or one that sees nothing, and a GAN that did not move."""

    rates = "--lr-g and --lr-d"

    def __init__(self) -> None:
        self._start: dict[str, float] = {}
        self._drift_bn = self._first_gradient = 0.0
        self._g_losses: deque[float] = deque(maxlen=DEAD_RECORDS)
        self._said: set[str] = set()

    def notice(self, step: int, n_steps: int, values: Mapping[str, float]) -> list[Finding]:
        """Take the next record, the one of step 0 first; return what is new about it."""
        if step == 0:
            self._start = {name: value for name, value in values.items() if name.startswith(PAIRWISE)}
            self._drift_bn = values["drift_bn"]
            return []
        found = [self._collapse(values), self._dead(values)]
        if step == n_steps:
            found += [self._still(values), self._blind(values)]
        new = [finding for finding in found if finding and finding.name not in self._said]
        self._said |= {finding.name for finding in new}
        return new

    def _collapse(self, values: Mapping[str, float]) -> Finding | None:
        shares = {name: values[name] / start for name, start in self._start.items() if name in values and start > 0}
        worst = min(shares, key=shares.__getitem__, default=None)
        if worst is None or shares[worst] >= COLLAPSED_SPREAD:
            return None
        return Finding(
            COLLAPSE,
            f"collapse: generated rows of {worst.removeprefix(PAIRWISE)!r} differ among themselves by "
            f"{100 * shares[worst]:.0f} % of what they did at the start; lower --lr-g, or take fewer --steps",
        )

    def _dead(self, values: Mapping[str, float]) -> Finding | None:
        remedy = "lower --lr-d, or take fewer --steps"
        sees = min(values["d_accuracy_real"], values["d_accuracy_fake"]) >= SEES_THROUGH
        if sees:
            self._g_losses.append(values["g"])
        else:
            self._g_losses.clear()
        if len(self._g_losses) == DEAD_RECORDS:
            half = DEAD_RECORDS // 2
            before, after = fmean(islice(self._g_losses, half)), fmean(islice(self._g_losses, half, None))
            if after > before:
                return Finding(
                    "dead-discriminator",
                    "the discriminator is right about nearly every row, real or fake, and the generator's loss rises "
                    f"({before:.3g} to {after:.3g}): it learns nothing from it any more; {remedy}",
                )
        gradient = values.get("grad_norm_g")
        if gradient is not None:
            self._first_gradient = self._first_gradient or gradient
            if gradient < VANISHED * self._first_gradient:
                return Finding(
                    "dead-discriminator",
                    f"the generator's gradient has vanished ({gradient:.2g}, {self._first_gradient:.2g} at first): "
                    f"the discriminator teaches it nothing any more; {remedy}",
                )
        return None

    @staticmethod
    def _blind(values: Mapping[str, float]) -> Finding | None:
        if values[D_AUC] >= COMPETENT:
            return None
        return Finding(
            "blind-discriminator",
            "the discriminator does not tell real rows from those of the generator at step 0 (AUC "
            f"{values[D_AUC]:.2f}, {COMPETENT} at the least), so G learns little from it; raise --lr-d, or take "
            "more --steps",
        )

    def _still(self, values: Mapping[str, float]) -> Finding | None:
        if values["drift"] >= max(self._drift_bn, UNSEEN):
            return None
        return Finding(
            "nothing-moved",
            f"nothing moved: adversarial training changed generated rows by {values['drift']:.2g} per scaled "
            f"value, estimating the batch statistics again changes them by {self._drift_bn:.2g}; "
            "try --lr-g 1e-4 --lr-d 2e-4, or save the time with --steps 0",
        )


class WaveWatch(Watch):
    """Looks for a WaveGAN whose sounds become alike, or come no nearer to real ones.

    Parameters
    ----------
    start_steps
        Those of the autoencoder before, whose first sounds are all alike: no game has collapsed there.
    """

    def __init__(self, start_steps: int = 0) -> None:
        self._start_steps = start_steps
        self._real: dict[str, float] = {}
        self._first = math.inf
        self._varied: set[str] = set()
        self._said: set[str] = set()

    def notice(self, step: int, n_steps: int, values: Mapping[str, float]) -> list[Finding]:
        """Take the next record, the one of step 0 first; return what is new about it."""
        if step == 0:
            self._real = {
                name.removeprefix(PAIRWISE_REAL): value
                for name, value in values.items()
                if name.startswith(PAIRWISE_REAL) and value > 0
            }
            self._first = values[SPECTRAL]
            return []
        if SPECTRAL not in values or step < self._start_steps:
            return []
        found = [*self._alike(step == n_steps, values)]
        if step == n_steps and values[SPECTRAL] >= self._first:
            text = (
                f"learnt nothing: the spectral distance to real sounds was {self._first:.3g} dB and is "
                f"{values[SPECTRAL]:.3g} dB; take more --steps, or another --lr"
            )
            found.append(Finding("nothing-learnt", text))
        return found

    def _alike(self, last: bool, values: Mapping[str, float]) -> Iterator[Finding]:
        """Say once that the sounds of a class differ less than they did, or at the end that they never differed."""
        shares = {name: values[f"{PAIRWISE}{name}"] / real for name, real in self._real.items()}
        fallen = {
            name: share
            for name, share in shares.items()
            if share < COLLAPSED_SPREAD and (last or name in self._varied)
        }
        self._varied |= {name for name, share in shares.items() if share >= COLLAPSED_SPREAD}
        worst = min(fallen, key=fallen.__getitem__, default=None)
        if worst is not None and COLLAPSE not in self._said:
            self._said.add(COLLAPSE)
            yield Finding(
                COLLAPSE,
                f"collapse: generated sounds of {worst!r} differ among themselves by {100 * fallen[worst]:.0f} % of "
                "what real ones do; lower --lr, or take more --critic-steps",
            )
