"""What every pretrained network offers, whatever it was read with, and what its rows are known by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from sertools.arrays import Waveform
from sertools.errors import ModelError, UsageError

Number = int | float | bool


@dataclass(frozen=True)
class EncoderIdentity:
    """What decides the rows of an encoder; two that are equal give rows that can be compared.

    No path is in it. Neither are device and precision, which belong to a run.

    Attributes
    ----------
    digest
        Of the weights of the encoder, as float32 and without heads, and of the numbers that join them; of an ONNX
        file, of its bytes and those of its external data.
    family
        Such as wav2vec2, or onnx.
    pool
        mean or mean-std.
    layers
        In ascending order.
    dim
        Length of a row.
    front_end
        Sampling rate in Hz, and what else is done to samples before the network.
    hub
        Name and commit on the hub, as ``NAME@COMMIT``; empty elsewhere. It says where the weights came from, so it is
        not compared: a copy of them in a folder is the same encoder.
    """

    digest: str
    family: str
    pool: str
    layers: tuple[int, ...]
    dim: int
    front_end: Mapping[str, Number]
    hub: str = field(default="", compare=False)

    def at(self, layer: int) -> EncoderIdentity:
        """Return the identity of one layer's rows."""
        return dataclasses.replace(self, layers=(layer,))

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON values; `from_record` reads them."""
        return {**dataclasses.asdict(self), "layers": list(self.layers)}

    @classmethod
    def from_record(cls, values: Mapping[str, Any]) -> EncoderIdentity:
        """Make an identity of what `record` returned.

        Raises
        ------
        ValueError
            If something is missing, or is too much.
        """
        names = {each.name for each in dataclasses.fields(cls)}
        if set(values) != names:
            raise ValueError(f"{', '.join(sorted(names ^ set(values)))}: missing or unknown")
        return cls(**{**values, "layers": tuple(values["layers"])})


class Network(Protocol):
    """A pretrained network that is ready to compute.

    Attributes
    ----------
    family, digest, front_end
        As in `EncoderIdentity`.
    n_layers
        Number of blocks; hidden states are 0 to this.
    layers
        Those that `frames` returns.
    width
        Channels of a frame.
    sr
        Hz.
    min_samples, max_samples
        The shortest and longest recording; no longest where `max_samples` is None.
    """

    family: str
    digest: str
    front_end: Mapping[str, Number]
    n_layers: int
    layers: tuple[int, ...]
    width: int
    sr: int
    min_samples: int
    max_samples: int | None

    def frames(self, batch: Sequence[Waveform], precision: str) -> dict[int, Tensor]:
        """Return the hidden states of recordings of one length.

        Parameters
        ----------
        batch
            B recordings [shape=(n,)] each.
        precision
            float32, bf16 or float16.

        Returns
        -------
        dict of int to Tensor
            By layer [shape=(B, T, width), float32], on the network's device.
        """
        ...


def chosen_layers(layers: Sequence[int] | None, n_layers: int) -> tuple[int, ...]:
    """Return the layers that are asked for, in order and each once; the middle one if none is.

    The middle layers know most about how something is said: below are the spectrum and the speaker, above what the
    network was trained to tell, such as words (arXiv 2308.08713). Of Whisper-base's layers the third of six is also
    the best on RAVDESS.

    Raises
    ------
    UsageError
        If the network has no such layer.
    """
    if layers is None:
        return (n_layers // 2,)
    if not layers:
        raise UsageError("--layer: names no layer")
    for layer in layers:
        if not 0 <= layer <= n_layers:
            raise UsageError(f"--layer {layer}: this encoder has {n_layers} blocks; expected 0 to {n_layers}")
    return tuple(sorted(set(layers)))


def check_rate(sr: int | None, own: int, where: str) -> None:
    """Refuse a sampling rate that is not the network's own.

    Raises
    ------
    UsageError
        Naming both.
    ModelError
        If its own is no rate.
    """
    if own <= 0:
        raise ModelError(f"{where}: a sampling rate of {own} Hz; restore its front end's numbers")
    if sr not in (None, own):
        raise UsageError(f"--sr {sr}: {where} takes {own} Hz, by its own numbers; leave --sr out")
