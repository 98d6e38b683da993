"""docs/paper.md is true: no sentence is missing, what it names exists, and what it calls missing does not."""

import ast
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from typer.main import get_command

from sertools.balance.strategies import STRATEGIES
from sertools.cli import app
from sertools.corpora import READERS
from sertools.experiment.methods import KNOWN as METHODS
from sertools.experiment.settings import PROFILES
from sertools.experiment.settings import SETTINGS as EXPERIMENT

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MISSING = "not built yet:"

# Sentences of each paragraph, section by section.
PARAGRAPHS = {
    "0": (6,),
    "1": (6, 8, 9, 7, 4),
    "2.1": (5,),
    "2.2": (4, 5, 1, 4, 5, 10),
    "2.3": (4,),
    "2.4": (4,),
    "2.5": (5, 4, 5),
    "3.1": (5, 10),
    "3.2": (6, 5, 3, 5),
    "3.3": (8, 6),
    "4": (5,),
}
# Captions, notes and rows of tables.
OTHERS = {
    "Fig.": ("1", "2", "3"),
    "2.2 note": ("1",),
    "Table 1": ("CP", "SA", "SAR", "SARM", "SARB", "SARS"),
    "Table 2": ("Imbalanced", "CP", "SA", "Proposed"),
    "Table 3": ("Initial", "0.4", "0.6", "0.8", "Fully", "CP", "SA", "SAR", "SARM", "SARB", "SARS", "Proposed"),
}

_COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = {
    verb: {
        name: parameter.metavar or ""
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    for verb, command in _COMMANDS.items()
}
# Of the experiment, and of the Makefile itself.
SETTINGS = {*EXPERIMENT, *re.findall(r"^([A-Z_]+) *\?=", MAKEFILE, re.MULTILINE)}
TARGETS = set(" ".join(re.findall(r"^(?:experiments|others) *:= (.*)$", MAKEFILE, re.MULTILINE)).split())
CHOICES = {
    word for options in OPTIONS.values() for text in options.values() if "|" in text for word in text.split("|")
}


def rows(text: str) -> list[list[str]]:
    """Cells of all table rows, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if row[0] != "sentence"]


STATED_TEXT, OPEN_TEXT = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8").split("# What it leaves open")
STATED, OPEN = rows(STATED_TEXT), rows(OPEN_TEXT)
CELLS = [STATED_TEXT.split("\n## ")[0], *(cell for row in (*STATED, *OPEN) for cell in row[1:])]


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def find(path: str) -> Path | None:
    """The file or folder that a path of the page means."""
    found = (folder / path for folder in (ROOT, ROOT / "sertools") if (folder / path).exists())
    return next(found, None)


def names(path: Path) -> set[str]:
    """What a module defines, uses or spells out as a word; in the Makefile, its variables."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return set(re.findall(r"^([A-Z_0-9]+) *[:?]?=", text, re.MULTILINE))
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        for attribute in ("name", "id", "attr", "arg", "value"):
            word = getattr(node, attribute, None)
            found |= {word} if isinstance(word, str) else set()
    return found


def wrong_setting(word: str) -> str:
    name, _, value = word.partition("=")
    if name not in SETTINGS:
        return f"the Makefile has no setting {name}"
    known = {"PROFILE": set(PROFILES), "READER": set(READERS), "METHODS": set(METHODS)}.get(name)
    # Methods may be joined: pot+half.
    words = value.replace("+", " ") if name == "METHODS" else value
    strange = set(words.split()) - known if known else set()
    return f"{name} cannot be {strange}" if strange else ""


def wrong_command(words: list[str]) -> str:
    """What is wrong with a verb and its options; nothing, if all is well."""
    verb, *rest = words
    if verb not in OPTIONS:
        return f"there is no verb {verb}"
    if rest and not rest[0].startswith("-"):
        return "" if verb == "corpus" and rest[0] in READERS else f"{verb} takes no {rest[0]}"
    for word, value in pairwise([*rest, "--"]):
        if not word.startswith("-"):
            continue
        if word not in OPTIONS[verb]:
            return f"{verb} has no option {word}"
        choices = OPTIONS[verb][word].split("|")
        if len(choices) > 1 and not value.startswith("-") and value not in choices:
            return f"{verb} {word} is one of {choices}"
    return ""


def wrong(span: str, files: list[Path]) -> str:
    """What is wrong with a code span, given the files named in its cell; nothing, if all is well."""
    words = shlex.split(span)
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        if strange := set(targets) - TARGETS:
            return f"the Makefile has no target {strange}"
        return next(filter(None, map(wrong_setting, (word for word in words if "=" in word))), "")
    if re.match(r"[A-Z_]+=", span):
        return wrong_setting(words[0])
    if words[0].startswith("--"):
        return "" if any(words[0] in options for options in OPTIONS.values()) else f"no verb has {words[0]}"
    if words[0] in OPTIONS or "-" in span:
        return "" if span in CHOICES else wrong_command(words)
    if "/" in span or span == "Makefile" or re.search(r"\.(py|md|sh)$", span):
        return "" if find(span) else f"there is no {span}"
    if span in STRATEGIES or span in CHOICES:
        return ""
    return "" if any(span in names(file) for file in files) else f"{span} is in none of the files named beside it"


def test_every_sentence_has_its_line_in_order():
    wanted = [
        f"{section} ¶{paragraph} s{sentence}"
        for section, counts in PARAGRAPHS.items()
        for paragraph, count in enumerate(counts, start=1)
        for sentence in range(1, count + 1)
    ]
    found = [re.sub(r" \([a-d]\)$", "", row[0]) for row in STATED if "¶" in row[0]]
    assert list(dict.fromkeys(found)) == wanted
    assert len(found) == len(wanted) + 3  # the four parts of 2.4 ¶1 s1


def test_captions_notes_and_rows_of_tables_have_theirs():
    found = [row[0] for row in STATED if "¶" not in row[0]]
    items = {f"{kind} {name}" for kind, all_names in OTHERS.items() for name in all_names}
    assert sorted(found) == sorted(items | {"Table 1", "Table 2", "Table 3"})


def test_every_line_says_something():
    assert {len(row) for row in STATED} == {3}
    assert {len(row) for row in OPEN} == {4}
    assert all(cell for row in (*STATED, *OPEN) for cell in row)


def test_a_line_points_below_exactly_if_it_is_taken_up_there():
    marked = {row[0] for row in STATED if "*below*" in row[2]}
    assert marked == {row[0] for row in OPEN}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if spans(cell)])
def test_what_is_named_exists_and_what_is_called_missing_does_not(cell: str):
    built, _, missing = cell.partition(MISSING)
    files = [file for span in spans(built) if (file := find(span)) and file.is_file()]
    assert [problem for span in spans(built) if (problem := wrong(span, files))] == []
    assert [f"{span} is built" for span in spans(missing) if not wrong(span, files)] == []


@pytest.mark.parametrize(
    "span",
    [
        "nets/none.py",
        "docs/none.md",
        "extract --nothing",
        "extract --fit squeeze",
        "--nothing",
        "fly",
        "make lunch",
        "make table2 PROFILE=huge",
        'make table2 METHODS="full magic"',
        "LUNCH=",
        "corpus nowhere",
        "Transformer",
    ],
)
def test_what_does_not_exist_is_noticed(span: str):
    assert wrong(span, [ROOT / "sertools" / "nets" / "gan.py"])
