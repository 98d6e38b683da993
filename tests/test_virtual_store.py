"""Virtual stores: nothing is copied, and never are the wrong pictures read."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import make_store, plain, read_all

from sertools.errors import StoreError
from sertools.store.reader import open_store
from sertools.store.select import Selection, parse_condition, select_store


@pytest.fixture
def store(tiny_store: Path, tmp_path: Path) -> Path:
    """A copy of the tiny store in a folder of its own, under a name that HDF5 reads as a pattern."""
    folder = tmp_path / "in put"
    folder.mkdir()
    return Path(shutil.copy(tiny_store, folder / "100 %b specs.h5"))


@pytest.fixture
def virtual(store: Path, tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "sad.h5"
    select_store(store, path, Selection(where=(parse_condition("emotion=sad"),)))
    return path


def test_virtual_is_its_copy_row_by_row(store: Path, virtual: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.h5"
    select_store(store, copy, Selection(where=(parse_condition("emotion=sad"),)), copy=True)
    whole, there, here = open_store(store), open_store(virtual), open_store(copy)
    keep = whole.contents.emotion == "sad"
    np.testing.assert_array_equal(read_all(there), read_all(whole)[keep])
    np.testing.assert_array_equal(read_all(here), read_all(there))
    np.testing.assert_array_equal(plain(virtual), read_all(there))
    np.testing.assert_array_equal(plain(copy), read_all(there))
    assert there.contents.digest() == here.contents.digest() != whole.contents.digest()
    assert there.contents.history == here.contents.history
    assert virtual.stat().st_size < copy.stat().st_size
    assert not here.row_map.sources[0].path.samefile(store)
    assert set(there.contents.emotion) == {"sad"}


def test_all_rows_and_the_way_to_the_audio(tiny_store: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    select_store(tiny_store, tmp_path / "deeper" / "all.h5", Selection())
    whole, all_ = open_store(tiny_store), open_store(tmp_path / "deeper" / "all.h5")
    np.testing.assert_array_equal(plain(all_.path), read_all(whole))
    for store in (whole, all_):
        for u in range(len(store.contents.utterances)):
            expected = tiny_corpus / str(store.contents.utterances["path"][u])
            assert store.audio_path(u).samefile(expected)


def test_a_selection_of_a_selection_maps_to_the_pictures_themselves(store: Path, virtual: Path) -> None:
    third = virtual.parent / "third.h5"
    select_store(virtual, third, Selection(where=(parse_condition("speaker!=01,02"),)))
    opened = open_store(third)
    assert [source.path.resolve() for source in opened.row_map.sources] == [store.resolve()]
    whole = open_store(store)
    keep = (whole.contents.emotion == "sad") & ~np.isin(whole.contents.column("speaker"), ["01", "02"])
    np.testing.assert_array_equal(read_all(opened), read_all(whole)[keep])
    virtual.unlink()
    np.testing.assert_array_equal(plain(third), read_all(whole)[keep])


def test_both_files_may_move(virtual: Path, store: Path, tmp_path: Path) -> None:
    expected = read_all(open_store(virtual))
    moved = tmp_path / "else where"
    moved.mkdir()
    for folder in (virtual.parent, store.parent):
        folder.rename(moved / folder.name)
    virtual = moved / virtual.parent.name / virtual.name
    np.testing.assert_array_equal(read_all(open_store(virtual)), expected)
    np.testing.assert_array_equal(plain(virtual), expected)


def test_a_missing_source_is_named(virtual: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file of the same name in the working folder is not taken for it, as HDF5 itself would.
    elsewhere = store.parent / "elsewhere"
    elsewhere.mkdir()
    store.rename(elsewhere / store.name)
    monkeypatch.chdir(elsewhere)
    with pytest.raises(StoreError) as caught:
        open_store(virtual)
    assert str(caught.value).startswith(f"{virtual}: ")
    assert store.name in str(caught.value)
    assert "missing" in str(caught.value)


def test_another_store_under_its_name_is_refused(virtual: Path, store: Path, rng: np.random.Generator) -> None:
    for pictures in (rng.uniform(-100, 0, (82, 32, 32)), rng.uniform(-100, 0, (3, 32, 32))):
        make_store(store, pictures.astype(np.float32))
        with pytest.raises(StoreError, match="no longer holds the rows") as caught:
            open_store(virtual)
        assert store.name in str(caught.value)


def test_a_source_that_is_no_store_is_named(virtual: Path, store: Path) -> None:
    with h5py.File(store, "w") as file:
        file["spectrogram"] = np.zeros((82, 32, 32), dtype="f4")
    with pytest.raises(StoreError, match="holds unknown HDF5"):
        open_store(virtual)
    store.write_text("no HDF5 at all")
    with pytest.raises(StoreError, match="not an HDF5 file"):
        open_store(virtual)


def test_reordered_rows_of_the_source_are_noticed(virtual: Path, store: Path) -> None:
    with h5py.File(store, "r+") as file:
        file["segment/digest"][:] = file["segment/digest"][:][::-1]
        file["spectrogram"][:] = file["spectrogram"][:][::-1]
    with pytest.raises(StoreError, match="no longer holds the rows"):
        open_store(virtual)


def test_a_store_that_maps_itself_is_refused(virtual: Path, store: Path) -> None:
    # Reading one would crash libhdf5.
    shutil.copy(virtual, store)
    with pytest.raises(StoreError, match=r"leads back|no longer holds"):
        open_store(store)
    looped = virtual.parent / "looped.h5"
    shutil.copy(virtual, looped)
    with h5py.File(looped, "r+") as file:
        layout = h5py.VirtualLayout(file["spectrogram"].shape, dtype="f4")
        n = len(file["spectrogram"])
        layout[:] = h5py.VirtualSource(".", "spectrogram", shape=(n + 1, *layout.shape[1:]))[:n]
        del file["spectrogram"]
        file.create_virtual_dataset("spectrogram", layout)
    with pytest.raises(StoreError, match="leads back to itself"):
        open_store(looped)
