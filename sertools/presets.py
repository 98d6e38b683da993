"""Presets: all numbers of a run under one name, and what sets one apart from the paper.

`IMPROVED` is a table laid over a preset, so that there is one of the paper's size and one for two cores, and every
entry is one option of a verb: to leave one out, give the preset and that option's opposite.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sertools.classifier_config import ClassifierConfig, LinearConfig
from sertools.config import AutoencoderConfig, GanConfig, NetConfig
from sertools.fields import Keyword
from sertools.generator_config import CvaeConfig, CycleGanConfig, DiffusionConfig, WaveganConfig
from sertools.provenance import flat

# Former fields that older models and states hold, and their values where they were off.
REMOVED_FIELDS: Mapping[str, object] = {
    "class_loss": 0.0,
    "real_sampling": "shuffled",
    "cond_ramp": 0.0,
    "diffaug": [],
}


@dataclass(frozen=True)
class Preset:
    """All numbers of a run under one name."""

    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    gan: GanConfig = field(default_factory=GanConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    cvae: CvaeConfig = field(default_factory=CvaeConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    cyclegan: CycleGanConfig = field(default_factory=CycleGanConfig)
    wavegan: WaveganConfig = field(default_factory=WaveganConfig)


# A stage → what is changed there, and to what. What was tried and dropped: docs/generator.md.
IMPROVED: Mapping[str, Mapping[str, Any]] = {
    "gan": {
        "d_norm": "none",  # batch statistics fit neither a gradient penalty nor small batches
        "sn": True,  # a D that cannot run away
        "r1": 0.05,  # 0.0002 · 128² / 64, the rule of thumb of StyleGAN2-ADA
        "lr_g": 1e-4,  # the GAN moves
        "lr_d": 2e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "ema": 0.999,  # the mean of many generators, not the last
    },
    "classifier": {"loss": "logit-adjust", "spec_augment": "weak"},
}


def improved(base: Preset) -> Preset:
    """Lay the table of improvements over a preset."""
    return dataclasses.replace(
        base, **{stage: dataclasses.replace(getattr(base, stage), **changes) for stage, changes in IMPROVED.items()}
    )


_THIN_AUTOENCODER = AutoencoderConfig(
    net=NetConfig(width=1 / 16, bn_momentum=0.1), steps=400, batch_size=32, lr=3e-3, validate_every=50
)
_THIN_GAN = GanConfig(steps=120, batch_size=32, lr_g=1e-4, lr_d=1e-4)
_SMALL_CNN = ClassifierConfig(
    arch="cnn", steps=300, batch_size=64, lr=3e-3, schedule="one-cycle", weight_decay=0.01, validate_every=50
)
_THIN_CVAE = CvaeConfig(
    net=NetConfig(width=1 / 8, latent_size=32, dropout=0.0, bn_momentum=0.1),
    steps=400, batch_size=32, lr=2e-3, ema=0.99, validate_every=50,
)  # fmt: skip
_THIN_DIFFUSION = DiffusionConfig(
    width=1 / 4, dropout=0.0, steps=500, batch_size=32, lr=2e-3, ema=0.99, validate_every=50
)
_THIN_CYCLEGAN = CycleGanConfig(width=1 / 8, steps=300, batch_size=8, lr=1e-3, ema=0.99)
# Told by spectra first: in minutes, a game alone finds no voice (docs/generator.md).
_THIN_WAVEGAN = WaveganConfig(
    width=1 / 8, start_steps=3000, steps=50, batch_size=16, lr=1e-5, ema=0.99, pre_emphasis=0.97
)
# Thin nets, few steps, and rates that move in them: an experiment of an hour on two cores. Not the paper.
_CPU = Preset(
    dataclasses.replace(_THIN_AUTOENCODER, steps=300),
    # Of the rates tried, those of a D that knows speech and a G that is no worse for it: docs/generator.md.
    dataclasses.replace(_THIN_GAN, steps=100, lr_g=3e-5, lr_d=3e-3),
    dataclasses.replace(_SMALL_CNN, spec_augment="weak"),
    _THIN_CVAE,
    dataclasses.replace(_THIN_DIFFUSION, steps=1500, batch_size=16, ema=0.995),
    cyclegan=dataclasses.replace(_THIN_CYCLEGAN, steps=600),
    wavegan=_THIN_WAVEGAN,
)
# Laid over every preset where rows are vectors: a stage → what is changed there, and to what. Dense nets learn in
# seconds, and the paper says nothing of them; so one set of numbers serves all presets: docs/generator.md.
VECTORS: Mapping[str, Mapping[str, Any]] = {
    "autoencoder": {
        "latent": "dense", "latent_size": 64, "width": 1.0, "bn_momentum": 0.1,
        "steps": 500, "batch_size": 32, "lr": 1e-3, "validate_every": 50,
    },
    "gan": {"steps": 100, "batch_size": 32, "lr_g": 3e-5, "lr_d": 3e-3, "d_steps": "two"},
    "cvae": {
        "latent": "dense", "latent_size": 32, "width": 1.0, "bn_momentum": 0.1, "pixel_sd": 0.6,
        "steps": 500, "batch_size": 32, "lr": 1e-3, "augment": False, "ema": 0.99, "validate_every": 50,
    },
    "diffusion": {
        "width": 1.0, "dropout": 0.1, "p_mean": -0.5,
        "steps": 1000, "batch_size": 32, "lr": 1e-3, "augment": False, "ema": 0.99, "validate_every": 50,
    },
    # A cycle of weight 10 holds vectors where they are: no critic of a few dense layers is steep enough.
    "cyclegan": {
        "width": 1.0, "cycle": 1.0, "identity": 0.5,
        "steps": 500, "batch_size": 32, "lr": 1e-3, "augment": False, "ema": 0.99,
    },
}  # fmt: skip

_IMPROVED = improved(Preset())
_IMPROVED_CPU = improved(_CPU)

PRESETS: Mapping[str, Preset] = {
    "paper": Preset(),
    "cpu": _CPU,
    # Nearly the same; it shows that everything runs.
    "smoke": Preset(
        *(_THIN_AUTOENCODER, _THIN_GAN, _SMALL_CNN, _THIN_CVAE, _THIN_DIFFUSION),
        cyclegan=_THIN_CYCLEGAN,
        wavegan=_THIN_WAVEGAN,
    ),
    "improved": dataclasses.replace(_IMPROVED, classifier=dataclasses.replace(_IMPROVED.classifier, arch="vgg19-bn")),
    "improved-cpu": dataclasses.replace(
        _IMPROVED_CPU, gan=dataclasses.replace(_IMPROVED_CPU.gan, steps=300, lr_g=2e-4, lr_d=4e-4)
    ),
}

Config = TypeVar(
    "Config",
    AutoencoderConfig,
    GanConfig,
    ClassifierConfig,
    LinearConfig,
    CvaeConfig,
    DiffusionConfig,
    CycleGanConfig,
    WaveganConfig,
)


def override(config: Config, **given: Any) -> Config:
    """Return `config` with every value that is not None in place of its own; what it lacks itself is its net's.

    Raises
    ------
    UsageError
        If a value is none of its choices, or out of its bounds.
    """
    own = {field.name for field in dataclasses.fields(config)}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    of_net = {name: changes.pop(name) for name in [*changes] if name not in own and "net" in own}
    if of_net:
        changes["net"] = dataclasses.replace(getattr(config, "net"), **of_net)  # noqa: B009 - not all have one
    return dataclasses.replace(config, **changes)


def numbers_of(preset: str, stage: str, *, vectors: bool = False) -> Any:
    """Return the config of a stage of a preset, for rows that are pictures or vectors."""
    config = getattr(PRESETS[preset], stage)
    return override(config, **VECTORS.get(stage, {})) if vectors else config


def held(keyword: Keyword) -> str:
    """Say which value a number has in the presets: the paper's, the others' where they differ, and for vectors."""
    texts = {stage: _held(stage, keyword.name) for stage in keyword.stages}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{stage} {text}" for stage, text in texts.items())


def _held(stage: str, name: str) -> str:
    texts = {}
    for preset, numbers in PRESETS.items():
        config = getattr(numbers, stage)
        texts[preset] = _text(getattr(config if hasattr(config, name) else config.net, name))
    # Where nothing is said, improved-cpu is as improved, and the others are as the paper.
    bases = {preset: preset.partition("-")[0] for preset in texts}
    others = [
        f"{preset}: {text}"
        for preset, text in texts.items()
        if text != (texts["paper"] if preset == bases[preset] else texts[bases[preset]])
    ]
    of_vectors = VECTORS.get(stage, {})
    if name in of_vectors and {_text(of_vectors[name])} != set(texts.values()):
        others.append(f"vectors: {_text(of_vectors[name])}")
    return ", ".join([texts["paper"], *others])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def beside_paper(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Say in which numbers a model differs from `--preset paper`.

    Parameters
    ----------
    kind
        Of the model: a field of `Preset`.
    config
        As its file holds it; numbers that it lacks, and those that the paper's lacks, are left out.

    Returns
    -------
    dict
        Name, such as ``net.width`` → the model's value.
    """
    numbers = dataclasses.asdict(getattr(PRESETS["paper"], kind))
    paper, own = flat({"net": dataclasses.asdict(NetConfig()), **REMOVED_FIELDS, **numbers}), flat(config)
    return {name: own[name] for name in own if name in paper and own[name] != paper[name]}
