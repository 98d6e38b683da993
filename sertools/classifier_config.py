"""The numbers of the classifiers (§3.2): nets that learn in steps, and a regression that is fitted to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sertools.config import BATCH_SIZE, LR, SAMPLING, STEPS, WIDTH, Checked
from sertools.errors import UsageError
from sertools.fields import NOT_NEGATIVE, Bounds, Option, option

LINEAR, MLP = "linear", "mlp"
PICTURE_ARCHS = ("vgg19", "vgg19-bn", "vgg16", "alexnet", "crnn", "cnn")
VECTOR_ARCHS = (LINEAR, MLP)
ARCHITECTURES = (*PICTURE_ARCHS, *VECTOR_ARCHS)
LOSSES = ("cross-entropy", "weighted", "focal", "logit-adjust")

# What both kinds have.
ARCH = Option("The network; linear (logistic regression) and mlp are for vectors.", choices=ARCHITECTURES)
LOSS = Option("How rare classes are weighted in the loss.", choices=LOSSES)
SYNTHETIC_SHARE = Option(
    "Share of altered or generated rows among the draws of each class. It is lower where such a row would be drawn "
    "more often than a recorded one. Without --sampling balanced, a class is drawn as often as it has recorded rows.",
    "S",
    bounds=Bounds(0, 1, above=True, below=True),
    unset="as many as there are",
)
FOCAL_GAMMA = 2.0  # Lin et al. 2017, their best
LOGIT_TAU = 1.0  # Menon et al. 2021: the value that is consistent for the balanced error


@dataclass(frozen=True)
class SpecAugment:
    """Random changes of a training picture (Park et al. 2019, without its time warp).

    Lengths are shares of the picture's side, so that they mean the same in pictures of any size.

    Attributes
    ----------
    n_masks
        Masks along time, and as many along frequency.
    time_mask, frequency_mask
        Longest mask.
    time_shift, frequency_shift
        Largest shift to either side.
    gain_db
        Largest gain or loss.
    """

    n_masks: int
    time_mask: float
    frequency_mask: float
    time_shift: float
    frequency_shift: float
    gain_db: float = 4.0


SPEC_AUGMENTS: Mapping[str, SpecAugment | None] = {
    "none": None,
    "weak": SpecAugment(1, time_mask=8 / 64, frequency_mask=6 / 64, time_shift=3 / 64, frequency_shift=1 / 64),
    "strong": SpecAugment(2, time_mask=12 / 64, frequency_mask=12 / 64, time_shift=6 / 64, frequency_shift=2 / 64),
}


@dataclass(frozen=True)
class ClassifierConfig(Checked):
    """Training of the classifier (§3.2); its optimiser is unstated.

    From `loss` on, the fields help a rare class without new rows. The paper has none of them.
    """

    arch: str = option("vgg19", ARCH)
    width: float = option(1.0, WIDTH)
    steps: int = option(20_000, STEPS)  # the same number for every strategy
    batch_size: int = option(32, BATCH_SIZE)
    lr: float = option(1e-4, LR)
    schedule: str = "constant"  # or "one-cycle"
    weight_decay: float = 0.0
    validate_every: int = 250
    loss: str = option("cross-entropy", LOSS)
    focal_gamma: float = FOCAL_GAMMA
    logit_tau: float = LOGIT_TAU
    sampling: str = option("shuffled", SAMPLING)
    synthetic_share: float | None = option(None, SYNTHETIC_SHARE)
    spec_augment: str = option("none", "Masks, shifts and gains of training pictures.", choices=tuple(SPEC_AUGMENTS))
    cut_paste: float = option(
        0.0,
        "Chance that a row receives a region of another row of its class; 0 is off.",
        metavar="CHANCE",
        bounds=Bounds(0, 1),
    )
    # alpha of Zhang et al. 2018
    mixup: float = option(
        0.0,
        "Mix pairs of rows in shares drawn from Beta(ALPHA, ALPHA); 0 is off.",
        metavar="ALPHA",
        bounds=NOT_NEGATIVE,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _correct_once(self.loss, self.sampling)


@dataclass(frozen=True)
class LinearConfig(Checked):
    """Multinomial logistic regression on vectors, fitted to its end."""

    arch: str = option(LINEAR, ARCH)
    penalty: float = option(0.2, "Weight of the squared weights.", metavar="W", bounds=Bounds(1e-6, 1e6))
    loss: str = option("cross-entropy", LOSS)
    focal_gamma: float = FOCAL_GAMMA
    logit_tau: float = LOGIT_TAU
    sampling: str = option("shuffled", SAMPLING)
    synthetic_share: float | None = option(None, SYNTHETIC_SHARE)

    def __post_init__(self) -> None:
        super().__post_init__()
        _correct_once(self.loss, self.sampling)


def _correct_once(loss: str, sampling: str) -> None:
    if sampling == "balanced" and loss in ("weighted", "logit-adjust"):
        raise UsageError(
            f"--loss {loss}: together with --sampling balanced it would correct class sizes twice; use one"
        )
