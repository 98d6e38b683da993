"""An output that is named by a symbolic link is written where the link leads, and the link stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from chains import AE, pretrain, stop_after
from conftest import process_environment
from stores import read_all

from sertools.claim import claimed
from sertools.errors import Stopped, UsageError
from sertools.provenance import atomic_output, refuse_clobber
from sertools.store.conditions import parse_condition
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store

SMALL = ("--mels", 32, "--frames", 32, "--seconds", 1)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A link by way of another into a second folder, where there is nothing yet."""
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "step").symlink_to("far/away/target")
    (tmp_path / "link").symlink_to("step")
    return tmp_path / "link"


def led(link: Path) -> Path:
    """See that the link is one still, and that nothing but its target was made; give the target."""
    assert link.is_symlink()
    target = link.parent / "far" / "away" / "target"
    assert os.readlink(link) == "step"
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    return target


@pytest.mark.parametrize("old", [None, b"older"])
def test_what_every_output_goes_through(link: Path, old: bytes | None) -> None:
    if old:
        link.write_bytes(old)
    with atomic_output(link) as part:
        assert part.parent == link.parent / "far" / "away"
        part.write_bytes(b"new")
    assert led(link).read_bytes() == b"new"
    with pytest.raises(RuntimeError), atomic_output(link):
        raise RuntimeError
    assert led(link).read_bytes() == b"new"


@pytest.mark.parametrize(
    "line",
    [
        "extract {corpus} -o {link}",
        "select {train} --fold 1/2 -o {link}",
        "select {train} --copy -o {link}",
        "merge {train} {test} -o {link}",
        "augment {train} -o {link}",
        "fit-latents {ae} {train} -o {link}",
        "generate {gan} --per-class 1 -o {link}",
        "evaluate {clf} {test} -o {link}",
        "export {test} --format npz -o {link}",
    ],
)
def test_every_verb_writes_through(chain, tiny_corpus: Path, link: Path, call, line: str) -> None:
    words = line.format(**vars(chain), corpus=tiny_corpus, link=link).split()
    options = SMALL if words[0] == "extract" else ()
    done = call(*words, *options)
    assert done.code == 0, done.err
    through = led(link).read_bytes()
    # Beside the target, as its name says: what it names relative to itself is found from there.
    straight = link.parent / "far" / "away" / "straight"
    assert call(*(str(straight) if word == str(link) else word for word in words), *options).code == 0
    assert straight.read_bytes() == through


def test_a_training_writes_model_state_and_log_through_their_links(chain, tmp_path: Path, link: Path) -> None:
    for name in (".link.state", "link.log.ndjson"):
        (tmp_path / name).symlink_to(tmp_path / "far" / name)
    with pytest.raises(Stopped):
        pretrain([chain.train], link, AE, stop=stop_after(2))
    assert (tmp_path / "far" / ".link.state").stat().st_size > 0
    assert (tmp_path / ".link.state").is_symlink()
    pretrain([chain.train], link, AE)
    assert (tmp_path / "far" / "link.log.ndjson").read_bytes().count(b"\n") == len(
        (tmp_path / "link.log.ndjson").read_bytes().splitlines()
    )
    assert (tmp_path / "link.log.ndjson").is_symlink()
    pretrain([chain.train], tmp_path / "straight", AE)
    assert led(link).read_bytes() == (tmp_path / "straight").read_bytes()


def test_a_virtual_store_behind_a_link_finds_its_pictures_and_its_audio(
    tiny_store: Path, tiny_corpus: Path, tmp_path: Path, link: Path
) -> None:
    whole = Path(shutil.copy(tiny_store, tmp_path / "specs.h5"))
    shutil.copytree(tiny_corpus, tmp_path / "corpus")
    select_store(whole, link, Selection(where=(parse_condition("emotion=sad"),)))
    for name in (link, led(link)):
        store = open_store(name)
        assert set(store.contents.emotion.tolist()) == {"sad"}
        assert len(read_all(store)) == len(store)
        assert all(store.audio_path(u).is_file() for u in range(len(store.contents.utterances)))
    # A selection of it, made and read by whatever name, leads to the same pictures and audio.
    (tmp_path / "other").mkdir()
    select_store(link, tmp_path / "other" / "few.h5", Selection(where=(parse_condition("speaker=01"),)))
    few = open_store(tmp_path / "other" / "few.h5")
    assert few.audio_path(0).samefile(tmp_path / "corpus" / "sad" / "01_1.wav")


def test_a_folder_of_links_to_stores_is_read_as_the_stores(tiny_store: Path, tmp_path: Path) -> None:
    """As data managers keep files: the content somewhere else under a key, a link in its place."""
    (tmp_path / "keys" / "a").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    shutil.copy(tiny_store, tmp_path / "data" / "specs.h5")
    select_store(tmp_path / "data" / "specs.h5", tmp_path / "data" / "sad.h5", Selection(fold=(1, 2)))
    expected = read_all(open_store(tmp_path / "data" / "sad.h5"))
    for name in ("specs.h5", "sad.h5"):
        (tmp_path / "data" / name).rename(tmp_path / "keys" / "a" / f"key-{name}")
        (tmp_path / "data" / name).symlink_to(tmp_path / "keys" / "a" / f"key-{name}")
    np.testing.assert_array_equal(read_all(open_store(tmp_path / "data" / "sad.h5")), expected)


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "lost").symlink_to("no/such/file")
    with pytest.raises(
        UsageError, match=r"lost: leads to .*no/such/file, and there is no folder .*no/such; create it"
    ):
        refuse_clobber(tmp_path / "lost", [])
    (tmp_path / "round").symlink_to("about")
    (tmp_path / "about").symlink_to("round")
    for use in (atomic_output(tmp_path / "round"), claimed(tmp_path / "round")):
        with pytest.raises(UsageError, match="round: is a link that leads back to itself"), use:
            pass
    assert (tmp_path / "round").is_symlink()
    assert (tmp_path / "about").is_symlink()
    (tmp_path / "null").symlink_to("/dev/null")
    with pytest.raises(UsageError, match="is not a regular file"):
        refuse_clobber(tmp_path / "null", [])
    (tmp_path / "folder").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is a folder"):
        refuse_clobber(tmp_path / "folder", [])


def test_an_output_is_claimed_by_whatever_name(link: Path) -> None:
    code = f"""
from sertools.claim import claimed
from sertools.errors import SertoolsError
try:
    with claimed({str(link.resolve())!r}):
        print("claimed")
except SertoolsError:
    print("taken")
"""
    with claimed(link):
        # What a killed run left goes, beside the target and, of its state, beside the link.
        done = subprocess.run(
            [sys.executable, "-c", code], env=process_environment(), capture_output=True, text=True, check=True
        )
        assert done.stdout == "taken\n"
    stale = [link.parent / "far" / "away" / ".target.abcdefgh.rows.part", link.parent / "..link.state.abcdefgh.part"]
    for path in stale:
        path.touch()
    with claimed(link):
        assert not any(path.exists() for path in stale)
