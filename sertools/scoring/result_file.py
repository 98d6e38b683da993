"""The result file: what one classifier said about one test set, utterance by utterance.

JSON, laid out so that ``grep`` and ``diff`` work: one line a field, one line an utterance::

    {"sertools_kind": "result", "sertools_version": 1,
    "tags": {"method": "CP", "fold": "1", "reduced": "angry", "seed": "0"},
    "classes": ["angry", "happy", "sad", "neutral"],
    "vote": "majority", "allow_seen": false,
    "metrics": {"uar": 0.51, …, "n_ties": 3},
    "model": {"digest": "9f…", "arch": "vgg19", "n_train_rows": {"real": 900}, "updates": 5000},
    "utterances": [
    {"id": "…", "emotion": "sad", "speaker": "03", "predicted": "sad", "posterior": […], …},
    …
    ],
    "history": [
    "…"
    ]}

A file that was read can be trusted: every field has its type and range, and the metrics are those of its
utterances. Characters that could steer a terminal are escaped on the way in and out.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TextIO, get_args

import numpy as np

from sertools.errors import ModelError
from sertools.scoring.metrics import VoteRule, scores
from sertools.scoring.result import KIND, TAGS, VERSION, Result, Utterance, printable

# Which fields share a line of the file.
_LINES = (
    ("sertools_kind", "sertools_version"),
    ("tags",),
    ("classes",),
    ("vote", "allow_seen"),
    ("metrics",),
    ("model",),
    ("utterances",),
    ("history",),
)
_REMEDY = "make it again with 'sertools evaluate'"
_MAX_DEPTH = 8
_MAX_NUMBER = 2**53  # beyond it other JSON readers lose digits


class _Defect(Exception):  # noqa: N818 - never leaves this module
    """What is wrong with a document; becomes a ModelError that also names the file."""


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
        sound = _parse(_clean(_document(result)), source="")
    except _Defect as defect:
        raise ModelError(f"the result cannot be written: {defect}") from None
    document = _document(sound)
    blocks = []
    for names in _LINES:
        parts = []
        for name in names:
            value = document[name]
            by_line = name in ("utterances", "history") and value
            text = "[\n" + ",\n".join(map(_line, value)) + "\n]" if by_line else _line(value)
            parts.append(f'"{name}": {text}')
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
            raise _Defect("is not a result file")
        text = (head + file.read()).decode("utf-8")
        return _parse(_clean(_load(text)), source=name)
    except UnicodeDecodeError:
        raise ModelError(f"{name}: is not a result file (not UTF-8); {_REMEDY}") from None
    except _Defect as defect:
        raise ModelError(f"{name}: {defect}; {_REMEDY}") from None


def _document(result: Result) -> dict[str, Any]:
    """Lay a result out as it is written, in a fixed order whatever order it was filled in."""
    tags = dict(result.tags)
    model = dict(result.model)
    if isinstance(model.get("n_train_rows"), Mapping):
        model["n_train_rows"] = dict(sorted(model["n_train_rows"].items()))
    utterances = [asdict(u) for u in result.utterances]
    for utterance in utterances:
        utterance["posterior"] = np.round(utterance["posterior"], 6).tolist()
    return {
        "sertools_kind": KIND,
        "sertools_version": VERSION,
        "tags": {t: tags[t] for t in (*TAGS, *sorted(tags.keys() - set(TAGS))) if t in tags},
        "classes": list(result.classes),
        "vote": result.vote,
        "allow_seen": result.allow_seen,
        "metrics": dict(result.metrics),
        "model": model,
        "utterances": utterances,
        "history": list(result.history),
    }


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _load(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise _Defect("names a field twice")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise _Defect(f"is damaged at line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise _Defect("is nested too deep") from None
    except ValueError:  # an integer of thousands of digits
        raise _Defect("holds a number without end") from None


def _clean(value: Any, depth: int = 0) -> Any:
    """Escape every string; refuse numbers and nesting that no result has."""
    if depth > _MAX_DEPTH:
        raise _Defect("is nested too deep")
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(key)): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, depth + 1) for item in value]
    if isinstance(value, int | float) and not abs(value) <= _MAX_NUMBER:  # NaN too
        raise _Defect("holds a number that is not finite or far too large")
    return value


def _parse(document: Any, source: str) -> Result:
    """Check a cleaned document from the outside in."""
    if not isinstance(document, dict) or "sertools_kind" not in document:
        raise _Defect("is not a result file")
    if document["sertools_kind"] != KIND:
        raise _Defect(f'is of the kind {_shown(document["sertools_kind"])}, not "{KIND}"')
    if document.get("sertools_version") != VERSION:
        version = _shown(document.get("sertools_version"))
        raise _Defect(f"has version {version}, this sertools reads {VERSION}; upgrade it, or")
    classes = _texts(document, "classes")
    if not classes or len(set(classes)) < len(classes):
        raise _Defect("classes must be different names, at least one")
    tags = {key: _get(document["tags"], key, str) for key in _get(document, "tags", dict)}
    if tags.get("reduced") and tags["reduced"] not in classes:
        raise _Defect(f"tag reduced={tags['reduced']} is none of its classes {', '.join(classes)}")
    if _get(document, "vote", str) not in get_args(VoteRule):
        raise _Defect(f"vote {_shown(document['vote'])} is unknown")
    result = Result(
        tags=tags,
        classes=classes,
        vote=document["vote"],
        allow_seen=_get(document, "allow_seen", bool),
        metrics=_get(document, "metrics", dict),
        model=_get(document, "model", dict),
        utterances=tuple(_utterance(u, classes) for u in _get(document, "utterances", list)),
        history=_texts(document, "history"),
        source=source,
    )
    if len({u.id for u in result.utterances}) < max(len(result.utterances), 1):
        raise _Defect("utterances must be there and have different ids")
    _check_model(result.model)
    _check_metrics(result)
    return result


def _utterance(item: Any, classes: tuple[str, ...]) -> Utterance:
    if not isinstance(item, dict):
        raise _Defect(f"an utterance is {_shown(item)}, not an object")
    try:
        emotion, predicted = _get(item, "emotion", str), _get(item, "predicted", str)
        for name in (emotion, predicted):
            if name not in classes:
                raise _Defect(f"{_shown(name)} is none of the classes {', '.join(classes)}")
        posterior = _get(item, "posterior", list)
        sound = len(posterior) == len(classes) and all(_is_number(p) and 0 <= p <= 1 for p in posterior)
        if not sound or abs(sum(posterior) - 1) > 1e-3:
            raise _Defect(f"posterior must be {len(classes)} numbers from 0 to 1 that add up to 1")
        return Utterance(
            id=_get(item, "id", str),
            emotion=emotion,
            speaker=_get(item, "speaker", str),
            predicted=predicted,
            posterior=tuple(map(float, posterior)),
            n_segments=_count(item.get("n_segments"), "n_segments", least=1),
            tied=_get(item, "tied", bool),
        )
    except _Defect as defect:
        raise _Defect(f"utterance {_shown(item.get('id'))}: {defect}") from None


def _check_model(model: Mapping[str, Any]) -> None:
    if not re.fullmatch(r"[0-9a-f]+", _get(model, "digest", str)):
        raise _Defect(f"model.digest {_shown(model['digest'])} is not hexadecimal")
    _get(model, "arch", str)
    _count(model.get("updates"), "model.updates")
    for origin, n in _get(model, "n_train_rows", dict).items():
        _count(n, f"model.n_train_rows.{origin}")


def _check_metrics(result: Result) -> None:
    expected = scores(*result.labels(), [u.posterior for u in result.utterances], result.classes)
    expected["n_ties"] = sum(u.tied for u in result.utterances)
    for name, value in expected.items():
        if not _agree(result.metrics.get(name), value):
            raise _Defect(f"metrics.{name} does not follow from the utterances")


def _agree(stored: Any, value: Any) -> bool:
    if isinstance(value, dict):
        same_classes = isinstance(stored, dict) and stored.keys() == value.keys()
        return same_classes and all(_agree(stored[c], value[c]) for c in value)
    if isinstance(value, float):
        return _is_number(stored) and 0 <= stored <= 1 and abs(stored - value) <= 1e-6
    return type(stored) is type(value) and bool(stored == value)


def _get(mapping: Mapping[str, Any], name: str, kind: type) -> Any:
    value = mapping.get(name)
    if not isinstance(value, kind):
        raise _Defect(f"{name} is {_shown(value)}" if name in mapping else f"{name} is missing")
    return value


def _texts(mapping: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_get({name: item}, name, str) for item in _get(mapping, name, list))


def _count(value: Any, name: str, least: int = 0) -> int:
    if not _is_number(value) or not isinstance(value, int) or value < least:
        raise _Defect(f"{name} is {_shown(value)}, not a count from {least} up")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """Quote a value in a message, at a length that stays one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
