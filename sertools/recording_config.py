"""How recordings are listed and taken in: the options of `corpus`, `extract`, `embed` and `predict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sertools.config import ADJUST, ADJUSTMENTS, SR, TRIM, VOTE, Checked, FrontEnd
from sertools.encoding import ENCODER_PRECISION, PIECES, POOL
from sertools.fields import REQUIRED, Option, option
from sertools.spelling import MISSING
from sertools.verb_config import DEVICE, JOBS, Averaging

SYNONYMS = ("merge", "keep")
MISSING_WORDS = Option("Labels and names that mean: not known.", "WORD[,WORD]", unset=",".join(MISSING))
SYNONYMY = Option("Words of one emotion, such as fear and anxiety: one class, or each its own.", choices=SYNONYMS)


@dataclass(frozen=True)
class Labelling(Checked):
    """How `corpus` lists recordings."""

    ambiguous: str = option("keep", "Recordings on which the annotators disagree.", choices=("keep", "drop"))
    relabel: Mapping[str, str] | None = option(
        None, "Count one emotion as another, such as calm=neutral. Repeatable.", metavar="OLD=NEW"
    )
    missing: str | Sequence[str] | None = option(None, MISSING_WORDS)
    synonyms: str = option("merge", SYNONYMY)


@dataclass(frozen=True)
class Taking(Checked):
    """How recordings are taken in, whatever is made of them."""

    labels: Path | None = option(None, "Labels of the audio of SRC.", metavar="CSV")
    shard: str | None = option(None, "Only the K-th of N parts; `merge` joins them.", metavar="K/N")
    audio_root: Path | None = option(None, "Refuse audio outside this folder, also behind links.", metavar="DIR")
    on_error: str = option(
        "fail",
        "List all bad files and write nothing, or skip them and record them in the store.",
        choices=("fail", "skip"),
    )
    missing: str | Sequence[str] | None = option(None, MISSING_WORDS)
    synonyms: str = option("merge", SYNONYMY)
    corpus: str | None = option(None, "Which corpus SRC is; ids and speakers are names within it.", metavar="NAME")


@dataclass(frozen=True)
class Extracting(Taking):
    """How `extract` turns audio into a store."""

    jobs: int = option(1, JOBS)
    front_end: FrontEnd | None = option(None, "Sampling rate, segments and pictures.", unset="the paper's")


@dataclass(frozen=True)
class Vectorising(Taking):
    """How `embed` turns audio into a store of vectors."""

    encoder: str = option(
        REQUIRED, "A folder that transformers saved, an .onnx file, or hf:OWNER/NAME@REVISION.", metavar="DIR"
    )
    layer: str | None = option(
        None,
        "Whose output is averaged, 0 before the first block; several: --layer 2,3,4 -o 'emb-{layer}.h5'.",
        metavar="K[,K]",
        unset="the middle one",
    )
    pool: str = option("mean", POOL)
    segment_seconds: float = option(30.0, PIECES)
    trim_db: float = option(0.0, TRIM)
    padded: bool = option(False, "Whisper: fill every recording up to 30 s, as it was trained.")
    sr: int | None = option(None, "Sampling rate in Hz of an .onnx file that does not say it.", bounds=SR.bounds)
    device: str = option("auto", DEVICE)
    precision: str = option("auto", ENCODER_PRECISION)


@dataclass(frozen=True)
class Predicting(Averaging):
    """How `predict` labels new recordings by a classifier, or by several together."""

    encoder: str | None = option(
        None,
        "Where the encoder lies that a classifier of vectors was trained with: a folder, an .onnx file, or hf:NAME.",
        "DIR",
        unset="what was downloaded by the name that it remembers",
    )
    val: Path | None = option(
        None,
        "Store that the classifier was not trained on, to fit a temperature and an operating point on.",
        "VAL.h5",
    )
    vote: str = option("majority", VOTE)
    adjust: str = option(ADJUSTMENTS[0], ADJUST)
    on_error: str = option(
        "fail", "Go on, but end by listing all bad files with exit code 1; or skip them.", choices=("fail", "skip")
    )
    device: str = option("auto", DEVICE)
