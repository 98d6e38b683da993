"""Rows of a frozen pretrained encoder: `open_encoder`, then `FrozenEncoder.rows` or `FrozenEncoder.rows_of`.

Exactness
---------
On a CPU every recording is computed by itself, so its row has the same bytes whatever comes with or before it. On a
GPU recordings of equal length share a batch, and nothing is ever padded or masked to fit others. In float32, rows of
a batch agree with those of one recording at a time to 2e-6 of the largest value of a row, for every family
(`tests/test_encoders.py`, where a CPU computes both).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sertools.arrays import Waveform
from sertools.encoders.families import load_network
from sertools.encoders.hub import PREFIX, fetch
from sertools.encoders.network import EncoderIdentity, Network
from sertools.encoders.onnx_file import SUFFIX, OnnxNetwork
from sertools.errors import AudioError, ModelError, SertoolsError, SertoolsWarning, UsageError, one_of, out_of_memory

POOLS = ("mean", "mean-std")
ENCODER_PRECISIONS = ("float32", "bf16", "float16")
CPU = torch.device("cpu")
_FAR = 0.3  # of the largest value of a row; rounding to bf16 is off by some hundredths
_SILENT = 1e-9
_BATCH_SECONDS = 240  # of one pass on a GPU: a large network needs about 8 GiB for them

Row = npt.NDArray[np.float32]


def open_encoder(
    where: str | Path,
    *,
    layers: Sequence[int] | None = None,
    pool: str = "mean",
    device: torch.device = CPU,
    precision: str = "float32",
    sr: int | None = None,
    padded: bool = False,
) -> FrozenEncoder:
    """Open a pretrained encoder.

    Parameters
    ----------
    where
        A folder that transformers saved, an ``.onnx`` file, or ``hf:OWNER/NAME@REVISION`` on the Hugging Face hub. A
        path never becomes a request.
    layers
        Hidden states, 0 before the first block; the middle one, block ``n_layers // 2``, if None, for what
        `chosen_layers` says.
    pool
        What is taken of a layer's frames: their mean, or mean and standard deviation, one behind the other.
    device
        As `runtime.pick_device` returns it.
    precision
        float32, bf16 or float16 (for a GPU that lacks bf16); weights and rows are float32 with all of them. An ONNX
        file has its own.
    sr
        Hz of an ONNX file that does not say it.
    padded
        Give Whisper 30 s, as it was trained and as transformers does, rather than a recording's own length.

    Raises
    ------
    ModelError
        If it holds no encoder, or not all of its weights, or only a pickle; if an extra is not installed.
    UsageError
        If options contradict each other or what is read.
    """
    one_of("--pool", pool, POOLS)
    one_of("--precision", precision, ENCODER_PRECISIONS)
    hub = ""
    folder = Path(where)
    if str(where).startswith(PREFIX):
        folder, hub = fetch(str(where))
    network: Network
    if folder.suffix == SUFFIX and not folder.is_dir():
        if padded:
            raise UsageError(f"--padded: {folder} has a front end of its own; leave it out")
        network = OnnxNetwork(folder, layers, device, sr)
        if network.one_vector and pool != "mean":
            raise UsageError(f"--pool {pool}: {folder} gives one vector a recording; leave it out")
    else:
        network = load_network(folder, layers, device, sr, padded)
    return FrozenEncoder(network, pool, device, precision, hub)


class FrozenEncoder:
    """A pretrained encoder, which turns a recording into one vector for each of its layers.

    Attributes
    ----------
    sr
        Hz of the recordings that it takes.
    dim
        Length of a row.
    layers
        Those that rows are made of, in ascending order.
    n_layers
        Number of blocks; layers are 0 to this.
    min_samples, max_samples
        The shortest recording, which gives one frame, and the longest; no longest where `max_samples` is None.
    identity
        What rows are known by.
    """

    def __init__(self, network: Network, pool: str, device: torch.device, precision: str, hub: str):
        self._network, self._pool, self._device, self._precision = network, pool, device, precision
        self._warned = False
        self._tried = precision == "float32"
        self.sr, self.layers, self.n_layers = network.sr, network.layers, network.n_layers
        self.min_samples, self.max_samples = network.min_samples, network.max_samples
        self.dim = network.width * (1 if pool == "mean" else 2)
        self.identity = EncoderIdentity(
            network.digest, network.family, pool, network.layers, self.dim, network.front_end, hub
        )

    def rows(self, y: Waveform) -> dict[int, Row]:
        """Return the row of one recording.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)]
            Mono samples at `sr`, from `min_samples` to `max_samples` of them: the caller pads or leaves out what is
            shorter, and cuts what is longer.

        Returns
        -------
        dict of int to np.ndarray [shape=(dim,), float32]
            By layer.

        Raises
        ------
        AudioError
            If the recording is too short or too long.
        ModelError
            If a row is not finite in float32 either.
        SertoolsError
            If there is not enough memory.

        Warns
        -----
        SertoolsWarning
            Once, if a row is not finite in half precision, and was computed again in float32; or if rows in half
            precision are far from those in float32, which is taken from then on.
        """
        (row,) = self.rows_of([y])
        return row

    def rows_of(self, recordings: Sequence[Waveform]) -> list[dict[int, Row]]:
        """Return what `rows` does, of several recordings and in their order; on a GPU equal lengths share a batch."""
        for y in recordings:
            self._check(y)
        by_length: dict[int, list[int]] = {}
        for number, y in enumerate(recordings):
            by_length.setdefault(len(y), []).append(number)
        found: dict[int, dict[int, Row]] = {}
        for length, numbers in by_length.items():
            most = 1 if self._device.type == "cpu" else max(1, _BATCH_SECONDS * self.sr // length)
            remaining = iter(numbers)
            while batch := [*islice(remaining, most)]:
                found |= zip(batch, self._finite([recordings[number] for number in batch]), strict=True)
        return [found[number] for number in range(len(recordings))]

    def _check(self, y: Waveform) -> None:
        if y.ndim != 1 or y.dtype != np.float32:
            raise ValueError(f"samples of shape {y.shape} and type {y.dtype}; expected (n,) and float32")
        if len(y) < self.min_samples:
            raise AudioError(
                f"{1000 * len(y) / self.sr:.3g} ms are too short for this encoder, which needs "
                f"{1000 * self.min_samples / self.sr:.3g} ms; leave the recording out"
            )
        if self.max_samples is not None and len(y) > self.max_samples:
            raise AudioError(
                f"{len(y) / self.sr:.4g} s are too long for this encoder, which takes up to "
                f"{self.max_samples / self.sr:g} s; cut the recording into pieces"
            )

    def _finite(self, batch: Sequence[Waveform]) -> Iterable[dict[int, Row]]:
        """Compute rows of equal lengths; those that half precision could not hold once more, in float32."""
        rows = self._halving(batch, self._precision)
        if not self._tried and _is_finite(rows[0]) and not self._trusted(batch[0], rows[0]):
            rows = self._halving(batch, self._precision)
        for number, y in enumerate(batch):
            if _is_finite(rows[number]):
                continue
            if self._precision != "float32":
                if not self._warned:
                    self._warned = True
                    warnings.warn(
                        f"--precision {self._precision}: gives NaN or infinite rows with this encoder; those are "
                        "computed in float32",
                        SertoolsWarning,
                        stacklevel=4,
                    )
                (rows[number],) = self._halving([y], "float32")
            if not _is_finite(rows[number]):
                raise ModelError("this encoder gives NaN or infinite values; copy it again, or take another layer")
        return rows

    def _trusted(self, y: Waveform, row: dict[int, Row]) -> bool:
        """Compare the first row in half precision with float32, and take float32 if they are no relatives.

        Some convolutions of few channels are wrong in bf16 on processors with AMX (pytorch/pytorch#163347, #169688).
        """
        self._tried = True
        (whole,) = self._halving([y], "float32")
        off = max(
            float(np.abs(row[layer] - wanted).max()) / max(float(np.abs(wanted).max()), _SILENT)
            for layer, wanted in whole.items()
        )
        if not off > _FAR:
            return True
        warnings.warn(
            f"--precision {self._precision}: rows are {100 * off:.0f} % off on this machine; float32 is taken",
            SertoolsWarning,
            stacklevel=5,
        )
        self._precision = "float32"
        return False

    def _halving(self, batch: Sequence[Waveform], precision: str) -> list[dict[int, Row]]:
        """Compute rows of equal lengths in one pass, or, where memory is short, in as many as that takes."""
        try:
            return self._pooled(self._network.frames(batch, precision), len(batch))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(batch) == 1:
                raise SertoolsError(
                    f"not enough memory for {len(batch[0]) / self.sr:.3g} s of audio on {self._device.type}; "
                    "cut recordings into shorter pieces, take a lower layer or a smaller encoder"
                ) from error
        # Outside of the block, whose error would hold on to what was computed.
        half = len(batch) // 2
        return [*self._halving(batch[:half], precision), *self._halving(batch[half:], precision)]

    def _pooled(self, frames: dict[int, Tensor], n: int) -> list[dict[int, Row]]:
        pooled = {layer: _pool(states, self._pool).cpu().numpy() for layer, states in frames.items()}
        return [{layer: rows[number] for layer, rows in pooled.items()} for number in range(n)]


def _pool(frames: Tensor, pool: str) -> Tensor:
    """Pool frames over time [shape=(B, T, D)] to rows [shape=(B, D) or (B, 2 D)]; sums are float64."""
    mean = frames.double().mean(dim=1)
    if pool == "mean":
        return mean.float()
    return torch.cat([mean, frames.double().std(dim=1, correction=0)], dim=1).float()


def _is_finite(row: dict[int, Row]) -> bool:
    return all(bool(np.isfinite(values).all()) for values in row.values())
