"""The front end of vectors: a frozen pretrained encoder, whose frames are averaged over a recording.

It stands where `config.FrontEnd` stands for pictures; what asks for a row's `shape` or `kind` need not know which.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sertools.config import SR, TRIM, Checked, FrontEnd
from sertools.fields import Bounds, Option, option

ENCODER_PRECISIONS = ("auto", "float32", "bf16", "float16")
POOLS = ("mean", "mean-std")
EMBEDDINGS = "embeddings"

ENCODER_PRECISION = Option("Number format on a GPU; auto is bf16 where it has that.", choices=ENCODER_PRECISIONS)
POOL = Option("Average the frames, or give their standard deviation as well.", choices=POOLS)
PIECES = Option("A longer recording is cut into equal pieces.", "SECONDS", bounds=Bounds(0.1, 600), flag="--seconds")


@dataclass(frozen=True)
class Encoding(Checked):
    """From a waveform to the vector of an encoder.

    Two rows may be compared if all of this is equal but `name`; where the encoder lies is none of it.

    Attributes
    ----------
    encoder
        Digest of its weights.
    family
        What kind of net it is, such as ``whisper``.
    name
        ``NAME@COMMIT`` on the hub; empty for a folder or file.
    layer
        Whose output is averaged; 0 is what the first block gets.
    n_values
        Length of a vector.
    sr
        Sampling rate in Hz that it takes.
    numbers
        Its own front end, as JSON.
    """

    encoder: str = ""
    family: str = ""
    name: str = field(default="", compare=False)
    layer: int = 0
    n_values: int = option(512, "Length of a vector.", bounds=Bounds(1, 65_536))
    sr: int = option(16_000, SR)
    numbers: str = "{}"
    pool: str = option("mean", POOL)
    segment_seconds: float = option(30.0, PIECES)
    trim_db: float = option(0.0, TRIM)

    kind = EMBEDDINGS
    n_frames = 1  # a vector is like a picture of one column
    derived = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row: ``(n_values,)``."""
        return (self.n_values,)

    @property
    def segment_samples(self) -> int:
        """The longest stretch that is one row, in samples."""
        return round(self.segment_seconds * self.sr)


# What makes rows of a waveform.
RowSource = FrontEnd | Encoding
