"""The recordings of a store, as a listing: so that what was extracted can be encoded, by the same names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sertools.corpora.sources import Listing
from sertools.corpora.table import Recording
from sertools.errors import StoreError
from sertools.store.format import RECORDED_COLUMNS, UTTERANCE_COLUMNS
from sertools.store.reader import open_store


def listing_of_store(path: Path) -> Listing:
    """List the utterances of a store, with their audio, labels and names.

    Raises
    ------
    StoreError
        If the store is damaged, or rows were altered or generated: these have no recording.
    """
    store = open_store(path)
    contents = store.contents
    made = np.flatnonzero(contents.segments["origin"] != "real")
    if len(made):
        origin = str(contents.segments["origin"][made[0]])
        raise StoreError(
            f"{path}: {len(made)} rows were made ({origin}), not recorded; leave them out with "
            "`select --where origin=real`"
        )
    extra = [name for name in contents.utterances if name not in (*UTTERANCE_COLUMNS, *RECORDED_COLUMNS)]
    columns = {
        name: contents.of_utterances(name).tolist()
        for name in ("id", "digest", "emotion", "speaker", "session", "gender", "corpus", "start", "duration", *extra)
    }
    recordings, known = [], []
    for number in range(len(contents.utterances)):
        row = {name: values[number] for name, values in columns.items()}
        words = {name: row[name] for name in ("emotion", "speaker", "session", "gender", "corpus")}
        recordings.append(
            Recording(
                str(store.audio_path(number)),
                start=row["start"],
                end=row["start"] + row["duration"],
                extra={name: row[name] for name in extra},
                **words,
            )
        )
        known.append((row["id"], row["digest"]))
    read = (path, *(source.path for source in store.row_map.sources))
    return Listing(
        recordings, store.audio_root, tuple(dict.fromkeys(read)), known=tuple(known), store=contents.as_input()
    )
