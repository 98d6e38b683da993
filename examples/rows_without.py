"""Take something out of vectors, for a column beside `make table2`: voices, or loudness and rate.

``python examples/rows_without.py rows.h5 -o out.h5 --take-out speakers`` standardises the rows of each speaker by
that speaker's own mean and spread. That is transductive: of a test speaker it needs all recordings at once, without
labels.

``--take-out loudness-and-rate`` takes out what a least-squares fit, squares and product included, explains of the
rows by two numbers of each recording, its level in dB (silence below 35 dB left out) and its onsets a second;
``--keep`` keeps that part alone. It is a control: whatever still helps without them is not loudness and rate.

The store that is written is used in the place of the first, by ``make`` as all.h5; each donor is treated likewise.
"""

import argparse
import dataclasses
from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from sertools.provenance import Input, history
from sertools.sound.audio import read_utterance
from sertools.store.format import Contents, picture_digest
from sertools.store.reader import Store, open_store
from sertools.store.writer import write_store

Vectors = NDArray[np.float64]
TOP_DB = 35.0  # below the peak, as `embed --trim 35` has it
TAKEN_OUT = ("speakers", "loudness-and-rate")


def by_speaker(vectors: Vectors, speakers: NDArray[np.str_]) -> Vectors:
    """Standardise the rows of each speaker [shape=(N, n_values)]; values that do not vary become 0."""
    result = np.zeros_like(vectors)
    for name in np.unique(speakers):
        own = speakers == name
        spread = vectors[own].std(axis=0)
        result[own] = (vectors[own] - vectors[own].mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    return result


def loudness_and_rate(path: Path, sr: int) -> tuple[float, float]:
    """Measure a recording's level in dB and its onsets a second, where it is not silent."""
    y = read_utterance(path, sr).y
    y, _ = librosa.effects.trim(y, top_db=TOP_DB)
    level = 10.0 * np.log10(float(np.mean(np.square(y, dtype=np.float64))) + 1e-12)
    return level, len(librosa.onset.onset_detect(y=y, sr=sr)) * sr / max(len(y), 1)


def explained(vectors: Vectors, facts: Vectors) -> Vectors:
    """Predict rows from two numbers each, their squares and their product, by least squares.

    Parameters
    ----------
    vectors
        [shape=(N, n_values)]
    facts
        [shape=(N, 2)]
    """
    z = (facts - facts.mean(axis=0)) / facts.std(axis=0)
    design = np.column_stack([np.ones(len(z)), z, np.square(z), z.prod(axis=1)])
    prediction: Vectors = design @ np.linalg.lstsq(design, vectors, rcond=None)[0]
    return prediction


def facts_of(store: Store, path: Path) -> Vectors:
    """Measure all recordings of a store [shape=(N, 2)]."""
    contents = store.contents
    root = path.parent / contents.audio_root
    paths, sr = contents.of_utterances("path").tolist(), contents.front_end.sr
    facts = np.array([loudness_and_rate(root / name, sr) for name in paths])
    return facts[contents.segments["utterance"]]


def changed(contents: Contents, vectors: NDArray[np.float32], what: str, keep: bool) -> Contents:
    """Describe rows whose values are others; recordings, speakers and lineage stay."""
    digests = [picture_digest(vector) for vector in vectors]
    options = {"take_out": what, **({"keep": True} if keep else {})}
    line = history("rows_without.py", options, {"store": [Input(contents.digest(), contents.history)]})
    return dataclasses.replace(contents, segments=contents.segments.with_column("digest", digests), history=line)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("store", type=Path, metavar="ROWS.h5", help="a store of vectors, from embed")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.h5")
    parser.add_argument("--take-out", choices=TAKEN_OUT, required=True)
    parser.add_argument("--keep", action="store_true", help="keep what is taken out, and nothing else")
    given = parser.parse_args()
    store = open_store(given.store)
    vectors = store.rows(np.arange(len(store))).astype(np.float64)
    if given.take_out == "speakers":
        if given.keep:
            parser.error("--keep is for loudness-and-rate")
        result = by_speaker(vectors, store.contents.column("speaker"))
    else:
        part = explained(vectors, facts_of(store, given.store))
        share = part.var(axis=0).sum() / vectors.var(axis=0).sum()
        print(f"{given.store}: loudness and rate explain {share:.1%} of the variance of its rows")
        result = part if given.keep else vectors - part + vectors.mean(axis=0)
    values = result.astype(np.float32)
    write_store(given.output, changed(store.contents, values, given.take_out, given.keep), [values])


if __name__ == "__main__":
    main()
