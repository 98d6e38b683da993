"""Small stores of random pictures, and ways to read one."""

from pathlib import Path

import h5py
import numpy as np
from conftest import TINY

from sertools.store.escapes import escape_name
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table, picture_digest
from sertools.store.lineage import Lineage
from sertools.store.reader import Store
from sertools.store.writer import write_store

WORDS = ["plain", "Jürgen", "笑い", "a b", "", "%b %% 100%", "back\\slash", "'quoted\""]


def make_store(path: Path, pictures: np.ndarray, **fields: object) -> Contents:
    """Write a store of one segment an utterance, with a further column and unusual words."""
    digests = [picture_digest(picture) for picture in pictures]
    segments = [
        {"utterance": i, "start": 0.5 * i, "n_valid_frames": 30, "origin": "real", "digest": d}
        for i, d in enumerate(digests)
    ]
    utterances = [
        {
            "id": f"id {i}",
            "path": f"{WORDS[i % len(WORDS)]}{i}.wav",
            "start": 0.0,
            "duration": 1.0 + i,
            "emotion": WORDS[i % 3],
            "speaker": WORDS[i % len(WORDS)],
            "digest": d,
            "mood": WORDS[-1 - i % len(WORDS)],
        }
        for i, d in enumerate(digests)
    ]
    contents = Contents(
        front_end=TINY,
        segments=make_table(SEGMENT_COLUMNS, segments),
        utterances=make_table(UTTERANCE_COLUMNS, utterances, ["mood"]),
        history=('{"verb":"made"}', '{"verb":"ünïcode"}'),
        lineage=Lineage(frozenset(digests[:2]), frozenset(digests[2:3])),
        audio_root=escape_name("../cor\udcffpus"),
    )
    write_store(path, contents, [pictures], **fields)
    return contents


def read_all(store: Store) -> np.ndarray:
    return store.rows(np.arange(len(store)))


def plain(path: Path) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return file["spectrogram"][:]
