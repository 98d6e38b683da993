"""The obvious script: librosa for each segment, rows collected in a list, one HDF5 file. The rival of `extract`."""

import sys
from pathlib import Path

import h5py
import librosa
import numpy as np

SR, SECONDS, N_FRAMES = 16_000, 3.0, 128


def main(folder: str, output: str) -> None:
    rows = []
    for path in sorted(Path(folder).rglob("*.wav")):
        y, _ = librosa.load(path, sr=SR)
        length = int(SR * SECONDS)
        for start in range(0, len(y), length):
            segment = librosa.util.fix_length(y[start : start + length], size=length)
            power = librosa.feature.melspectrogram(y=segment, sr=SR, n_fft=800, hop_length=400, n_mels=128)
            picture = librosa.power_to_db(power, amin=1e-10, top_db=None)
            rows.append(np.pad(picture, ((0, 0), (0, N_FRAMES - picture.shape[1])), constant_values=-100.0))
    with h5py.File(output, "w") as file:
        file["spectrogram"] = np.stack(rows).astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
