"""ESD: Mandarin and English, 10 speakers each, 5 emotions, 35000 utterances (Zhou et al., ICASSP 2021).

Names are speaker and number: ``0011_000351.wav``. The number tells the emotion, in runs of 350, and the sentence:
a speaker says the same 350 in each emotion. The folders are ``0011/Angry/``, in some copies with ``train``,
``test`` and ``evaluation`` below.
"""

import re
import warnings
from pathlib import Path

from sertools.corpora.checks import compare_counts, read_names, without_duplicates
from sertools.corpora.table import CorpusWarning, Recording, canonical_emotion, find_audio

_NAME = re.compile(r"(\d{4})_(\d{6})")
_EXPECTED_NAMES = "SSSS_NNNNNN.wav (0011_000351.wav), speakers 0001 to 0020, numbers 000001 to 001750"

_N_SENTENCES = 350
# In the order of the numbers.
_EMOTIONS = ("neutral", "angry", "happy", "sad", "surprised")
_SPLITS = ("train", "test", "evaluation")
_MEN = ("0004", "0005", "0006", "0008", "0010", "0011", "0012", "0013", "0014", "0020")

EXPECTED = {f"{speaker:04d}": dict.fromkeys(_EMOTIONS, _N_SENTENCES) for speaker in range(1, 21)}


def read(folder: Path) -> list[Recording]:
    """List the utterances of ESD.

    Further columns: ``language`` (mandarin, english), ``sentence`` (001 to 350: the same words in all emotions,
    and with all speakers of a language), and ``split`` (train, test, evaluation) if there are such folders.

    Raises
    ------
    CorpusError
        No such folder, or no file in it that is named as in ESD.

    Warns
    -----
    CorpusWarning
        Copies and strangers left out; files in another emotion's folder than their number says; counts that are
        not the published ones of the speakers found.
    """
    names = read_names(find_audio(folder), folder, _parse, "ESD", _EXPECTED_NAMES)

    has_splits = any(_split(path) for path in names)
    recordings, misplaced = [], []
    for path in without_duplicates(names, folder):
        speaker, number = names[path]
        run, sentence = divmod(number - 1, _N_SENTENCES)
        place = canonical_emotion((path.parent.parent if _split(path) else path.parent).name)
        if place in _EMOTIONS and place != _EMOTIONS[run]:
            misplaced.append(path)
        extra = {"language": "mandarin" if int(speaker) <= 10 else "english", "sentence": f"{sentence + 1:03d}"}
        recordings.append(
            Recording(
                file=str(path),
                emotion=_EMOTIONS[run],
                speaker=speaker,
                gender="male" if speaker in _MEN else "female",
                extra=extra | ({"split": _split(path)} if has_splits else {}),
            )
        )
    if misplaced:
        warnings.warn(
            f"{folder}: {len(misplaced)} files lie in another emotion's folder, such as {misplaced[0]}; "
            "the emotion was taken from the number",
            CorpusWarning,
            stacklevel=2,
        )
    compare_counts(recordings, folder, EXPECTED)
    return recordings


def _parse(path: Path) -> tuple[str, int] | None:
    """Speaker and number of an utterance."""
    name = _NAME.fullmatch(path.stem)
    if name is None or name[1] not in EXPECTED or not 1 <= int(name[2]) <= len(_EMOTIONS) * _N_SENTENCES:
        return None
    return name[1], int(name[2])


def _split(path: Path) -> str:
    place = path.parent.name.lower()
    return place if place in _SPLITS else ""
