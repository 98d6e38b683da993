"""Labels tables whose maker says of each row who speaks and which word is meant, and a judge of how they were read.

The maker knows nothing of the reader: what it states stands in a cell of plain ASCII at the end of each row, and is
taken from the bytes of the file. A person in several spellings must stay one and a word one class; whoever may be two
people, whatever became one class and whoever was left out must be named in a remark.
"""

# ruff: noqa: RUF001 - letters of several scripts

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

# People who are told apart by anybody.
NAMES = (
    *("José", "Zoë Ångström", "Ann Lee", "박서준", "Đặng Thị", "می\u200cخواهم", "श्\u200dरी", "S 10", "M2", "017"),
    *("Ivan", "Иван", "Müller-Lüdenscheidt", "李雷", "O'Neil", "x,y", 'the "boss"', "Ş", "ﬁona", "Ω"),
)
# Names of one person or of two: nobody can tell.
DOUBTS = (
    *(("F1", "f1"), ("3", "03"), ("3", "3.0"), ("Bob Ray", "BobRay"), ("Weiß", "WEISS"), ("Q7", "\uff31\uff17")),
    *(("Eve", "eVE"), ("0005", "5"), ("7.50", "7.5"), ("A B C", "AB C"), ("spk01", "spk1"), ("१२", "12")),
)
# Words of emotions; some mean one.
WORDS = (
    *("fear", "anxiety", "anger", "wut", "joy", "happiness", "sadness", "calm", "jealous", "ärger", "müde"),
    *("très bien", "怒り", "खुश", "pleasant surprise", "surprise", "boredom", "cool, calm", "x"),
)
# What says that nothing is known, and a person who may really be called so.
NOTHING = ("", "nan", "NaN", "NA", "N/A", "None", "NULL", "<NA>", "unknown", " ", "\u00a0", "\u200b")
UNSEEN = "\u200b\u2060\ufeff\u200e\u200f\u202a\u202c\u2066\u2069\u00ad\u061c"
BLANKS = (" ", "  ", "\u00a0", "\u2009", "\u3000", "\t")
N_FILES = 12
_STATED = re.compile(rb"@(\d+)\|(\w*)\|(\w*)\|([\w ]*)\|([01])@")


def files() -> list[str]:
    """Names of the audio, beside the table; the last are in one form on the disk and in either in a table."""
    plain = [f"people/{number}.wav" for number in range(N_FILES - 2)]
    return [*plain, unicodedata.normalize("NFD", "people/é.wav"), unicodedata.normalize("NFC", "people/ü ñ.wav")]


@dataclass(frozen=True)
class Stated:
    """What the maker says of a row: who speaks, which word is meant, who may be the same, and if it must be refused.

    The word of nobody, and of no emotion, is empty.
    """

    row: str
    who: str
    word: str
    doubt: str
    bad: bool


def made(_: bytes, rng: random.Random) -> bytes:
    """Make a table."""
    people = {f"p{k}": name for k, name in enumerate(rng.sample(NAMES, rng.randint(1, 4)))}
    doubt = ""
    if rng.random() < 0.3:
        doubt = "p8 p9"
        people |= dict(zip(("p8", "p9"), rng.choice(DOUBTS), strict=True))
    if rng.random() < 0.1:
        people["NA"] = "NA"
    words = {f"w{k}": WORDS[k] for k in rng.sample(range(len(WORDS)), rng.randint(1, 4))}
    head = [rng.choice(names) for names in (("file", "File"), ("emotion", "label"), ("speaker", "Speaker_ID"))]
    order = rng.sample(range(3), 3)
    lines = [[head[k] for k in order] + ["stated"]]
    n_rows, bad_row = rng.randint(1, N_FILES), rng.randrange(40)
    for number, file in enumerate(rng.sample(files(), n_rows)):
        who = rng.choice([*people, "", *people])
        word = rng.choice([*words, "", *words])
        cells = [
            unicodedata.normalize(rng.choice(("NFC", "NFD")), file),
            _respelled(rng.choice((str.lower, str.upper, str.title, str))(words[word]), rng)
            if word
            else rng.choice(NOTHING),
            _respelled(people[who], rng) if who else rng.choice(NOTHING),
        ]
        bad = number == bad_row
        if bad:
            at = rng.choice((1, 2))
            cells[at] = rng.choice(('\t"x"', "“x”", "'x'", "J\udcf6rg", "\udce4"))
        own = doubt if who in doubt.split() else ""
        lines.append([cells[k] for k in order] + [f"@{number}|{who}|{word}|{own}|{bad:d}@"])
    text = rng.choice(("\n", "\r\n")).join(",".join(_quoted(cell, rng) for cell in line) for line in lines)
    return (rng.choice(("", "\ufeff")) + text + "\n").encode("utf-8", "surrogateescape")


def _respelled(word: str, rng: random.Random) -> str:
    """Write a word in a way that no reader of it would see."""
    word = unicodedata.normalize(rng.choice(("NFC", "NFD")), word)
    word = "".join(rng.choice(BLANKS) if letter == " " else letter for letter in word)
    for _ in range(rng.choice((0, 0, 1, 2))):
        at = rng.randrange(len(word) + 1)
        word = word[:at] + rng.choice(UNSEEN) + word[at:]
    return rng.choice(("", " ", "\u00a0")) + word + rng.choice(("", " "))


def _quoted(cell: str, rng: random.Random) -> str:
    inner = cell.replace('"', '""')
    own = cell.startswith(('\t"', "“", "'"))
    if not own and (re.search(r'[",]', cell) or rng.random() < 0.2):
        return rng.choice(("", " ", "  ")) + f'"{inner}"'
    return cell


def stated(data: bytes) -> list[Stated]:
    """Take what the maker said from the bytes of a table."""
    found = [[part.decode() for part in match.groups()] for match in _STATED.finditer(data)]
    return [Stated(row, who, word, doubt, bad == "1") for row, who, word, doubt, bad in found]


def judge(told: Sequence[Stated], recordings: Sequence[Any], remarks: Sequence[str]) -> None:
    """Compare what was read with what was stated.

    Raises
    ------
    AssertionError
        Rows are lost or doubled; somebody, or a class, was split, merged or left out without a remark that names it.
    """
    by_row = {recording.extra["stated"].strip("@").partition("|")[0]: recording for recording in recordings}
    assert not [each for each in told if each.bad], "a row that must be refused was read"
    assert sorted(by_row) == sorted(each.row for each in told), "rows are lost or doubled"
    assert len(recordings) == len(told), "rows are doubled"
    for recording in recordings:
        assert Path(recording.file).is_file(), f"{recording.file!r} is no file"
    for column, of in (("speaker", "who"), ("emotion", "word")):
        read = [(getattr(each, of), getattr(by_row[each.row], column), each) for each in told]
        for meant, value, _ in read:
            left_out = meant == "NA" and _named(remarks, "NA")
            assert bool(meant) == bool(value) or left_out, f"{column} {meant}: {value!r}"
        for (a, x, first), (b, y, second) in combinations(read, 2):
            if not (a and b) or not (x and y):
                continue
            if a == b:
                assert x == y or _named(remarks, x, y), f"{column} {a} was split: {x!r}, {y!r}"
            elif x == y:
                words = [WORDS[int(each[1:])] for each in (a, b)] if of == "word" else [a, b]
                assert _named(remarks, *words), f"{column} {words} were merged: {x!r}"
            elif of == "who" and first.doubt and first.doubt == second.doubt:
                assert _named(remarks, x, y), f"nobody says that {x!r} may be {y!r}"


def _named(remarks: Sequence[str], *words: str) -> bool:
    return any(all(repr(word) in remark for word in words) for remark in remarks)
