"""Keywords that functions share with their verbs, for type checkers; made by `make commands`."""

from collections.abc import Mapping

from typing_extensions import Required, TypedDict
from typing_extensions import Unpack as Unpack

from sertools.api.running import AnyPath

class PretrainAe(TypedDict, total=False):
    val: AnyPath | None
    preset: str
    arch: str
    steps: int | None
    batch_size: int | None
    lr: float | None
    width: float | None
    latent: str | None
    latent_size: int | None
    up: str | None
    activation: str | None
    norm: bool | None
    dropout: float | None
    seed: int
    device: str
    precision: str
    save_every: float

class FinetuneGan(TypedDict, total=False):
    preset: str
    steps: int | None
    batch_size: int | None
    lr_g: float | None
    lr_d: float | None
    batches: str | None
    d_norm: str | None
    sn: bool | None
    r1: float | None
    beta1: float | None
    beta2: float | None
    ema: float | None
    seed: int
    device: str
    precision: str
    save_every: float
    on_collapse: str

class TrainGenerator(TypedDict, total=False):
    kind: Required[str]
    val: AnyPath | None
    preset: str
    width: float | None
    steps: int | None
    batch_size: int | None
    lr: float | None
    sampling: str | None
    augment: bool | None
    ema: float | None
    seed: int
    device: str
    precision: str
    save_every: float

class TrainClf(TypedDict, total=False):
    val: AnyPath | None
    preset: str
    arch: str | None
    width: float | None
    steps: int | None
    batch_size: int | None
    lr: float | None
    loss: str | None
    sampling: str | None
    synthetic_share: float | None
    spec_augment: str | None
    cut_paste: float | None
    mixup: float | None
    seed: int
    device: str
    precision: str
    save_every: float

class Generate(TypedDict, total=False):
    balance: AnyPath | None
    per_class: int | None
    count: Mapping[str, int] | None
    smote: AnyPath | None
    translate: AnyPath | None
    paste: bool
    within_speaker: bool
    strength: float | None
    guidance: float | None
    denoise_steps: int | None
    seed: int
    device: str
