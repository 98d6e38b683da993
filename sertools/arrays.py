"""Names of array types, by what the values are; shapes stand where they are used."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Matrix = FloatArray  # one row for each thing, such as latents or pixels
Index = IntArray  # numbers of rows
Mask = npt.NDArray[np.bool_]  # whether each row is meant
Shape = tuple[int, ...]  # of a row: (n_mels, n_frames) of a picture, (n_values,) of a vector
Pictures = npt.NDArray[np.float32]  # log-mel [shape=(n, *Shape)], in dB or scaled; vectors where rows are such
Waveform = npt.NDArray[np.float32]  # mono samples
PCM = npt.NDArray[np.int16]  # mono samples as a wav holds them


def net_shape(shape: Shape) -> Shape:
    """Of a row as nets take and give it: a picture has one channel, a vector none."""
    return (1, *shape) if len(shape) == 2 else shape
