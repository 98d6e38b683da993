"""`select`, `merge`, `augment`, `info` and real processes: pipes, full disks, signals, several jobs."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from conftest import Outcome, process_environment

from sertools.api.running import run_through
from sertools.cli.progress import showing, voice
from sertools.cli.signals import signals_unwind
from sertools.store.reader import open_store

SMALL = ("--mels", 32, "--frames", 32, "--seconds", 1)
Call = Callable[..., Outcome]


@pytest.fixture
def store(tiny_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tiny_store, tmp_path / "specs.h5"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fails(done: Outcome, code: int, *words: str) -> None:
    assert (done.code, done.out) == (code, ""), done
    assert done.err.count("\n") == 1 or code == 2
    for word in words:
        assert word in done.err
    assert "Traceback" not in done.err


# The verbs


def test_select_merge_augment_in_a_row(store: Path, call: Call, tmp_path: Path) -> None:
    for line in (
        ("select", "specs.h5", "--fold", "1/3", "-o", "test.h5"),
        ("select", "specs.h5", "--fold", "1/3", "-v", "-o", "full.h5"),
        ("select", "full.h5", "--keep", "neutral=0.5", "--seed", 3, "-o", "train.h5"),
        ("select", "full.h5", "--keep", "neutral=0.5", "--seed", 3, "-v", "-o", "removed.h5", "--copy"),
        ("augment", "train.h5", "--strategy", "CP", "-o", "train-cp.h5"),
        ("merge", "train.h5", "removed.h5", "test.h5", "-o", "again.h5"),
    ):
        done = call(*line)
        assert (done.code, done.out) == (0, ""), done.err
        assert done.err.count("\n") == 1
    again, whole = open_store(tmp_path / "again.h5").contents, open_store(store).contents
    assert sorted(again.segments["digest"]) == sorted(whole.segments["digest"])
    assert call("select", "specs.h5", "--fold", "2/3", "-o", "x.h5", "-q").err == ""
    assert "neutral" in call("augment", "train.h5", "-o", "y.h5").err


def test_info_in_a_pipe_is_json(store: Path, call: Call) -> None:
    assert call("select", "specs.h5", "--where", "emotion=sad", "-o", "sad.h5").code == 0
    told = json.loads(call("info", "sad.h5", "--verify").out)
    assert (told["kind"], told["rows"], told["utterances"], told["verified"]) == ("spectrograms", 20, 12, True)
    assert told["classes"] == {"sad": {"utterances": 12, "real": 20}}
    assert [line["verb"] for line in told["history"]] == ["extract", "select"]
    assert told["speakers"] == ["01", "02", "03", "04", "05", "06"]
    assert [Path(source).name for source in told["virtual"]] == ["specs.h5"]


def test_an_input_is_never_the_output(store: Path, call: Call, tmp_path: Path) -> None:
    assert call("select", "specs.h5", "--fold", "1/2", "-o", "v.h5").code == 0
    (tmp_path / "link.h5").symlink_to("specs.h5")
    os.link(store, tmp_path / "hard.h5")
    before = store.read_bytes()
    for verb in ("select", "merge", "augment"):
        for output in ("v.h5", "specs.h5", "./specs.h5", "link.h5", "hard.h5"):
            fails(call(verb, "v.h5", "-o", output), 2, output.removeprefix("./"), "give -o another name")
    assert store.read_bytes() == before


def test_outputs_that_may_not_be(store: Path, call: Call, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for verb in ("select", "merge", "augment"):
        fails(call(verb, "specs.h5", "-o", "no/x.h5"), 2, "no/x.h5", "there is no folder no")
        fails(call(verb, "specs.h5", "-o", "folder"), 2, "folder: is a folder")
        fails(call(verb, "specs.h5", "-o", os.devnull), 2, "not a regular file")
    assert Path(os.devnull).is_char_device()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(store: Path, call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    for verb in ("select", "merge", "augment"):
        fails(call(verb, "specs.h5", "-o", "folder/x.h5"), 1, "folder/x.h5: Permission denied")


def test_wrong_kinds_name_both(store: Path, call: Call, tmp_path: Path) -> None:
    shutil.copy(store, tmp_path / "latents.h5")
    import h5py

    with h5py.File(tmp_path / "latents.h5", "r+") as file:
        file.attrs["sertools_kind"] = "latents"
    (tmp_path / "text.h5").write_text("text")
    for verb in ("select", "merge", "augment"):
        fails(call(verb, "latents.h5", "-o", "x.h5"), 1, "latents.h5: holds latents, but spectrograms or")
        fails(call(verb, "text.h5", "-o", "x.h5"), 1, "text.h5: not an HDF5 file")
        fails(call(verb, "none.h5", "-o", "x.h5"), 1, "none.h5: No such file")
    assert "x.h5" not in names(tmp_path)


def test_a_missing_source_is_one_line(store: Path, call: Call, tmp_path: Path) -> None:
    assert call("select", "specs.h5", "--fold", "1/2", "-o", "v.h5").code == 0
    store.rename(tmp_path / "moved.h5")
    for line in (("info", "v.h5"), ("select", "v.h5", "-o", "x.h5"), ("merge", "v.h5", "-o", "x.h5")):
        fails(call(*line), 1, "v.h5: its rows lie in specs.h5, which is missing")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (["select", "specs.h5", "-o", "x.h5", "--where", "emotion=angri"], "did you mean 'angry'"),
        (["select", "specs.h5", "-o", "x.h5", "--fold", "3/2"], "--fold '3/2'"),
        (["select", "specs.h5", "-o", "x.h5", "--keep", "angry=2"], "--keep 'angry=2'"),
        (["select", "specs.h5", "-o", "x.h5", "--seed", "-1"], "--seed"),
        (["select", "specs.h5"], "--output"),
        (["augment", "specs.h5", "-o", "x.h5", "--strategy", "cpp"], "did you mean 'CP'"),
        (["merge", "-o", "x.h5"], "Missing argument"),
    ],
)
def test_usage_errors(store: Path, call: Call, tmp_path: Path, line: list[str], word: str) -> None:
    fails(call(*line), 2, word)
    assert names(tmp_path) == {"specs.h5"}


# Real processes


def test_jobs_do_not_change_a_byte(tiny_corpus: Path, run: Call, tmp_path: Path) -> None:
    for jobs in (1, 2):
        done = run("extract", tiny_corpus / "labels.csv", "-o", f"{jobs}.h5", "--jobs", jobs, *SMALL)
        assert (done.code, done.out) == (0, ""), done.err
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    assert names(tmp_path) == {"1.h5", "2.h5"}


def test_a_pipe_from_corpus_to_store(tiny_corpus: Path, tmp_path: Path) -> None:
    command = """
        set -o pipefail
        "$0" -m sertools corpus folders "$1" |
            "$0" -m sertools extract - -o specs.h5 --mels 32 --frames 32 --seconds 1 &&
            "$0" -m sertools info specs.h5 | head -1
    """
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, tiny_corpus],
        cwd=tmp_path,
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "{\n"), done.stderr
    assert done.stderr == "specs.h5: 82 rows from 48 recordings\n"


def run_into(stdout: IO[str] | int, line: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command with a stdout that will not take what it says."""
    return subprocess.run(
        [sys.executable, "-m", "sertools", *line],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=process_environment(),
        check=False,
    )


@pytest.mark.parametrize("line", [["corpus", "folders", "big"], ["corpus", "--list"], ["info", "specs.h5"]])
def test_a_reader_that_closes_early_is_no_error(store: Path, tmp_path: Path, line: list[str]) -> None:
    (tmp_path / "big" / "a").mkdir(parents=True)
    for i in range(3000):
        (tmp_path / "big" / "a" / f"{i:060d}.wav").touch()
    read, write = os.pipe()
    os.close(read)
    done = run_into(write, line, tmp_path)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", [["corpus", "--list"], ["info", "specs.h5"]])
def test_a_full_disk_under_stdout(store: Path, tmp_path: Path, line: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = run_into(full, line, tmp_path)
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_closed_streams_are_no_error(store: Path, tmp_path: Path) -> None:
    command = '"$0" -m sertools info specs.h5 >&- && "$0" -m sertools select specs.h5 -o x.h5 >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=process_environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(open_store(tmp_path / "x.h5")) == 82


@pytest.mark.parametrize("limit", [0, 3000, 30_000])
def test_a_full_disk(store: Path, tiny_corpus: Path, run: Call, tmp_path: Path, limit: int) -> None:
    # A limit on the size of files meets the same calls as a full disk, for any user.
    (tmp_path / "out.h5").write_text("older")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    lines: list[tuple[object, ...]] = [("merge", "specs.h5"), ("extract", tiny_corpus, *SMALL)]
    if limit < 10_000:
        lines.append(("select", "specs.h5", "--fold", "1/2"))
    for line in lines:
        done = run(*line, "-o", "out.h5", preexec_fn=limited)
        fails(done, 1, "out.h5: the file-size limit is reached")
        assert (tmp_path / "out.h5").read_text() == "older"
        assert names(tmp_path) == {"out.h5", "specs.h5"}


def test_a_signal_in_a_finalizer_is_not_lost() -> None:
    # Python drops what a finalizer raises, and decoders have finalizers.
    closed = []

    class Decoder:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def records() -> Iterator[int]:
        try:
            for number in range(5):
                yield number
                Decoder()
        finally:
            closed.append(number)

    hook = sys.unraisablehook
    with pytest.raises(SystemExit) as stopped, signals_unwind():
        run_through(records(), showing("extract", lambda number: (number, 5, "")))
    assert stopped.value.code == 128 + signal.SIGTERM
    assert closed == [1]
    assert sys.unraisablehook is hook
    voice.stopped = None


@pytest.mark.parametrize(("name", "jobs"), [("SIGTERM", 1), ("SIGINT", 1), ("SIGHUP", 1), ("SIGTERM", 2)])
def test_a_signal_leaves_no_litter(tiny_corpus: Path, tmp_path: Path, name: str, jobs: int) -> None:
    names_file = tmp_path / "files.txt"
    links = tmp_path / "links"
    links.mkdir()
    sources = sorted(tiny_corpus.rglob("*.wav"))
    for i in range(4000):
        shutil.copyfile(sources[0], links / f"{i}.wav") if i == 0 else os.link(links / "0.wav", links / f"{i}.wav")
    names_file.write_text("".join(f"links/{i}.wav\n" for i in range(4000)))
    (tmp_path / "out.h5").write_text("older")
    with names_file.open() as stdin:
        process = subprocess.Popen(
            [sys.executable, "-m", "sertools", "extract", "-", "-o", "out.h5", "--jobs", str(jobs)],
            cwd=tmp_path,
            stdin=stdin,
            stderr=subprocess.PIPE,
            env=process_environment(),
            # Ignored under nohup, or in the background: and sertools lets it stay so.
            preexec_fn=lambda: signal.signal(getattr(signal, name), signal.SIG_DFL),
        )
    deadline = time.monotonic() + 30
    while not any(path.suffix == ".part" and path.stat().st_size for path in tmp_path.iterdir()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(getattr(signal, name))
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 128 + getattr(signal, name)
    assert b"Traceback" not in error
    assert (tmp_path / "out.h5").read_text() == "older"
    assert names(tmp_path) == {"files.txt", "links", "out.h5"}
