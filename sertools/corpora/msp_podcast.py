"""MSP-Podcast: English, natural speech of podcasts, 8 emotions (Lotfian and Busso, IEEE TAFFC 10(4), 2019).

``Labels/labels_consensus.csv`` (older releases: ``labels_concensus.csv``) says what listeners agreed on, of
``Audios/MSP-PODCAST_0001_0008.wav``: podcast 0001, segment 0008. Each release has other counts, so its own
table is what is expected.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from sertools.corpora.checks import match_labels, without_duplicates
from sertools.corpora.files import find_audio, find_files
from sertools.corpora.table import CorpusWarning, Recording, rows_of
from sertools.errors import CorpusError, warn
from sertools.spelling import is_missing

_TABLES = ("labels_consensus.csv", "labels_concensus.csv")
_FURTHER = {"split": "Split_Set", "valence": "EmoVal", "activation": "EmoAct", "dominance": "EmoDom"}
_COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "gender", "Split_Set")
_PODCAST = re.compile(r"MSP-PODCAST_(\d+)_\d+\w*")

_EMOTIONS = {
    "A": "angry",
    "H": "happy",
    "S": "sad",
    "N": "neutral",
    "U": "surprised",
    "F": "fearful",
    "D": "disgust",
    "C": "contempt",
    "O": "other",
    "X": "ambiguous",
}


def read(folder: Path) -> list[Recording]:
    """List the labelled segments of MSP-Podcast.

    Segments without agreement (X) are "ambiguous". A speaker "Unknown" counts as missing: those are many people.
    The session is the number of the podcast. Further columns: ``split`` (Train, Development or Validation, Test1,
    …), and the mean ``valence``, ``activation`` and ``dominance`` as the corpus writes them (1 to 7).

    Raises
    ------
    CorpusError
        No such folder, no table of labels or no audio in it, or a row that cannot be understood.

    Warns
    -----
    CorpusWarning
        Rows without an emotion (the labels of Test3 are withheld) or without audio; audio without a row; copies.
    """
    audio = find_audio(folder)
    labels = _labels(_table(folder, len(audio)), folder)
    by_name = {path.stem: path for path in without_duplicates(audio, folder)}
    return [_recording(name, path, row) for name, path, row in match_labels(by_name, labels, folder)]


def _table(folder: Path, n_audio: int) -> Path:
    tables = {path.name: path for path in reversed(find_files(folder, {".csv"}))}
    for name in _TABLES:
        if name in tables:
            return tables[name]
    raise CorpusError(
        f"{folder}: no {_TABLES[0]} of MSP-Podcast beside {n_audio} audio files; name the folder that holds Labels/ "
        "and Audios/"
    )


def _labels(table: Path, folder: Path) -> dict[str, Mapping[str, str]]:
    """Rows of the table by the stem of their file, but for those without an emotion."""
    rows: dict[str, Mapping[str, str]] = {}
    for number, row in rows_of(table, _COLUMNS):
        code, name = row["EmoClass"], Path(row["FileName"]).stem
        if code and code not in _EMOTIONS and not is_missing(code):
            raise CorpusError(
                f"{table}:{number}: EmoClass is {code!r}, known are {' '.join(_EMOTIONS)}; "
                "take the file from the release"
            )
        if rows.setdefault(name, row) is not row:
            raise CorpusError(f"{table}:{number}: {name} stands there before; take the file from the release")
    labels = {name: row for name, row in rows.items() if row["EmoClass"] in _EMOTIONS}
    if withheld := [name for name in rows if name not in labels]:
        warn(
            f"{folder}: left out {len(withheld)} of {len(rows)} rows without an emotion, such as {withheld[0]}",
            CorpusWarning,
        )
    return labels


def _recording(name: str, path: Path, row: Mapping[str, str]) -> Recording:
    podcast = _PODCAST.fullmatch(name)
    return Recording(
        file=str(path),
        emotion=_EMOTIONS[row["EmoClass"]],
        speaker=row["SpkrID"],
        session=podcast[1] if podcast else "",
        gender=row["gender"],
        extra={name: row[column] for name, column in _FURTHER.items()},
    )
