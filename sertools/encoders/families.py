"""Networks of Hugging Face transformers: wav2vec 2.0 and its kin, and Whisper's encoder.

The only module that knows transformers, which has few types. Its classes are asked for by name; code that comes with
a model is never run. A network is built without random weights, and keeps no block above the highest layer that is
asked for.

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
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sertools.arrays import Waveform
from sertools.encoders.hub import NEEDED
from sertools.encoders.network import Network, Number, check_rate, chosen_layers
from sertools.encoders.weights import digest_weights, read_config, read_extractor, read_weights, weight_files
from sertools.errors import ModelError, UsageError

_HALVES = {"bf16": torch.bfloat16, "float16": torch.float16}
# Numbers of a configuration that change what the same weights compute.
_JOINING = (
    *("num_attention_heads", "encoder_attention_heads", "hidden_act", "activation_function", "layer_norm_eps"),
    *("feat_extract_norm", "feat_extract_activation", "conv_stride", "conv_kernel", "do_stable_layer_norm"),
    *("num_conv_pos_embedding_groups", "position_embeddings_type", "num_buckets", "max_bucket_distance"),
    *("left_max_position_embeddings", "right_max_position_embeddings", "rotary_embedding_base"),
)
# What is for training, or comes after the encoder.
_WITHOUT = {
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
    "apply_spec_augment": False,
    "add_adapter": False,
    "use_intermediate_ffn_before_adapter": False,
}


@dataclass(frozen=True)
class _Family:
    """Names of transformers' classes, and what stands before the encoder's weights in files of larger models."""

    config: str
    model: str
    extractor: str
    prefixes: tuple[str, ...]


_WAVES = "Wav2Vec2FeatureExtractor"
FAMILIES: Mapping[str, _Family] = {
    "wav2vec2": _Family("Wav2Vec2Config", "Wav2Vec2Model", _WAVES, ("", "wav2vec2.")),
    "hubert": _Family("HubertConfig", "HubertModel", _WAVES, ("", "hubert.")),
    "wavlm": _Family("WavLMConfig", "WavLMModel", _WAVES, ("", "wavlm.")),
    "data2vec-audio": _Family("Data2VecAudioConfig", "Data2VecAudioModel", _WAVES, ("", "data2vec_audio.")),
    "wav2vec2-bert": _Family(
        "Wav2Vec2BertConfig", "Wav2Vec2BertModel", "SeamlessM4TFeatureExtractor", ("", "wav2vec2_bert.")
    ),
    # The one class that has the encoder without a decoder.
    "whisper": _Family(
        "WhisperConfig",
        "WhisperForAudioClassification",
        "WhisperFeatureExtractor",
        ("encoder.", "model.encoder.", ""),
    ),
}


def load_network(
    folder: Path, layers: Sequence[int] | None, device: torch.device, sr: int | None, padded: bool
) -> Network:
    """Read a network that transformers saved.

    Parameters
    ----------
    layers
        Hidden states; the middle one if None.
    sr
        The rate that is wanted; its own if None.
    padded
        Whether Whisper is given 30 s, as it was trained, rather than a recording's own length.

    Raises
    ------
    ModelError
        If the extra is not installed, or the folder holds no such encoder, or not all of it.
    UsageError
        If there is no such layer, the encoder takes another rate, or `padded` is not for it.
    """
    values = read_config(folder)
    name = str(values.get("model_type"))
    if name not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise ModelError(f"{folder}: a model of the type {name!r}; expected one of {known}")
    if padded and name != "whisper":
        raise UsageError(f"--padded: {folder} is of the type {name}, which takes any length; leave it out")
    try:
        import transformers  # noqa: PLC0415 - an extra
        from transformers.initialization import no_init_weights  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(f"{folder}: {NEEDED}") from error
    family = FAMILIES[name]
    files = weight_files(folder)
    extractor = _extractor(transformers, family, folder)
    check_rate(sr, int(extractor.sampling_rate), str(folder))
    try:
        config = getattr(transformers, family.config).from_dict({**values, **_WITHOUT})
        with no_init_weights():
            model = getattr(transformers, family.model)(config)
        network = model.encoder if name == "whisper" else model
        blocks = network.layers if name == "whisper" else network.encoder.layers
    # A configuration has hundreds of numbers, and classes of errors of its own.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{folder}: its config.json makes no {name} ({reason}); copy it again") from error
    chosen = chosen_layers(layers, len(blocks))
    weights = read_weights(
        files, {key: value.shape for key, value in network.state_dict().items()}, family.prefixes, folder
    )
    network.load_state_dict(weights, assign=True)
    digest = digest_weights(weights, {key: getattr(config, key, None) for key in _JOINING})
    loaded = _Loaded(name, digest, config, extractor, network.float().eval().to(device), len(blocks), chosen, device)
    return _Whisper(loaded, padded) if name == "whisper" else _Wav2Vec(loaded)


def _extractor(transformers: Any, family: _Family, folder: Path) -> Any:
    """Make the family's own feature extractor of the folder's numbers."""
    path, numbers = read_extractor(folder)
    kind = numbers.get("feature_extractor_type", family.extractor)
    if kind != family.extractor:
        raise ModelError(f"{path}: of a {kind}, and the encoder has a {family.extractor}; copy its own")
    try:
        extractor = getattr(transformers, family.extractor)(**numbers)
        extractor.sampling_rate = int(extractor.sampling_rate)
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ModelError(f"{path}: its numbers make no front end ({error}); copy it again") from error
    return extractor


@dataclass(frozen=True)
class _Loaded:
    """A network of transformers with its numbers."""

    family: str
    digest: str
    config: Any
    extractor: Any
    network: Any
    n_layers: int
    layers: tuple[int, ...]
    device: torch.device


class _Transformer(ABC):
    """What both kinds of networks share."""

    front_end: Mapping[str, Number]
    min_samples: int
    max_samples: int | None = None

    def __init__(self, loaded: _Loaded, width: int):
        self.family, self.digest = loaded.family, loaded.digest
        self.n_layers, self.layers, self.width = loaded.n_layers, loaded.layers, width
        self.sr: int = loaded.extractor.sampling_rate
        self._device, self._extractor, self._network = loaded.device, loaded.extractor, loaded.network

    def frames(self, batch: Sequence[Waveform], precision: str) -> dict[int, Tensor]:
        """Return hidden states, as `Network` says."""
        features = torch.stack([self._features(y) for y in batch]).to(self._device)
        half = _HALVES.get(precision)
        with torch.inference_mode(), torch.autocast(self._device.type, half, enabled=half is not None):
            found = self._hidden(features)
        return {layer: found[layer].float() for layer in self.layers}

    @abstractmethod
    def _features(self, y: Waveform) -> Tensor:
        """Return what the network takes of one recording."""

    @abstractmethod
    def _hidden(self, features: Tensor) -> dict[int, Tensor]:
        """Return the hidden states that are wanted, and maybe others."""


class _Wav2Vec(_Transformer):
    """Networks that take any length: samples, or, of Wav2Vec2-BERT, Kaldi's log-mels two by two."""

    def __init__(self, loaded: _Loaded):
        config, extractor = loaded.config, loaded.extractor
        super().__init__(loaded, config.hidden_size)
        if self.family == "wav2vec2-bert":
            if extractor.num_mel_bins * extractor.stride != config.feature_projection_input_dim:
                raise ModelError(
                    f"{loaded.family}: {extractor.num_mel_bins} mels by {extractor.stride} frames do not make the "
                    f"{config.feature_projection_input_dim} inputs of config.json; copy both again"
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
        del blocks[max(*self.layers, 1) :]
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


class _Whisper(_Transformer):
    """Whisper's encoder, on a recording's own length.

    It was trained on 30 s and refuses anything else. Its positions are a table, so that the first of them do for a
    shorter recording, at a tenth of the cost for one of 3 s.
    """

    def __init__(self, loaded: _Loaded, padded: bool):
        config, extractor = loaded.config, loaded.extractor
        super().__init__(loaded, config.d_model)
        if extractor.feature_size != config.num_mel_bins:
            raise ModelError(
                f"whisper: {extractor.feature_size} mels of the front end, {config.num_mel_bins} of config.json; "
                "copy both again"
            )
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
            raise ModelError(
                f"whisper: {extractor.n_samples} samples of the front end, {longest} of config.json; copy both again"
            )
        self.max_samples = longest
        del self._network.layers[max(self.layers) :]

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
