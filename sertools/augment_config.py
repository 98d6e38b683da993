"""The options of `augment`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sertools.config import AUDIO_ROOT, Checked
from sertools.encoding import ENCODER_PRECISION
from sertools.fields import Bounds, option
from sertools.verb_config import DEVICE, JOBS, SEED

# As `balance.strategies` has them, of which this module may know nothing.
_TRANSFORMS = "time_stretch, pitch_shift, gaussian_noise, background_noise, speed, vocal_tract, frequency_filter"


@dataclass(frozen=True)
class Augmenting(Checked):
    """How `augment` balances a store."""

    strategy: str = option("CP", "A strategy of the paper's Table 1 or 3, or of a work that it cites.")
    among: str | None = option(
        None, f"Transforms that a new row is drawn from: {_TRANSFORMS}.", "NAME[,NAME]", unset="the strategy's own"
    )
    in_a_row: int | None = option(
        None, "Of RA: transforms that a row goes through.", "N", bounds=Bounds(1, 10), unset="2"
    )
    magnitude: float | None = option(
        None,
        "Of RA: how strong they are; at 5 about as in the works that they come from.",
        "M",
        bounds=Bounds(0, 10, above=True),
        unset="5",
    )
    noise: Path | None = option(None, "Background noise, for strategies that add it.", "DIR")
    encoder: str | None = option(
        None,
        "Of a store of vectors: the encoder that made them, for strategies that alter audio.",
        "DIR",
        unset="what was downloaded by the name that the store remembers",
    )
    audio_root: Path | None = option(None, AUDIO_ROOT)
    jobs: int = option(1, JOBS)
    seed: int = option(0, SEED)
    device: str = option("auto", DEVICE)
    precision: str = option("auto", ENCODER_PRECISION)
