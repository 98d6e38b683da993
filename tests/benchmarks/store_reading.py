"""Random batches of a store, and of chains of `select`, against a NumPy memory map of the same rows.

Also how long a training step waits for its batch where the store does not fit memory.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pairs import compare, of_ratios
from torch import nn

from sertools.config import FrontEnd
from sertools.provenance import history
from sertools.store.conditions import Condition
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store
from sertools.store.writer import Spool
from sertools.training import batches
from sertools.training.batches import open_rows
from sertools.training.order import batch_indices
from sertools.training.reading import BatchReader

N_ROWS, BATCH, N_BATCHES, N_SPEAKERS = 5000, 64, 200, 50


def write_random_store(path: Path) -> np.ndarray:
    front_end = FrontEnd()
    rng = np.random.default_rng(0)
    pictures = rng.uniform(-100, 0, (N_ROWS, front_end.n_mels, front_end.n_frames)).astype(np.float32)
    with Spool(path, front_end) as spool:
        digests = spool.add(pictures)
        segments = [
            {"utterance": n, "start": 0.0, "n_valid_frames": 128, "origin": "real", "digest": digest}
            for n, digest in enumerate(digests)
        ]
        utterances = [
            {
                "id": f"{n:05d}",
                "emotion": ("angry", "sad")[n % 2],
                "speaker": f"{n % N_SPEAKERS:02d}",
                "start": 0.0,
                "duration": front_end.segment_seconds,
                "digest": digest,
            }
            for n, digest in enumerate(digests)
        ]
        contents = Contents(
            front_end,
            make_table(SEGMENT_COLUMNS, segments),
            make_table(UTTERANCE_COLUMNS, utterances),
            history("extract", {}),
        )
        spool.finish(contents)
    return pictures


def reading(rows: Callable[[np.ndarray], np.ndarray], n_rows: int) -> Callable[[], float]:
    """Return what reads random batches and tells its seconds."""

    def read() -> float:
        rng = np.random.default_rng(1)
        start = time.perf_counter()
        for _ in range(N_BATCHES):
            rows(rng.integers(n_rows, size=BATCH))
        return time.perf_counter() - start

    read()  # once, so that the pages are in memory
    return read


def waiting(path: Path, pairs: int) -> None:
    """The share of a step that is spent waiting for a batch that is read as it is needed."""
    cpu = torch.device("cpu")
    rows = open_rows([path])
    scaler = rows.fit_scaler()
    net = nn.Sequential(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU())
    shares = []
    batches.free_memory = lambda device: 0
    for seed in range(pairs):
        reader = BatchReader(rows, lambda step, seed=seed: batch_indices(len(rows), BATCH, step, seed), scaler, cpu)
        reader.batch(0)
        waited, start = 0.0, time.perf_counter()
        for step in range(1, 51):
            asked = time.perf_counter()
            _, x = reader.batch(step)
            waited += time.perf_counter() - asked
            net(x).square().mean().backward()
        shares.append(waited / (time.perf_counter() - start))
    of_ratios(
        shares, what="waiting for a streamed batch", against="the whole step of two thin convolutions", unit="time",
        goal=0.05, size=f"{BATCH} of {N_ROWS} rows of 128×128, in page cache", floor="a batch in memory 0.00×",
    ).say()  # fmt: skip


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        path = root / "all.h5"
        pictures = write_random_store(path)
        np.save(root / "all.npy", pictures)
        memory_map = np.load(root / "all.npy", mmap_mode="r")
        rival = reading(lambda index: memory_map[index], N_ROWS)
        plain = reading(open_store(path).rows, N_ROWS)
        size = f"{BATCH} of {N_ROWS} rows of 128×128, in page cache"
        compare(
            plain, rival, pairs=pairs, what="random batches of a store", against="NumPy memory map", unit="speed",
            goal=0.8, size=size, floor="an array in memory", bound=reading(lambda index: pictures[index], N_ROWS),
        ).say()  # fmt: skip
        waiting(path, pairs)
        for depth in range(1, 4):
            chained = root / f"chain{depth}.h5"
            # A fifth of the speakers goes in each step, so that the runs are short.
            gone = Condition("speaker", tuple(f"{n:02d}" for n in range(depth - 1, N_SPEAKERS, 5)), negated=True)
            select_store(path, chained, Selection(where=(gone,)))
            path = chained
        store = open_store(path)
        compare(
            reading(store.rows, len(store)), plain, pairs=pairs, what="the same after three selects",
            against="the plain store", unit="time", goal=1.2, size=size, floor="the plain store 1.00×",
        ).say()  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
