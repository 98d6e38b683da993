"""A result as a database of audformat: what was true in the table ``emotion``, what was said in ``predicted``.

``db.yaml`` and CSV tables are written as audformat's own ``db.save(storage_format="csv")`` does, so that audformat
loads the folder, and ``sertools corpus audformat`` reads it where the audio lies in it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sertools.corpora.files import AUDIO_SUFFIXES
from sertools.errors import ModelError, printable
from sertools.provenance import atomic_output, make_folder
from sertools.scoring.results.result_file import read_result
from sertools.store.escapes import unescape_name

# How `extract` names a part of a file.
_SPAN = re.compile(r"(?P<file>.+)@(?P<start>\d+\.\d{3})-(?P<end>\d+\.\d{3})?")
_Place = tuple[str, float | None, float | None]
_Row = list[str | float | int]


def export_result(path: Path, folder: Path, audio_root: Path | None = None) -> int:
    """Write a result's test utterances as a database of audformat.

    Parameters
    ----------
    path
        From `evaluate`.
    folder
        Made if it is missing; ``db.yaml``, ``db.emotion.csv`` and ``db.predicted.csv`` in it are replaced.
    audio_root
        Where the corpus lies, to complete the names of files by their suffix; a result knows them without.

    Returns
    -------
    Utterances written.

    Raises
    ------
    ModelError
        If the result is damaged, an utterance has no file below `audio_root`, or two corpora have one of its name.
    """
    result = read_result(path)
    places = [_place(u.id, audio_root) for u in result.utterances]
    if len({u.id for u in result.utterances}) < len(places):
        raise ModelError(
            f"{path}: utterances of several corpora have one name; evaluate and export each corpus alone"
        )
    segmented = any(start is not None for _, start, _ in places)
    if segmented and any(start is None for _, start, _ in places):
        places = [(file, start or 0.0, end) for file, start, end in places]
    index = ["file", "start", "end"] if segmented else ["file"]

    def rows(values: Iterable[Sequence[str | float | int]]) -> list[_Row]:
        keys: list[_Row] = [[f, _time(s), _time(e)] if segmented else [f] for f, s, e in places]
        return [[*key, *value] for key, value in zip(keys, values, strict=True)]

    truth = rows((u.emotion, u.speaker) for u in result.utterances)
    said = rows((u.predicted, *u.posterior, u.n_segments) for u in result.utterances)
    shares = [f"p_{name}" for name in result.classes]
    tables: dict[str, list[_Row]] = {
        "emotion": [[*index, "emotion", "speaker"], *truth],
        "predicted": [[*index, "predicted", *shares, "n_segments"], *said],
    }
    make_folder(folder)
    for name, table in tables.items():
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(table)
        _write(folder / f"db.{name}.csv", text.getvalue())
    _write(folder / "db.yaml", _header(result.classes, shares, "segmented" if segmented else "filewise"))
    return len(result.utterances)


def _place(name: str, audio_root: Path | None) -> _Place:
    """File, start and end in seconds of an utterance, by its id."""
    span = _SPAN.fullmatch(name)
    file = unescape_name(span["file"] if span else name)
    start = float(span["start"]) if span else None
    end = float(span["end"]) if span and span["end"] else None
    if audio_root is None:
        return file, start, end
    whole = [file] if Path(file).suffix.lower() in AUDIO_SUFFIXES else [file + s for s in sorted(AUDIO_SUFFIXES)]
    found = next((f for f in whole if (audio_root / f).is_file()), None)
    if found is None:
        raise ModelError(f"{audio_root}: has no audio file of utterance {printable(name)!r}; correct --audio-root")
    return found, start, end


def _time(seconds: float | None) -> str:
    """Write seconds as pandas reads a time; an end that is open is none."""
    if seconds is None:
        return ""
    return f"0 days {int(seconds // 3600):02d}:{int(seconds // 60) % 60:02d}:{seconds % 60:09.6f}"


def _write(path: Path, text: str) -> None:
    with atomic_output(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape")


def _header(classes: Sequence[str], shares: Sequence[str], kind: str) -> str:
    """Write ``db.yaml``; a JSON string is a YAML string."""
    labels = "".join(f"    - {json.dumps(name)}\n" for name in classes)
    columns = "".join(f"      {json.dumps(name)}:\n        scheme_id: share\n" for name in shares)
    return f"""name: predictions
source: sertools
usage: unrestricted
languages: []
schemes:
  emotion:
    dtype: str
    labels:
{labels}  share:
    dtype: float
    minimum: 0
    maximum: 1
  count:
    dtype: int
    minimum: 1
  name:
    dtype: str
tables:
  emotion:
    type: {kind}
    columns:
      emotion:
        scheme_id: emotion
      speaker:
        scheme_id: name
  predicted:
    type: {kind}
    columns:
      predicted:
        scheme_id: emotion
{columns}      n_segments:
        scheme_id: count
"""
