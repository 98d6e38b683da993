"""The result file: what one classifier said about one test set, utterance by utterance.

JSON, laid out so that ``grep`` and ``diff`` work: one line a field, one line an utterance::

    {"sertools_kind": "result", "sertools_version": 1,
    "tags": {"method": "CP", "fold": "1", "reduced": "angry", "seed": "0"},
    "classes": ["angry", "happy", "sad", "neutral"],
    "vote": "majority", "allow_seen": false,
    "metrics": {"uar": 0.51, …, "n_ties": 3},
    "model": {"digest": "9f…", "arch": "vgg19", "n_train_rows": {"real": 900}, "updates": 5000,
     "prior": {"angry": 0.05, …}},
    "utterances": [
    {"id": "…", "emotion": "sad", "speaker": "03", "predicted": "sad", "posterior": […], …},
    …
    ],
    "validation": [
    {"id": "…", …},
    …
    ],
    "history": [
    "…"
    ]}

An utterance has a ``corpus``, a ``gender`` and a ``digest`` of its audio where they are known; files made before
these came have none, and are read as ever. So are the model's ``prior``, the class shares that its training implied,
and ``"adjust": "priors"``, which stands beside ``vote`` after ``evaluate --adjust priors`` alone. After ``evaluate
--average`` the model has ``members``, the facts of each classifier, behind those of all together. ``validation``
holds the utterances that an operating point is fitted on, and is there only after ``evaluate --val``.

A file that was read can be trusted: every field has its type and range, and the metrics are those of its
utterances. Characters that could steer a terminal are escaped on the way in and out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from sertools.config import ADJUSTMENTS
from sertools.errors import ModelError, printable
from sertools.scoring.results.documents import Defect, clean, load
from sertools.scoring.results.result import IF_KNOWN, KIND, VERSION, Result, Utterance
from sertools.scoring.results.result_checks import parse
from sertools.scoring.results.tags import TAGS

# Which fields share a line of the file.
_LINES = (
    ("sertools_kind", "sertools_version"),
    ("tags",),
    ("classes",),
    ("vote", "adjust", "allow_seen"),
    ("metrics",),
    ("model",),
    ("utterances",),
    ("validation",),
    ("history",),
)
_REMEDY = "make it again with 'sertools evaluate'"


def write_result(result: Result, stream: TextIO) -> None:
    """Write a result as JSON: the same result gives the same bytes.

    Parameters
    ----------
    result : Result
        What to write; `source` is not written. Posteriors are rounded to 6 decimals.
    stream : text file
        Open for writing, UTF-8.

    Raises
    ------
    ModelError
        If the result contradicts itself and could not be read again.
    """
    try:
        sound = parse(clean(_document(result)), source="")
    except Defect as defect:
        raise ModelError(f"the result cannot be written: {defect}") from None
    document = _document(sound)
    blocks = []
    for names in _LINES:
        parts = []
        for name in (name for name in names if name in document):
            value = document[name]
            by_line = name in ("utterances", "validation", "history") and value
            text = "[\n" + ",\n".join(map(_line, value)) + "\n]" if by_line else _line(value)
            parts.append(f'"{name}": {text}')
        if parts:
            blocks.append(", ".join(parts))
    stream.write("{" + ",\n".join(blocks) + "}\n")


def read_result(path: str | Path) -> Result:
    """Read a result file and check all of it.

    Parameters
    ----------
    path : path
        A file that `write_result` made.

    Returns
    -------
    Result
        With `source` set to the path.

    Raises
    ------
    ModelError
        If the file cannot be read, is of another kind or a newer version, or is damaged anywhere.
    """
    name = printable(str(path))
    try:
        with open(path, "rb") as file:
            return parse_result(file, name)
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror or error}") from None


def parse_result(file: BinaryIO, name: str) -> Result:
    """Read a result from an open binary file as `read_result` does; `name` is for messages."""
    try:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
        if not head.startswith(b"{"):  # do not load a store of many gigabytes to say so
            raise Defect("is not a result file")
        text = (head + file.read()).decode("utf-8")
        return parse(clean(load(text)), source=name)
    except UnicodeDecodeError:
        raise ModelError(f"{name}: is not a result file (not UTF-8); {_REMEDY}") from None
    except Defect as defect:
        raise ModelError(f"{name}: {defect}; {_REMEDY}") from None


def _document(result: Result) -> dict[str, Any]:
    """Lay a result out as it is written, in a fixed order whatever order it was filled in."""
    tags = dict(result.tags)
    validation = {"validation": _rounded(result.validation)} if result.validation else {}
    return {
        "sertools_kind": KIND,
        "sertools_version": VERSION,
        "tags": {t: tags[t] for t in (*TAGS, *sorted(tags.keys() - set(TAGS))) if t in tags},
        "classes": list(result.classes),
        "vote": result.vote,
        **({} if result.adjust == ADJUSTMENTS[0] else {"adjust": result.adjust}),
        "allow_seen": result.allow_seen,
        "metrics": dict(result.metrics),
        "model": _facts(result.model, result.classes),
        "utterances": _rounded(result.utterances),
        **validation,
        "history": list(result.history),
    }


def _facts(model: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    facts = dict(model)
    if isinstance(facts.get("n_train_rows"), Mapping):
        facts["n_train_rows"] = dict(sorted(facts["n_train_rows"].items()))
    if isinstance(facts.get("prior"), Mapping):
        facts["prior"] = {name: facts["prior"][name] for name in classes if name in facts["prior"]}
    if isinstance(facts.get("members"), list):
        facts["members"] = [_facts(member, classes) for member in facts["members"]]
    return facts


def _rounded(utterances: Sequence[Utterance]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in asdict(u).items() if value or name not in IF_KNOWN}
        | {"posterior": np.round(u.posterior, 6).tolist()}
        for u in utterances
    ]


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
