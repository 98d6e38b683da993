"""TESS: English, 2 actresses, 7 emotions, 2800 recordings (Pichora-Fuller and Dupuis, Toronto, 2010).

Names are actress, word and emotion: ``YAF_bean_ps.wav`` is the younger actress, "Say the word bean", pleasant
surprise. The folders are named unevenly, and some copies hold the whole set a second time, so only the names
count. One file was published as ``OA_bite_neutral.wav``.
"""

import re
from pathlib import Path
from typing import NamedTuple

from sertools.corpora.checks import compare_counts, read_names, without_duplicates
from sertools.corpora.table import Recording, find_audio

_NAME = re.compile(
    r"(?P<speaker>OAF?|YAF)_(?P<word>[a-z]+)_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)", re.IGNORECASE
)
_EXPECTED_NAMES = "OAF_word_emotion.wav (YAF_bean_ps.wav)"

_EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprised",
    "sad": "sad",
}

# Each of the two says 200 words in each emotion.
EXPECTED = {speaker: dict.fromkeys(_EMOTIONS.values(), 200) for speaker in ("OAF", "YAF")}


class _Name(NamedTuple):
    speaker: str
    word: str
    emotion: str


def read(folder: Path) -> list[Recording]:
    """List the recordings of TESS; pleasant surprise is "surprised".

    Speakers are OAF (64 years old) and YAF (26). Further column: ``word``, the one that is spoken after "Say the
    word".

    Raises
    ------
    CorpusError
        No such folder, or no file in it that is named as in TESS.

    Warns
    -----
    CorpusWarning
        Copies and strangers left out; counts that are not the published ones of the speakers found.
    """
    names = read_names(find_audio(folder), folder, _parse, "TESS", _EXPECTED_NAMES)
    recordings = [
        Recording(
            file=str(path),
            emotion=_EMOTIONS[names[path].emotion],
            speaker=names[path].speaker,
            gender="female",
            extra={"word": names[path].word},
        )
        for path in without_duplicates(names, folder, lambda path: "_".join(names[path]))
    ]
    compare_counts(recordings, folder, EXPECTED)
    return recordings


def _parse(path: Path) -> _Name | None:
    name = _NAME.fullmatch(path.stem)
    if name is None:
        return None
    speaker = "YAF" if name["speaker"].upper() == "YAF" else "OAF"
    return _Name(speaker, name["word"].lower(), name["emotion"].lower())
