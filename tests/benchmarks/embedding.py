"""`sertools embed` against the obvious loop of transformers: whole commands, imports and all; memory of long runs.

Needs a Whisper in the folder ``whisper-base-encoder`` below SERTOOLS_MODELS; without it nothing is measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from extraction import make_corpus
from pairs import compare, of_ratios, peak_bytes, python, wall_seconds

from sertools import open_store

HERE = Path(__file__).parent
N_FILES, SECONDS, SR, LAYER = 40, 3.0, 16_000, 3
START = "import sertools.store.vectors, transformers"
TOLERANCE = 1e-3  # of the largest value of a row, between the stock loop and `--padded`
os.environ["OMP_NUM_THREADS"] = "1"


def check(corpus: Path, folder: str, encoder: str) -> None:
    """Filled up to 30 s, ours are the loop's rows."""
    ours, rival = f"{folder}/padded.h5", f"{folder}/stock.npy"
    wall_seconds(embed(corpus, ours, encoder, "--padded"))
    store = open_store(ours)
    found, stock = store.rows(np.arange(len(store))), np.load(rival)
    gap = float((np.abs(found - stock).max(axis=1) / np.abs(stock).max(axis=1)).max())
    if gap > TOLERANCE:
        sys.exit(f"--padded is {gap:.1e} off the stock loop")


def embed(corpus: Path, output: str, encoder: str, *options: str) -> list[str]:
    line = ["embed", str(corpus), "-o", output, "--encoder", encoder, "--layer", str(LAYER), "-q", *options]
    return [*python("-m", "sertools"), *line]


def main(pairs: int) -> None:
    encoder = str(Path(os.environ.get("SERTOOLS_MODELS", "")) / "whisper-base-encoder")
    if not Path(encoder, "config.json").is_file():
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        make_corpus(corpus, N_FILES, SR, SECONDS)
        rival = python(str(HERE / "stock_embed.py"), str(corpus), f"{folder}/stock.npy", encoder, str(LAYER))
        compare(
            partial(wall_seconds, embed(corpus, f"{folder}/own.h5", encoder)), partial(wall_seconds, rival),
            pairs=pairs, what=f"embed, {N_FILES} files of {SECONDS:g} s", against="transformers, a file at a time",
            unit="time", goal=0.2, size=f"Whisper-base, layer {LAYER}, one thread, whole commands",
            floor="start and imports", bound=partial(wall_seconds, python("-c", START)),
        ).say()  # fmt: skip
        check(corpus, folder, encoder)
        few, many = Path(folder, "few"), Path(folder, "many")
        make_corpus(few, 40, SR, 5.0)
        make_corpus(many, 400, SR, 5.0)
        ratio = [
            peak_bytes(embed(many, f"{folder}/many.h5", encoder))
            / peak_bytes(embed(few, f"{folder}/few.h5", encoder))
        ]
        of_ratios(
            ratio, what="embed, 10 times the audio", against="embed, 40 files of 5 s", unit="memory", goal=1.1,
            size="peak of the process",
        ).say()  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
