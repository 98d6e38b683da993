"""Keywords that functions share with their verbs, for type checkers; made by `make commands`."""

from collections.abc import Mapping, Sequence

from typing_extensions import Required, TypedDict
from typing_extensions import Unpack as Unpack

from sertools.api.running import AnyPath
from sertools.config import FrontEnd

class Corpus(TypedDict, total=False):
    ambiguous: str
    relabel: Mapping[str, str] | None
    missing: str | Sequence[str] | None
    synonyms: str

class Extract(TypedDict, total=False):
    labels: AnyPath | None
    shard: str | None
    audio_root: AnyPath | None
    on_error: str
    missing: str | Sequence[str] | None
    synonyms: str
    corpus: str | None
    jobs: int
    front_end: FrontEnd | None

class Embed(TypedDict, total=False):
    labels: AnyPath | None
    shard: str | None
    audio_root: AnyPath | None
    on_error: str
    missing: str | Sequence[str] | None
    synonyms: str
    corpus: str | None
    encoder: Required[str]
    layer: str | None
    pool: str
    segment_seconds: float
    trim_db: float
    padded: bool
    sr: int | None
    device: str
    precision: str

class Select(TypedDict, total=False):
    where: Sequence[str] | None
    fold: str | None
    folds: AnyPath | None
    by: str
    keep: Mapping[str, float] | None
    invert: bool
    copy: bool
    seed: int

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

class FitLatents(TypedDict, total=False):
    cov: str
    donor: Sequence[AnyPath] | None
    relabel: Mapping[str, str] | None
    device: str

class Borrow(TypedDict, total=False):
    emotion: Required[str]
    map: str
    all_classes: bool
    relabel: Mapping[str, str] | None

class FinetuneGan(TypedDict, total=False):
    val: AnyPath | None
    preset: str
    steps: int | None
    batch_size: int | None
    lr_g: float | None
    lr_d: float | None
    batches: str | None
    d_steps: str | None
    condition_g: str | None
    condition_d: str | None
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
    samples: int | None
    start_steps: int | None
    critic_steps: int | None
    seed: int
    device: str
    precision: str
    save_every: float
    audio_root: AnyPath | None

class Generate(TypedDict, total=False):
    balance: AnyPath | None
    only: Sequence[str] | None
    per_class: int | None
    count: Mapping[str, int] | None
    smote: AnyPath | None
    translate: AnyPath | None
    paste: bool
    within_speaker: bool
    strength: float | None
    guidance: float | None
    denoise_steps: int | None
    wavs: AnyPath | None
    encoder: str | None
    seed: int
    device: str

class Score(TypedDict, total=False):
    heldout: AnyPath | None
    judge: AnyPath | None
    tags: Mapping[str, str] | None
    seed: int
    device: str

class Augment(TypedDict, total=False):
    strategy: str
    among: str | None
    in_a_row: int | None
    magnitude: float | None
    noise: AnyPath | None
    encoder: str | None
    audio_root: AnyPath | None
    jobs: int
    seed: int
    device: str
    precision: str

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
    penalty: float | None
    seed: int
    device: str
    precision: str
    save_every: float

class Evaluate(TypedDict, total=False):
    average: Sequence[AnyPath] | None
    mean: str
    vote: str
    adjust: str
    tags: Mapping[str, str] | None
    val: AnyPath | None
    allow_seen: bool
    device: str

class Predict(TypedDict, total=False):
    average: Sequence[AnyPath] | None
    mean: str
    encoder: str | None
    val: AnyPath | None
    vote: str
    adjust: str
    on_error: str
    device: str

class Report(TypedDict, total=False):
    baseline: str | None
    layout: str
    paper: bool
    format: str
    html: AnyPath | None
    same_speakers: bool
    power: float | None

class Plot(TypedDict, total=False):
    kind: str | None
    n: int
    title: str
    names: Sequence[str] | None
    baseline: str | None
    same_speakers: bool
    seed: int

class ToWav(TypedDict, total=False):
    per_class: int | None
    iterations: int
    seed: int

class Export(TypedDict, total=False):
    format: str | None
    audio_root: AnyPath | None
