"""Published folds: CSVs and EmoBox's lists, and which utterances of a store they name."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY

from sertools.errors import SertoolsWarning, UsageError
from sertools.published_folds import PublishedFold, fold_names, read_fold
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table
from sertools.store.published import sides
from sertools.store.reader import open_store
from sertools.store.select import Selection, chosen
from sertools.store.writer import write_store


def contents(*paths: str, speakers: tuple[str, ...] = (), generated: int = 0) -> Contents:
    """One utterance a path, of two classes in turn, and rows that were made."""
    utterances = [
        {
            "id": path.rpartition(".")[0],
            "path": path,
            "start": 0,
            "duration": 1,
            "emotion": ("angry", "sad")[n % 2],
            "speaker": speakers[n] if speakers else f"s{n}",
        }
        for n, path in enumerate(paths)
    ]
    utterances += [{"id": f"made/{n}", "start": 0, "duration": 1, "emotion": "angry"} for n in range(generated)]
    segments = [{"utterance": n, "start": 0, "n_valid_frames": 1, "digest": str(n)} for n in range(len(utterances))]
    return Contents(
        TINY, make_table(SEGMENT_COLUMNS, segments), make_table(UTTERANCE_COLUMNS, utterances), ('{"verb":"made"}',)
    )


def fold(column: str, **tested: bool) -> PublishedFold:
    return PublishedFold("folds.csv", "1", column, tested, "")


def files(*tested: str, trained: tuple[str, ...] = ()) -> PublishedFold:
    return PublishedFold("emodb", "1", "file", {**dict.fromkeys(tested, True), **dict.fromkeys(trained, False)}, "")


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "folds.csv"
    path.write_text(text, encoding="utf-8")
    return path


def emobox(folder: Path, fold: str, *, form: str = "jsonl", **lists: list[str]) -> Path:
    for part, names in lists.items():
        path = folder / f"fold_{fold}" / f"emodb_{part}_fold_{fold}.{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = {f"emodb-{name}": {"wav": f"downloads/emodb/wav/{name}.wav", "emo": "anger"} for name in names}
        lines = "".join(f"{json.dumps({'key': key, **entry})}\n" for key, entry in entries.items())
        path.write_text(lines if form == "jsonl" else json.dumps(entries, indent=4))
    return folder


# Reading


def test_a_csv_says_of_files_ids_or_speakers(tmp_path):
    path = csv(tmp_path, "\ufeffSpeaker, Fold,file\ns1,1,a.wav\n s2 ,2,b.wav\ns3,,c.wav\n")
    assert fold_names(path) == ["1", "2"]
    read = read_fold(path, "2")
    assert (read.column, read.tested) == ("file", {"a.wav": False, "b.wav": True, "c.wav": False})
    assert read_fold(csv(tmp_path, "speaker,fold\ns1,1\ns2,test\n"), "test").column == "speaker"


def test_folds_stand_in_the_order_of_their_numbers(tmp_path):
    path = csv(tmp_path, "id,fold\n" + "".join(f"u{n},{n}\n" for n in (10, 9, 1)) + "x,test\n")
    assert fold_names(path) == ["1", "9", "10", "test"]


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_emobox_has_lists_of_its_own_for_every_fold(form, tmp_path):
    emobox(tmp_path, "1", form=form, test=["a"], train=["b", "c"], valid=["d"])
    emobox(tmp_path, "2", form=form, test=["b"], train=["a", "c", "d"])
    assert fold_names(tmp_path) == ["1", "2"]
    read = read_fold(tmp_path, "1")
    assert {Path(name).stem: tested for name, tested in read.tested.items()} == {
        "a": True,
        **dict.fromkeys("bcd", False),
    }
    assert read.digest != read_fold(tmp_path, "2").digest


def test_a_list_of_one_line_is_a_list(tmp_path):
    emobox(tmp_path, "1", test=["a"], train=["b"])
    assert list(read_fold(tmp_path, "1").tested.values()) == [True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,fold\na,1\na,2\n", r"line 3: 'a' is in fold '2', and in '1' before"),
        ("id,fold\na,1\n,2\n", "line 3: has no id"),
        ("name,fold\na,1\n", "its columns are name, fold; expected fold, and id, file or speaker"),
        ("id,split\na,1\n", "its columns are id, split"),
        ("", "its columns are none"),
        ("id,fold\na,\n", "holds no folds; every fold is empty"),
        ('{"key": "emodb-a", "wav": "a.wav"}\n', "is one list of EmoBox; name the folder"),
        ("id,fold\na,2\n", r"--fold '1': .* has no such fold; it has 2"),
    ],
)
def test_a_csv_that_is_wrong_is_named(text, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        read_fold(csv(tmp_path, text), "1")


def test_bytes_that_are_no_csv_are_named(tmp_path):
    (tmp_path / "folds.csv").write_bytes(b"id,fold\n\xff\xfe,1\n")
    with pytest.raises(UsageError, match="is no CSV in UTF-8"):
        read_fold(tmp_path / "folds.csv", "1")
    with pytest.raises(UsageError, match="cannot be read"):
        read_fold(tmp_path / "none.csv", "1")


def test_a_folder_that_is_wrong_is_named(tmp_path):
    with pytest.raises(UsageError, match="holds no folds; expected fold_1"):
        read_fold(tmp_path, "1")
    emobox(tmp_path, "1", test=["a"])
    with pytest.raises(UsageError, match=r"holds no list \*_train_fold_1.jsonl"):
        read_fold(tmp_path, "1")
    emobox(tmp_path, "1", train=["a"])
    with pytest.raises(UsageError, match=r"'downloads/emodb/wav/a\.wav' of fold 1 is both tested and trained on"):
        read_fold(tmp_path, "1")
    (tmp_path / "fold_1" / "emodb_train_fold_1.jsonl").write_text("[1, 2]")
    with pytest.raises(UsageError, match="train of fold 1: is no list of EmoBox"):
        read_fold(tmp_path, "1")


# Which utterances are named


def test_files_are_found_below_any_root_and_with_any_suffix_of_audio():
    store = contents("wav/03a01Fa.flac", "wav/03a02Fa.flac", generated=2)
    tested, named = sides(store, files("downloads/emodb/x/03a01Fa.wav", trained=("03a02Fa",)))
    assert tested.tolist() == [True, False, False, False]
    assert named.tolist() == [True, True, False, False]


def test_folders_tell_files_of_one_name_apart():
    store = contents("DC/a01.wav", "JE/a01.wav")
    tested, _ = sides(store, files("ALL/JE/a01.wav", trained=("ALL/DC/a01.wav",)))
    assert tested.tolist() == [False, True]
    # Without DC in the store, its name is not taken for that of JE.
    with pytest.warns(
        SertoolsWarning, match="1 of 2 names are of no utterance of the store, such as 'ALL/DC/a01.wav'"
    ):
        tested, _ = sides(contents("JE/a01.wav"), files("ALL/DC/a01.wav", trained=("ALL/JE/a01.wav",)))
    assert tested.tolist() == [False]


def test_a_name_that_may_be_two_files_is_refused():
    with pytest.raises(UsageError, match=r"'a01' may be 'DC/a01\.wav' or 'JE/a01\.wav'; write more of its path"):
        sides(contents("DC/a01.wav", "JE/a01.wav"), files("a01"))


def test_all_spans_of_a_file_are_named_with_it():
    store = contents("long.wav", "long.wav", "b.wav", speakers=("x", "x", "y"))
    assert sides(store, files("long.wav", trained=("b.wav",)))[0].tolist() == [True, True, False]


def test_two_names_of_one_utterance_on_both_sides_are_refused():
    with pytest.raises(UsageError, match=r"'a\.wav' and 'x/a\.flac' are both 'x/a\.wav', of which fold 1 tests one"):
        sides(contents("x/a.wav"), files("a.wav", trained=("x/a.flac",)))


def test_what_is_not_named_is_counted_and_left_out_of_both_sides():
    store = contents("a.wav", "b.wav", "c.wav", "d.wav", speakers=("s1", "s2", "", ""))
    two = fold("speaker", s1=True, s2=False, s9=False)
    with pytest.warns(SertoolsWarning) as caught:
        tested = chosen(store, Selection(published=two))
    with pytest.warns(SertoolsWarning):
        others = chosen(store, Selection(published=two, invert=True))
    assert (tested.tolist(), others.tolist()) == ([True, False, False, False], [False, True, False, False])
    assert [str(warning.message) for warning in caught] == [
        "folds.csv: 1 of 3 names are of no utterance of the store, such as 's9'",
        "folds.csv: left out 2 of 4 utterances that it does not name, such as 'c'",
    ]


def test_names_that_are_of_nothing_are_refused():
    with pytest.raises(UsageError, match="none of its 1 names is of an utterance of the store"):
        sides(contents("a.wav"), fold("id", b=True))


def test_speakers_on_both_sides_are_said():
    store = contents("a.wav", "b.wav", speakers=("s", "s"))
    with pytest.warns(SertoolsWarning, match="fold 1 tests 1 speakers, of whom 1 are also trained on"):
        sides(store, fold("id", a=True, b=False))


# The verb


def test_the_verb_takes_a_fold_and_the_rest_and_says_of_what_file(tmp_path, run):
    store = contents("s0/a.wav", "s1/b.wav", "s0/c.wav", "s1/d.wav", speakers=("s0", "s1", "s2", "s3"))
    write_store(tmp_path / "s.h5", store, [np.zeros((4, TINY.n_mels, TINY.n_frames), dtype=np.float32)])
    emobox(tmp_path / "box", "1", test=["a", "b"], train=["c", "d"])
    assert run("select", "s.h5", "--folds", "box", "--fold", 1, "-o", "test.h5").err == "test.h5: 2 rows\n"
    assert run("select", "s.h5", "--folds", "box", "--fold", 1, "-v", "-o", "rest.h5").err == "rest.h5: 2 rows\n"
    ids = [open_store(tmp_path / name).contents.utterances["id"].tolist() for name in ("test.h5", "rest.h5")]
    assert ids == [["s0/a", "s1/b"], ["s0/c", "s1/d"]]
    line = json.loads(open_store(tmp_path / "rest.h5").contents.history[-1])
    assert line["options"] == {"fold": "1", "invert": True, "where": []}
    assert line["inputs"]["folds"] == read_fold(tmp_path / "box", "1").digest
    shown = json.loads(run("info", "rest.h5", "--json").out)
    assert shown["commands"][-1].startswith("sertools select store-")
    assert '--fold 1 --invert --folds "$FOLDS"' in shown["commands"][-1].replace(" -v ", " --invert ")


def test_the_verb_needs_the_name_of_a_fold(tmp_path, run):
    write_store(tmp_path / "s.h5", contents("a.wav"), [np.zeros((1, TINY.n_mels, TINY.n_frames), dtype=np.float32)])
    csv(tmp_path, "id,fold\na,1\n")
    for words in ((), ("--fold", "1/2")):
        done = run("select", "s.h5", "--folds", "folds.csv", *words, "-o", "t.h5")
        assert (done.code, done.err.count("\n")) == (2, 1)
