"""Virtual stores: nothing is copied, and never are the wrong pictures read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import make_store, plain, read_all

from sertools.balance.augmentation import augment_store
from sertools.balance.strategies import STRATEGIES
from sertools.errors import StoreError
from sertools.store.conditions import parse_condition
from sertools.store.format import picture_digest
from sertools.store.merge import merge_stores
from sertools.store.reader import Source, Store, open_store
from sertools.store.select import Selection, select_store


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
    *before, line = here.contents.history
    assert there.contents.history == (*before, line.replace('"copy":true,', ""))
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


# Stores that hold rows of their own


@pytest.fixture
def sars(augmented: Path, tmp_path: Path) -> Path:
    """The store that SARS made, beside its source, in a folder whose name HDF5 reads as a pattern."""
    return Path(shutil.copytree(augmented, tmp_path / "100 %b")) / "sars.h5"


def altered(store: Store) -> np.ndarray:
    return store.contents.segments["origin"] != "real"


def digests(store: Store) -> list[str]:
    return [picture_digest(picture) for picture in read_all(store)]


def test_own_rows_and_mapped_rows_are_read_alike(sars: Path) -> None:
    store, source = open_store(sars), open_store(sars.parent / "specs.h5")
    own = Source(sars, "/own/spectrogram")
    assert set(store.row_map.sources) == {Source(source.path), own}
    here = store.row_map.source == store.row_map.sources.index(own)
    np.testing.assert_array_equal(here, altered(store))
    assert digests(store) == store.contents.segments["digest"].tolist()
    assert set(store.contents.segments["digest"][~here]) <= set(source.contents.segments["digest"])
    np.testing.assert_array_equal(plain(sars), read_all(store))
    # Only new rows are in the file.
    with h5py.File(sars) as file:
        assert len(file["own/spectrogram"]) == here.sum()
    assert sars.stat().st_size < here.sum() * 32 * 32 * 4 + 100_000


def test_selections_of_own_rows(sars: Path, tmp_path: Path) -> None:
    whole = open_store(sars)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    first, second = tmp_path / "deep" / "first.h5", tmp_path / "deep" / "er" / "second.h5"
    select_store(sars, first, Selection(where=(parse_condition("emotion=sad,angry"),)))
    select_store(first, second, Selection(where=(parse_condition("speaker!=01"),)))
    first.unlink()  # the pictures do not lie there
    keep = np.isin(whole.contents.emotion, ["sad", "angry"]) & (whole.contents.column("speaker") != "01")
    for copy in (False, True):
        path = tmp_path / "third.h5"
        select_store(second, path, Selection(), copy=copy)
        store = open_store(path)
        assert {(source.path.name, source.dataset) for source in store.row_map.sources} == (
            {("third.h5", "/spectrogram")}
            if copy
            else {("specs.h5", "/spectrogram"), ("sars.h5", "/own/spectrogram")}
        )
        np.testing.assert_array_equal(read_all(store), read_all(whole)[keep])
        np.testing.assert_array_equal(plain(path), read_all(store))
        np.testing.assert_array_equal(altered(store), altered(whole)[keep])
    # The copy stands alone.
    shutil.rmtree(sars.parent)
    assert digests(open_store(path)) == whole.contents.segments["digest"][keep].tolist()
    with pytest.raises(StoreError, match=r"which is missing"):
        open_store(second)


@pytest.mark.parametrize("by", ["speaker", "session", "utterance"])
def test_children_stay_with_their_parents(by: str, sars: Path, tmp_path: Path) -> None:
    whole = open_store(sars)
    row_of = {
        digest: row for row, digest in enumerate(open_store(sars.parent / "specs.h5").contents.segments["digest"])
    }
    ids = open_store(sars.parent / "specs.h5").contents.column("id")
    sides = []
    for k in (1, 2, 3):
        select_store(sars, tmp_path / f"{k}.h5", Selection(fold=(k, 3), by=by))
        side = open_store(tmp_path / f"{k}.h5").contents
        parents = side.segments["parent"][side.segments["origin"] != "real"].tolist()
        assert len(parents) > 5
        assert {ids[row_of[parent]] for parent in parents} <= set(side.column("id"))
        sides.append(side)
    assert sum(map(len, sides)) == len(whole)
    groups = [set(side.column("id" if by == "utterance" else by)) for side in sides]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


def test_keeping_a_share_keeps_children_with_their_parents(sars: Path, tmp_path: Path) -> None:
    counts = []
    for invert in (False, True):
        select_store(sars, tmp_path / f"{invert}.h5", Selection(keep={"neutral": 0.5}, invert=invert))
        contents = open_store(tmp_path / f"{invert}.h5").contents
        counts.append(set(contents.column("id")[contents.emotion == "neutral"]))
        assert (contents.segments["origin"][contents.emotion == "neutral"] != "real").any()
    assert not counts[0] & counts[1]
    assert len(counts[0] | counts[1]) == 18


def test_own_rows_are_merged_and_balanced_again(sars: Path, tmp_path: Path) -> None:
    whole = open_store(sars)
    parts = []
    for name, text in (("new", "origin!=real"), ("old", "origin=real")):
        parts.append(tmp_path / f"{name}.h5")
        select_store(sars, parts[-1], Selection(where=(parse_condition(text),)))
    merge_stores(parts, tmp_path / "merged.h5")
    order = np.concatenate([np.flatnonzero(altered(whole)), np.flatnonzero(~altered(whole))])
    merged = open_store(tmp_path / "merged.h5")
    np.testing.assert_array_equal(read_all(merged), read_all(whole)[order])
    np.testing.assert_array_equal(plain(merged.path), read_all(merged))
    assert merged.contents.column("id").tolist() == whole.contents.column("id")[order].tolist()
    assert merged.contents.segments["params"].tolist() == whole.contents.segments["params"][order].tolist()
    # Copies of altered rows lie in that store, and in no third place.
    select_store(sars, tmp_path / "few.h5", Selection(keep={"sad": 0.3}))
    for _ in augment_store(tmp_path / "few.h5", tmp_path / "cp.h5", STRATEGIES["CP"]):
        pass
    copies = open_store(tmp_path / "cp.h5")
    assert {source.dataset for source in copies.row_map.sources} == {"/spectrogram", "/own/spectrogram"}
    assert digests(copies) == copies.contents.segments["digest"].tolist()
    np.testing.assert_array_equal(plain(copies.path), read_all(copies))
    assert (copies.contents.segments["origin"] == "copied").sum() > 10


def test_a_changed_picture_of_its_own_is_found(sars: Path, tmp_path: Path) -> None:
    select_store(sars, tmp_path / "s.h5", Selection(where=(parse_condition("origin!=real"),)))
    with h5py.File(sars, "r+") as file:
        file["own/spectrogram"][3, 2, 1] += 1
    row = int(np.flatnonzero(altered(open_store(sars)))[3])
    assert open_store(sars).damaged_rows() == [row]
    assert open_store(tmp_path / "s.h5").damaged_rows() == [3]


def swap(file: h5py.File) -> None:
    file["own/digest"][:] = file["own/digest"][:][::-1]
    file["own/spectrogram"][:] = file["own/spectrogram"][:][::-1]


def cut_off(file: h5py.File) -> None:
    pictures, known = file["own/spectrogram"][:-1], file["own/digest"][:-1]
    del file["own"]
    file["own/spectrogram"], file["own/digest"] = pictures, known


def rename(file: h5py.File) -> None:
    file.move("own/digest", "own/digests")


def remove(file: h5py.File) -> None:
    del file["own"]


@pytest.mark.parametrize("damage", [swap, cut_off, rename, remove])
def test_missing_own_rows_are_noticed(damage: Callable[[h5py.File], None], sars: Path, tmp_path: Path) -> None:
    select_store(sars, tmp_path / "s.h5", Selection(where=(parse_condition("origin!=real"),)))
    with h5py.File(sars, "r+") as file:
        damage(file)
    for path in (sars, tmp_path / "s.h5"):
        with pytest.raises(StoreError, match=r"sars\.h5.*(no longer holds|damaged store)"):
            open_store(path)


def test_a_store_that_was_made_anew_is_not_taken_for_the_old(sars: Path, tmp_path: Path, tiny_corpus: Path) -> None:
    select_store(sars, tmp_path / "s.h5", Selection(where=(parse_condition("origin!=real"),)))
    for seed in (0, 1):
        steps = augment_store(sars.parent / "specs.h5", sars, STRATEGIES["SARS"], seed=seed, audio_root=tiny_corpus)
        for _ in steps:
            pass
        if seed == 0:
            assert digests(open_store(tmp_path / "s.h5"))
    with pytest.raises(StoreError, match=r"sars\.h5 no longer holds the rows"):
        open_store(tmp_path / "s.h5")


def test_repacked_own_rows_are_read(sars: Path) -> None:
    expected = read_all(open_store(sars))
    with h5py.File(sars, "r+") as file:
        pictures = file["own/spectrogram"][:]
        del file["own/spectrogram"]
        file.create_dataset("own/spectrogram", data=pictures, chunks=(4, 32, 32), compression="gzip")
    np.testing.assert_array_equal(read_all(open_store(sars)), expected)
