"""The README and the help texts: every verb is there, and what they show runs."""

import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.main import get_command

from sertools.cli import VERBS, app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = [verb.__name__.replace("_", "-") for verb in VERBS]

# The paper's sizes, made small enough for a test; everything else is as printed.
SMALL = {
    "extract": "--mels 32 --frames 32",
    "pretrain-ae": "--preset smoke --steps 2 --width 1/32",
    "finetune-gan": "--preset smoke --steps 2",
    "train-clf": "--preset smoke --steps 4",
}
SMALL_PCA = "--latent-size 8"


def shrink(line: str) -> str:
    """Add the small sizes to every command of a line, and call this checkout's sertools."""
    commands = []
    for command in line.split(" | "):
        words = command.split()
        small = SMALL_PCA if "--latent pca" in command else SMALL.get(words[1], "")
        commands.append(f"{command} {small}" if words[0] == "sertools" else command)
    return re.sub(r"\bsertools (?=[a-z])", f"{sys.executable} -m sertools ", " | ".join(commands))


def run_lines(lines: list[str], folder: Path) -> None:
    for line in lines:
        done = subprocess.run(shrink(line), shell=True, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.fixture
def speakers(tmp_path: Path) -> Path:
    """A folder with a small corpus under RAVDESS's names, the same as plain wavs, and some noise."""
    rng = np.random.default_rng(0)
    for actor, (emotion, take) in product(range(1, 7), product(("01", "02", "03", "04", "05"), ("01", "02"))):
        path = tmp_path / "RAVDESS" / f"Actor_{actor:02d}" / f"03-01-{emotion}-01-01-{take}-{actor:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(8000), 16000)
    shutil.copytree(tmp_path / "RAVDESS", tmp_path / "wavs")
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "rain.wav", 0.1 * rng.standard_normal(64000), 16000)
    return tmp_path


def examples(name: str) -> list[str]:
    """The commands under a verb's Example."""
    help_text = get_command(app).commands[name].help or ""  # type: ignore[attr-defined]
    return [line.strip() for line in help_text.split("Example:")[1].strip().splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_verb_stands_in_the_readme(name: str) -> None:
    assert re.search(rf"^\| `{name}` \| [^|]+ \| [^|]+ \|$", README, re.MULTILINE)


def test_examples_of_the_help_texts_run(speakers: Path) -> None:
    order = [name for name in NAMES if name not in ("merge", "report")]
    for name in order:
        run_lines(examples(name), speakers)
    (speakers / "shards").mkdir()
    run_lines(["sertools extract RAVDESS/ -o shards/1.h5 --shard 1/2"], speakers)
    run_lines(["sertools extract RAVDESS/ -o shards/2.h5 --shard 2/2"], speakers)
    (speakers / "results").mkdir()
    shutil.copy(speakers / "result.json", speakers / "results")
    run_lines(examples("merge") + examples("report"), speakers)


def test_chain_of_the_readme_runs(speakers: Path) -> None:
    section = README.split("## From a folder of wavs to a balanced training set")[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block
    lines = block.group(1).strip().splitlines()
    assert len(lines) == 12
    run_lines(lines, speakers)
    assert (speakers / "result.json").exists()


def test_store_format_snippet_runs(tiny_store: Path, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "store-format.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block
    shutil.copy(tiny_store, tmp_path / "specs.h5")
    done = subprocess.run(
        [sys.executable, "-c", block.group(1) + "\nassert angry.ndim == 3 and len(angry)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
