"""Rivals' CSVs, and our results beside them, whose maker says which utterance, person, class and fold each row means.

The maker knows nothing of the reader: what it states stands behind the table, and is cut off before that is read. An
utterance, a person, a class or a fold in several spellings must stay one; whoever was split or merged must be told;
a rival that leaves utterances out, or has a fold of its own, must be refused where our results say what was tested.
"""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from people import NOTHING, UNSEEN

_MARK = b"\n#stated "
_CORPORA = ("ravdess", "EMO-DB", "Ärger 2")
_IDS = ("angry/1", "sad/1", "1", "a b", "é/x", "ü", "u-7", "K_9", "Actor/03-01")
_NAMES = ("José", "Zoë Ångström", "Ann Lee", "박서준", "Иван", "M2", "017", "O'Neil")
_DOUBTS = (("F1", "f1"), ("3", "03"), ("3", "3.0"), ("Bob Ray", "BobRay"))
# A class and the words for it; the first is the project's own.
_WORDS = {
    "angry": ("angry", "anger", "Wut"),
    "fearful": ("fearful", "fear", "anxiety"),
    "sad": ("sad", "Sadness"),
    "müde": ("müde",),
}
_NUMBERS: Sequence[str] = ("{}", "0{}", "{}.0", " {}", "{}.", "+{}", "{}e0", "\u200b{}")


def made(_: bytes, rng: random.Random) -> bytes:
    """Make a table, and our results; state what both mean."""
    corpora = rng.choice(((1, 1, 2), (0,)))
    named = rng.sample(_CORPORA, rng.choice(corpora)) or [""]
    classes = rng.sample(sorted(_WORDS), rng.randint(2, 3))
    names = [*rng.sample(_NAMES, 2), *(rng.choice(_DOUBTS) if rng.random() < 0.2 else ())]
    world = []
    for corpus in named:
        for name in rng.sample(_IDS, rng.randint(3, 6)):
            world.append(
                {
                    "corpus": corpus,
                    "id": name,
                    "speaker": rng.choice(names),
                    "emotion": rng.choice(classes),
                    "fold": rng.choice("12"),
                    "nobody": rng.random() < 0.1,
                }
            )
    ours = rng.random() < 0.6
    columns = ["method", "fold", "id", "emotion", "predicted"]
    columns += [name for name, chance in (("seed", 0.3), ("speaker", 0.7), ("corpus", 0.6)) if rng.random() < chance]
    rng.shuffle(columns)
    rows, flaw = [], rng.choice(("", "", "", "left out", "strange fold", "twice", "another label"))
    for method in rng.sample(("SVM", "CNN", "GAN+"), rng.randint(1, 2)):
        rows += [{**each, "method": method, "predicted": rng.choice(classes)} for each in world]
    at = rng.randrange(len(rows))
    if flaw == "left out":
        del rows[at]
    elif flaw == "strange fold":
        rows[at] = {**rows[at], "fold": "7"}
    elif flaw == "twice":
        rows.insert(at, dict(rows[at]))
    elif flaw == "another label":
        rows[at] = {**rows[at], "emotion": next(name for name in classes if name != rows[at]["emotion"])}
    rng.shuffle(rows)
    lines = [columns, *([_cell(row, column, rng) for column in columns] for row in rows)]
    text = rng.choice(("\n", "\r\n")).join(",".join(_quoted(cell, rng) for cell in line) for line in lines)
    stated = {"world": world, "rows": rows, "ours": ours, "flaw": flaw, "columns": columns, "classes": classes}
    return (rng.choice(("", "\ufeff")) + text + "\n").encode() + _MARK + json.dumps(stated).encode()


def _cell(row: Mapping[str, Any], column: str, rng: random.Random) -> str:
    if column == "fold":
        return rng.choice(_NUMBERS).format(row["fold"])
    if column == "seed":
        return rng.choice(("0", "00", "0.0", " 0"))
    if column == "speaker" and row["nobody"]:
        return rng.choice(NOTHING)
    if column == "id":
        return unicodedata.normalize(rng.choice(("NFC", "NFC", "NFD")), row["id"])
    word = row[column]
    return _respelled(rng.choice(_WORDS[word]) if column in ("emotion", "predicted") else word, rng)


def _respelled(word: str, rng: random.Random) -> str:
    """Write a word in a way that no reader of it would see."""
    word = unicodedata.normalize(rng.choice(("NFC", "NFD")), word).replace(" ", rng.choice((" ", "  ", "\u00a0")))
    at = rng.randrange(len(word) + 1)
    return rng.choice(("", " ")) + word[:at] + rng.choice(("", "", UNSEEN[0], UNSEEN[2])) + word[at:]


def _quoted(cell: str, rng: random.Random) -> str:
    return rng.choice(("", " ")) + f'"{cell}"' if rng.random() < 0.2 or "," in cell else cell


def parted(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """Cut what the maker said off the table."""
    table, _, stated = data.partition(_MARK)
    return table, json.loads(stated)


def write_ours(stated: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write a result of ours for each fold of the world; none where the rival stands alone."""
    from sertools.metrics import scores
    from sertools.scoring.results.result import Result, Utterance
    from sertools.scoring.results.result_file import write_result

    classes = tuple(sorted(stated["classes"]))
    paths = []
    for fold in sorted({each["fold"] for each in stated["world"]}) if stated["ours"] else ():
        tested = [each for each in stated["world"] if each["fold"] == fold]
        truth = [classes.index(each["emotion"]) for each in tested]
        utterances = tuple(
            Utterance(
                id=each["id"],
                emotion=each["emotion"],
                speaker=each["speaker"],
                predicted=each["emotion"],
                posterior=tuple(float(name == each["emotion"]) for name in classes),
                n_segments=1,
                tied=False,
                corpus=each["corpus"],
                digest=f"{number:02x}",
            )
            for number, each in enumerate(stated["world"])
            if each["fold"] == fold
        )
        result = Result(
            tags={"method": "ours", "fold": fold, **({"seed": "0"} if "seed" in stated["columns"] else {})},
            classes=classes,
            vote="majority",
            allow_seen=False,
            metrics={**scores(truth, truth, [u.posterior for u in utterances], classes), "n_ties": 0},
            model={"digest": "0a", "arch": "cnn", "n_train_rows": {"real": 1}, "updates": 1},
            utterances=utterances,
        )
        paths.append(folder / f"ours-{fold}.json")
        with paths[-1].open("w", encoding="utf-8") as stream:
            write_result(result, stream)
    return paths


def must_refuse(stated: Mapping[str, Any]) -> bool:
    """Whether nobody can make a table of these."""
    if stated["flaw"] == "twice" or (stated["ours"] and stated["flaw"] in ("strange fold", "another label")):
        return True
    # Of a fold all rows must be there, or none.
    tested: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for row in stated["rows"]:
        tested.setdefault((row["fold"], row["method"]), set()).add((row["corpus"], row["id"], row["emotion"]))
    for each in stated["world"] if stated["ours"] else ():
        tested.setdefault((each["fold"], "ours"), set()).add((each["corpus"], each["id"], each["emotion"]))
    of_fold: dict[str, set[frozenset[tuple[str, ...]]]] = {}
    for (fold, _), said in tested.items():
        of_fold.setdefault(fold, set()).add(frozenset(said))
    return any(len(different) > 1 for different in of_fold.values())


def may_refuse(stated: Mapping[str, Any]) -> bool:
    """Whether what is said can be taken in several ways: names of two corpora that no column tells apart."""
    names = [(row["method"], row["id"]) for row in stated["rows"]]
    return bool(stated["flaw"]) or (len(set(names)) < len(names) and "corpus" not in stated["columns"])


def judge(stated: Mapping[str, Any], report: Any, remarks: Sequence[str]) -> None:
    """Compare what stands in the table with what was stated.

    Raises
    ------
    AssertionError
        An utterance, a person, a class or a fold was split, merged or lost without a remark.
    """
    rows, told = stated["rows"], " ".join(remarks)
    meant = [*rows, *(stated["world"] if stated["ours"] else ())]
    corpus = "corpus" in stated["columns"] or stated["ours"]
    utterances = {(row["corpus"], row["id"]) for row in meant}
    assert report.n_utterances == len(utterances) or "in several folds" in told, "utterances were split or merged"
    known = stated["ours"] or "speaker" in stated["columns"]
    people = {
        (row["corpus"] if corpus else "", row["speaker"])
        for row in meant
        if known and (stated["ours"] or not row["nobody"])
    }
    assert report.n_speakers == len(people), f"{report.n_speakers} people for {len(people)}"
    names = {name for _, name in people}
    for pair in _DOUBTS:
        if len({person[0] for person in people if person[1] in pair}) < len(
            [person for person in people if person[1] in pair]
        ):
            assert "Speakers of almost one name" in told, f"nobody says that {pair} may be one"
    if len(names) < len(people):
        assert "names of speakers are in several corpora" in told, "nobody says that names are shared"
    words = {row[column] for row in rows for column in ("emotion", "predicted")}
    classes = set(stated["classes"]) if stated["ours"] else words
    assert set(report.classes) == classes, f"classes {report.classes} for {classes}"
    folds = {row["fold"] for row in meant}
    assert report.n_folds == len(folds), f"{report.n_folds} folds for {folds}"
