"""What each verb takes, from Python and from the command line alike: numbers of its presets, and how it is run."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sertools.architectures import GAN_ARCHS
from sertools.config import (
    ON_COLLAPSE,
    PRECISIONS,
    SAVE_EVERY_MINUTES,
    AutoencoderConfig,
    Checked,
    ClassifierConfig,
    FrontEnd,
    GanConfig,
    NetConfig,
)
from sertools.errors import did_you_mean
from sertools.fields import NOT_NEGATIVE, REQUIRED, Bounds, Keyword, Option, keywords_of, option
from sertools.generator_config import CONFIGS, KINDS
from sertools.presets import PRESETS, held, override
from sertools.spelling import MISSING

# What several verbs have.
SEED = Keyword("seed", int, 0, Option("Fixes all random choices.", bounds=NOT_NEGATIVE))
DEVICE = Keyword("device", str, "auto", Option("Where to compute.", "auto|cpu|cuda"))
PICTURES = Keyword("n", int, 4, Option("Spectrograms per class and store.", flag="-n", bounds=Bounds(1, 16)))
WAVS = Keyword(
    "per_class", int, None, Option("Take only this many rows of each class; by default all.", "N", bounds=Bounds(1))
)
ITERATIONS = Keyword("iterations", int, 32, Option("Rounds of Griffin-Lim.", bounds=Bounds(1, 1000)))
MISSING_WORDS = Keyword(
    "missing", str, None, Option("Labels and names that mean: not known.", "WORD[,WORD]", unset=",".join(MISSING))
)
SYNONYMS = Keyword(
    "synonyms",
    str,
    "merge",
    Option("Words of one emotion, such as fear and anxiety: one class, or each its own.", choices=("merge", "keep")),
)
JOBS = Keyword("jobs", int, 1, Option("Number of processes.", bounds=Bounds(1)))


@dataclass(frozen=True)
class Training(Checked):
    """How a training is run, whatever is trained."""

    preset: str = option("paper", "Where all other numbers come from.", choices=tuple(PRESETS))
    seed: int = option(SEED.default, SEED.option)
    device: str = option(DEVICE.default, DEVICE.option)
    precision: str = option(
        "auto", "Number format that nets train in; auto is bf16 on a GPU that has it.", choices=PRECISIONS
    )
    save_every: float = option(
        SAVE_EVERY_MINUTES,
        "Save the state at least this often.",
        metavar="MINUTES",
        bounds=Bounds(0, 10_000, why=" minutes"),
    )


@dataclass(frozen=True)
class ValidatedTraining(Training):
    """How a training is run that can choose its weights."""

    val: Path | None = option(
        None, "Store to choose the best weights on; without it the last are kept.", metavar="S.h5"
    )


@dataclass(frozen=True)
class AutoencoderTraining(ValidatedTraining):
    """How `pretrain-ae` is run."""

    arch: str = option("paper", "The proposed nets, or those of the original BAGAN.", choices=tuple(GAN_ARCHS))


@dataclass(frozen=True)
class GanTraining(Training):
    """How `finetune-gan` is run."""

    on_collapse: str = option(
        "warn",
        "When pictures of a class become alike: go on, or save the state and exit with 1.",
        choices=ON_COLLAPSE,
    )


@dataclass(frozen=True)
class GeneratorTraining(ValidatedTraining):
    """How `train-generator` is run."""

    kind: str = option(REQUIRED, "A conditional VAE, or a diffusion model.", choices=KINDS)


@dataclass(frozen=True)
class Generating(Checked):
    """What `generate` makes, and how."""

    balance: Path | None = option(
        None, "Fill every class of this store up to the size of its largest.", metavar="TRAIN.h5"
    )
    per_class: int | None = option(None, "This many rows of every class.", metavar="N", bounds=NOT_NEGATIVE)
    count: Mapping[str, int] | None = option(None, "This many rows of one class. Repeatable.", metavar="CLASS=N")
    smote: Path | None = option(
        None, "Draw latents between neighbours of this store's rows (SMOTE).", metavar="TRAIN.h5"
    )
    translate: Path | None = option(None, "Move real rows of other classes into the wanted one.", metavar="TRAIN.h5")
    paste: bool = option(False, "With --translate: paste a region of a real row of the class into each row.")
    within_speaker: bool = option(
        False, "With --translate and a GAN: leave each speaker's own offset out of the map."
    )
    strength: float | None = option(
        None,
        "With --translate and a diffusion model: how far rows go towards noise.",
        metavar="SHARE",
        bounds=Bounds(0, 1),
        unset="0.6",
    )
    guidance: float | None = option(
        None,
        "With a diffusion model: how strongly the class is exaggerated.",
        metavar="W",
        bounds=Bounds(0, 100),
        unset="1; moving rows 3",
    )
    denoise_steps: int | None = option(
        None, "With a diffusion model: denoising steps per picture.", metavar="N", bounds=Bounds(2, 1000), unset="18"
    )
    seed: int = option(SEED.default, SEED.option)
    device: str = option(DEVICE.default, DEVICE.option)


# Verb → how it is run, and the stages of a preset whose numbers it takes.
VERBS: Mapping[str, tuple[type[Checked], Mapping[str, Mapping[str, Keyword]]]] = {
    "extract": (FrontEnd, {}),
    "pretrain-ae": (
        AutoencoderTraining,
        {"autoencoder": {**keywords_of(AutoencoderConfig), **keywords_of(NetConfig)}},
    ),
    "finetune-gan": (GanTraining, {"gan": keywords_of(GanConfig)}),
    "train-generator": (
        GeneratorTraining,
        # The width of a VAE is its net's.
        {kind: {"width": keywords_of(NetConfig)["width"], **keywords_of(config)} for kind, config in CONFIGS.items()},
    ),
    "train-clf": (ValidatedTraining, {"classifier": keywords_of(ClassifierConfig)}),
    "generate": (Generating, {}),
}
# These stand before the numbers in a help text, the others behind.
_FIRST = ("kind", "val", "preset", "arch")


@functools.cache
def keywords(verb: str) -> Mapping[str, Keyword]:
    """Return what a verb takes, by name and in the order of its help text."""
    how, stages = VERBS[verb]
    run = keywords_of(how)
    numbers: dict[str, Keyword] = {}
    for stage, own in stages.items():
        for name, keyword in own.items():
            known = numbers.get(name, dataclasses.replace(keyword, default=None))
            numbers[name] = dataclasses.replace(known, stages=(*known.stages, stage))
    return {**{name: run[name] for name in _FIRST if name in run}, **numbers, **run}


def described(keyword: Keyword) -> str:
    """Say in a sentence what an option is, and in brackets what holds where it is not given and what it may be."""
    option, bounds = keyword.option, keyword.option.bounds
    default = option.unset or (held(keyword) if keyword.stages else "")
    limits = str(bounds) if bounds and not math.isinf(bounds.high) else ""
    notes = "; ".join(filter(None, (default, limits)))
    return f"{option.help} [{notes}]" if notes else option.help


def parted(verb: str, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Part what a function was given into how it runs, and the numbers that stand in place of a preset's.

    Raises
    ------
    TypeError
        If there is no such keyword, or a required one is missing; with the words of Python's own.
    UsageError
        If a value is none of its choices, or out of its bounds.
    """
    known, function = keywords(verb), verb.replace("-", "_")
    for name in given:
        if name not in known:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{did_you_mean(name, known)}")
    for name, keyword in known.items():
        if keyword.default is REQUIRED and name not in given:
            raise TypeError(f"{function}() missing 1 required keyword-only argument: {name!r}")
    # 3 for 3.0 is the same number, and stands in a history as the command line reads it.
    given = {
        name: float(value) if known[name].kind is float and type(value) is int else value
        for name, value in given.items()
    }
    numbers = {name: value for name, value in given.items() if known[name].stages}
    for name, value in numbers.items():
        known[name].check(value)
    how, _ = VERBS[verb]
    return how(**{name: value for name, value in given.items() if name not in numbers}), numbers


def configured(verb: str, how: Any, numbers: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the stage of a preset that a training has its numbers from, and its config."""
    _, stages = VERBS[verb]
    stage = getattr(how, "kind", next(iter(stages)))
    of_arch = GAN_ARCHS[how.arch] if isinstance(how, AutoencoderTraining) else {}
    return stage, override(override(getattr(PRESETS[how.preset], stage), **of_arch), **numbers)
