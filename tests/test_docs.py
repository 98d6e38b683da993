"""README, docs and help texts are true: every block runs or is at least parsed, and what they name exists."""

import ast
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from chains import noise, write_rows
from iemocap_tree import build as build_iemocap
from test_paper_map import TARGETS, wrong_setting
from typer.main import get_command
from warm_shell import WarmShell

from sertools.cli import VERBS, app
from sertools.config import FrontEnd
from sertools.encoding import Encoding

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = [verb.__name__.replace("_", "-") for verb in VERBS]
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]

# Put after what a command says: small enough for a test; everything else is as printed.
SMALL = {
    "extract": "--mels 32 --frames 32",
    "pretrain-ae": "--preset smoke --steps 2 --width 1/32",
    "pretrain-ae --latent pca": "--latent-size 8",
    "pretrain-ae --latent identity": "",
    "finetune-gan": "--preset smoke --steps 2",
    "finetune-gan --steps 0": "",
    "train-generator": "--preset smoke --steps 2 --width 1/16",
    "train-generator --kind wavegan": "--preset smoke --start-steps 2 --steps 2 --width 1/16",
    "train-clf": "--preset smoke --steps 4",
    "train-clf linear.safetensors": "",  # of vectors: fitted to its end
    "train-clf moved-linear.safetensors": "",
}
# Languages that run, and those that are only to be read.
RUN, READ = ("sh", "python"), ("text", "csv", "ini", "diff", "")
# What a block may need that a test does not have; it is parsed then.
NEEDS = (
    "audb",
    "corpus",
    "datasets",
    "gpu",
    "hub",
    "iemocap",
    "install",
    "minutes",
    "nkululeko",
    "slurm",
    "tensorboard",
)
# In pages, `…` stands for more of the same.
_FENCE = re.compile(r"^```(\w*)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `needs` is empty if it runs."""

    page: str
    language: str
    needs: str
    text: str


def blocks_of(path: Path) -> list[Block]:
    page = path.relative_to(ROOT).as_posix()
    blocks = []
    for language, rest, text in _FENCE.findall(path.read_text(encoding="utf-8")):
        option, _, needs = rest.strip().partition("=")
        assert option in ("", "needs"), f"{page}: ```{language}{rest}"
        blocks.append(Block(page, language, needs, text))
    return blocks


PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
BLOCKS = [block for path in PAGES.values() for block in blocks_of(path)]
RUNNABLE = [page for page in PAGES if any(b.page == page and b.language in RUN and not b.needs for b in BLOCKS)]


def run_page(page: str, folder: Path, shell: WarmShell) -> None:
    """Run a page's blocks in order; every one may use what those before it made."""
    for number, block in enumerate(b for b in BLOCKS if b.page == page):
        if block.language not in RUN or block.needs:
            continue
        text = block.text
        if block.language == "python":
            (folder / f"block{number}.py").write_text(text, encoding="utf-8")
            text = f"python block{number}.py"
        shell.run(text, folder)


@pytest.fixture(scope="module")
def shell() -> Iterator[WarmShell]:
    with WarmShell(SMALL) as warm:
        yield warm


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a reader has: recordings in two layouts, noise, and the repository's examples."""
    root = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    for actor, (emotion, take) in product(range(1, 7), product(("01", "02", "03", "04", "05"), ("01", "02"))):
        path = root / "RAVDESS" / f"Actor_{actor:02d}" / f"03-01-{emotion}-01-01-{take}-{actor:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(8000), 16000)
    shutil.copytree(root / "RAVDESS", root / "wavs")
    (root / "noise").mkdir()
    soundfile.write(root / "noise" / "rain.wav", 0.1 * rng.standard_normal(64000), 16000)
    (root / "examples").symlink_to(ROOT / "examples")
    pytest.importorskip("transformers")
    from tiny_encoders import save_tiny

    # Small, and of another family: what a page calls it does not matter.
    save_tiny("hubert", root / "whisper-base")
    return root


@pytest.fixture(scope="module")
def walked(raw: Path, shell: WarmShell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`raw` after the tutorial: the other pages start from its files. Copy it before changing it."""
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("walked") / "here"
    shutil.copytree(raw, folder, symlinks=True)
    run_page("docs/tutorial.md", folder, shell)
    return folder


@pytest.mark.parametrize("page", [page for page in RUNNABLE if page.startswith("docs/")])
def test_page_runs(page: str, walked: Path, shell: WarmShell, tmp_path: Path) -> None:
    if page == "docs/tutorial.md":
        assert (walked / "confusion.png").exists()
        return
    shutil.copytree(walked, tmp_path / "here", symlinks=True)
    if page == "docs/howto/iemocap.md":
        build_iemocap(tmp_path / "here" / "IEMOCAP")
    run_page(page, tmp_path / "here", shell)


def test_readme_runs(raw: Path, shell: WarmShell, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "here", symlinks=True)
    run_page("README.md", tmp_path / "here", shell)
    assert (tmp_path / "here" / "result.json").exists()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}-{block.language}-{block.needs}")
def test_block_is_of_a_known_kind_and_parses(block: Block) -> None:
    assert block.language in (*RUN, *READ)
    assert block.needs in ("", *NEEDS)
    if block.language == "python":
        for module in imported(ast.parse(block.text)):
            importlib.import_module(module)
    if block.language == "sh":
        done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        for words in commands(block.text):
            check_words(words)


def imported(tree: ast.AST) -> Iterator[str]:
    """Our own modules that a block imports."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (name for name in names if name.partition(".")[0] == "sertools")


def commands(text: str) -> Iterator[list[str]]:
    """Words of each call of sertools and make in a shell block."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not word or word[0] not in "|&;()<>":
                words.append(word)
                continue
            starts = [i for i, w in enumerate(words) if w in ("sertools", "make")]
            if starts:
                yield words[starts[0] :]
            words = []


def check_words(words: list[str]) -> None:
    """Refuse a verb, option, target or setting that does not exist."""
    tool, *rest = words
    if tool == "make":
        assert {word for word in rest if "=" not in word and not word.startswith("-")} <= TARGETS
        assert [problem for word in rest if "=" in word and (problem := wrong_setting(word))] == []
    elif rest and not rest[0].startswith("-"):
        # Numbers that the shell fills in.
        known = [re.sub(r"\$\{?\w+\}?", "1", word) for word in rest[1:]]
        COMMANDS[rest[0]].make_context(rest[0], known)


@pytest.mark.parametrize("words", ["sertools fly", "sertools extract x --nothing", "make lunch", "make demo LUNCH=1"])
def test_what_does_not_exist_is_noticed(words: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - click's own, of which typer has a copy, or an assertion
        check_words(words.split())


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    text = _FENCE.sub("", PAGES[page].read_text(encoding="utf-8"))
    folder = PAGES[page].parent
    links = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target}
    assert [target for target in links if target and not (folder / target).exists()] == []
    if page != "docs/paper.md":  # whose paths start elsewhere; it has a test of its own
        paths = re.findall(r"`((?:sertools|tests|docs|examples|conda)/[\w./-]*\w)`", text)
        assert [path for path in paths if not (ROOT / path).exists()] == []


TYPER = tuple(int(part) for part in version("typer").split(".")[:2])
same_words = pytest.mark.skipif(TYPER < (0, 28), reason="an older typer words its help otherwise")
MAKER = [sys.executable, str(ROOT / "docs" / "make_commands.py")]
NARROW = {"PYTHONPATH": str(ROOT), "COLUMNS": "40", "NO_COLOR": "1"}


@same_words
def test_the_page_of_commands_is_what_the_help_says() -> None:
    made = subprocess.run(MAKER, env=NARROW, capture_output=True, check=True).stdout
    assert made == PAGES["docs/commands.md"].read_bytes(), "run `make commands`"


def test_manual_pages(tmp_path: Path) -> None:
    subprocess.run([*MAKER, "--man", tmp_path], env=NARROW, check=True)
    assert {page.name for page in tmp_path.iterdir()} == {"sertools.1", *(f"sertools-{name}.1" for name in NAMES)}
    page = (tmp_path / "sertools-generate.1").read_text(encoding="utf-8")
    assert page.startswith('.TH "SERTOOLS-GENERATE" 1')
    assert r"\-\-balance" in page


@same_words
def test_a_help_text_is_that_of_a_terminal_of_100_columns(shell: WarmShell, tmp_path: Path) -> None:
    help_text = shell.run("sertools extract --help", tmp_path)
    assert f"```text\n{help_text.rstrip()}\n```" in PAGES["docs/commands.md"].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_verb_stands_in_the_readme(name: str) -> None:
    assert re.search(rf"^\| `{name}` \| [^|]+ \| [^|]+ \|$", README, re.MULTILINE)


def examples(name: str) -> str:
    """The commands under a verb's Example."""
    return (COMMANDS[name].help or "").split("Example:")[1]


def test_examples_of_the_help_texts_run(raw: Path, shell: WarmShell, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(raw, here, symlinks=True)
    pictures, small = noise(np.random.default_rng(1), 10), FrontEnd(n_mels=32, n_frames=32)
    write_rows(here / "emodb.h5", pictures, ["happy", "neutral", "sad", "angry", "bored"] * 2, front_end=small)
    for name in NAMES:
        if name not in ("borrow", "merge", "report", "score", "plot", "batch"):
            shell.run(examples(name), here)
    rng, lent = np.random.default_rng(2), tmp_path / "lent"
    lent.mkdir()
    for stem in ("train", "emodb", "nemo"):
        vectors = rng.standard_normal((12, 4)).astype(np.float32)
        write_rows(lent / f"{stem}.h5", vectors, ["angry", "happy", "sad"] * 4, front_end=Encoding(n_values=4))
    shell.run(examples("borrow"), lent)
    # The corpus is too small to score; 30 rows of each of two classes are not.
    rng, scored = np.random.default_rng(0), tmp_path / "scored"
    scored.mkdir()
    for stem, origin in (("train", "real"), ("synth", "generated"), ("val", "real")):
        write_rows(scored / f"{stem}.h5", noise(rng, 60), ["happy", "sad"] * 30, origin=origin)
    shell.run(f"sertools train-clf train.h5 -o clf.safetensors --arch cnn\n{examples('score')}", scored)
    (here / "shards").mkdir()
    shell.run("for k in 1 2; do sertools extract RAVDESS/ -o shards/$k.h5 --shard $k/2; done", here)
    (here / "results").mkdir()
    shutil.copy(here / "result.json", here / "results")
    shell.run("sertools evaluate clf.safetensors test.h5 --tag method=imbalanced -o results/imbalanced.json", here)
    shell.run(examples("merge") + examples("report") + examples("plot"), here)
    assert (here / "report.html").exists()
    (here / "lines.txt").write_text("info train.h5 > train.json\n")
    (here / "experiment.sh").write_text("sertools info test.h5 > test.json\n")
    shell.run(examples("batch"), here)
    assert (here / "train.json").exists()
    assert (here / "test.json").exists()


def drawn(page: str) -> set[str]:
    """Paths of the groups and datasets in the drawing of docs/store-format.md."""
    drawing = next(block.text for block in BLOCKS if block.page == page and not block.language)
    stack: list[str] = []
    found = set()
    for line in drawing.splitlines():
        if match := re.match(r"([│ ]*)[├└]── ([\w, ]*?\w)(?: {2,}|$)", line):
            depth = len(match[1]) // 4
            names = match[2].split(", ")
            stack = [*stack[:depth], names[0]]
            found |= {"/".join([*stack[:depth], name]) for name in names}
    return found


def test_the_drawing_of_the_store_names_all_that_a_store_holds(augmented: Path) -> None:
    held: set[str] = set()
    attributes: set[str] = set()
    for name in ("specs.h5", "sars.h5"):
        with h5py.File(augmented / name) as store:
            store.visit(held.add)
            attributes |= {*store.attrs, *store["front_end"].attrs}
    page = drawn("docs/store-format.md")
    sometimes = {"rejected", "rejected/path", "rejected/reason", "utterance/corpus"}
    assert page - sometimes == held - sometimes
    assert sometimes <= page
    text = PAGES["docs/store-format.md"].read_text(encoding="utf-8")
    assert [name for name in attributes if not re.search(rf"\b{name}\b", text)] == []


def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "howto" / "slurm.html").read_text(encoding="utf-8")
    assert "<em>Needs: slurm.</em>" in page
    assert "```" not in page
