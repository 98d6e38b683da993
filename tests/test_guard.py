"""Damaged files end in one clear error: never in a crash, a hang or another exception."""

import contextlib
import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import process_environment
from stores import make_store, read_all

from sertools.errors import ModelError, SertoolsWarning, StoreError
from sertools.store import guard
from sertools.store.guard import check_hdf5
from sertools.store.reader import hdf5_kind, open_store
from sertools.store.select import Condition, Selection, select_store

MUTATIONS = 70


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plain store, one mapped to it, and one as an older program would pack it."""
    folder = tmp_path_factory.mktemp("stores")
    make_store(folder / "plain.h5", np.random.default_rng(0).uniform(-100, 0, (6, 32, 32)).astype(np.float32))
    select_store(folder / "plain.h5", folder / "virtual.h5", Selection(fold=(1, 2), by="utterance"))
    with h5py.File(folder / "plain.h5") as old, h5py.File(folder / "packed.h5", "w", libver="earliest") as new:
        new.attrs.update(old.attrs)
        for name in ("segment", "utterance", "front_end", "lineage"):
            old.copy(name, new)
        new.create_dataset("spectrogram", data=old["spectrogram"][:], chunks=(2, 32, 32), compression="gzip")
    return folder


def refused(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_what_is_not_there_or_not_hdf5(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.h5")
    assert "directory" in refused(tmp_path)
    for content in (b"", b"a text", b"RIFF....WAVE", b"\x89HDF"):
        (tmp_path / "x.h5").write_bytes(content)
        assert "not an HDF5 file" in refused(tmp_path / "x.h5")
    with pytest.raises(ModelError, match="not an HDF5 file"):
        check_hdf5(tmp_path / "x.h5", ModelError)


def test_truncated_anywhere(stores: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    for name in ("plain.h5", "virtual.h5", "packed.h5"):
        whole = (stores / name).read_bytes()
        for share in (0.002, 0.01, 0.1, 0.3, 0.5, 0.8, 0.99):
            path.write_bytes(whole[: max(9, int(share * len(whole)))])
            assert "damaged" in refused(path)
        path.write_bytes(whole[:-1])
        assert "damaged" in refused(path)


@pytest.mark.parametrize("name", ["plain.h5", "virtual.h5", "packed.h5"])
def test_mutated_metadata(stores: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A damaged B-tree can send libhdf5 round in circles; a short patience keeps this test short.
    monkeypatch.setattr(guard, "_SECONDS", 2)
    shutil.copy(stores / "plain.h5", tmp_path)
    whole = (stores / name).read_bytes()
    with h5py.File(stores / name) as file:
        first = file["spectrogram"].id.get_offset() or 0
        pictures = range(first, first + (file["spectrogram"].nbytes if first else 0))
    places = [place for place in range(len(whole)) if place not in pictures]
    path = tmp_path / "x.h5"
    opened = 0
    for seed in range(MUTATIONS):
        rng = random.Random(seed)
        data = bytearray(whole)
        for place in rng.sample(places, rng.choice((1, 1, 2, 8))):
            data[place] = rng.choice((data[place] ^ 1 << rng.randrange(8), 0, 0x7F, 0xFF))
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        with contextlib.suppress(StoreError):
            read_all(open_store(path))
            opened += 1
    # Else the mutations would say nothing about the rest of the reader.
    assert 0 < opened < MUTATIONS


def test_a_huge_claim_is_refused(stores: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    for chunks in (None, (1, 32, 32)):
        shutil.copy(stores / "plain.h5", path)
        with h5py.File(path, "r+") as file:
            del file["spectrogram"]
            file.create_dataset("spectrogram", shape=(10**9, 32, 32), dtype="<f4", chunks=chunks)
        assert "larger than the file" in refused(path)


@pytest.mark.parametrize("name", ["spectrogram", "segment/digest", "utterance"])
@pytest.mark.parametrize("kind", ["soft", "external"])
def test_links_are_refused(stores: Path, tmp_path: Path, name: str, kind: str) -> None:
    """Also where they lead to what would fit."""
    path = tmp_path / "x.h5"
    shutil.copy(stores / "plain.h5", path)
    with h5py.File(path, "r+") as file:
        file.move(name, "elsewhere")
        target = h5py.SoftLink("/elsewhere")
        file[name] = target if kind == "soft" else h5py.ExternalLink(str(stores / "plain.h5"), f"/{name}")
    assert f"/{name} is a link" in refused(path)


def test_data_in_another_file_is_refused(stores: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    shutil.copy(stores / "plain.h5", path)
    (tmp_path / "raw").write_bytes(bytes(6 * 32 * 32 * 4))
    with h5py.File(path, "r+") as file:
        del file["spectrogram"]
        file.create_dataset("spectrogram", (6, 32, 32), "<f4", external=[(tmp_path / "raw", 0, 6 * 32 * 32 * 4)])
    assert "/spectrogram lies in another file" in refused(path)


def test_a_virtual_claim_is_compared_with_the_tables(stores: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    shutil.copy(stores / "virtual.h5", path)
    with h5py.File(path, "r+") as file:
        del file["spectrogram"]
        layout = h5py.VirtualLayout((10**9, 32, 32), dtype="<f4")
        layout[:3] = h5py.VirtualSource("plain.h5", "spectrogram", shape=(6, 32, 32))[:3]
        file.create_virtual_dataset("spectrogram", layout)
    assert "damaged store" in refused(path)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda file: file.__delitem__("spectrogram"), "spectrogram"),
        (lambda file: file.__delitem__("segment/digest"), "digest"),
        (lambda file: file.__delitem__("lineage"), "lineage"),
        (lambda file: file.attrs.__delitem__("history"), "history"),
        (lambda file: file.attrs.__setitem__("history", ["{"]), "damaged store"),
        (lambda file: file.attrs.__setitem__("history", ["3"]), "history"),
        (lambda file: file["front_end"].attrs.__delitem__("fit"), "fit"),
        (lambda file: file["front_end"].attrs.__setitem__("fit", "stretched"), "stretched"),
        (lambda file: file["front_end"].attrs.__setitem__("n_mels", 64), "shape"),
        (lambda file: file["segment/utterance"].__setitem__(0, 99), "points outside"),
        (lambda file: file["utterance/duration"].__setitem__(0, np.nan), "/utterance/duration holds NaN"),
        (lambda file: file["segment/start"].__setitem__(0, -np.inf), "/segment/start holds NaN"),
        (lambda file: file["segment/utterance"].__setitem__(0, -1), "points outside"),
        (lambda file: (file.__delitem__("segment/start"), file.__setitem__("segment/start", [0.0])), "shape"),
        (
            lambda file: (file.__delitem__("utterance/emotion"), file.__setitem__("utterance/emotion", [1.0] * 6)),
            "text",
        ),
        (lambda file: (file.__delitem__("spectrogram"), file.create_group("spectrogram")), "damaged store"),
        (lambda file: (file.__delitem__("utterance"), file.__setitem__("utterance", 3)), "damaged store"),
    ],
)
def test_a_store_with_a_part_missing_or_wrong(stores: Path, tmp_path: Path, damage: object, word: str) -> None:
    path = tmp_path / "x.h5"
    shutil.copy(stores / "plain.h5", path)
    with h5py.File(path, "r+") as file:
        damage(file)  # type: ignore[operator]
    assert word in refused(path)


def test_a_child_that_crashes_or_hangs_is_one_line(
    stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(stores / "plain.h5", tmp_path / "x.h5"))
    monkeypatch.setattr(guard, "_walk", lambda *_: os.abort())
    assert "libhdf5 crashes on it" in refused(path)
    monkeypatch.setattr(guard, "_SECONDS", 1)
    monkeypatch.setattr(guard, "_walk", lambda *_: time.sleep(60))
    started = time.monotonic()
    assert "takes over" in refused(path)
    assert time.monotonic() - started < 5


def limited(code: str, *arguments: object, **limits: tuple[int, int]) -> subprocess.CompletedProcess[str]:
    """Run Python under limits of the system's: ``limited(code, CPU=(5, 5))``."""

    def limit() -> None:
        for name, values in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), values)

    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        words, env=process_environment(), preexec_fn=limit, capture_output=True, text=True, timeout=60, check=False
    )


OPEN = "import sys; from sertools.store.reader import open_store; print(len(open_store(sys.argv[1])))"


@pytest.mark.parametrize(
    "limits", [{"AS": (1_500_000 << 10,) * 2}, {"CPU": (5, 5)}, {"CPU": (5, 30)}, {"CPU": (9, 9)}]
)
def test_under_lower_limits_of_the_system_a_whole_store_is_whole(stores: Path, limits: dict[str, tuple]) -> None:
    done = limited(OPEN, stores / "virtual.h5", **limits)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def looked(monkeypatch: pytest.MonkeyPatch, path: Path, walk: object) -> str:
    monkeypatch.setattr(guard, "_walk", walk)
    message = refused(path)
    assert "cannot be checked: " in message
    assert "damaged" not in message
    return message


def test_what_the_look_itself_is_short_of_is_no_damage(
    stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(stores / "plain.h5", tmp_path / "x.h5"))
    limit, before = resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(limit, (guard._most_memory() - guard._MEMORY_BYTES + (256 << 20), before[1]))
    try:
        assert "not enough memory; raise the limit (ulimit -v)" in looked(
            monkeypatch, path, lambda *_: str(bytearray(1 << 30))
        )
        # libhdf5 may die of it.
        assert "not enough memory" in looked(monkeypatch, path, lambda *_: os.abort())
    finally:
        resource.setrlimit(limit, before)
    assert "was killed" in looked(monkeypatch, path, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    monkeypatch.setattr(guard, "_SECONDS", 1)
    assert "less busy" in looked(monkeypatch, path, lambda *_: time.sleep(60))
    for name, number in (("fork", errno.EAGAIN), ("pipe", errno.EMFILE)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing(number))
            assert {"fork": "(ulimit -u)", "pipe": "(ulimit -n)"}[name] in looked(patch, path, None)


def failing(number: int) -> object:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_look_that_takes_the_systems_time_is_no_damage_and_one_that_takes_ours_is(
    stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import sys
from sertools.store import guard
def spin(*_):
    while True: pass
guard._walk = spin
guard._SECONDS = int(sys.argv[2])
guard.check_hdf5(__import__("pathlib").Path(sys.argv[1]))
"""
    done = limited(code, stores / "plain.h5", 20, CPU=(3, 3))
    assert "cannot be checked: the limit of CPU time is too low for it; raise it (ulimit -t)" in done.stderr
    done = limited(code, stores / "plain.h5", 1)
    assert "damaged (reading its metadata takes over 1 s)" in done.stderr


def test_a_store_that_cannot_be_mapped_is_no_damage(stores: Path, tmp_path: Path) -> None:
    make_store(tmp_path / "large.h5", np.zeros((8_000, 32, 32), dtype=np.float32))  # 33 MB
    code = """
import resource, sys
from sertools.store import guard
from sertools.store.reader import open_store
open_store(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (guard._most_memory() - guard._MEMORY_BYTES + (25 << 20),) * 2)
open_store(sys.argv[1])
"""
    done = limited(code, tmp_path / "large.h5", stores / "plain.h5")
    assert "large.h5: cannot be read: there is not enough memory; raise the limit (ulimit -v)" in done.stderr


def test_many_stores_and_few_handles(stores: Path, tmp_path: Path, run) -> None:
    paths = [shutil.copy(stores / "plain.h5", tmp_path / f"{number}.h5") for number in range(40)]
    done = run(
        "merge", *paths, "-o", "out.h5", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    )
    assert done.code == 1
    assert "too many files are open; raise the limit (ulimit -n)" in done.err
    assert "damaged" not in done.err


@pytest.mark.parametrize("closed", ["never", "not yet"])
def test_a_store_that_is_open_for_writing_is_no_damage(stores: Path, tmp_path: Path, closed: str) -> None:
    path = Path(shutil.copy(stores / "plain.h5", tmp_path / "x.h5"))
    code = "import h5py, os, sys, time; file = h5py.File(sys.argv[1], 'a'); file.flush(); print('open', flush=True); "
    code += "os._exit(0)" if closed == "never" else "time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"open\n"
        if closed == "never":
            writer.wait()
        message = refused(path)
        writer.kill()
    assert "is open for writing, or was not closed by its writer; wait for it" in message
    assert "`h5clear -s`" in message
    assert "damaged" not in message


def add(path: Path, name: str, values: object, **how: object) -> Path:
    """Add something to a store as a user of h5py does."""
    with h5py.File(path, "a") as file:
        file.create_dataset(name, data=values, **how)
    return path


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.arange(6), ["0", "1", "2", "3", "4", "5"]),
        (np.array([0.5, 1, np.nan, -2, 1e-3, np.inf], dtype="f4"), ["0.5", "1.0", "", "-2.0", "0.001", "inf"]),
        (np.array([True, False] * 3), ["True", "False"] * 3),
        (np.array([b"\xe4rger"] * 6), ["\\xe4rger"] * 6),
        (["笑い", "", *"abcd"], ["笑い", "", *"abcd"]),
    ],
)
def test_a_further_column_of_any_type_is_read_as_words(
    stores: Path, tmp_path: Path, values: object, words: list[str]
) -> None:
    path = add(Path(shutil.copy(stores / "plain.h5", tmp_path / "x.h5")), "utterance/age", values)
    assert open_store(path).contents.utterances["age"].tolist() == words
    select_store(path, tmp_path / "y.h5", Selection(where=(Condition("age", (words[0],)),)))
    assert set(open_store(tmp_path / "y.h5").contents.utterances["age"].tolist()) == {words[0]}
    add(path, "segment/snr", np.arange(6))
    assert open_store(path).contents.column("snr").tolist() == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "values",
    [np.ones((6, 2)), np.arange(5), 3, np.ones(6, complex), np.zeros(6, dtype=[("a", "f4")]), h5py.Empty("f4")],
)
@pytest.mark.parametrize("table", ["utterance", "segment", "rejected"])
def test_what_is_no_column_is_left_out_and_said(stores: Path, tmp_path: Path, values: object, table: str) -> None:
    path = Path(shutil.copy(stores / "plain.h5", tmp_path / "x.h5"))
    if table == "rejected":
        add(add(path, "rejected/path", ["a.wav"]), "rejected/reason", ["broken"])
    add(path, f"{table}/thing", values)
    with pytest.warns(SertoolsWarning, match=f"x.h5: /{table}/thing holds no word or number for each row"):
        store = open_store(path)
    assert len(store) == 6
    assert "thing" not in (*store.contents.utterances, *store.contents.segments, *store.contents.rejected)


def test_kind(stores: Path, tmp_path: Path) -> None:
    assert hdf5_kind(stores / "virtual.h5") == "spectrograms"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    assert hdf5_kind(tmp_path / "other.h5") == ""
    with h5py.File(tmp_path / "other.h5", "r+") as file:
        file.attrs["sertools_kind"] = np.bytes_(b"\xff\xfe")
    with pytest.raises(StoreError, match="damaged"):
        hdf5_kind(tmp_path / "other.h5")
