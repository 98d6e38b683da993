"""Merging: shards give the bytes of one run, and nothing is silently doubled or mixed."""

import csv
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY
from stores import read_all

from sertools.config import FrontEnd
from sertools.corpora.sources import list_recordings
from sertools.errors import StoreError, UsageError
from sertools.store.conditions import parse_condition
from sertools.store.extraction import extract
from sertools.store.merge import merge_stores
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store


def extract_to(path: Path, *sources: Path, front_end: FrontEnd = TINY, **options: object) -> Path:
    for _ in extract(list_recordings([str(s) for s in sources], None, None), path, front_end, **options):
        pass
    return path


@pytest.fixture
def corpus(tiny_corpus: Path, tmp_path: Path) -> Path:
    """Fifteen of the files, with a further column and one that is broken."""
    root = tmp_path / "corpus"
    root.mkdir()
    with (tiny_corpus / "labels.csv").open() as stream, (root / "labels.csv").open("w", newline="") as out:
        header, *rows = csv.reader(stream)
        writer = csv.writer(out)
        writer.writerow([*header, "take"])
        for row in rows[::3]:
            (root / row[0]).parent.mkdir(exist_ok=True)
            shutil.copy(tiny_corpus / row[0], root / row[0])
            writer.writerow([*row, row[0][-5]])
    (root / rows[6][0]).write_text("broken")
    return root


@pytest.fixture
def shards(corpus: Path, tmp_path: Path) -> list[Path]:
    return [
        extract_to(tmp_path / f"shard{k}.h5", corpus / "labels.csv", shard=(k, 3), on_error="skip") for k in (1, 2, 3)
    ]


def test_shards_in_any_order_are_one_run(corpus: Path, shards: list[Path], tmp_path: Path) -> None:
    whole = extract_to(tmp_path / "whole.h5", corpus / "labels.csv", on_error="skip")
    assert len(open_store(whole).contents.rejected) == 1
    (tmp_path / "deeper").mkdir()
    for order in itertools.permutations(shards):
        assert merge_stores(order, tmp_path / "merged.h5") == len(open_store(whole))
        assert (tmp_path / "merged.h5").read_bytes() == whole.read_bytes()
    # From another folder, the audio is found all the same.
    merge_stores(shards, tmp_path / "deeper" / "merged.h5")
    merged = open_store(tmp_path / "deeper" / "merged.h5")
    assert all(merged.audio_path(u).is_file() for u in range(len(merged.contents.utterances)))


def test_more_shards_than_files(corpus: Path, tmp_path: Path) -> None:
    whole = extract_to(tmp_path / "whole.h5", corpus / "sad")
    n = 2 + len(list((corpus / "sad").iterdir()))
    parts = [extract_to(tmp_path / f"{k}.h5", corpus / "sad", shard=(k, n)) for k in range(1, n + 1)]
    merge_stores(parts, tmp_path / "merged.h5")
    assert (tmp_path / "merged.h5").read_bytes() == whole.read_bytes()


def test_sets_of_shards_that_are_not_whole(
    corpus: Path, shards: list[Path], tmp_path: Path, tiny_store: Path
) -> None:
    out = tmp_path / "out.h5"
    other = extract_to(
        tmp_path / "other.h5",
        corpus / "labels.csv",
        shard=(2, 3),
        on_error="skip",
        front_end=FrontEnd(segment_seconds=1.0, n_mels=32, n_frames=32, tail="overlap"),
    )
    for inputs, word in (
        (shards[:2], "shard 3/3 is missing"),
        ([shards[0], shards[0], shards[1]], "shard 3/3 is missing"),
        ([*shards, shards[0]], "given twice"),
        ([*shards, tiny_store], "is not a shard"),
        ([shards[0], other, shards[2]], "tail 'overlap' instead of 'pad'"),
    ):
        with pytest.raises(StoreError, match=word):
            merge_stores(inputs, out)
        assert not out.exists()


def test_parts_of_a_store_are_the_store(tiny_store: Path, tmp_path: Path) -> None:
    for name in ("angry", "sad", "happy", "neutral"):
        select_store(tiny_store, tmp_path / f"{name}.h5", Selection(where=(parse_condition(f"emotion={name}"),)))
    merge_stores([tmp_path / f"{name}.h5" for name in ("angry", "happy", "neutral", "sad")], tmp_path / "all.h5")
    whole, merged = open_store(tiny_store), open_store(tmp_path / "all.h5")
    np.testing.assert_array_equal(read_all(merged), read_all(whole))
    assert merged.contents.digest() == whole.contents.digest()
    assert len(merged.contents.rejected) == 0
    # Each history once, then the merge.
    assert len(merged.contents.history) == 1 + 4 + 1
    assert merged.contents.history[0] == whole.contents.history[0]


def test_segments_of_one_utterance_in_two_stores_stay_one_utterance(tiny_store: Path, tmp_path: Path) -> None:
    first = Selection(where=(parse_condition("start=0"),))
    select_store(tiny_store, tmp_path / "a.h5", first)
    select_store(tiny_store, tmp_path / "b.h5", Selection(where=first.where, invert=True))
    merge_stores([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "c.h5")
    whole, merged = open_store(tiny_store).contents, open_store(tmp_path / "c.h5").contents
    assert sorted(merged.utterances["id"]) == sorted(whole.utterances["id"])
    order = {digest: row for row, digest in enumerate(whole.segments["digest"].tolist())}
    for name in ("id", "speaker", "emotion", "start"):
        expected = whole.column(name)[[order[d] for d in merged.segments["digest"].tolist()]]
        np.testing.assert_array_equal(merged.column(name), expected)


def test_a_row_in_two_stores_is_named(tiny_store: Path, tmp_path: Path) -> None:
    select_store(tiny_store, tmp_path / "a.h5", Selection(where=(parse_condition("id=sad/03_1,sad/04_1"),)))
    select_store(tiny_store, tmp_path / "b.h5", Selection(where=(parse_condition("id=sad/04_1,sad/05_1"),)))
    with pytest.raises(StoreError) as caught:
        merge_stores([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "c.h5")
    assert "'sad/04_1'" in str(caught.value)
    assert str(tmp_path / "a.h5") in str(caught.value)
    assert str(tmp_path / "b.h5") in str(caught.value)


def test_what_was_rejected_is_told_once(corpus: Path, tmp_path: Path) -> None:
    whole = extract_to(tmp_path / "whole.h5", corpus / "labels.csv", on_error="skip")
    for k in (1, 2):
        select_store(whole, tmp_path / f"{k}.h5", Selection(fold=(k, 2), by="utterance"))
    merge_stores([tmp_path / "1.h5", tmp_path / "2.h5"], tmp_path / "c.h5")
    rejected = open_store(tmp_path / "c.h5").contents.rejected
    assert rejected["path"].tolist() == open_store(whole).contents.rejected["path"].tolist()


def test_another_front_end_is_refused(corpus: Path, tiny_store: Path, tmp_path: Path) -> None:
    other = extract_to(
        tmp_path / "o.h5", corpus / "sad", front_end=FrontEnd(segment_seconds=1.0, n_mels=48, n_frames=32)
    )
    with pytest.raises(StoreError, match="n_mels 48 instead of 32"):
        merge_stores([tiny_store, other], tmp_path / "c.h5")


def test_two_corpora_keep_their_audio(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus / "sad", tmp_path / "second one" / "low")
    shutil.copytree(corpus / "happy", tmp_path / "second one" / "high")
    (tmp_path / "stores").mkdir()
    a = extract_to(tmp_path / "stores" / "a.h5", corpus / "labels.csv", on_error="skip")
    b = extract_to(tmp_path / "b.h5", tmp_path / "second one", on_error="skip")
    merge_stores([a, b], tmp_path / "stores" / "c.h5")
    merged = open_store(tmp_path / "stores" / "c.h5")
    assert [p.split("/")[0] for p in merged.contents.rejected["path"].tolist()] == ["corpus", "second one"]
    np.testing.assert_array_equal(read_all(merged), np.concatenate([read_all(open_store(p)) for p in (a, b)]))
    assert all(merged.audio_path(u).is_file() for u in range(len(merged.contents.utterances)))
    # A column that one lacks is empty there.
    take = merged.contents.column("take")
    n = len(open_store(a))
    assert "" not in take[:n]
    assert set(take[n:]) == {""}


def test_one_id_for_two_things_is_refused(corpus: Path, tmp_path: Path) -> None:
    (corpus / "labels.csv").unlink()
    a = extract_to(tmp_path / "a.h5", corpus / "sad")
    relabelled = corpus / "sad" / "labels.csv"
    wavs = sorted((corpus / "sad").glob("*.wav"))
    relabelled.write_text("file,emotion\n" + "".join(f"{wav.name},gloomy\n" for wav in wavs))
    b = extract_to(tmp_path / "b.h5", relabelled)
    with pytest.raises(StoreError, match="has another emotion than in"):
        merge_stores([a, b], tmp_path / "c.h5")
    shutil.copy(wavs[0], wavs[1])
    c = extract_to(tmp_path / "c.h5", corpus / "sad")
    with pytest.raises(StoreError, match="is another recording than"):
        merge_stores([a, c], tmp_path / "d.h5")


def test_an_input_is_no_output(tiny_store: Path, tmp_path: Path) -> None:
    a = Path(shutil.copy(tiny_store, tmp_path / "a.h5"))
    select_store(a, tmp_path / "v.h5", Selection(fold=(1, 2)))
    before = a.read_bytes()
    (tmp_path / "link.h5").symlink_to(a)
    for output in (a, tmp_path / "link.h5", tmp_path / "v.h5"):
        with pytest.raises(UsageError, match="is read by this command"):
            merge_stores([tmp_path / "v.h5"], output)
    assert a.read_bytes() == before
