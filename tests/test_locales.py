"""Under no locale a verb ends in a traceback, loses an output, or reads a name as another."""

import codecs
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from chains import classify, noise, pretrain, write_rows
from conftest import process_environment

import sertools
from sertools.cli.streams import let_all_text_pass
from sertools.store.reader import open_store

SMALL = ("--mels", "32", "--frames", "32", "--seconds", "1")
CLASSES = ("wütend", "笑い", "😀")
PLAIN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def under(environment: dict[str, str], *args: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in an environment of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sertools", *map(os.fspath, map(str, args))],
        env=process_environment() | environment,
        check=False,
        timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_corpus: Path) -> Path:
    """A folder with a corpus, and a file of each kind, whose names and classes no single locale but UTF-8 has."""
    folder = tmp_path_factory.mktemp("locales")
    rng = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (folder / "corpus" / name).mkdir(parents=True)
        for take in (1, 2):
            shutil.copy(
                tiny_corpus / "sad" / f"0{number + 1}_{take}.wav", folder / "corpus" / name / f"ä笑\udcff{take}.wav"
            )
    names = ["wütend", "笑い"] * 6
    train = write_rows(folder / "train.h5", noise(rng, 12), names, speakers=["Jörg", "花子", "x"] * 4)
    test = write_rows(folder / "test.h5", noise(rng, 12), names, speakers=["Ägnes", "太郎", "y"] * 4)
    classify([train], folder / "clf")
    pretrain([train], folder / "ae")
    for method in ("imbalanced", "笑"):
        sertools.evaluate(folder / "clf", test, folder / f"{method}.json", tags={"method": method, "fold": "ü"})
    return folder


# What prints a name, a class, a document or a sign of more than ASCII.
LINES = [
    "corpus folders corpus",
    "extract corpus -o 笑.h5 {small}",
    "extract corpus -o 笑.h5 {small} --dry-run",
    "select train.h5 --where emotion=笑い -o ü.h5",
    "info train.h5",
    "info 笑.json",
    "augment train.h5 -o ü.h5",
    "fit-latents ae train.h5 -o ü.h5",
    "evaluate clf test.h5 --tag method=笑",
    "evaluate clf test.h5 --tag method=笑 -o ü.json",
    "report 笑.json imbalanced.json",
    "report 笑.json imbalanced.json --format csv --html ü.html",
    "to-wav test.h5 -o ü --per-class 1 --iterations 1",
]
REFUSED = {"select train.h5 --where emotion=笑 -o ü.h5": 2, "info 笑い": 1, "笑": 2, "info --笑": 2}


@pytest.mark.parametrize("line", [*LINES, *REFUSED])
def test_no_encoding_makes_a_traceback_or_loses_an_output(made: Path, line: str) -> None:
    """Exit code, documents and files are the same whatever the encoding has."""
    words = line.format(small=" ".join(SMALL)).split()
    outcomes = []
    for encoding in ("utf-8", "latin-1" if "evaluate" in line else "ascii"):
        done = under({"PYTHONIOENCODING": encoding}, *words, cwd=made)
        assert b"Traceback" not in done.stderr + done.stdout, done.stderr
        assert b"lost sys" not in done.stderr
        files = {path.name: remove(path) for path in made.iterdir() if path.name.startswith(("ü", "笑.h5"))}
        outcomes.append((done.returncode, "" if "--dry-run" in words else done.stdout, files))
    assert outcomes[0] == outcomes[1]
    assert done.returncode == REFUSED.get(line, 0), done.stderr
    if " -o " in line and "--dry-run" not in line:
        assert bool(files) == (line in LINES)
    if "emotion=笑 " in line:
        assert b"no row has emotion '\\u7b11'; did you mean '\\u7b11\\u3044'?" in done.stderr


def remove(path: Path) -> bytes:
    content = b"" if path.is_dir() else path.read_bytes()
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return content


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("line", ["info train.h5", "report 笑.json"])
def test_a_terminal_is_shown_what_it_lacks_as_escapes(made: Path, encoding: str, line: str) -> None:
    pty = pytest.importorskip("pty")
    ours, terminal = pty.openpty()
    done = under({"PYTHONIOENCODING": encoding}, *line.split(), cwd=made, stdout=terminal)
    os.close(terminal)
    shown = b""
    while block := read_terminal(ours):
        shown += block
    os.close(ours)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert b"\\u7b11" in shown
    if "info" in line:
        assert "wütend".encode(encoding, "backslashreplace").replace(b"\\xfc", b"\\u00fc") in shown


def read_terminal(handle: int) -> bytes:
    try:
        return os.read(handle, 1 << 16)
    except OSError:  # its other side is closed
        return b""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_names_are_read_alike_under_every_locale(made: Path, tmp_path: Path, jobs: str) -> None:
    """A Latin-1 locale, or plain C without UTF-8 mode, would read other names, and make other ids and classes."""
    for number, environment in enumerate(({"PYTHONUTF8": "1"}, PLAIN_C)):
        done = under(
            environment, "extract", "corpus", "-o", tmp_path / f"{number}.h5", "--jobs", jobs, *SMALL, cwd=made
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "0.h5").read_bytes() == (tmp_path / "1.h5").read_bytes()
    contents = open_store(tmp_path / "1.h5").contents
    assert contents.utterances["id"].tolist()[0] == "wütend/ä笑\\xff1"
    assert contents.classes() == CLASSES


def test_a_table_of_such_names_is_written_and_read_under_every_locale(made: Path, tmp_path: Path) -> None:
    tables = []
    for environment in ({"PYTHONUTF8": "1"}, PLAIN_C):
        tables.append(under(environment, "corpus", "folders", "corpus", cwd=made).stdout)
        (made / "labels.csv").write_bytes(tables[-1])
        done = under(environment, "extract", "labels.csv", "-o", tmp_path / "s.h5", *SMALL, cwd=made)
        assert done.returncode == 0, done.stderr
    assert tables[0] == tables[1]
    assert "corpus/wütend/ä笑\udcff1.wav,wütend".encode("utf-8", "surrogateescape") in tables[0]
    piped = under(PLAIN_C, "extract", "-", "-o", tmp_path / "t.h5", *SMALL, cwd=made, input=tables[0])
    assert piped.returncode == 0


def test_what_passes_the_streams() -> None:
    let_all_text_pass()
    text = "a\udcffü笑😀\ud800"
    assert text.encode("ascii", "sertools") == b"a\xff\\u00fc\\u7b11\\ud83d\\ude00\\ud800"
    assert text.encode("latin-1", "sertools") == b"a\xff\xfc\\u7b11\\ud83d\\ude00\\ud800"
    assert text.encode("utf-8", "sertools") == b"a\xff" + "ü笑😀".encode() + b"\\ud800"
    assert b"a\xff".decode("utf-8", "sertools") == "a\udcff"
    # JSON stays JSON.
    assert json.loads(json.dumps("ü笑😀", ensure_ascii=False).encode("ascii", "sertools")) == "ü笑😀"
    assert codecs.lookup_error("sertools")
