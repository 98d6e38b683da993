"""EMO-DB: German, 10 actors, 7 emotions, 535 utterances (Burkhardt et al., Interspeech 2005).

Names are speaker, text, the emotion's German initial and version: ``03a01Fa.wav`` is speaker 03, text a01,
*Freude*, first version.
"""

import re
from pathlib import Path

from sertools.corpora.checks import compare_counts, read_names, without_duplicates
from sertools.corpora.table import Recording, find_audio

_NAME = re.compile(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])[a-z]")
_EXPECTED_NAMES = "SStttEv.wav (03a01Fa.wav)"

# Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
_EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}

_GENDERS = dict.fromkeys(("03", "10", "11", "12", "15"), "male") | dict.fromkeys(
    ("08", "09", "13", "14", "16"), "female"
)

# Columns in the order of _EMOTIONS. Takes that listeners did not recognise were never published, so the
# counts are uneven, and speaker 08 has no disgust.
EXPECTED = {
    speaker: dict(zip(_EMOTIONS.values(), counts, strict=True))
    for speaker, counts in {
        "03": (14, 5, 1, 4, 7, 7, 11),
        "08": (12, 10, 0, 6, 11, 9, 10),
        "09": (13, 4, 8, 1, 4, 4, 9),
        "10": (10, 8, 1, 8, 4, 3, 4),
        "11": (11, 8, 2, 10, 8, 7, 9),
        "12": (12, 5, 2, 6, 2, 4, 4),
        "13": (12, 10, 8, 7, 10, 5, 9),
        "14": (16, 8, 8, 12, 8, 10, 7),
        "15": (13, 9, 5, 8, 6, 4, 11),
        "16": (14, 14, 11, 7, 11, 9, 5),
    }.items()
}


def read(folder: Path) -> list[Recording]:
    """List the utterances of EMO-DB; boredom stays a class of its own, "bored".

    Further column: ``text`` (a01 to b10), the sentence spoken.

    Raises
    ------
    CorpusError
        No such folder, or no file in it that is named as in EMO-DB.

    Warns
    -----
    CorpusWarning
        Copies and strangers left out; counts that are not the published ones of the speakers found.
    """
    audio = find_audio(folder)
    names = read_names(audio, folder, lambda path: _NAME.fullmatch(path.stem), "EMO-DB", _EXPECTED_NAMES)
    recordings = []
    for path in without_duplicates(names, folder):
        name = names[path]
        recordings.append(
            Recording(
                file=str(path),
                emotion=_EMOTIONS[name["emotion"]],
                speaker=name["speaker"],
                gender=_GENDERS.get(name["speaker"], ""),
                extra={"text": name["text"]},
            )
        )
    compare_counts(recordings, folder, EXPECTED)
    return recordings
