"""The numbers of the paper, one frozen dataclass a step.

Each number carries its § in the paper ("Data Augmentation using GANs for Speech Emotion Recognition",
Interspeech 2019) or the reason for it; ``docs/paper.md`` lists every gap. The command line reads its defaults
from here, so a number is written once. Stages count updates (steps), not epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sertools.architectures import ACTIVATIONS, FAKE_BATCHES, UPSAMPLINGS
from sertools.errors import UsageError, check_choices, check_shares, one_of

FITS = ("pad", "exact", "resize")
TAILS = ("pad", "overlap")
PADS = ("silence", "loop")
COVARIANCES = ("empirical", "ledoit-wolf", "oas", "pooled", "diagonal")
ARCHITECTURES = ("vgg19", "vgg19-bn", "crnn", "cnn")
LOSSES = ("cross-entropy", "weighted", "focal", "logit-adjust")
SAMPLINGS = ("shuffled", "balanced")
D_NORMS = ("bn", "none")
PRECISIONS = ("auto", "float32", "bf16")
VOTES = ("majority", "mean")
EXPORTS = ("npz", "npy", "arrow", "audformat", "tensorboard")  # three of stores, then of results, then of logs
ON_COLLAPSE = ("warn", "stop")
SAVE_EVERY_MINUTES = 15.0  # what a run that is killed may lose
# What older models and states hold that is no field any more, and what it was where it was off.
REMOVED_FIELDS: Mapping[str, object] = {
    "class_loss": 0.0,
    "real_sampling": "shuffled",
    "cond_ramp": 0.0,
    "diffaug": [],
}


@dataclass(frozen=True)
class FrontEnd:
    """From a waveform to a fixed-size log-mel picture (§3.2).

    3 s segments, a 50 ms window with 50 % overlap, 128 mels, log of the power. These give 121 centred frames and
    the paper has 128, so `fit` says how the 128 come about: ``pad`` fills up with the floor, ``exact`` shortens
    window and hop to 46.5 / 23.25 ms without centring, ``resize`` interpolates along time.
    """

    sr: int = 16_000
    segment_seconds: float = 3.0
    n_mels: int = 128
    n_frames: int = 128
    fit: str = "pad"
    tail: str = "pad"
    pad: str = "silence"
    min_tail_seconds: float = 0.0
    trim_db: float = 0.0  # leave out leading and trailing silence this far below the loudest; 0: keep all

    # Fixed: librosa's defaults, and the floor that keeps log finite.
    window: str = "hann"
    mel_scale: str = "slaney"
    fmin: float = 0.0
    amin: float = 1e-10

    def __post_init__(self) -> None:
        check_choices(self, {"fit": FITS, "tail": TAILS, "pad": PADS})
        if not 1_000 <= self.sr <= 384_000:
            raise UsageError(f"--sr {self.sr}: expected 1000 to 384000 Hz")
        if not 0.1 <= self.segment_seconds <= 600:
            raise UsageError(f"--seconds {self.segment_seconds}: expected 0.1 to 600")
        for name in ("n_mels", "n_frames"):
            size = getattr(self, name)
            if not 16 <= size <= 1024 or size % 16:
                raise UsageError(
                    f"--{name[2:]} {size}: expected a multiple of 16 from 16 to 1024 (the nets halve it four times)"
                )
        if not 0 <= self.min_tail_seconds < self.segment_seconds:
            raise UsageError(f"--min-tail {self.min_tail_seconds}: expected 0 to below {self.segment_seconds} s")
        if not 0 <= self.trim_db <= 100:
            raise UsageError(f"--trim {self.trim_db}: expected 0 (no trim) to 100 dB")
        if self.hop_length < 1:
            raise UsageError(f"--frames {self.n_frames}: more frames than samples; use fewer frames or a higher --sr")
        # A hop is a whole number of samples; where it is a few, rounding it down leaves frames over.
        if self.fit != "resize" and self.natural_frames > 1.05 * self.n_frames:
            raise UsageError(
                f"--frames {self.n_frames}: {self.natural_frames} would be cut to that; "
                "use fewer frames, --fit resize or a higher --sr"
            )

    @property
    def segment_samples(self) -> int:
        """Samples of one segment."""
        return round(self.sr * self.segment_seconds)

    @property
    def hop_length(self) -> int:
        """Hop in samples: 25 ms for 128 frames in 3 s, and in proportion for other sizes."""
        if self.fit == "exact":
            return self.segment_samples // (self.n_frames + 1)
        return round(self.segment_samples * 16 / (15 * self.n_frames))

    @property
    def n_fft(self) -> int:
        """Window and FFT length in samples: twice the hop (50 % overlap)."""
        return 2 * self.hop_length

    @property
    def center(self) -> bool:
        """Whether frame t is centred on sample t · hop."""
        return self.fit != "exact"

    @property
    def natural_frames(self) -> int:
        """Frames of one segment before it is padded or resized (121 at the defaults)."""
        if self.center:
            return 1 + self.segment_samples // self.hop_length
        return 1 + (self.segment_samples - self.n_fft) // self.hop_length

    @property
    def hop_seconds(self) -> float:
        """Seconds between two columns of the stored picture."""
        if self.fit == "resize":
            return self.segment_seconds / self.n_frames
        return self.hop_length / self.sr


@dataclass(frozen=True)
class NetConfig:
    """Sizes shared by the encoder, the generator and the discriminator (§2.2, §2.3), and the choices of §2.4."""

    width: float = 1.0  # scales the filters; 1 is the paper
    latent: str = "conv"  # §2.2; "pca": principal components in place of a trained autoencoder
    latent_size: int = 100  # §2.2
    dropout: float = 0.2  # §2.3
    leaky_slope: float = 0.3  # Keras' default, the framework of the original
    bn_momentum: float = 0.01  # Keras' 0.99; short runs need the statistics to follow faster
    up: str = "transposed"  # §2.4 (a)
    activation: str = "leaky"  # §2.4 (b), of the generator
    norm: bool = True  # §2.4 (c)
    batches: str = "separate"  # §2.4 (d)
    bias: bool = True  # of the generator

    def __post_init__(self) -> None:
        check_choices(self, {"up": UPSAMPLINGS, "activation": ACTIVATIONS, "batches": FAKE_BATCHES})


@dataclass(frozen=True)
class AutoencoderConfig:
    """Pretraining of the autoencoder (§2.2)."""

    net: NetConfig = field(default_factory=NetConfig)
    steps: int = 10_000  # about 150 epochs of IEMOCAP, the budget of the original BAGAN script
    batch_size: int = 64
    lr: float = 5e-5  # §2.3
    beta1: float = 0.5  # BAGAN; the paper names Adam alone
    beta2: float = 0.999
    validate_every: int = 200


@dataclass(frozen=True)
class GanConfig:
    """Adversarial fine-tuning (§2.2, §2.3)."""

    steps: int = 10_000
    batch_size: int = 64
    lr_g: float = 1e-6  # §2.3
    lr_d: float = 1e-6  # §2.3
    beta1: float = 0.5
    beta2: float = 0.999
    calibration_batches: int = 32  # 32 × 64 class-uniform latents re-estimate the generator's BN statistics
    batches: str | None = None  # §2.4 (d); None: as the autoencoder's NetConfig has it
    # What the paper has none of; `presets.IMPROVED` says what each is for.
    d_norm: str = "bn"
    sn: bool = False  # spectral normalisation of D (Miyato et al. 2018)
    r1: float = 0.0  # weight of D's squared gradient at real rows (Mescheder et al. 2018)
    ema: float = 0.0  # decay of the average of G's weights that is kept; 0: the last weights

    def __post_init__(self) -> None:
        check_choices(self, {"d_norm": D_NORMS})
        check_shares(self, "ema", "beta1", "beta2")


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
class ClassifierConfig:
    """Training of the classifier (§3.2); its optimiser is unstated.

    From `loss` on: what else helps a rare class, without a single new row. The paper has none of it.
    """

    arch: str = "vgg19"
    width: float = 1.0
    steps: int = 20_000  # the same number of updates for every strategy
    batch_size: int = 32
    lr: float = 1e-4
    schedule: str = "constant"  # or "one-cycle"
    weight_decay: float = 0.0
    validate_every: int = 250
    loss: str = "cross-entropy"
    focal_gamma: float = 2.0  # Lin et al. 2017, their best
    logit_tau: float = 1.0  # Menon et al. 2021: the value that is consistent for the balanced error
    sampling: str = "shuffled"
    synthetic_share: float | None = None  # of a class's draws; None: as the numbers of its rows have it
    spec_augment: str = "none"
    cut_paste: float = 0.0  # a row's chance of a region of another one of its class
    mixup: float = 0.0  # alpha of Zhang et al. 2018; 0 is off

    def __post_init__(self) -> None:
        check_choices(self, {"arch": ARCHITECTURES, "loss": LOSSES, "sampling": SAMPLINGS})
        check_choices(self, {"spec_augment": tuple(SPEC_AUGMENTS)})
        if self.sampling == "balanced" and self.loss in ("weighted", "logit-adjust"):
            raise UsageError(
                f"--loss {self.loss}: together with --sampling balanced it would correct class sizes twice; use one"
            )
        if self.synthetic_share is not None and not self.synthetic_share < 1:
            raise UsageError(f"--synthetic-share {self.synthetic_share:g}: must be below 1")
        if not self.cut_paste <= 1:
            raise UsageError(f"--cut-paste {self.cut_paste:g}: is a chance, at most 1")


def check_vote(rule: str) -> None:
    """Raise `UsageError` unless segments can be joined by `rule`."""
    one_of("--vote", rule, VOTES)
