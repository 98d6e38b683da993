"""What each verb takes, from Python and from the command line alike: numbers of its presets, and how it is run."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

from sertools import donor_config, recording_config, verb_config
from sertools.architectures import GAN_ARCHS
from sertools.augment_config import Augmenting
from sertools.classifier_config import ClassifierConfig, LinearConfig
from sertools.config import AutoencoderConfig, Checked, FrontEnd, GanConfig, NetConfig
from sertools.errors import UsageError, did_you_mean
from sertools.fields import REQUIRED, Keyword, keywords_of
from sertools.generator_config import CONFIGS
from sertools.presets import held, numbers_of, override

# Verb → how it is run, and the stages of a preset whose numbers it takes.
VERBS: Mapping[str, tuple[type[Checked], Mapping[str, Mapping[str, Keyword]]]] = {
    "corpus": (recording_config.Labelling, {}),
    "extract": (recording_config.Extracting, {}),
    "embed": (recording_config.Vectorising, {}),
    "select": (verb_config.Selecting, {}),
    "pretrain-ae": (
        verb_config.AutoencoderTraining,
        {"autoencoder": {**keywords_of(AutoencoderConfig), **keywords_of(NetConfig)}},
    ),
    "fit-latents": (donor_config.Fitting, {}),
    "borrow": (donor_config.Lending, {}),
    "finetune-gan": (verb_config.GanTraining, {"gan": keywords_of(GanConfig)}),
    "train-generator": (
        verb_config.GeneratorTraining,
        # The width of a VAE is its net's.
        {kind: {"width": keywords_of(NetConfig)["width"], **keywords_of(config)} for kind, config in CONFIGS.items()},
    ),
    "generate": (verb_config.Generating, {}),
    "score": (verb_config.Scoring, {}),
    "augment": (Augmenting, {}),
    "train-clf": (
        verb_config.ValidatedTraining,
        {"classifier": keywords_of(ClassifierConfig), "linear": keywords_of(LinearConfig)},
    ),
    "evaluate": (verb_config.Evaluating, {}),
    "predict": (recording_config.Predicting, {}),
    "report": (verb_config.Reporting, {}),
    "plot": (verb_config.Plotting, {}),
    "to-wav": (verb_config.Listening, {}),
    "export": (verb_config.Exporting, {}),
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
    first = {name: run[name] for name in _FIRST if name in run} if numbers else {}
    return {**first, **numbers, **run}


def flags(verb: str) -> Mapping[str, Keyword]:
    """Return what a verb takes on the command line: as `keywords`, with a front end's options in place of itself."""
    known = dict(keywords(verb))
    if known.pop("front_end", None):
        known.update(keywords_of(FrontEnd))
    return known


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


def configured(
    verb: str, how: Any, numbers: Mapping[str, Any], stage: str = "", *, vectors: bool = False
) -> tuple[str, Any]:
    """Return the stage of a preset that a training has its numbers from, and its config.

    Parameters
    ----------
    stage
        Where neither the verb nor a ``kind`` says it.
    vectors
        Whether the rows are vectors of an encoder.

    Raises
    ------
    UsageError
        If the stage has no such number.
    """
    _, stages = VERBS[verb]
    stage = stage or getattr(how, "kind", next(iter(stages)))
    for name, value in numbers.items():
        if value is not None and name not in stages[stage]:
            raise UsageError(f"{keywords(verb)[name].flag}: has no meaning for {stage}; leave it out")
    of_arch = GAN_ARCHS[how.arch] if isinstance(how, verb_config.AutoencoderTraining) else {}
    return stage, override(override(numbers_of(how.preset, stage, vectors=vectors), **of_arch), **numbers)
