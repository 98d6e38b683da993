"""The numbers of the paper, one frozen dataclass per step.

Each number carries its § in the paper ("Data Augmentation using GANs for Speech Emotion Recognition",
Interspeech 2019) or the reason for it; ``docs/paper.md`` lists every gap. A field that is an option says its words
and bounds too (`fields`), and nobody repeats them. Stages count updates (steps), not epochs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sertools.architectures import ACTIVATIONS, FAKE_BATCHES, LATENTS, UPSAMPLINGS
from sertools.errors import UsageError, one_of
from sertools.fields import NOT_NEGATIVE, POSITIVE, Bounds, Option, check_fields, option

SPECTROGRAMS = "spectrograms"
FITS = ("pad", "exact", "resize")
TAILS = ("pad", "overlap")
PADS = ("silence", "loop")
COVARIANCES = ("empirical", "ledoit-wolf", "oas", "pooled", "tied", "diagonal")
LARGEST_LATENT = 4096
SAMPLINGS = ("shuffled", "balanced")
D_NORMS, D_STEPS = ("bn", "none"), ("joint", "two")
CONDITIONS_G, CONDITIONS_D = ("latent", "batch-norm"), ("softmax", "projection")
PRECISIONS = ("auto", "float32", "bf16")
ADJUSTMENTS = ("none", "priors")
VOTES = ("majority", "mean")
MEANS = ("arithmetic", "geometric")
# Three of stores, then of results, of logs, and of classifiers.
EXPORTS = ("npz", "npy", "arrow", "audformat", "tensorboard", "onnx")
ON_COLLAPSE = ("warn", "stop")
SAVE_EVERY_MINUTES = 15.0  # what a run that is killed may lose

# What several steps have.
STEPS = Option("Number of updates.", bounds=NOT_NEGATIVE)
AUDIO_ROOT = Option("Where the corpus lies; no path is followed out of it.", "DIR")
VOTE = Option("How an utterance's segments are joined.", choices=VOTES)
ADJUST = Option(
    "Divide the posteriors by the class shares that the training implied (post-hoc logit adjustment), or not.",
    choices=ADJUSTMENTS,
)
BATCH_SIZE = Option("Rows per batch.", bounds=Bounds(2, why=", for batch normalisation"))
LR = Option("Learning rate.", bounds=POSITIVE)
WIDTH = Option(
    "Scales the number of filters or units, such as 1/8; 1 is the paper.",
    "W",
    bounds=Bounds(0, 4, above=True),
    fraction=True,
)
SAMPLING = Option("Draw rows as they come, or every class equally often.", choices=SAMPLINGS)
DECAY = Bounds(0, 1, below=True)
SR = Option("Sampling rate in Hz.", bounds=Bounds(1_000, 384_000, why=" Hz"))
TRIM = Option(
    "Remove silence at both ends: what is this far below the loudest part; 35 is usual, 0 removes nothing.",
    "DB",
    bounds=Bounds(0, 100, why=" dB"),
    flag="--trim",
)


@dataclass(frozen=True)
class Checked:
    """A config that is never out of its bounds."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class FrontEnd(Checked):
    """From a waveform to a fixed-size log-mel picture (§3.2).

    3 s segments, a 50 ms window with 50 % overlap, 128 mels, log of the power. These give 121 centred frames and
    the paper has 128, so `fit` says how the 128 come about: ``pad`` fills up with the floor, ``exact`` shortens
    window and hop to 46.5 / 23.25 ms without centring, ``resize`` interpolates along time.
    """

    sr: int = option(16_000, SR)
    segment_seconds: float = option(3.0, "Length of a segment.", flag="--seconds", bounds=Bounds(0.1, 600))
    n_mels: int = option(128, "Mel bands.", flag="--mels")
    n_frames: int = option(128, "Frames of a picture.", flag="--frames")
    fit: str = option("pad", "How 121 frames become 128.", choices=FITS)
    tail: str = option("pad", "The last piece: pad it, or let it overlap the one before.", choices=TAILS)
    pad: str = option("silence", "What short pieces are padded with.", choices=PADS)
    min_tail_seconds: float = option(
        0.0, "A last piece shorter than this many seconds joins the one before.", flag="--min-tail"
    )
    trim_db: float = option(0.0, TRIM)

    # Fixed: librosa's defaults, and the floor that keeps log finite.
    window: str = "hann"
    mel_scale: str = "slaney"
    fmin: float = 0.0
    amin: float = 1e-10

    kind = SPECTROGRAMS
    # Of numbers that follow from the others, what is written for readers who do not have our code.
    derived = ("hop_length", "n_fft", "center")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_mels", "n_frames"):
            size = getattr(self, name)
            if not 16 <= size <= 1024 or size % 16:
                raise UsageError(
                    f"--{name[2:]} {size}: expected a multiple of 16 from 16 to 1024 (the nets halve it four times)"
                )
        if not 0 <= self.min_tail_seconds < self.segment_seconds:
            raise UsageError(f"--min-tail {self.min_tail_seconds}: expected 0 to below {self.segment_seconds} s")
        if self.hop_length < 1:
            raise UsageError(f"--frames {self.n_frames}: more frames than samples; use fewer frames or a higher --sr")
        # A hop is a whole number of samples; where it is a few, rounding it down leaves frames over.
        if self.fit != "resize" and self.natural_frames > 1.05 * self.n_frames:
            raise UsageError(
                f"--frames {self.n_frames}: {self.natural_frames} would be cut to that; "
                "use fewer frames, --fit resize or a higher --sr"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row: ``(n_mels, n_frames)``."""
        return self.n_mels, self.n_frames

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
class NetConfig(Checked):
    """Sizes shared by the encoder, the generator and the discriminator (§2.2, §2.3), and the choices of §2.4."""

    # 1 is the paper
    width: float = option(1.0, WIDTH)
    # §2.2; "dense": for vectors; "pca": principal components in place of a trained autoencoder; "identity": vectors
    # are latents themselves
    latent: str = option(
        "conv",
        "A trained autoencoder of pictures, or of vectors; principal components; or vectors as they are.",
        choices=LATENTS,
    )
    # §2.2
    latent_size: int = option(100, "Size of a latent.", "N", bounds=Bounds(1, LARGEST_LATENT))
    # §2.4 (a)
    up: str = option("transposed", "How the generator doubles the size.", choices=UPSAMPLINGS, unset="of --arch")
    # §2.4 (b)
    activation: str = option("leaky", "The generator's activation.", choices=ACTIVATIONS, unset="of --arch")
    # §2.4 (c)
    norm: bool = option(True, "Batch normalisation, and dropout in the generator.", unset="of --arch")
    # §2.3
    dropout: float = option(
        0.2, "Share of units that dropout drops; it harms thin nets.", bounds=Bounds(0, 0.9), unset="of --arch"
    )
    batches: str = "separate"  # §2.4 (d)
    leaky_slope: float = 0.3  # Keras' default, the framework of the original
    bn_momentum: float = 0.01  # Keras' 0.99; short runs need the statistics to follow faster
    bias: bool = True  # of the generator

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("--batches", self.batches, FAKE_BATCHES)


@dataclass(frozen=True)
class AutoencoderConfig(Checked):
    """Pretraining of the autoencoder (§2.2)."""

    net: NetConfig = field(default_factory=NetConfig)
    # about 150 epochs of IEMOCAP, the budget of the original BAGAN script
    steps: int = option(10_000, STEPS)
    batch_size: int = option(64, BATCH_SIZE)
    lr: float = option(5e-5, LR)  # §2.3
    beta1: float = 0.5  # BAGAN; the paper names Adam alone
    beta2: float = 0.999
    validate_every: int = 200


@dataclass(frozen=True)
class GanConfig(Checked):
    """Adversarial fine-tuning (§2.2, §2.3)."""

    steps: int = option(10_000, "Number of updates; 0: decoder and Gaussians alone.", bounds=NOT_NEGATIVE)
    batch_size: int = option(64, BATCH_SIZE)
    lr_g: float = option(1e-6, "G's learning rate.", bounds=POSITIVE)  # §2.3
    lr_d: float = option(1e-6, "D's learning rate.", bounds=POSITIVE)  # §2.3
    calibration_batches: int = 32  # 32 × 64 class-uniform latents re-estimate the generator's BN statistics
    # §2.4 (d); None: as the autoencoder's NetConfig has it
    batches: str | None = option(
        None,
        "Real and fake rows before D: apart, or together as in BAGAN.",
        choices=FAKE_BATCHES,
        unset="of the autoencoder's --arch",
    )
    # §2.3, "successive batches": docs/paper.md has the two readings
    d_steps: str = option("joint", "D's Adam steps an update: one for real and fake, or one each.", choices=D_STEPS)
    # §4: what the paper leaves for later
    condition_g: str = option(
        "latent", "How G is told its class: by its latent, or by batch normalisation too.", choices=CONDITIONS_G
    )
    condition_d: str = option(
        "softmax", "What D says: which class or fake; or, told the class, real or fake.", choices=CONDITIONS_D
    )
    # The paper has none of these; `presets.IMPROVED` says what each is for.
    d_norm: str = option("bn", "Batch normalisation of D.", choices=D_NORMS)
    # Miyato et al. 2018
    sn: bool = option(False, "Spectral normalisation of D.")
    # Mescheder et al. 2018
    r1: float = option(0.0, "Weight of the penalty on D's squared gradient at real rows.", "W", bounds=NOT_NEGATIVE)
    beta1: float = option(0.5, "Decay of Adam's mean gradient, for both nets.", "D", bounds=DECAY)
    beta2: float = option(0.999, "Decay of Adam's mean squared gradient, for both nets.", "D", bounds=DECAY)
    ema: float = option(
        0.0, "Decay of the running average of G, which is kept; 0 keeps the last G.", "D", bounds=DECAY
    )
