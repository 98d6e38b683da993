"""The obvious way to rows of Whisper: transformers, a file at a time, filled up to 30 s as its extractor does."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from transformers import WhisperFeatureExtractor, WhisperForAudioClassification

torch.set_num_threads(1)
corpus, output, folder, layer = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
extractor = WhisperFeatureExtractor.from_pretrained(folder)
encoder = WhisperForAudioClassification.from_pretrained(folder).encoder.float().eval()
rows = []
with torch.inference_mode():
    for path in sorted(corpus.rglob("*.wav")):
        y, sr = soundfile.read(path, dtype="float32")
        y = y if sr == 16_000 else soxr.resample(y, sr, 16_000)
        features = extractor(y, sampling_rate=16_000, return_tensors="pt").input_features
        rows.append(encoder(features, output_hidden_states=True).hidden_states[layer][0].mean(0).numpy())
np.save(output, np.stack(rows))
