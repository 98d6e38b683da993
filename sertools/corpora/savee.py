"""SAVEE: English, 4 actors, 7 emotions, 480 recordings (Haq and Jackson, AVSP 2009).

Names are the emotion's initials and a number: ``DC/sa01.wav`` is actor DC, sadness, the first sentence. In the
folders of the authors the actor is the folder; flat copies put him before the name: ``DC_sa01.wav``.
"""

import re
from pathlib import Path
from typing import NamedTuple

from sertools.corpora.checks import compare_counts, read_names, without_duplicates
from sertools.corpora.table import Recording, find_audio

# Two letters first: sa and su are no s.
_NAME = re.compile(r"(?:(?P<speaker>DC|JE|JK|KL)_)?(?P<emotion>sa|su|a|d|f|h|n)(?P<number>\d\d)", re.IGNORECASE)
_SPEAKERS = ("DC", "JE", "JK", "KL")
_EXPECTED_NAMES = "DC/a01.wav or DC_a01.wav (actors DC, JE, JK, KL)"

_EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fearful",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprised",
}

# 15 sentences an emotion, and 30 neutral ones.
EXPECTED = {
    speaker: {emotion: 30 if emotion == "neutral" else 15 for emotion in _EMOTIONS.values()} for speaker in _SPEAKERS
}


class _Name(NamedTuple):
    speaker: str
    emotion: str
    number: str


def read(folder: Path) -> list[Recording]:
    """List the recordings of SAVEE; all its actors are men.

    Raises
    ------
    CorpusError
        No such folder, or no file in it that is named as in SAVEE and has an actor.

    Warns
    -----
    CorpusWarning
        Copies and strangers left out; counts that are not the published ones of the actors found.
    """
    names = read_names(find_audio(folder), folder, _parse, "SAVEE", _EXPECTED_NAMES)
    recordings = [
        Recording(str(path), _EMOTIONS[names[path].emotion], names[path].speaker, gender="male")
        for path in without_duplicates(names, folder, lambda path: "_".join(names[path]))
    ]
    compare_counts(recordings, folder, EXPECTED)
    return recordings


def _parse(path: Path) -> _Name | None:
    """Actor, emotion and number; None without an actor, whom the name says before the folder does."""
    name = _NAME.fullmatch(path.stem)
    if name is None:
        return None
    speaker = (name["speaker"] or path.absolute().parent.name).upper()
    return _Name(speaker, name["emotion"].lower(), name["number"]) if speaker in _SPEAKERS else None
