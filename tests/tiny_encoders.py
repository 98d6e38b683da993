"""Small random networks of every family of pretrained encoders."""

from pathlib import Path

import pytest
import torch

from sertools.encoders.families import FAMILIES

transformers = pytest.importorskip("transformers", reason="needs the extra `encoder`")

BLOCKS = 4
SMALL = {"hidden_size": 16, "num_hidden_layers": BLOCKS, "num_attention_heads": 2, "intermediate_size": 24}
CONVOLUTIONS = {
    "conv_dim": [8, 8, 8],
    "conv_kernel": [10, 8, 4],
    "conv_stride": [5, 8, 8],
    "num_feat_extract_layers": 3,
}
WAVES = {**SMALL, **CONVOLUTIONS, "num_conv_pos_embedding_groups": 2}
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
MELS = {**SMALL, "feature_projection_input_dim": 160}
WHISPER = {"d_model": 16, "encoder_layers": BLOCKS, "encoder_attention_heads": 2, "encoder_ffn_dim": 24}
WHISPER |= {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 24, "max_source_positions": 100}
# Family and numbers of each; the layouts that have large checkpoints too.
CONFIGS = {
    "wav2vec2": ("wav2vec2", {**WAVES, "num_conv_pos_embeddings": 16}),
    "wav2vec2-stable": ("wav2vec2", {**WAVES, **STABLE, "num_conv_pos_embeddings": 16}),
    "hubert": ("hubert", {**WAVES, "num_conv_pos_embeddings": 16}),
    "wavlm": ("wavlm", {**WAVES, "num_conv_pos_embeddings": 16}),
    "wavlm-stable": ("wavlm", {**WAVES, **STABLE, "num_conv_pos_embeddings": 16}),
    "data2vec-audio": ("data2vec-audio", {**WAVES, "num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 5}),
    "wav2vec2-bert": ("wav2vec2-bert", {**MELS, "vocab_size": 8}),
    "whisper": ("whisper", {**WHISPER, "vocab_size": 60, "pad_token_id": 0}),
}


def save_tiny(kind: str, folder: Path) -> Path:
    """Save a small random network of a family, with its front end."""
    name, numbers = CONFIGS[kind]
    family = FAMILIES[name]
    torch.manual_seed(1)
    # As published networks are: with what only training needs.
    config = getattr(transformers, family.config)(**numbers, mask_time_prob=0.05)
    model = getattr(transformers, family.model)(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            value += 0.1 * torch.randn_like(value)
    model.save_pretrained(folder)
    extra = {"chunk_length": 2} if name == "whisper" else {}
    getattr(transformers, family.extractor)(**extra).save_pretrained(folder)
    return folder
