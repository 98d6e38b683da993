"""An encoder as an ONNX file: from a waveform (B, n) to frames (B, T, D), or to one vector (B, D).

It does what is done to samples itself. Its sampling rate stands in its metadata (``sample_rate``), or is given. It
has one layer, which is 0, and computes in its own precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sertools.arrays import Waveform
from sertools.encoders.network import Number, check_rate, chosen_layers
from sertools.errors import AudioError, ModelError, UsageError, why_not
from sertools.provenance import digest_each, digest_file

SUFFIX = ".onnx"
_RATES = ("sample_rate", "sampling_rate", "sr")
_NEEDED = "onnx and onnxruntime are not installed; pip install 'sertools[onnx]'"


class OnnxNetwork:
    """A network that onnxruntime computes; see `sertools.encoders.network.Network`.

    Parameters
    ----------
    path
        The file; external data lies beside it.
    sr
        Hz; None where its metadata says it.

    Raises
    ------
    ModelError
        If the extra is not installed, the file or its external data cannot be read, its axes are others, or it does
        not run on a second of silence.
    UsageError
        If nobody says its sampling rate, or it has no such layer.
    """

    family = "onnx"
    n_layers = 0
    min_samples = 1
    max_samples: int | None = None

    def __init__(self, path: Path, layers: Sequence[int] | None, device: torch.device, sr: int | None):
        self._path = path
        self.layers = chosen_layers(layers, self.n_layers)
        self.digest = _digest(path)
        self._session = _session(path, device)
        self._input, self._one = _input(path, self._session)
        self.sr = _rate(path, self._session, sr)
        self.front_end: Mapping[str, Number] = {"sr": self.sr}
        try:
            found = self._run(np.zeros((1, self.sr), dtype=np.float32))
        except RuntimeError as error:
            raise ModelError(f"{path}: does not run on a second of silence ({error}); export it again") from error
        if found.ndim not in (2, 3) or len(found) != 1:
            raise ModelError(f"{path}: its output is {found.shape}; expected frames (B, T, D) or a vector (B, D)")
        self.one_vector = found.ndim == 2
        self.width = found.shape[-1]

    def frames(self, batch: Sequence[Waveform], precision: str) -> dict[int, Tensor]:
        """Return hidden states, as `Network` says; one frame where the file gives a vector."""
        try:
            stacked = np.stack(batch)
            found = np.concatenate([self._run(y[None]) for y in stacked]) if self._one else self._run(stacked)
        except RuntimeError as error:
            seconds = len(batch[0]) / self.sr
            raise AudioError(f"{self._path} does not run on {seconds:.3g} s of audio ({error})") from error
        return {0: torch.from_numpy(found[:, None] if self.one_vector else found).float()}

    def _run(self, batch: Waveform) -> Any:
        # onnxruntime has errors of its own, one class for each code, and no root of them but Exception.
        try:
            return self._session.run(None, {self._input: batch})[0]
        except Exception as error:
            raise RuntimeError(str(error).splitlines()[0]) from error


def _digest(path: Path) -> str:
    """Digest a file and its external data."""
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ModelError(f"{path}: {_NEEDED}") from error
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except OSError as error:
        raise ModelError(f"{path}: {why_not(path, error)}") from error
    # protobuf's own, which is no error of the standard library.
    except Exception as error:
        raise ModelError(f"{path}: not an ONNX file; export it again") from error
    outside = {
        entry.value
        for weight in graph.initializer
        if weight.data_location == onnx.TensorProto.EXTERNAL
        for entry in weight.external_data
        if entry.key == "location"
    }
    for name in sorted(outside):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ModelError(f"{path}: its external data {name!r} lies elsewhere; export it with its data beside it")
        if not (path.parent / name).is_file():
            raise ModelError(f"{path.parent / name}: is missing, and holds weights of {path.name}; copy it there")
    return digest_each(
        digest_file(each).encode() for each in (path, *(path.parent / name for name in sorted(outside)))
    )


def _session(path: Path, device: torch.device) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ModelError(f"{path}: {_NEEDED}") from error
    provider = "CPUExecutionProvider"
    if device.type == "cuda":
        provider = "CUDAExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise ModelError(f"{path}: this onnxruntime has no GPU; pip install onnxruntime-gpu, or --device cpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is said in an error
    chosen: Any = (provider, {"device_id": device.index or 0}) if device.type == "cuda" else provider
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[chosen])
    except Exception as error:  # as in `OnnxNetwork._run`
        raise ModelError(
            f"{path}: onnxruntime cannot use it ({str(error).splitlines()[0]}); export it again"
        ) from error


def _input(path: Path, session: Any) -> tuple[str, bool]:
    """Return the name of the waveform, and whether only one is taken at a time, after a look at all axes."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        named = ", ".join(each.name for each in (*inputs, *outputs))
        raise ModelError(
            f"{path}: has {len(inputs)} inputs and {len(outputs)} outputs ({named}); export it with one of each"
        )
    (wave,) = inputs
    if wave.type != "tensor(float)" or len(wave.shape) != 2:
        raise ModelError(f"{path}: its input is {wave.type} {wave.shape}; expected float32 samples (B, n)")
    one = isinstance(wave.shape[0], int)
    if one and wave.shape[0] != 1:
        raise ModelError(f"{path}: takes {wave.shape[0]} recordings at once, always; export it with a dynamic batch")
    if isinstance(wave.shape[1], int):
        raise ModelError(f"{path}: takes {wave.shape[1]} samples, always; export it with a dynamic time axis")
    return str(wave.name), one


def _rate(path: Path, session: Any, sr: int | None) -> int:
    metadata = session.get_modelmeta().custom_metadata_map
    told = next((metadata[name] for name in _RATES if name in metadata), None)
    if told is None:
        if sr is None:
            raise UsageError(f"{path}: does not say its sampling rate ({_RATES[0]} in its metadata); give --sr")
        return sr
    try:
        own = int(told)
    except ValueError as error:
        raise ModelError(f"{path}: its metadata have the sampling rate {told!r}; expected a number of Hz") from error
    check_rate(sr, own, str(path))
    return own
