"""What a store holds, and how its tables are laid out in HDF5.

A store is pictures (log-mel power in dB, never normalised), or vectors of an encoder, with three tables: ``/segment``
(one row per picture or vector), ``/utterance`` (one row per utterance) and ``/rejected``. ``docs/store-format.md``
draws it. This module is the only one that knows column types; `reader` and `writer` move the bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sertools.config import SPECTROGRAMS, FrontEnd
from sertools.encoding import EMBEDDINGS, RowSource
from sertools.errors import StoreError, UsageError
from sertools.provenance import Input, canonical_json, digest_bytes, digest_each
from sertools.spelling import spelled
from sertools.store.identity import called, in_corpus
from sertools.store.lineage import Lineage

KINDS = (SPECTROGRAMS, EMBEDDINGS)
VERSION = 1

# Where rows lie in a file, by their kind: a store's own, or those that `augment` adds to a virtual one; and where
# their digests do.
ROWS_OF = {SPECTROGRAMS: "/spectrogram", EMBEDDINGS: "/embedding"}
OWN_ROWS_OF = {SPECTROGRAMS: "/own/spectrogram", EMBEDDINGS: "/own/embedding"}
OWN_DIGESTS = "/own/digest"
DIGESTS_OF = dict.fromkeys(ROWS_OF.values(), "/segment/digest") | dict.fromkeys(OWN_ROWS_OF.values(), OWN_DIGESTS)
# The attribute that holds `Contents.tables_digest`; the first stores lack it.
TABLES_DIGEST = "tables_digest"

Column = npt.NDArray[Any]

# None marks text, kept as fixed-length UTF-8: no heap, so the bytes are the same every time.
SEGMENT_COLUMNS: Mapping[str, str | None] = {
    "utterance": "<i4",  # row of this file's /utterance
    "start": "<f8",  # seconds from the start of the utterance
    "n_valid_frames": "<i4",  # columns that are not padding
    "origin": None,  # real, copied, generated, …
    "parent": None,  # digest of the source row, or empty
    "params": None,  # how an altered row was made, or empty
    "digest": None,  # blake2b of the picture
}
UTTERANCE_COLUMNS: Mapping[str, str | None] = {
    "id": None,
    "path": None,  # relative to the corpus root
    "start": "<f8",  # of the span within the file, seconds
    "duration": "<f8",  # seconds
    "emotion": None,
    "speaker": None,
    "session": None,
    "gender": None,
    "digest": None,  # blake2b of the decoded audio; empty for silence
    "corpus": None,  # that the id and the names are of
}
# What `extract` itself adds to the further columns: rate of the file in Hz, power of the averaged channels in dB (see
# `sertools.sound.audio.Utterance`), and the frequency in Hz that the sound goes up to. As text, as all of these are;
# rows that were made, and the first stores, have none.
SOURCE_SR, MIXDOWN, BANDWIDTH = "source_sr", "mixdown_db", "bandwidth_hz"
RECORDED_COLUMNS = (SOURCE_SR, MIXDOWN, BANDWIDTH)
# Columns that a file has only where some row has a value, and that every table in memory has.
IF_KNOWN = ("corpus",)
REJECTED_COLUMNS: Mapping[str, str | None] = {"path": None, "reason": None}
# Text that is no words: paths keep the spelling of the disk, and ids come from them.
NO_WORDS = ("id", "path", "digest", "parent", "params")


class Table:
    """Named columns of equal length."""

    def __init__(self, columns: Mapping[str, npt.ArrayLike]) -> None:
        self.columns: dict[str, Column] = {name: np.asarray(values) for name, values in columns.items()}
        if len({column.shape for column in self.columns.values()}) > 1:
            raise StoreError("the columns of a table differ in length")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def take(self, index: npt.ArrayLike) -> Table:
        """Return the rows at `index`."""
        index = np.asarray(index, dtype=np.intp)
        return Table({name: column[index] for name, column in self.columns.items()})

    def known(self) -> list[str]:
        """Name the columns that a file holds: all but those of `IF_KNOWN` that are empty."""
        return [name for name, column in self.columns.items() if name not in IF_KNOWN or (column != "").any()]

    def with_column(self, name: str, values: npt.ArrayLike) -> Table:
        """Return the table with one column added or replaced."""
        return Table({**self.columns, name: values})


def make_table(
    schema: Mapping[str, str | None], rows: Iterable[Mapping[str, Any]], extra: Iterable[str] = ()
) -> Table:
    """Build a table of `schema`, and `extra` text columns, from rows; missing text is empty."""
    listed = list(rows)
    columns: dict[str, Column] = {}
    for name, kind in {**schema, **dict.fromkeys(extra)}.items():
        if kind is None:
            columns[name] = np.array([str(row.get(name, "")) for row in listed], dtype=np.str_)
        else:
            columns[name] = np.array([row[name] for row in listed], dtype=kind)
    return Table(columns)


def concatenate(tables: list[Table]) -> Table:
    """Stack tables; a text column that some lack is empty there."""
    names = dict.fromkeys(name for table in tables for name in table)
    columns = {}
    for name in names:
        parts = [t[name] if name in t.columns else np.full(len(t), "", dtype=np.str_) for t in tables]
        columns[name] = np.concatenate(parts)
    return Table(columns)


@dataclass(frozen=True)
class Shard:
    """Part `k` of `n` of one extraction.

    Attributes
    ----------
    n_listed
        Recordings of the whole extraction; 0 in shards that do not say which they are parts of.
    files, labels
        Digests of what they are called, and of what is said of them, in their order; empty where `n_listed` is 0.
    """

    k: int
    n: int
    n_listed: int = 0
    files: str = ""
    labels: str = ""


@dataclass(frozen=True)
class Contents:
    """All of a store but its pictures.

    Attributes
    ----------
    segments, utterances, rejected
        The three tables.
    audio_root
        The corpus root, relative to the store's folder, by `escape_name`; empty where there is none.
    shard
        Which part of an extraction the store is; None if it is whole.
    """

    front_end: RowSource
    segments: Table
    utterances: Table
    history: tuple[str, ...]
    lineage: Lineage = field(default_factory=Lineage)
    rejected: Table = field(default_factory=lambda: make_table(REJECTED_COLUMNS, []))
    audio_root: str = ""
    shard: Shard | None = None

    def __len__(self) -> int:
        return len(self.segments)

    def column(self, name: str) -> Column:
        """Return a column, one value a segment, from either table; the segment's own wins.

        Raises
        ------
        UsageError
            If there is no such column.
        """
        if name in self.segments.columns and name not in ("utterance", "digest"):
            return self.segments[name]
        if name in self.utterances.columns:
            return self.of_utterances(name)[self.segments["utterance"]]
        known = [n for n in (*self.utterances, *self.segments) if n not in ("utterance", "digest", "parent")]
        raise UsageError(f"no column {name!r}; the columns are {', '.join(dict.fromkeys(known))}")

    def of_utterances(self, name: str) -> Column:
        """Return a column of ``/utterance``; words are `spelled`, as the first stores did not keep them."""
        column = self.utterances[name]
        if column.dtype.kind != "U" or name in NO_WORDS:
            return column
        forms = {word: spelled(word) for word in set(column.tolist())}
        if all(word == form for word, form in forms.items()):
            return column
        return np.array([forms[word] for word in column.tolist()], dtype=np.str_)

    def full_names(self, name: str) -> Column:
        """Return ids, speakers or sessions of the utterances, told apart by corpus."""
        corpora, names = (self.of_utterances(column) for column in ("corpus", name))
        if not (corpora != "").any():
            return names
        return np.array(in_corpus(corpora.tolist(), names.tolist()), dtype=np.str_)

    @property
    def passed_on(self) -> Lineage:
        """Lineage of what is made of these rows."""
        speakers = map(called, self.full_names("speaker").tolist())
        return self.lineage.trained(self.of_utterances("digest").tolist(), speakers)

    @property
    def emotion(self) -> Column:
        """Emotion of each segment [shape=(N,)]."""
        return self.column("emotion")

    def classes(self) -> tuple[str, ...]:
        """Return the emotions that occur, sorted; rows without a label do not count."""
        return tuple(sorted(set(self.emotion.tolist()) - {""}))

    def take(self, index: npt.ArrayLike) -> tuple[Table, Table]:
        """Return the segments at `index` and the utterances they belong to, renumbered in order."""
        segments = self.segments.take(index)
        used, renumbered = np.unique(segments["utterance"], return_inverse=True)
        return segments.with_column("utterance", renumbered.astype("<i4")), self.utterances.take(used)

    def digest(self) -> str:
        """Digest of what the store says, whether it holds its pictures or maps to them."""
        # 35 for 35.0 is the same front end, and comes back from the file as 35.0.
        usual = type(self.front_end)()
        front_end = {
            f.name: type(getattr(usual, f.name))(getattr(self.front_end, f.name))
            for f in dataclasses.fields(usual)
            if f.compare
        }

        def parts() -> Iterator[str]:
            yield canonical_json(front_end)
            for table in (self.segments, self.utterances):
                for name in sorted(table.known()):
                    yield canonical_json([name, table[name].tolist()])
            yield "\n".join(sorted(self.lineage.trained_on))
            yield "\n".join(sorted(self.lineage.selected_on))
            if self.lineage.speakers:
                yield canonical_json(sorted(self.lineage.speakers))

        return digest_each(part.encode("utf-8", "surrogatepass") for part in parts())

    def as_input(self) -> Input:
        """Return digest and history, as of what a tool reads."""
        return Input(self.digest(), self.history)

    def tables_digest(self, own: Iterable[str] = ()) -> str:
        """Digest of all that the file holds beside pictures, `own` the digests of ``/own``: for `info --verify`."""
        rejected = (
            [[name, self.rejected[name].tolist()] for name in sorted(self.rejected)] if len(self.rejected) else []
        )
        shard = [each for each in dataclasses.astuple(self.shard) if each] if self.shard else []
        rest = [list(self.history), rejected, self.audio_root, shard, list(own)]
        return digest_bytes(self.digest().encode(), canonical_json(rest).encode("utf-8", "surrogatepass"))


def picture_digest(picture: npt.NDArray[np.float32]) -> str:
    """Digest of one picture's little-endian float32 bytes."""
    return digest_bytes(np.ascontiguousarray(picture, dtype="<f4").data)


def pictures_of(front_end: RowSource, name: str) -> FrontEnd:
    """Return the front end of a store of pictures.

    Raises
    ------
    StoreError
        If its rows are vectors.
    """
    if not isinstance(front_end, FrontEnd):
        raise StoreError(f"{name}: its rows are vectors of an encoder; spectrograms are wanted here")
    return front_end


def same_front_end(expected: RowSource, found: RowSource, expected_file: str, found_file: str) -> None:
    """Refuse to mix rows of two front ends.

    Raises
    ------
    StoreError
        Naming both files and the settings that differ.
    """
    if expected.kind != found.kind:
        raise StoreError(f"{found_file}: its rows are {found.kind}, those of {expected_file} are {expected.kind}")
    differing = [
        f"{f.name} {getattr(found, f.name)!r} instead of {getattr(expected, f.name)!r}"
        for f in dataclasses.fields(expected)
        if f.compare and getattr(expected, f.name) != getattr(found, f.name)
    ]
    if differing:
        raise StoreError(
            f"{found_file}: its front end differs from {expected_file}'s ({'; '.join(differing)}); "
            "extract both with the same options"
        )
