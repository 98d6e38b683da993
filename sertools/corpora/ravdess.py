"""RAVDESS, speech: English, 24 actors, 8 emotions (Livingstone and Russo, PLoS ONE 13(5), 2018).

Names are ``modality-channel-emotion-intensity-statement-repetition-actor``, each of two digits:
``03-01-05-02-01-01-07.wav`` is audio only, speech, angry, strong, first statement, first repetition,
actor 07. The download holds every file twice, in ``Actor_NN/`` and ``audio_speech_actors_01-24/Actor_NN/``.
"""

import re
import warnings
from pathlib import Path

from sertools.corpora.checks import compare_counts, read_names, without_duplicates
from sertools.corpora.table import CorpusWarning, Recording, find_audio
from sertools.errors import CorpusError

_NAME = re.compile(
    r"03-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])"
    r"-(?P<repetition>0[12])-(?P<actor>0[1-9]|1\d|2[0-4])"
)
_ACTOR_FOLDER = re.compile(r"actor_(\d\d)", re.IGNORECASE)
_EXPECTED_NAMES = "03-01-EE-II-SS-RR-AA.wav (03-01-05-02-01-01-07.wav)"

_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
_INTENSITIES = {"01": "normal", "02": "strong"}

# 60 an actor: two statements, each said twice in each of two intensities, but no strong neutral.
EXPECTED = {
    f"{actor:02d}": {emotion: 4 if emotion == "neutral" else 8 for emotion in _EMOTIONS.values()}
    for actor in range(1, 25)
}


def read(folder: Path) -> list[Recording]:
    """List the speech recordings of RAVDESS; those sung (channel 02) and second copies are left out.

    Neutral and calm are kept apart. Further columns: ``intensity`` (normal, strong), ``statement`` and
    ``repetition`` (01, 02).

    Raises
    ------
    CorpusError
        No such folder, or no file in it that is named as in RAVDESS.

    Warns
    -----
    CorpusWarning
        Songs, copies and strangers left out; an ``Actor_NN`` folder that differs from the name; counts
        that are not the published ones of the actors found.
    """
    audio = find_audio(folder)
    names = read_names(audio, folder, lambda path: _NAME.fullmatch(path.stem), "RAVDESS", _EXPECTED_NAMES)
    speech = [path for path, name in names.items() if name["channel"] == "01"]
    if not speech:
        raise CorpusError(f"{folder}: holds songs alone (channel 02), no speech; unpack the speech archives as well")
    if n_songs := len(names) - len(speech):
        warnings.warn(f"{folder}: left out {n_songs} songs (channel 02)", CorpusWarning, stacklevel=2)

    recordings, misplaced = [], []
    for path in without_duplicates(speech, folder):
        name = names[path]
        actor = name["actor"]
        if (place := _ACTOR_FOLDER.fullmatch(path.parent.name)) and place[1] != actor:
            misplaced.append(path)
        recordings.append(
            Recording(
                file=str(path),
                emotion=_EMOTIONS[name["emotion"]],
                speaker=actor,
                gender="male" if int(actor) % 2 else "female",
                extra={
                    "intensity": _INTENSITIES[name["intensity"]],
                    "statement": name["statement"],
                    "repetition": name["repetition"],
                },
            )
        )
    if misplaced:
        warnings.warn(
            f"{folder}: {len(misplaced)} files lie in another actor's folder, such as {misplaced[0]}; "
            "the speaker was taken from the name",
            CorpusWarning,
            stacklevel=2,
        )
    compare_counts(recordings, folder, EXPECTED)
    return recordings
