"""Merging: shards give the bytes of one run, and nothing is silently doubled or mixed."""

import csv
import dataclasses
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY
from stores import read_all

from sertools.config import FrontEnd
from sertools.corpora.sources import list_recordings
from sertools.errors import SertoolsWarning, StoreError, UsageError
from sertools.store.conditions import parse_condition
from sertools.store.extraction import extract
from sertools.store.format import RECORDED_COLUMNS, Shard, Table
from sertools.store.merge import merge_stores
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store
from sertools.store.writer import write_store


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


def test_shards_with_further_columns_are_one_run(corpus: Path, tmp_path: Path) -> None:
    """In whatever order the labels have them, and if not all parts have all."""
    header, *rows = (corpus / "labels.csv").read_text().splitlines()
    tables = [corpus / "first.csv", corpus / "second.csv"]
    tables[0].write_text("\n".join([f"{header},zeal,age", *(f"{row},low,30" for row in rows[:4])]) + "\n")
    tables[1].write_text("\n".join([f"{header},zeal", *(f"{row},high" for row in rows[4:])]) + "\n")
    whole = extract_to(tmp_path / "whole.h5", *tables, on_error="skip")
    parts = [extract_to(tmp_path / f"{k}.h5", *tables, shard=(k, 4), on_error="skip") for k in range(1, 5)]
    assert "age" not in open_store(parts[3]).contents.utterances
    merge_stores(parts, tmp_path / "merged.h5")
    assert (tmp_path / "merged.h5").read_bytes() == whole.read_bytes()


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


def test_shards_of_a_corpus_that_changed_are_refused(corpus: Path, tmp_path: Path) -> None:
    labels = corpus / "labels.csv"
    first = extract_to(tmp_path / "1.h5", labels, shard=(1, 2), on_error="skip")
    whole = labels.read_text()
    lines = whole.splitlines(keepends=True)
    swapped = [lines[0], *lines[2:1:-1], lines[1], *lines[3:]]
    for text, word in (
        ("".join(lines[:1] + lines[3:]), "2.h5: is part of 14 recordings, but .*1.h5 of 16"),
        ("".join(swapped), "part of other recordings than .*1.h5, though of as many"),
        (whole.replace(",angry,", ",furious,"), "other labels than .*1.h5's"),
        (whole.replace("take", "turn", 1), "other labels than .*1.h5's"),
    ):
        labels.write_text(text)
        second = extract_to(tmp_path / "2.h5", labels, shard=(2, 2), on_error="skip")
        for order in ((first, second), (second, first)):
            with pytest.raises(StoreError, match=word):
                merge_stores(order, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_a_folder_that_lost_files_between_two_shards(tiny_corpus: Path, tmp_path: Path) -> None:
    """What was found: five rows of six, and not a word."""
    corpus, away = tmp_path / "w", tmp_path / "away"
    for name in ("angry", "sad"):
        (corpus / name).mkdir(parents=True)
        for number in range(3):
            shutil.copy(tiny_corpus / name / f"0{number + 1}_1.wav", corpus / name / f"{number}.wav")
    (corpus / "angry").rename(away)
    (corpus / "angry").mkdir()
    (away / "0.wav").rename(corpus / "angry" / "0.wav")
    second = extract_to(tmp_path / "2.h5", corpus, shard=(2, 2))
    for number in (1, 2):
        (away / f"{number}.wav").rename(corpus / "angry" / f"{number}.wav")
    first = extract_to(tmp_path / "1.h5", corpus, shard=(1, 2))
    found = [name for path in (first, second) for name in open_store(path).contents.utterances["id"].tolist()]
    assert found == ["angry/0", "angry/1", "angry/2", "sad/1", "sad/2"]
    with pytest.raises(StoreError, match=r"2.h5: is part of 4 recordings, but .*1.h5 of 6: the corpus changed"):
        merge_stores([first, second], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_shards_that_do_not_say_what_they_are_parts_of(shards: list[Path], tmp_path: Path) -> None:
    merge_stores(shards, tmp_path / "whole.h5")
    for path in shards[:2]:
        forget_listing(path)
    with pytest.raises(StoreError, match=r"shard1.h5: does not say which recordings .* as .*shard3.h5 does"):
        merge_stores([shards[0], shards[2], shards[1]], tmp_path / "merged.h5")
    forget_listing(shards[2])
    with pytest.warns(SertoolsWarning, match="if the corpus changed between their runs"):
        merge_stores(shards, tmp_path / "merged.h5")
    assert (tmp_path / "merged.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def forget_listing(path: Path) -> None:
    """Write a shard again as it was written before shards said what they are parts of."""
    store = open_store(path)
    shard = store.contents.shard
    old = dataclasses.replace(store.contents, shard=Shard(shard.k, shard.n))
    pictures = read_all(store)
    write_store(path, old, [pictures])
    assert open_store(path).tables_damaged() is False


def forget_columns(path: Path) -> Path:
    """Write a store again as it was written before `extract` noted anything of a recording."""
    store = open_store(path)
    utterances = store.contents.utterances
    old = Table({name: utterances[name] for name in utterances if name not in RECORDED_COLUMNS})
    pictures = read_all(store)
    write_store(path, dataclasses.replace(store.contents, utterances=old), [pictures])
    return path


def test_shards_of_another_number(corpus: Path, shards: list[Path], tmp_path: Path) -> None:
    half = extract_to(tmp_path / "half.h5", corpus / "labels.csv", shard=(1, 2), on_error="skip")
    for inputs in ([half, *shards], [half, *shards[1:]]):
        with pytest.raises(StoreError, match=r"is a shard of 3, but .*half.h5 is shard 1/2"):
            merge_stores(inputs, tmp_path / "out.h5")


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
    # They are the same recordings, called high and low here.
    with pytest.warns(SertoolsWarning, match="the same sound as another.*with another label"):
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
    with pytest.warns(SertoolsWarning, match="the same sound as another"):
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
