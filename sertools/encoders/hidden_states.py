"""Hidden states of a network of transformers, one pass for recordings of one length.

Layers
------
``hidden_states[K]`` is what goes into block K, counted from 0, and so comes out of the K-th: 0 is before the first
block. The last is what the encoder itself returns, through its final normalisation where it has one
(``last_hidden_state``); some versions of transformers list it without.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sertools.arrays import Waveform
from sertools.encoders.network import Number

_HALVES = {"bf16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LoadedNetwork:
    """A network of transformers with its numbers, ready to compute.

    Attributes
    ----------
    config, extractor, network
        Of transformers; the network has its blocks up to the highest of `layers`, and at least one.
    family, digest, n_layers, layers
        As in `sertools.encoders.network.Network`.
    device
        Where the network lies.
    """

    family: str
    digest: str
    config: Any
    extractor: Any
    network: Any
    n_layers: int
    layers: tuple[int, ...]
    device: torch.device


class _HiddenStates(ABC):
    """What both kinds share; see `sertools.encoders.network.Network`."""

    front_end: Mapping[str, Number]
    min_samples: int
    max_samples: int | None = None

    def __init__(self, loaded: LoadedNetwork, width: int):
        self.family, self.digest = loaded.family, loaded.digest
        self.n_layers, self.layers, self.width = loaded.n_layers, loaded.layers, width
        self.sr: int = loaded.extractor.sampling_rate
        self._device, self._extractor, self._network = loaded.device, loaded.extractor, loaded.network

    def frames(self, batch: Sequence[Waveform], precision: str) -> dict[int, Tensor]:
        """Return hidden states, as `Network` says."""
        features = torch.stack([self._features(y) for y in batch]).to(self._device)
        half = _HALVES.get(precision)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, half, enabled=half is not None),
            # By itself torch convolves float32 in TF32 on a GPU, which has the digits of float16.
            torch.backends.cudnn.flags(enabled=True, allow_tf32=half is not None),
        ):
            found = self._hidden(features)
        return {layer: found[layer].float() for layer in self.layers}

    @abstractmethod
    def _features(self, y: Waveform) -> Tensor:
        """Return what the network takes of one recording."""

    @abstractmethod
    def _hidden(self, features: Tensor) -> dict[int, Tensor]:
        """Return the hidden states that are wanted, and maybe others."""


class AnyLengthNetwork(_HiddenStates):
    """Networks that take any length: samples, or, of Wav2Vec2-BERT, Kaldi's log-mels two by two.

    Raises
    ------
    ValueError
        If the front end does not fit the network.
    """

    def __init__(self, loaded: LoadedNetwork):
        config, extractor = loaded.config, loaded.extractor
        super().__init__(loaded, config.hidden_size)
        if self.family == "wav2vec2-bert":
            if extractor.num_mel_bins * extractor.stride != config.feature_projection_input_dim:
                raise ValueError(
                    f"{extractor.num_mel_bins} mels by {extractor.stride} frames do not make the "
                    f"{config.feature_projection_input_dim} inputs of config.json"
                )
            self.front_end = {"sr": self.sr, "n_mels": extractor.num_mel_bins, "stride": extractor.stride}
            self.min_samples = 400 + 160 * (extractor.stride - 1)  # Kaldi's 25 and 10 ms, as the extractor has them
        else:
            self.front_end = {"sr": self.sr, "do_normalize": bool(extractor.do_normalize)}
            self.min_samples = 1
            for kernel, stride in reversed([*zip(config.conv_kernel, config.conv_stride, strict=True)]):
                self.min_samples = (self.min_samples - 1) * stride + kernel
        self._found: dict[int, Tensor] = {}
        blocks = self._network.encoder.layers
        blocks[0].register_forward_pre_hook(self._before, with_kwargs=True)
        for number, block in enumerate(blocks, 1):
            if number in self.layers:
                block.register_forward_hook(self._after(number))

    def _before(self, _block: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self._found[0] = given[0] if given else named["hidden_states"]

    def _after(self, number: int) -> Any:
        def keep(_block: Any, _given: Any, output: Any) -> None:
            self._found[number] = _first(output)

        return keep

    def _features(self, y: Waveform) -> Tensor:
        # An odd last frame of mels is left out: the network would be told to look away from what fills it up.
        whole = {"pad_to_multiple_of": None} if self.family == "wav2vec2-bert" else {}
        made = self._extractor(y, sampling_rate=self.sr, return_tensors="np", return_attention_mask=False, **whole)
        (features,) = made[self._network.main_input_name]
        return torch.from_numpy(features).float()

    def _hidden(self, features: Tensor) -> dict[int, Tensor]:
        last = self._network(features).last_hidden_state
        found, self._found = self._found, {}
        return {**found, self.n_layers: last}


class WhisperNetwork(_HiddenStates):
    """Whisper's encoder, on a recording's own length.

    It was trained on 30 s and refuses anything else. Its positions are a table, so that the first of them do for a
    shorter recording, at a tenth of the cost for one of 3 s.

    Raises
    ------
    ValueError
        If the front end does not fit the network.
    """

    def __init__(self, loaded: LoadedNetwork, padded: bool):
        config, extractor = loaded.config, loaded.extractor
        super().__init__(loaded, config.d_model)
        if extractor.feature_size != config.num_mel_bins:
            raise ValueError(f"{extractor.feature_size} mels of the front end, {config.num_mel_bins} of config.json")
        extractor.dither = 0.0  # it would be random
        self._padding = "max_length" if padded else "longest"
        self.front_end = {
            "sr": self.sr,
            "n_mels": extractor.feature_size,
            "n_fft": extractor.n_fft,
            "hop_length": extractor.hop_length,
            "padded": padded,
        }
        self.min_samples = extractor.n_fft
        longest = 2 * config.max_source_positions * extractor.hop_length
        if extractor.n_samples != longest:
            raise ValueError(f"{extractor.n_samples} samples of the front end, {longest} of config.json")
        self.max_samples = longest

    def _features(self, y: Waveform) -> Tensor:
        made = self._extractor(
            y, sampling_rate=self.sr, padding=self._padding, return_tensors="np", return_attention_mask=False
        )
        (features,) = made["input_features"]
        return torch.from_numpy(features)

    def _hidden(self, features: Tensor) -> dict[int, Tensor]:
        network = self._network
        x = F.gelu(network.conv2(F.gelu(network.conv1(features)))).permute(0, 2, 1)
        x = x + network.embed_positions.weight[: x.shape[1]]
        found = {0: x}
        for number, block in enumerate(network.layers, 1):
            x = _first(block(x, None))
            found[number] = x
        if len(network.layers) == self.n_layers:
            found[self.n_layers] = network.layer_norm(x)
        return found


def _first(output: Any) -> Tensor:
    """Return the hidden states of what a block returns, which may be these alone."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states
