"""A classifier as an ONNX graph: from rows as a store holds them to posteriors, scaling included.

The input ``rows`` is pictures in dB [shape=(n, n_mels, n_frames)] or vectors [shape=(n, n_values)], the output
``posterior`` [shape=(n, n_classes), range=0…1], both float32, for any n. The metadata hold the classes in the order
of the output, the kind of the rows, the front end that makes them, and the version of sertools.
"""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.errors import ModelError, UsageError
from sertools.provenance import atomic_output, refuse_clobber
from sertools.reporting.exports.store import front_end_as_json
from sertools.training.classifier import load_classifier
from sertools.training.scaling import MinMax, Scaler
from sertools.version import __version__

SUFFIX_OF_GRAPHS = ".onnx"
_OPSET = 17  # of 2022; onnxruntime reads it from 1.12 on
_MOST_BYTES = 2**31 - 1  # of a protobuf message


def export_classifier(path: Path, output: Path) -> int:
    """Write a classifier as ONNX; equal classifiers give equal bytes by one version of PyTorch.

    Parameters
    ----------
    output
        A file that ends in ``.onnx``.

    Returns
    -------
    Weights written.

    Raises
    ------
    ModelError
        If the file is no classifier, its weights are too many for one file, or the extra is not installed.
    UsageError
        If `output` has another suffix.
    """
    if output.suffix != SUFFIX_OF_GRAPHS:
        raise UsageError(f"-o {output}: an ONNX file is known by its suffix; call it {output.stem}{SUFFIX_OF_GRAPHS}")
    header, net = load_classifier(path)
    count = sum(int(value.numel()) for value in net.state_dict().values())
    if 4 * count > _MOST_BYTES:
        raise ModelError(f"{path}: its {count} weights are more than the 2 GB of an ONNX file; train a thinner one")
    metadata = {
        "classes": json.dumps(header.classes),
        "front_end": front_end_as_json(header.front_end),
        "kind": header.front_end.kind,
        "sertools_version": __version__,
    }
    refuse_clobber(output, [path])
    with atomic_output(output) as part:
        _write_graph(part, _FromRows(net, header.scaler).eval(), header.shape, metadata)
    return count


class _FromRows(nn.Module):
    """A classifier with the scaling before it and the softmax behind it."""

    low: Tensor
    span: Tensor

    def __init__(self, net: nn.Module, scaler: Scaler) -> None:
        super().__init__()
        self.net, self.are_pictures = net, isinstance(scaler, MinMax)
        low, span = (
            (scaler.low_db, scaler.high_db - scaler.low_db)
            if isinstance(scaler, MinMax)
            else (scaler.mean, scaler.sd)
        )
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32))
        self.register_buffer("span", torch.tensor(span, dtype=torch.float32))

    def forward(self, rows: Tensor) -> Tensor:
        scaled = (rows - self.low) / self.span
        if self.are_pictures:
            scaled = (2.0 * scaled - 1.0).clamp(-1.0, 1.0)[:, None]
        return torch.softmax(self.net(scaled), dim=1)


def _write_graph(part: Path, whole: nn.Module, shape: Shape, metadata: dict[str, str]) -> None:
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ModelError("ONNX needs a package that is not installed: pip install 'sertools[onnx]'") from error
    # The exporter that newer versions take by themselves needs onnxscript, and writes paths of this machine.
    traced: dict[str, Any] = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with warnings.catch_warnings():
        # Of its age, and of LSTMs in batches, which `tests/test_export.py` compares.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            whole,
            (torch.zeros(1, *shape),),
            str(part),
            input_names=["rows"],
            output_names=["posterior"],
            dynamic_axes={"rows": {0: "n"}, "posterior": {0: "n"}},
            opset_version=_OPSET,
            **traced,
        )
    model = onnx.load(part)
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    part.write_bytes(model.SerializeToString(deterministic=True))
