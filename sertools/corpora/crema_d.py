"""CREMA-D: English, 91 actors, 12 sentences, 6 emotions (Cao et al., IEEE Trans. Affective Computing 5(4), 2014).

Names are actor, sentence, intended emotion and its level: ``1001_DFA_ANG_XX.wav``. What the actors intended is
balanced; what listeners heard in the voice alone is not (neutral to happy 11:1), and is another reader's label.
Both read ``AudioWAV/`` where there is one, not ``AudioMP3/`` beside it.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sertools.corpora.checks import differences, match_labels, read_names, without_duplicates
from sertools.corpora.files import find_audio, find_files
from sertools.corpora.table import CorpusWarning, Recording, rows_of
from sertools.errors import CorpusError, warn

_NAME = re.compile(
    r"(?P<actor>10\d\d)_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX|X)"
)
_EXPECTED_NAMES = "AAAA_SSS_EEE_LL.wav (1001_DFA_ANG_XX.wav)"
_SILENT = "1076_MTI_SAD_XX"
_AUDIO_FOLDER = "AudioWAV"

_EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
_VOTES = {code[0]: emotion for code, emotion in _EMOTIONS.items()}
# One file, 1040_ITH_SAD_X, has a single X.
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}

_N_ACTORS = 91
# Without the file that holds no sound: intended sad, heard as neutral.
EXPECTED = {"angry": 1271, "disgust": 1271, "fearful": 1271, "happy": 1271, "neutral": 1087, "sad": 1270}
EXPECTED_VOICE = dict(zip((*EXPECTED, "ambiguous"), (986, 547, 645, 353, 3896, 370, 644), strict=True))


def read(folder: Path) -> list[Recording]:
    """List the recordings of CREMA-D under the emotions that the actors intended.

    Further columns: ``sentence`` (DFA, …), ``level`` (low, medium, high, unspecified) and, where
    VideoDemographics.csv is found, ``age`` (years), ``race`` and ``ethnicity``; without it the gender is unknown.

    Raises
    ------
    CorpusError
        No such folder, no file in it that is named as in CREMA-D, or a table that cannot be read.

    Warns
    -----
    CorpusWarning
        Copies, strangers and the one file without sound left out; counts that are not the published ones.
    """
    recordings = list(_intended(folder).values())
    _compare_counts(recordings, folder, EXPECTED)
    return recordings


def read_voice(folder: Path) -> list[Recording]:
    """List the recordings of CREMA-D under the emotions that listeners heard, without seeing the face.

    The label is the column VoiceVote of processedResults/summaryTable.csv; ties ("A:N") are "ambiguous".
    Further columns: those of `read`, ``intended`` (the actor's emotion) and ``original`` (the vote).

    Raises
    ------
    CorpusError
        As `read`; no summaryTable.csv, or a vote in it that is none.

    Warns
    -----
    CorpusWarning
        As `read`; recordings without a vote, and votes without a recording.
    """
    intended = _intended(folder)
    votes = _votes(folder)
    audio = {name: Path(recording.file) for name, recording in intended.items()}
    recordings = []
    for name, _, vote in match_labels(audio, votes, folder):
        spoken = intended[name]
        extra = {**spoken.extra, "intended": spoken.emotion, "original": vote}
        recordings.append(replace(spoken, emotion=_VOTES.get(vote, "ambiguous"), extra=extra))
    _compare_counts(recordings, folder, EXPECTED_VOICE)
    return recordings


def _intended(folder: Path) -> dict[str, Recording]:
    """Recordings by their names in the tables, labelled as intended."""
    audio = find_audio(folder)
    audio = [path for path in audio if path.parent.name == _AUDIO_FOLDER] or audio
    names = read_names(audio, folder, lambda path: _NAME.fullmatch(path.stem), "CREMA-D", _EXPECTED_NAMES)
    if silent := [path for path in names if path.stem == _SILENT]:
        warn(f"{folder}: left out {silent[0]}, which holds no sound in any release", CorpusWarning)
    actors = _actors(folder)
    recordings = {}
    for path in without_duplicates([path for path in names if path not in silent], folder):
        name = names[path]
        actor = actors.get(name["actor"], {})
        recordings[f"{path.stem}X" if name["level"] == "X" else path.stem] = Recording(
            file=str(path),
            emotion=_EMOTIONS[name["emotion"]],
            speaker=name["actor"],
            gender=actor.get("gender", ""),
            extra={
                "sentence": name["sentence"],
                "level": _LEVELS[name["level"]],
                **({key.lower(): actor.get(key, "") for key in ("Age", "Race", "Ethnicity")} if actors else {}),
            },
        )
    return recordings


def _actors(folder: Path) -> dict[str, Mapping[str, str]]:
    """Rows of VideoDemographics.csv by actor; none if there is no such file."""
    table = _table(folder, "VideoDemographics.csv")
    rows = rows_of(table, ("ActorID", "Age", "gender", "Race", "Ethnicity")) if table else []
    return {row["ActorID"]: row for _, row in rows}


def _votes(folder: Path) -> dict[str, str]:
    """Votes of summaryTable.csv by name, but for the file without sound."""
    table = _table(folder, "summaryTable.csv")
    if table is None:
        raise CorpusError(
            f"{folder}: no summaryTable.csv, which holds what listeners heard; add processedResults/ of CREMA-D, "
            "or use the reader 'crema-d' for the intended emotions"
        )
    votes = {}
    for number, row in rows_of(table, ("FileName", "VoiceVote")):
        vote = row["VoiceVote"]
        if not set(vote.split(":")) <= _VOTES.keys():
            known = " ".join(_VOTES)
            raise CorpusError(f"{table}:{number}: VoiceVote is {vote!r}, not of {known}; take the file from CREMA-D")
        if row["FileName"] != _SILENT:
            votes[row["FileName"]] = vote
    return votes


def _table(folder: Path, name: str) -> Path | None:
    """Where a table lies: below the folder, or beside it if it is AudioWAV itself."""
    inside = Path(os.path.abspath(folder)).name == _AUDIO_FOLDER
    tables = find_files(folder / ".." if inside else folder, {".csv"})
    return next((table for table in tables if table.name == name), None)


def _compare_counts(recordings: list[Recording], folder: Path, expected: Mapping[str, int]) -> None:
    """Warn of a part of the corpus, or of a whole one whose counts are not the published ones."""
    n_actors = len({r.speaker for r in recordings})
    differing = differences(Counter(r.emotion for r in recordings), expected)
    finding = f"{n_actors} of {_N_ACTORS} actors" if n_actors < _N_ACTORS else differing
    if finding:
        counts = f"{len(recordings)} recordings found, {sum(expected.values())} expected"
        warn(f"{folder}: {counts}: {finding}", CorpusWarning)
