"""`sertools extract`: what may be its source, what is said of bad files, and what is left behind."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import SPEAKERS, Outcome
from test_audio import broken_files

from sertools.store.format import Contents
from sertools.store.reader import open_store

SMALL = ("--mels", 32, "--frames", 32, "--seconds", 1)
Call = Callable[..., Outcome]


@pytest.fixture
def corpus(tiny_corpus: Path, tmp_path: Path) -> Path:
    """Two classes of the corpus, two speakers each, with labels; the working folder is the one above."""
    root = tmp_path / "corpus"
    lines = ["file,emotion,speaker,session,gender,mood"]
    for emotion in ("angry", "sad"):
        (root / emotion).mkdir(parents=True)
        for number, speaker in enumerate(SPEAKERS[:2]):
            shutil.copy(tiny_corpus / emotion / f"{speaker}_1.wav", root / emotion)
            lines.append(f"{emotion}/{speaker}_1.wav,{emotion},{speaker},S1,{('male', 'female')[number]},Grün")
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def extracted(done: Outcome, path: Path) -> Contents:
    assert (done.code, done.out) == (0, ""), done.err
    assert litter(path.parent) == []
    return open_store(path).contents


def litter(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ".part" in path.name]


def fails(done: Outcome, code: int, *words: str) -> None:
    assert (done.code, done.out) == (code, ""), done
    for word in words:
        assert word in done.err
    assert "Traceback" not in done.err


# Sources


def test_every_way_to_name_the_same_files(corpus: Path, call: Call, tmp_path: Path) -> None:
    files = sorted(str(p.relative_to(tmp_path)) for p in corpus.rglob("*.wav"))
    ways = {
        "folder": (["corpus"], ""),
        "folders": (["corpus/angry", "corpus/sad"], ""),
        "files": (files, ""),
        "stdin": (["-"], "\n".join(files) + "\n"),
        "crlf": (["-"], "\r\n".join(files)),
        "mixed": ([files[0], "-", "corpus/sad"], files[1] + "\n"),
    }
    (tmp_path / "link").symlink_to(corpus)
    ways["link"] = (["link"], "")
    for name, (sources, stdin) in ways.items():
        contents = extracted(
            call("extract", *sources, "-o", f"{name}.h5", *SMALL, stdin=stdin), tmp_path / f"{name}.h5"
        )
        assert contents.utterances["id"].tolist() == ["angry/01_1", "angry/02_1", "sad/01_1", "sad/02_1"]
        assert contents.utterances["emotion"].tolist() == ["angry", "angry", "sad", "sad"]
        assert (tmp_path / f"{name}.h5").read_bytes() == (tmp_path / "folder.h5").read_bytes(), name
    store = open_store(tmp_path / "link.h5")
    assert all(store.audio_path(u).samefile(tmp_path / files[u]) for u in range(4))


def test_every_way_to_name_a_table(corpus: Path, call: Call, tmp_path: Path) -> None:
    table = (corpus / "labels.csv").read_text(encoding="utf-8")
    ways = {
        "csv": (["corpus/labels.csv"], ""),
        "labels": (["corpus", "--labels", "corpus/labels.csv"], ""),
        "stdin": (["-"], table.replace("\nangry", "\ncorpus/angry").replace("\nsad", "\ncorpus/sad")),
    }
    for name, (sources, stdin) in ways.items():
        contents = extracted(
            call("extract", *sources, "-o", f"{name}.h5", *SMALL, stdin=stdin), tmp_path / f"{name}.h5"
        )
        assert contents.utterances["speaker"].tolist() == ["01", "02", "01", "02"]
        assert contents.utterances["gender"].tolist() == ["male", "female"] * 2
        assert set(contents.column("mood")) == {"Grün"}
        assert (tmp_path / f"{name}.h5").read_bytes() == (tmp_path / "csv.h5").read_bytes(), name


def test_a_table_is_read_from_the_working_folder_too(corpus: Path, call: Call, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "t.csv"
    table.write_text("file,emotion\ncorpus/sad/01_1.wav,sad\n")
    extracted(call("extract", "tables/t.csv", "-o", "t.h5", *SMALL), tmp_path / "t.h5")
    # In both places: which one is meant?
    shutil.copytree(corpus, tmp_path / "tables" / "corpus")
    fails(call("extract", "tables/t.csv", "-o", "u.h5", *SMALL), 1, "both in the working folder and in")


def test_one_folder_tells_no_classes(corpus: Path, call: Call, tmp_path: Path) -> None:
    contents = extracted(call("extract", "corpus/sad", "-o", "s.h5", *SMALL), tmp_path / "s.h5")
    assert contents.utterances["emotion"].tolist() == ["", ""]
    assert contents.classes() == ()
    shutil.copy(corpus / "sad" / "01_1.wav", corpus / "top.wav")
    contents = extracted(call("extract", "corpus", "-o", "s.h5", *SMALL), tmp_path / "s.h5")
    assert dict(zip(contents.utterances["id"], contents.utterances["emotion"], strict=True))["top"] == ""


def test_spans_are_utterances(corpus: Path, call: Call, tmp_path: Path) -> None:
    whole = soundfile.info(corpus / "sad" / "01_1.wav").duration
    (corpus / "spans.csv").write_text("file,emotion,start,end\nsad/01_1.wav,sad,0,0.2\nsad/01_1.wav,happy,0.2,\n")
    contents = extracted(call("extract", "corpus/spans.csv", "-o", "s.h5", *SMALL), tmp_path / "s.h5")
    assert contents.utterances["id"].tolist() == ["01_1@0.000-0.200", "01_1@0.200-"]
    assert contents.utterances["start"].tolist() == [0.0, 0.2]
    np.testing.assert_allclose(contents.utterances["duration"], [0.2, whole - 0.2], atol=1e-4)
    assert len(set(contents.utterances["digest"])) == 2


def test_suffixes_tell_files_apart(corpus: Path, call: Call, tmp_path: Path) -> None:
    y, sr = soundfile.read(corpus / "sad" / "01_1.wav")
    soundfile.write(corpus / "sad" / "01_1.flac", y, sr)
    contents = extracted(call("extract", "corpus/sad", "-o", "s.h5", *SMALL), tmp_path / "s.h5")
    assert contents.utterances["id"].tolist() == ["01_1.flac", "01_1.wav", "02_1"]


def test_names_that_are_not_utf_8(corpus: Path, call: Call, tmp_path: Path) -> None:
    odd = corpus.rename(tmp_path / "c\udcffrpus \\xff")
    (odd / "sad" / "01_1.wav").rename(odd / "sad" / "\udce4\u2028\\xe4.wav")
    contents = extracted(call("extract", odd.name, "-o", "a.h5", *SMALL), tmp_path / "a.h5")
    assert "sad/\\xe4\u2028\\\\xe4" in contents.utterances["id"].tolist()
    store = open_store(tmp_path / "a.h5")
    assert all(store.audio_path(u).is_file() for u in range(4))
    assert call("select", "a.h5", "-o", "b.h5").code == 0
    store = open_store(tmp_path / "b.h5")
    assert all(store.audio_path(u).is_file() for u in range(4))
    # By a pipe, as `find` prints them.
    names = b"\n".join(bytes(p.relative_to(tmp_path)) for p in sorted(odd.rglob("*.wav")))
    again = extracted(call("extract", "-", "-o", "c.h5", *SMALL, stdin=names), tmp_path / "c.h5")
    assert again.digest() == contents.digest()


def test_a_table_that_is_not_utf_8(corpus: Path, call: Call, tmp_path: Path) -> None:
    (corpus / "labels.csv").write_bytes(b"file,emotion,speaker\nsad/01_1.wav,tr\xe4ge,J\xfcrgen A\\B\n")
    done = call("extract", "corpus/labels.csv", "-o", "s.h5", *SMALL)
    fails(
        done,
        1,
        "corpus/labels.csv:2: emotion 'tr\\udce4ge' is not UTF-8",
        "iconv -f",
        "corpus/labels.csv > utf-8.csv",
    )
    (corpus / "labels.csv").write_text("file,emotion,speaker\nsad/01_1.wav,träge,Jürgen A\\B\n", encoding="utf-8")
    contents = extracted(call("extract", "corpus/labels.csv", "-o", "s.h5", *SMALL), tmp_path / "s.h5")
    assert contents.utterances["speaker"].tolist() == ["Jürgen A\\B"]


# What goes wrong


def test_all_bad_files_are_listed_and_nothing_is_written(corpus: Path, call: Call, tmp_path: Path) -> None:
    (tmp_path / "out.h5").write_text("older")
    reasons = broken_files(corpus / "sad")
    there = {path.name for path in (corpus / "sad").iterdir() if path.name in reasons and not path.is_dir()}
    done = call("extract", "corpus", "-o", "out.h5", *SMALL)
    fails(done, 1, "--on-error skip", *(f"sad/{name}: " for name in there))
    assert all(reasons[name] in done.err for name in there)
    assert f"{len(there)} of {4 + len(there)} files below corpus" in done.err
    assert len(there) > 6
    assert "02_1" not in done.err
    assert (tmp_path / "out.h5").read_text() == "older"
    assert litter(tmp_path) == []


def test_bad_files_may_be_skipped(corpus: Path, call: Call, tmp_path: Path) -> None:
    (corpus / "sad" / "bad.wav").write_text("text")
    done = call("extract", "corpus", "-o", "s.h5", "--on-error", "skip", *SMALL)
    assert "1 files skipped" in done.err
    contents = extracted(done, tmp_path / "s.h5")
    assert len(contents.utterances) == 4
    assert contents.rejected["path"].tolist() == ["sad/bad.wav"]
    told = call("info", "s.h5").out
    assert '"sad/bad.wav"' in told
    assert "not readable as audio" in told
    # Nothing readable at all is an error even so.
    shutil.rmtree(corpus / "angry")
    for path in corpus.rglob("*_1.wav"):
        path.unlink()
    fails(call("extract", "corpus", "-o", "t.h5", "--on-error", "skip", *SMALL), 1, "none of the 1 files")
    assert not (tmp_path / "t.h5").exists()


def test_tables_that_do_not_fit(corpus: Path, call: Call, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    for content, sources, words in (
        ("file,emotion\ncorpus/sad/01_1.wav,sad\n", ["corpus", "--labels", "t.csv"], ["does not mention 3 of the 4"]),
        ("file,emotion\ncorpus/sad/01_1.wav,sad\nno.wav,sad\n", ["t.csv"], ["1 of its files", "'no.wav'"]),
        ("file,emotion\ncorpus/sad/01_1.wav,sad\n./corpus/sad/01_1.wav,angry\n", ["t.csv"], ["given twice"]),
        ("file,emotion\n", ["t.csv"], ["no audio found"]),
        ("nonsense\n", ["t.csv"], ["no column 'file'"]),
    ):
        table.write_text(content)
        fails(call("extract", *sources, "-o", "s.h5", *SMALL), 1, *words)
    fails(call("extract", "corpus", "corpus/labels.csv", "-o", "s.h5", *SMALL), 1, "given twice", "--labels")
    fails(call("extract", "corpus", "--labels", "no.csv", "-o", "s.h5"), 1, "no.csv: No such file")
    fails(call("extract", "nowhere", "-o", "s.h5"), 1, "nowhere: no such file or folder")
    fails(call("extract", "-", "-o", "s.h5"), 1, "no audio found")
    fails(call("extract", "-", "-o", "s.h5", stdin="corpus/sad/01_1.wav\0"), 1, "holds NUL characters")
    for name in ("duration", "origin"):
        table.write_text(f"file,emotion,{name}\ncorpus/sad/01_1.wav,sad,1\n")
        fails(call("extract", "t.csv", "-o", "s.h5"), 2, f"column '{name}'", "rename or remove")
    assert not (tmp_path / "s.h5").exists()


def test_outputs_that_may_not_be(corpus: Path, call: Call, tmp_path: Path) -> None:
    table = (corpus / "labels.csv").read_bytes()
    fails(call("extract", "corpus/labels.csv", "-o", "corpus/labels.csv"), 2, "is read by this command")
    fails(call("extract", "corpus", "--labels", "corpus/labels.csv", "-o", "corpus/labels.csv"), 2, "is read by")
    assert (corpus / "labels.csv").read_bytes() == table
    audio = corpus / "sad" / "01_1.wav"
    before = audio.read_bytes()
    fails(call("extract", "corpus", "-o", audio), 2, "is read by this command")
    assert audio.read_bytes() == before
    fails(call("extract", "corpus", "-o", "no/s.h5"), 2, "there is no folder no")
    fails(call("extract", "corpus", "-o", "corpus"), 2, "is a folder")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--frames", "100"], "--frames 100"),
        (["--shard", "4/3"], "--shard '4/3'"),
        (["--on-error", "ignore"], "--on-error 'ignore'"),
        (["--jobs", "0"], "--jobs"),
        (["--tail", "cut"], "--tail 'cut'"),
    ],
)
def test_options_that_cannot_be(corpus: Path, call: Call, options: list[str], word: str) -> None:
    fails(call("extract", "corpus", "-o", "s.h5", *options), 2, word)


def test_no_path_is_followed_out_of_the_audio_root(corpus: Path, call: Call, tmp_path: Path) -> None:
    line = ("extract", "corpus/labels.csv", "-o", "s.h5", *SMALL, "--audio-root")
    extracted(call(*line, "corpus", cwd=tmp_path), tmp_path / "s.h5")
    (tmp_path / "s.h5").unlink()
    wanted = "corpus/labels.csv: ", "outside --audio-root", "correct the path"
    fails(call(*line, "corpus/sad", cwd=tmp_path), 1, *wanted, str((corpus / "angry").resolve()))
    inside = corpus / "sad" / f"{SPEAKERS[0]}_1.wav"
    inside.rename(tmp_path / "secret.wav")
    inside.symlink_to(tmp_path / "secret.wav")
    fails(call(*line, "corpus", cwd=tmp_path), 1, *wanted, str(inside.name), str((tmp_path / "secret.wav").resolve()))
    inside.unlink()
    labels = (corpus / "labels.csv").read_text()
    (corpus / "labels.csv").write_text(labels.replace(f"sad/{inside.name}", "sad/../../secret.wav"))
    fails(call(*line, "corpus", cwd=tmp_path), 1, *wanted, "secret.wav")
    assert not (tmp_path / "s.h5").exists()
