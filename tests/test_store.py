"""The store: the same bytes for the same content, readable by anyone, and never the wrong pictures."""

import dataclasses
import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st
from stores import WORDS, make_store, read_all

from sertools.errors import SertoolsError, StoreError, UsageError
from sertools.reporting.contents.description import describe
from sertools.store.escapes import escape_name, unescape_name
from sertools.store.format import REJECTED_COLUMNS, make_table
from sertools.store.intake import check_column_name
from sertools.store.merge import merge_stores
from sertools.store.reader import RowMap, Source, open_store
from sertools.store.select import Selection, select_store
from sertools.store.writer import Spool, write_store


@pytest.fixture
def pictures(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-100, 0, (12, 32, 32)).astype(np.float32)


# Writing and reading


def test_bytes_do_not_depend_on_clock_or_name(tmp_path: Path, pictures: np.ndarray, tiny_store: Path) -> None:
    make_store(tmp_path / "a.h5", pictures)
    select_store(tiny_store, tmp_path / "v.h5", Selection(fold=(1, 3)))
    time.sleep(1.1)
    make_store(tmp_path / "another name.h5", pictures)
    select_store(tiny_store, tmp_path / "another view.h5", Selection(fold=(1, 3)))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "another name.h5").read_bytes()
    assert (tmp_path / "v.h5").read_bytes() == (tmp_path / "another view.h5").read_bytes()


def test_round_trip(tmp_path: Path, pictures: np.ndarray) -> None:
    written = make_store(tmp_path / "s.h5", pictures)
    store = open_store(tmp_path / "s.h5")
    np.testing.assert_array_equal(read_all(store), pictures)
    np.testing.assert_array_equal(np.concatenate(list(store.blocks())), pictures)
    np.testing.assert_array_equal(store.rows([7, 0, 7]), pictures[[7, 0, 7]])
    read = store.contents
    for ours, theirs in ((written.segments, read.segments), (written.utterances, read.utterances)):
        assert set(ours) == set(theirs)
        for name in ours:
            assert ours[name].tolist() == theirs[name].tolist(), name
    assert read.front_end == TINY
    assert read.history == written.history
    assert read.lineage == written.lineage
    assert read.digest() == written.digest()
    assert not len(read.rejected)
    assert store.damaged_rows() == []


def test_plain_h5py_reads_it(tmp_path: Path, pictures: np.ndarray) -> None:
    make_store(tmp_path / "s.h5", pictures)
    with h5py.File(tmp_path / "s.h5", "r") as file:
        assert file.attrs["sertools_kind"].decode() == "spectrograms"
        assert file.attrs["sertools_version"] == 1
        dataset = file["spectrogram"]
        assert dataset.dtype == np.dtype("<f4")
        assert dataset.chunks is None
        np.testing.assert_array_equal(dataset[:], pictures)
        # As promised to programs without HDF5: one block at its offset.
        mapped = np.fromfile(
            tmp_path / "s.h5", dtype="<f4", count=dataset.size, offset=dataset.id.get_offset()
        ).reshape(dataset.shape)
        np.testing.assert_array_equal(mapped, pictures)
        emotions = file["utterance/emotion"].asstr()[:][file["segment/utterance"][:]]
        assert list(emotions[:3]) == WORDS[:3]
        assert file["front_end"].attrs["n_mels"] == 32


def test_a_repacked_store_reads_the_same(tmp_path: Path) -> None:
    # Padding compresses to less than the logical size of the pictures.
    pictures = np.full((40, 32, 32), -100, dtype=np.float32)
    pictures[:, 0, 0] = np.arange(40)
    written = make_store(tmp_path / "s.h5", pictures)
    with h5py.File(tmp_path / "s.h5") as old, h5py.File(tmp_path / "packed.h5", "w") as new:
        new.attrs.update(old.attrs)
        for name in ("segment", "utterance", "front_end", "lineage"):
            old.copy(name, new)
        new.create_dataset("spectrogram", data=pictures, chunks=(8, 32, 32), compression="gzip")
    assert (tmp_path / "packed.h5").stat().st_size < pictures.nbytes
    packed = open_store(tmp_path / "packed.h5")
    np.testing.assert_array_equal(read_all(packed), pictures)
    assert packed.contents.digest() == written.digest()
    select_store(tmp_path / "packed.h5", tmp_path / "v.h5", Selection(fold=(1, 2), by="utterance"))
    assert set(read_all(open_store(tmp_path / "v.h5"))[:, 0, 0]) < set(range(40))


@given(st.text() | st.binary().map(os.fsdecode))
def test_names_survive(name: str) -> None:
    escaped = escape_name(name)
    assert unescape_name(escaped) == name
    escaped.encode("utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "",
        "1st",
        "x" * 65,
        "\u0301a",
        "a=b",
        "a,b",
        "a\nb",
        "a\u202eb",
        "duration",
        "id",
        "path",
        "origin",
        "utterance",
    ],
)
def test_column_names_that_would_not_work_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_column_name(name)
    check_column_name("take_2")


def test_what_is_not_finite_is_refused(tmp_path: Path, pictures: np.ndarray) -> None:
    for value in (np.nan, np.inf):
        pictures[3, 1, 1] = value
        with Spool(tmp_path / "s.h5", TINY) as spool, pytest.raises(StoreError, match="NaN or infinite"):
            spool.add(pictures)
    assert list(tmp_path.iterdir()) == []


def test_too_few_pictures_leave_nothing(tmp_path: Path, pictures: np.ndarray) -> None:
    contents = make_store(tmp_path / "s.h5", pictures)
    before = (tmp_path / "s.h5").read_bytes()
    with pytest.raises(StoreError, match="11 pictures for 12 rows"):
        write_store(tmp_path / "s.h5", contents, [pictures[1:]])
    assert (tmp_path / "s.h5").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["s.h5"]


def test_a_changed_picture_is_found(tmp_path: Path, pictures: np.ndarray) -> None:
    make_store(tmp_path / "s.h5", pictures)
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file["spectrogram"][5, 31, 31] += 1
    assert open_store(tmp_path / "s.h5").damaged_rows() == [5]


def flipped(path: Path, place: int) -> None:
    """Flip all bits of one byte of a file."""
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ 0xFF]))


def places(path: Path) -> dict[str, tuple[int, int]]:
    """Dataset → offset and size in bytes of what the file itself holds of it."""
    found: dict[str, tuple[int, int]] = {}

    def look(name: str, thing: h5py.HLObject) -> None:
        if isinstance(thing, h5py.Dataset) and thing.id.get_offset() is not None:
            found[name] = (thing.id.get_offset(), thing.id.get_storage_size())

    with h5py.File(path) as file:
        file.visititems(look)
    return found


def sound(path: Path) -> bool:
    """Whether `info --verify` finds nothing."""
    try:
        return describe(path, verify=True)["verified"] is True
    except SertoolsError:
        return False


@pytest.mark.parametrize("kind", ["plain", "skipped", "selected", "merged", "augmented"])
def test_a_flipped_byte_in_any_dataset_is_found(kind: str, tmp_path: Path, pictures: np.ndarray) -> None:
    source, path = tmp_path / "s.h5", tmp_path / "t.h5"
    contents = make_store(source, pictures)
    if kind == "skipped":
        rejected = make_table(REJECTED_COLUMNS, [{"path": "a.wav", "reason": "empty"}])
        write_store(path, dataclasses.replace(contents, rejected=rejected), [pictures])
    elif kind == "selected":
        select_store(source, path, Selection(fold=(1, 2), by="utterance"))
    elif kind == "merged":
        merge_stores([source], path)
    elif kind == "augmented":
        # As `augment` lays it out: a row of its own beside rows elsewhere.
        rows = RowMap(
            (Source(source), Source(path, "/own/spectrogram")),
            np.repeat([0, 1], [11, 1]),
            np.array([*range(11), 0]),
        )
        with Spool(path, contents.front_end) as spool:
            spool.add(pictures[11:])
            spool.finish(contents, rows)
    else:
        path = source
    assert sound(path)
    held = places(path)
    assert {"segment/start", "segment/digest", "utterance/emotion", "lineage/trained_on"} <= {*held}
    assert ("rejected/reason" in held) == (kind == "skipped")
    assert ("own/digest" in held) == (kind == "augmented")
    whole = path.read_bytes()
    for name, (offset, size) in held.items():
        for place in {0, size // 2, size - 1}:
            flipped(path, offset + place)
            assert not sound(path), f"byte {place} of {name}"
            path.write_bytes(whole)
    assert sound(path)


def test_a_flipped_byte_anywhere_is_found_or_changes_nothing(tmp_path: Path, pictures: np.ndarray) -> None:
    path = tmp_path / "s.h5"
    make_store(path, pictures[:3])
    whole, said = path.read_bytes(), describe(path)
    in_tables = [
        range(offset, offset + size) for name, (offset, size) in places(path).items() if name != "spectrogram"
    ]
    n_found = 0
    for place in range(0, len(whole), 97):
        flipped(path, place)
        if sound(path):
            assert describe(path) == said, f"byte {place}"
            assert not any(place in table for table in in_tables), f"byte {place}"
        else:
            n_found += 1
        path.write_bytes(whole)
    assert n_found > 50


def test_a_store_without_a_digest_of_its_tables_is_read_and_says_so(tmp_path: Path, pictures: np.ndarray) -> None:
    path = tmp_path / "s.h5"
    make_store(path, pictures)
    with h5py.File(path, "r+") as file:
        del file.attrs["tables_digest"]
    assert open_store(path).tables_damaged() is None
    assert describe(path, verify=True)["verified"] == "pictures only: the store has no digest of its tables"


def test_the_tables_digest_does_not_depend_on_how_a_number_is_written(tmp_path: Path, pictures: np.ndarray) -> None:
    contents = make_store(tmp_path / "s.h5", pictures)
    as_int = dataclasses.replace(contents, front_end=dataclasses.replace(contents.front_end, trim_db=0))
    assert as_int.tables_digest() == contents.tables_digest()


def test_an_open_store_stays_the_one_that_was_opened(tmp_path: Path, pictures: np.ndarray) -> None:
    path = tmp_path / "s.h5"
    make_store(path, pictures)
    store = open_store(path)
    make_store(path, pictures[::-1] + 1)
    np.testing.assert_array_equal(read_all(store), pictures)
    assert store.damaged_rows() == []
    # What HDF5 must decode is read when it is asked for: then the file has to be the same.
    with h5py.File(path, "r+") as file:
        there = file["spectrogram"][:]
        del file["spectrogram"]
        file.create_dataset("spectrogram", data=there, compression="gzip")
    store = open_store(path)
    make_store(path, pictures)
    with pytest.raises(StoreError, match="was replaced while it was read; run again"):
        read_all(store)


# Other files


def test_another_kind_or_version_is_named(tmp_path: Path, pictures: np.ndarray) -> None:
    make_store(tmp_path / "s.h5", pictures)
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file.attrs["sertools_version"] = 2
    with pytest.raises(StoreError, match="version 2; this sertools reads version 1"):
        open_store(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file.attrs["sertools_kind"] = "latents"
    with pytest.raises(StoreError, match="holds latents, but spectrograms or embeddings are wanted"):
        open_store(tmp_path / "s.h5")


def test_a_folder_that_is_not_there(tmp_path: Path, tiny_store: Path) -> None:
    with pytest.raises(SertoolsError, match="there is no folder"):
        select_store(tiny_store, tmp_path / "no" / "x.h5", Selection())
    with pytest.raises(SertoolsError, match="not a regular file"):
        select_store(tiny_store, Path(os.devnull), Selection())
    assert not Path(os.devnull).is_file()


def test_rows_of_any_finite_size_are_read(tmp_path: Path, pictures: np.ndarray) -> None:
    large = np.where(pictures > pictures.mean(), np.float32(3e38), np.float32(-3e38))
    make_store(tmp_path / "s.h5", large)
    np.testing.assert_array_equal(open_store(tmp_path / "s.h5").rows([1, 0]), large[[1, 0]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_named(value: float, tmp_path: Path, pictures: np.ndarray) -> None:
    """`write_store` takes what it is given; whoever reads it is told the place."""
    spoilt = pictures.copy()
    spoilt[2, 3, 4] = value
    make_store(tmp_path / "s.h5", spoilt)
    store = open_store(tmp_path / "s.h5")
    np.testing.assert_array_equal(store.rows([0, 1, 3]), pictures[[0, 1, 3]])
    for read in (lambda: store.rows([3, 2]), lambda: list(store.blocks())):
        with pytest.raises(StoreError, match=r"s\.h5: row 2 \(utterance 'id 2'\) holds NaN or infinite values"):
            read()
    # Its bytes are what was written: no damage.
    assert store.damaged_rows() == []
