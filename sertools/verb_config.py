"""How each verb is run: its options beside the numbers of presets, each with its words and bounds.

The command line, Python and `report` have them from here (`keywords`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sertools.architectures import GAN_ARCHS
from sertools.config import (
    ADJUST,
    ADJUSTMENTS,
    AUDIO_ROOT,
    EXPORTS,
    MEANS,
    ON_COLLAPSE,
    PRECISIONS,
    SAVE_EVERY_MINUTES,
    VOTE,
    Checked,
)
from sertools.errors import UsageError
from sertools.fields import NOT_NEGATIVE, REQUIRED, Bounds, Option, option
from sertools.generator_config import GUIDANCE, KINDS, STRENGTH, DiffusionConfig
from sertools.presets import PRESETS

Layout = Literal["summary", "table2", "table3", "corpora"]
Format = Literal["text", "markdown", "latex", "csv", "json"]
GROUPINGS = ("speaker", "session", "utterance")
PICTURES = ("spectrograms", "map", "balance", "confusion", "comparison")

# What several verbs have.
SEED = Option("Fixes all random choices.", bounds=NOT_NEGATIVE)
DEVICE = Option("Where to compute.", "auto|cpu|cuda")
JOBS = Option("Number of processes.", also="-j", bounds=Bounds(1))
SAME_SPEAKERS = Option("Speakers of one name are one person in all corpora.")
TAGS = Option("Place in the table: method, fold, reduced, seed. Repeatable.", "KEY=VALUE", flag="--tag")


@dataclass(frozen=True)
class Selecting(Checked):
    """Which rows `select` chooses."""

    where: Sequence[str] | None = option(
        None, "Rows whose column has one of the values; COL!=V for none. Repeatable.", "COL=V[,V]"
    )
    fold: str | None = option(None, "Part K of N; with -v, all the others.", "K/N")
    folds: Path | None = option(
        None,
        "Take fold K of published ones, a CSV or a folder of EmoBox; what these do not name is left out.",
        "FILE",
    )
    by: str = option("speaker", "What a fold keeps together.", choices=GROUPINGS)
    keep: Mapping[str, float] | None = option(
        None, "Keep only this share of a class's utterances. Repeatable.", "CLASS=FRACTION"
    )
    invert: bool = option(False, "Keep exactly what the same line without -v leaves out.", flag="-v", also="--invert")
    copy: bool = option(False, "Copy the pictures; otherwise the output points to them.")
    seed: int = option(0, SEED)


@dataclass(frozen=True)
class Training(Checked):
    """How a training is run, whatever is trained."""

    preset: str = option("paper", "Where all other numbers come from.", choices=tuple(PRESETS))
    seed: int = option(0, SEED)
    device: str = option("auto", DEVICE)
    precision: str = option(
        "auto", "Number format that nets train in; auto is bf16 on a GPU that has it.", choices=PRECISIONS
    )
    save_every: float = option(
        SAVE_EVERY_MINUTES,
        "Save the state at least this often.",
        "MINUTES",
        bounds=Bounds(0, 10_000, why=" minutes"),
    )


@dataclass(frozen=True)
class ValidatedTraining(Training):
    """How a training is run that can choose its weights."""

    val: Path | None = option(None, "Store to choose the best weights on; without it the last are kept.", "S.h5")


@dataclass(frozen=True)
class AutoencoderTraining(ValidatedTraining):
    """How `pretrain-ae` is run."""

    arch: str = option("paper", "The proposed nets, or those of the original BAGAN.", choices=tuple(GAN_ARCHS))


@dataclass(frozen=True)
class GanTraining(Training):
    """How `finetune-gan` is run."""

    val: Path | None = option(
        None,
        "Store to measure on whether D knows real speech; without it training rows serve. Nothing is chosen on it.",
        "S.h5",
    )
    on_collapse: str = option(
        "warn",
        "When rows of a class become alike: go on, or save the state and exit with 1.",
        choices=ON_COLLAPSE,
    )


@dataclass(frozen=True)
class GeneratorTraining(ValidatedTraining):
    """How `train-generator` is run."""

    kind: str = option(
        REQUIRED,
        "A conditional VAE, a diffusion model, a CycleGAN, which moves rows and draws none, or a WaveGAN of sound.",
        choices=KINDS,
    )
    audio_root: Path | None = option(None, AUDIO_ROOT)


@dataclass(frozen=True)
class Generating(Checked):
    """What `generate` makes, and how."""

    balance: Path | None = option(None, "Fill every class of this store up to the size of its largest.", "TRAIN.h5")
    only: Sequence[str] | None = option(
        None, "With --balance: fill this class, and no other. Repeatable.", "CLASS", flag="--class"
    )
    per_class: int | None = option(None, "This many rows of every class.", "N", bounds=NOT_NEGATIVE)
    count: Mapping[str, int] | None = option(None, "This many rows of one class. Repeatable.", "CLASS=N")
    smote: Path | None = option(None, "Draw latents between neighbours of this store's rows (SMOTE).", "TRAIN.h5")
    translate: Path | None = option(None, "Move real rows of other classes into the wanted one.", "TRAIN.h5")
    paste: bool = option(False, "With --translate: paste a region of a real row of the class into each row.")
    within_speaker: bool = option(
        False,
        "With --translate and a GAN: leave each speaker's own offset, as the other classes tell it, out of the map.",
    )
    strength: float | None = option(
        None,
        "With --translate and a diffusion model: how far rows go towards noise.",
        "SHARE",
        bounds=Bounds(0, 1),
        unset=f"{STRENGTH:g}",
    )
    guidance: float | None = option(
        None,
        "With a diffusion model: how strongly the class is exaggerated.",
        "W",
        bounds=Bounds(0, 100),
        unset=f"{DiffusionConfig.guidance:g}; moving rows {GUIDANCE:g}",
    )
    denoise_steps: int | None = option(
        None,
        "With a diffusion model: denoising steps per picture.",
        "N",
        bounds=Bounds(2, 1000),
        unset=str(DiffusionConfig.sampler_steps),
    )
    wavs: Path | None = option(None, "With a WaveGAN: also write its sound here, a wav each.", "DIR")
    encoder: str | None = option(
        None,
        "With a WaveGAN of a store of vectors: the encoder that made them.",
        "DIR",
        unset="what was downloaded by the name that the store remembers",
    )
    seed: int = option(0, SEED)
    device: str = option("auto", DEVICE)


@dataclass(frozen=True)
class Scoring(Checked):
    """What `score` compares generated rows with."""

    heldout: Path | None = option(
        None, "Real rows that the generator has not seen; without them REAL is halved.", "S.h5"
    )
    judge: Path | None = option(
        None, "A classifier trained on REAL; rows are compared in its features as well.", "CLF"
    )
    tags: Mapping[str, str] | None = option(None, TAGS)
    seed: int = option(0, SEED)
    device: str = option("auto", DEVICE)


@dataclass(frozen=True)
class Averaging(Checked):
    """Classifiers that answer together."""

    average: Sequence[Path] | None = option(
        None, "Another classifier: the posteriors of all are averaged, segment by segment. Repeatable.", "CLF"
    )
    mean: str = option(MEANS[0], "Which mean of posteriors --average takes.", choices=MEANS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mean != MEANS[0] and not self.average:
            raise UsageError(f"--mean {self.mean}: there is nothing to average; give --average another classifier")


@dataclass(frozen=True)
class Evaluating(Averaging):
    """How `evaluate` tests a classifier, or several together."""

    vote: str = option("majority", VOTE)
    adjust: str = option(ADJUSTMENTS[0], ADJUST)
    tags: Mapping[str, str] | None = option(None, TAGS)
    val: Path | None = option(
        None, "Store to run on as well, so that `report` can fit an operating point on it.", "VAL.h5"
    )
    allow_seen: bool = option(False, "Test on utterances that were trained on; the result is marked.")
    device: str = option("auto", DEVICE)


@dataclass(frozen=True)
class Reporting(Checked):
    """What `report` shows."""

    baseline: str | None = option(None, "What the others are compared with.", "METHOD", unset="imbalanced")
    layout: str = option(
        "summary",
        "Our table; the paper's Table 2 or 3; differences on several corpora and their mean.",
        choices=get_args(Layout),
    )
    paper: bool = option(False, "Put the paper's own figures beside ours, in its layouts.")
    format: str = option("text", "How the table is written.", choices=get_args(Format))
    html: Path | None = option(None, "Also write a page with pictures that needs no other file.", "P.html")
    same_speakers: bool = option(False, SAME_SPEAKERS)
    power: float | None = option(
        None, "Say instead how many speakers, folds and seeds a gain of so many points would need.", "POINTS"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.paper and self.layout in ("summary", "corpora"):
            raise UsageError(f"--paper: {self.layout} is not a table of the paper; use --layout table2 or table3")


@dataclass(frozen=True)
class Plotting(Checked):
    """What `plot` draws."""

    kind: str | None = option(
        None,
        "For files that can be drawn in two ways: stores as spectrograms (of vectors a map) or as rows per class; "
        "results as one matrix or as a comparison of methods.",
        choices=PICTURES,
        unset="by the files",
    )
    n: int = option(4, "Spectrograms per class and store.", flag="-n", bounds=Bounds(1, 16))
    title: str = option("", "A title above the picture.")
    names: Sequence[str] | None = option(
        None, "Name of a store; give one for each, in their order.", "TEXT", flag="--name"
    )
    baseline: str | None = option(None, "What others are compared with.", "METHOD", unset="imbalanced")
    same_speakers: bool = option(False, SAME_SPEAKERS)
    seed: int = option(0, SEED)


@dataclass(frozen=True)
class Listening(Checked):
    """What `to-wav` makes of a store."""

    per_class: int | None = option(
        None, "Take only this many rows of each class; by default all.", "N", bounds=Bounds(1)
    )
    iterations: int = option(32, "Rounds of Griffin-Lim.", bounds=Bounds(1, 1000))
    seed: int = option(0, SEED)


@dataclass(frozen=True)
class Exporting(Checked):
    """How `export` writes for other tools."""

    format: str | None = option(
        None,
        "For a store npz (the default), npy or arrow; for a result audformat; for a log tensorboard; for a "
        "classifier onnx.",
        choices=EXPORTS,
    )
    audio_root: Path | None = option(None, "The corpus of a result, to complete the names of its files.", "DIR")
