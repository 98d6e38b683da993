"""`augment` on the command line: what it says, and what it refuses without leaving anything behind."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from chains import noise as random_pictures
from chains import write_rows
from conftest import SR

from sertools.store.reader import open_store


@pytest.fixture
def here(tiny_corpus: Path, tiny_store: Path, tmp_path: Path) -> Path:
    """A folder with corpus/, its store s.h5, and noise/."""
    shutil.copytree(tiny_corpus, tmp_path / "corpus")
    shutil.copy(tiny_store, tmp_path / "s.h5")
    (tmp_path / "noise").mkdir()
    rng = np.random.default_rng(4)
    soundfile.write(tmp_path / "noise" / "rain.wav", 0.1 * rng.standard_normal(3 * SR), SR)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def refused(call, here: Path, line: str, code: int, *words: str) -> str:
    """Check that a command is refused in one line, and leaves nothing behind."""
    before = names(here)
    done = call("augment", *line.split(), cwd=here)
    assert (done.code, done.out) == (code, ""), done.err
    said = [text for text in done.err.splitlines() if ": warning: " not in text]
    assert len(said) == 1
    assert said[0].startswith("sertools augment: ")
    for word in words:
        assert word in said[0]
    assert names(here) == before
    return said[0]


def test_it_says_what_it_did(call, here):
    done = call("augment", "s.h5", "--strategy", "SARB", "--noise", "noise", "-o", "x.h5", cwd=here)
    assert (done.code, done.out) == (0, "")
    store = open_store(here / "x.h5")
    n = {name: int((open_store(here / "s.h5").contents.emotion == name).sum()) for name in store.contents.classes()}
    most = max(n.values())
    assert done.err == f"x.h5: {', '.join(f'{name} {count} → {most}' for name, count in n.items())}\n"
    assert set(store.contents.segments["origin"]) == {"real", "background_noise"}
    assert names(here) == ["corpus", "noise", "s.h5", "x.h5"]
    quiet = call("augment", "s.h5", "-q", "-o", "cp.h5", cwd=here)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_an_unknown_strategy(call, here):
    refused(
        call, here, "s.h5 --strategy SARX -o x.h5", 2, "'SARX'", "did you mean 'SAR", "known are CP, SA, ", "RS1.0"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--strategy CP --among speed", ["--among speed", "CP alters no audio"]),
        ("--strategy SA --among speed,vocal", ["--among 'vocal'", "did you mean 'vocal_tract'"]),
        ("--strategy SA --among speed,", ["--among ''", "known are time_stretch, "]),
        ("--strategy SP --magnitude 3", ["--magnitude 3", "take RA"]),
        ("--strategy SA --in-a-row 2", ["--in-a-row 2", "take RA"]),
        ("--strategy RA --in-a-row 0", ["--in-a-row 0: expected 1 to 10"]),
        ("--strategy RA --magnitude 11", ["--magnitude 11: expected above 0"]),
        ("--strategy RA --among background_noise", ["--strategy RA", "--noise DIR"]),
    ],
)
def test_transforms_that_cannot_be_asked_for(call, here, options, words):
    refused(call, here, f"s.h5 {options} -o x.h5", 2, *words)


def test_options_of_a_chain_come_back_as_a_command(call, here):
    line = "augment s.h5 --strategy RA --in-a-row 3 --magnitude 2.5 --among speed,vocal_tract"
    assert call(*line.split(), "-o", "x.h5", cwd=here).code == 0
    [*_, command] = json.loads(call("info", "x.h5", cwd=here).out)["commands"]
    for words in ("--strategy RA", "--in-a-row 3", "--magnitude 2.5", "--among speed,vocal_tract"):
        assert words in command


@pytest.mark.parametrize("strategy", ["SA", "SAR", "SARM", "SARB"])
def test_noise_that_is_not_given(call, here, strategy):
    words = (f"--strategy {strategy}", "--noise DIR", "ESC-50 (github.com/karolpiczak/ESC-50)", "such as SARS")
    refused(call, here, f"s.h5 --strategy {strategy} -o x.h5", 2, *words)


@pytest.mark.parametrize("jobs", [1, 2])
def test_noise_that_is_none(call, here, jobs):
    line = f"s.h5 --strategy SARB --noise noise -j {jobs} -o x.h5"
    soundfile.write(here / "noise" / "rain.wav", np.zeros(2 * SR), SR)
    refused(call, here, line, 1, "noise: 20 draws of noise in a row are silent; remove the silent files")
    if jobs == 1:
        (here / "noise" / "rain.wav").write_text("hush")
        refused(call, here, line, 1, "rain.wav: not readable as audio")
        (here / "noise" / "rain.wav").unlink()
        refused(call, here, line, 1, "noise: no audio files below it", "ESC-50")
        (here / "noise").rmdir()
        refused(call, here, line, 1, "noise: no such folder")


def test_short_noise_is_remarked_and_repeated(call, here):
    soundfile.write(here / "noise" / "rain.wav", 0.1 * np.random.default_rng(0).standard_normal(SR // 2), SR)
    done = call("augment", "s.h5", "--strategy", "SARB", "--noise", "noise", "-o", "x.h5", cwd=here)
    assert done.code == 0
    assert "warning: noise: 1 of 1 noise files are shorter than a segment of 1 s, and are repeated" in done.err


def test_recordings_that_have_moved(call, here):
    line = ["augment", "s.h5", "--strategy", "SARS"]
    assert call(*line, "-o", "before.h5", cwd=here).code == 0
    (here / "corpus").rename(here / "moved")
    said = refused(call, here, "s.h5 --strategy SARS -o x.h5", 1, "s.h5: ", " are missing, ", "--audio-root DIR")
    assert f"corpus{os.sep}angry{os.sep}01_1.wav among them" in said
    assert call(*line, "--audio-root", "moved", "-o", "x.h5", cwd=here).code == 0
    assert (here / "x.h5").read_bytes() == (here / "before.h5").read_bytes()
    # Copies need no audio.
    assert call("augment", "s.h5", "-o", "cp.h5", cwd=here).code == 0


@pytest.mark.parametrize(
    ("seconds", "reason"), [(4.0, "its samples differ"), (0.1, "lies outside its 0.1 s"), (None, "not readable as")]
)
def test_recordings_that_have_changed(call, here, seconds, reason):
    for path in (here / "corpus").glob("*/*.wav"):
        if seconds is None:
            path.write_text("no more")
        else:
            soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, round(seconds * SR)), SR)
    line = "s.h5 --strategy SARS -o x.h5"
    said = refused(call, here, line, 1, "is not the audio that the store was extracted from", reason)
    assert said.count(".wav") == 1
    assert "--audio-root" in said
    assert "labels" not in said


def test_rows_that_are_no_speech(call, here, rng):
    write_rows(here / "g.h5", random_pictures(rng, 4), ["sad", "happy", "happy", "happy"], origin="generated")
    refused(call, here, "g.h5 --strategy SARS -o x.h5", 1, "g.h5: row ", "is generated, not real speech")


def test_rows_that_are_already_altered(call, here):
    assert call("augment", "s.h5", "--strategy", "SARS", "-o", "sars.h5", cwd=here).code == 0
    assert call("select", "sars.h5", "--keep", "angry=0.3", "-o", "again.h5", cwd=here).code == 0
    said = refused(call, here, "again.h5 --strategy SARS -o x.h5", 1, "not real speech", "select --where origin=real")
    assert "is time_stretch" in said or "is pitch_shift" in said
    # What it advises helps.
    assert call("select", "again.h5", "--where", "origin=real", "-o", "real.h5", cwd=here).code == 0
    assert call("augment", "real.h5", "--strategy", "SARS", "-o", "x.h5", cwd=here).code == 0
    assert open_store(here / "x.h5").damaged_rows() == []


def test_one_class(call, here):
    assert call("select", "s.h5", "--where", "emotion=sad", "-o", "sad.h5", cwd=here).code == 0
    for strategy in ("SARS", "VTLP", "RA", "RS0.4"):
        refused(call, here, f"sad.h5 --strategy {strategy} -o x.h5", 1, "sad.h5: only 1 class to balance (sad)")


def test_an_output_that_is_read(call, here):
    assert call("augment", "s.h5", "--strategy", "SARS", "-o", "sars.h5", cwd=here).code == 0
    assert call("select", "sars.h5", "--where", "speaker=01", "-o", "some.h5", cwd=here).code == 0
    for output in ("some.h5", "sars.h5", "s.h5"):
        before = (here / output).read_bytes()
        refused(call, here, f"some.h5 --strategy SARS -o {output}", 2, f"{output}: is read by this command")
        assert (here / output).read_bytes() == before
    assert call("augment", "s.h5", "--strategy", "RS1.0", "-o", "sars.h5", cwd=here).code == 0
    # What was selected of the old one notices.
    refused(call, here, "some.h5 -o x.h5", 1, "sars.h5")


def test_a_terminal_sees_the_balance(call, here):
    assert call("augment", "s.h5", "--strategy", "SARS", "-o", "x.h5", cwd=here).code == 0
    classes = json.loads(call("info", "x.h5", cwd=here).out)["classes"]
    assert list(classes["sad"]) == ["utterances", "real", "altered", "pitch_shift", "time_stretch"]
    assert len({(counts["real"], counts["altered"]) for counts in classes.values()}) == 1
    assert all(c["altered"] == c["pitch_shift"] + c["time_stretch"] > 0 for c in classes.values())


def test_no_path_is_followed_out_of_the_audio_root(call, here):
    (here / "corpus").rename(here / "elsewhere")
    shutil.copytree(here / "elsewhere", here / "corpus")
    line = "s.h5 --strategy SARS --audio-root corpus -o x.h5"
    assert call("augment", *line.split(), cwd=here).code == 0
    (here / "x.h5").unlink()
    # Every file of one class: some of them are altered.
    first = open_store(here / "s.h5").contents.utterances
    for path, emotion in zip(first["path"].tolist(), first["emotion"].tolist(), strict=True):
        if emotion == "sad":
            (here / "corpus" / path).unlink()
            (here / "corpus" / path).symlink_to(here / "elsewhere" / path)
    said = refused(call, here, line, 1, "s.h5: ", "outside --audio-root corpus", "correct the path")
    assert str((here / "elsewhere/sad").resolve()) in said or str((here / "elsewhere").resolve()) in said
    # A link to the folder itself is no way out.
    (here / "link").symlink_to("elsewhere")
    assert call("augment", *line.replace("root corpus", "root link").split(), cwd=here).code == 0
    (here / "x.h5").unlink()
    refused(call, here, line.replace("root corpus", "root nowhere"), 1, "nowhere: no such folder")
