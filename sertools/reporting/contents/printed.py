"""What `score` and `report` print as JSON, read again: the words behind `info` for these files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sertools.errors import ModelError, printable
from sertools.scoring.comparing import comparison
from sertools.scoring.results.documents import Defect, clean, load
from sertools.scoring.synthetic import verdict

SCORE, REPORT = verdict.KIND, comparison.KIND
_MAKERS = {SCORE: "sertools score", REPORT: "sertools report --format json"}
_VERSIONS = {SCORE: verdict.VERSION, REPORT: comparison.VERSION}
_MARK = re.compile(rb'^\s*\{\s*"sertools_kind"\s*:\s*"(score|report)"')
_COUNTS = ("n_folds", "n_seeds", "n_speakers", "n_utterances")
_SUMMARY = ("uar", "reduced_recall", "reduced_auc", "macro_f1", "adjusted_uar")


def document_kind(head: bytes) -> str | None:
    """Tell by its first bytes whether a file is one of these: "score", "report" or None."""
    found = _MARK.match(head)
    return found[1].decode() if found else None


def describe_document(path: Path, kind: str) -> dict[str, Any]:
    """Describe the JSON of `score` or `report`.

    A score has verdict, reasons and files, and rows and verdict of each class; a report has what was compared, and
    the scores of each method.

    Raises
    ------
    ModelError
        If the file is damaged, or of another kind or version.
    """
    document = read_document(path, kind)
    try:
        found = _score(document) if kind == SCORE else _report(document)
        return {**found, "notes": [_text(note) for note in document["notes"]], "history": []}
    except (KeyError, TypeError, AttributeError, Defect) as error:
        raise damaged(path, error, kind) from None


def _score(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "verdict": _text(document["verdict"]),
        "why": [_text(sentence) for sentence in document["why"]],
        "files": {role: _text(name) for role, name in document["files"].items() if name is not None},
        "compared": _number(document["rows"]["compared"]),
        "classes": {
            name: {
                "verdict": _text(measured["verdict"] or "not scored"),
                **{side: _number(n) for side, n in measured["of"].items()},
            }
            for name, measured in document["classes"].items()
        },
    }


def _report(document: Mapping[str, Any]) -> dict[str, Any]:
    layout = _text(document["layout"])
    of_results = layout not in ("scores", "corpora")
    name, figures = ("method", _summary) if layout == "summary" else ("dataset", _figures)
    if layout == "corpora":
        figures = _over_corpora
    return {
        "layout": layout,
        **({name: _number(document[name]) for name in _COUNTS} if of_results else {}),
        **({name: [_text(c) for c in document[name]] for name in ("classes", "reduced")} if of_results else {}),
        "baseline": document.get("baseline"),
        "methods": {_text(row[name if of_results else "method"]): figures(row) for row in document["rows"]},
    }


def read_document(path: Path, kind: str) -> Mapping[str, Any]:
    """Read what `score` or `report` prints as JSON; its strings are safe to print.

    Raises
    ------
    ModelError
        If the file cannot be read, is of another kind or version, or is damaged.
    """
    name = printable(str(path))
    try:
        document = clean(load(path.read_bytes().decode("utf-8")))
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, Defect) as error:
        raise damaged(path, error, kind) from None
    if not isinstance(document, dict) or document.get("sertools_kind") != kind:
        raise ModelError(f"{name}: is not a {kind}; make it again with '{_MAKERS[kind]}'")
    if document.get("sertools_version") != _VERSIONS[kind]:
        raise ModelError(
            f"{name}: a {kind} of version {document.get('sertools_version')}, this sertools reads {_VERSIONS[kind]}; "
            f"upgrade it, or make it again with '{_MAKERS[kind]}'"
        )
    return document


def damaged(path: Path, error: Exception, kind: str) -> ModelError:
    """Say what is wrong with such a file, and which command makes it again."""
    said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return ModelError(f"{printable(str(path))}: damaged ({said}); make it again with '{_MAKERS[kind]}'")


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """Scores in percent, and the difference of the UAR from the baseline with its interval."""
    scores: dict[str, Any] = {name: _optional(row[name]) for name in _SUMMARY}
    scores["difference"] = _difference(row["difference"])
    return {name: value for name, value in scores.items() if value is not None}


def _difference(found: Mapping[str, Any]) -> str | None:
    """Estimate and bounds in points; None where there is no estimate."""
    bounds: Sequence[float | None] = [_optional(found[part]) for part in ("estimate", "low", "high")]
    estimate, low, high = bounds
    if estimate is None:
        return None
    return f"{estimate:+.1f}" + (f" [{low:+.1f}, {high:+.1f}]" if low is not None and high is not None else "")


def _over_corpora(row: Mapping[str, Any]) -> dict[str, Any]:
    """The mean over the corpora of what methods are judged by, with its interval."""
    return {"difference": _difference(row["primary_mean"])}


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Every figure of a layout of the paper, or of scores, but the deviations."""
    return {name: value for name, value in row.items() if isinstance(value, float) and not name.endswith("_sd")}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Defect(f"{value!r} stands where a text should")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Defect(f"{value!r} stands where a number should")
    return value


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)
