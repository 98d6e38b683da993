"""Networks of Hugging Face transformers: wav2vec 2.0 and its kin, and Whisper's encoder.

The only module that knows transformers, which has few types. Its classes are asked for by name; code that comes with
a model is never run. A network is built without random weights, and keeps no block above the highest layer that is
asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sertools.encoders.hidden_states import AnyLengthNetwork, LoadedNetwork, WhisperNetwork
from sertools.encoders.hub import NEEDED
from sertools.encoders.network import Network, check_rate, chosen_layers
from sertools.encoders.weights import digest_weights, read_config, read_extractor, read_weights, weight_files
from sertools.errors import ModelError, UsageError

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
    n_layers = len(blocks)
    chosen = chosen_layers(layers, n_layers)
    weights = read_weights(
        files, {key: value.shape for key, value in network.state_dict().items()}, family.prefixes, folder
    )
    network.load_state_dict(weights, assign=True)
    digest = digest_weights(weights, {key: getattr(config, key, None) for key in _JOINING})
    del blocks[max(*chosen, 1) :]
    network.float().eval().to(device)
    loaded = LoadedNetwork(name, digest, config, extractor, network, n_layers, chosen, device)
    try:
        return WhisperNetwork(loaded, padded) if name == "whisper" else AnyLengthNetwork(loaded)
    except ValueError as error:
        raise ModelError(f"{folder}: {error}: its files are of two models; copy them again") from error


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
