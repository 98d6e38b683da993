"""Newer corpora whose file names say everything, as data: IESC, TurEV-DB, nEMO and EmoTale."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sertools.corpora.named import NamedCorpus
from sertools.corpora.table import CorpusWarning, Recording, canonical_emotion
from sertools.errors import CorpusError, warn

# IESC, the Indian EmoSpeech Command Dataset: one-word commands in 4 emotions, in rooms, on roads, in trains (Banga et
# al., arXiv 1910.13801, 2019). Names are keyword, environment, emotion, time and user, in a folder of where they were
# recorded: webservice/go-safe-calm-1563215593879-ec2301df….wav. The user is a hash of 56 digits, of which eight are
# taken; one hash stands for everybody who is not known. A copy sorted by user has these eight as the folder and the
# place in the user's stead: ec2301df/go-safe-calm-1563215593879-webservice.flac. Names with the emotion "None" are
# of background.
_IESC_EMOTIONS = {word: word for word in ("angry", "calm", "fearful", "happy")}
_HASH = re.compile(r"[0-9a-f]{56}")
_USER = re.compile(r"[0-9a-f]{8}")
_NOBODY = "d14a028c"
_NO_EMOTION = "none"


def _mended_iesc(path: Path, said: Mapping[str, str]) -> dict[str, str] | None:
    last, folder = said["user"].lower(), path.absolute().parent.name
    of_hash = _HASH.fullmatch(last)
    user, location = (last[:8], folder) if of_hash else (folder.lower(), last)
    if not _USER.fullmatch(user):
        return None
    return {
        **{name: said[name].lower() for name in ("keyword", "environment", "emotion")},
        "time": said["time"],
        "user": user,
        "speaker": "" if user == _NOBODY else user,
        "location": location,
    }


IESC = NamedCorpus(
    title="IESC",
    looks="PLACE/WORD-ENVIRONMENT-EMOTION-TIME-HASH.wav or USER/WORD-ENVIRONMENT-EMOTION-TIME-PLACE.wav",
    pattern=re.compile(
        r"(?P<keyword>[^-]+)-(?P<environment>[^-]+)-(?P<emotion>angry|calm|fearful|happy|none)-(?P<time>\d+)"
        r"-(?P<user>[^-]+)",
        re.IGNORECASE,
    ),
    emotions=_IESC_EMOTIONS,
    columns=("keyword", "environment", "location"),
    mend=_mended_iesc,
)


def read_iesc(folder: Path) -> list[Recording]:
    """List the commands of IESC; those of unknown users have no speaker.

    Raises
    ------
    CorpusError
        As `NamedCorpus.read`, or background alone.

    Warns
    -----
    CorpusWarning
        As `NamedCorpus.read`, of background, and of unknown users.
    """
    names = IESC.names(folder)
    spoken = {path: said for path, said in names.items() if said["emotion"] != _NO_EMOTION}
    if not spoken:
        raise CorpusError(f"{folder}: holds background alone (emotion None), no speech; unpack the other folders too")
    if n_silent := len(names) - len(spoken):
        warn(f"{folder}: left out {n_silent} recordings of background (emotion None)", CorpusWarning)
    recordings = IESC.recordings(spoken, folder)
    if n_nobody := sum(not recording.speaker for recording in recordings):
        warn(
            f"{folder}: {n_nobody} of {len(recordings)} recordings are of unknown users and have no speaker; before "
            "folds of speakers leave them out by `select --where 'speaker!=\"\"'`",
            CorpusWarning,
        )
    return recordings


# TurEV-DB: Turkish, 6 speakers, 82 words in 4 emotions, 1735 recordings (Canpolat, Ormanoğlu and Zeyrek, SLTU 2020).
# Names are speaker, two letters for the emotion and word, in a folder of the emotion: Sound Source/Happy/
# 1234_mt_acik.wav. Who the speakers are is not said.
_TUREV_EMOTIONS = {"kz": "angry", "sk": "calm", "mt": "happy", "hl": "sad"}


def _mended_turev(path: Path, said: dict[str, str]) -> dict[str, str]:
    said = {name: word.lower() for name, word in said.items()}
    place = canonical_emotion(path.parent.name)
    return said | ({"place": place} if place in _TUREV_EMOTIONS.values() else {})


TUREV_DB = NamedCorpus(
    title="TurEV-DB",
    looks="SSSS_EE_word.wav (1234_mt_acik.wav), with kz, sk, mt or hl for the emotion",
    pattern=re.compile(r"(?P<speaker>\d{4})_(?P<emotion>kz|sk|mt|hl)_(?P<word>[a-z]+)", re.IGNORECASE),
    emotions=_TUREV_EMOTIONS,
    columns=("word",),
    mend=_mended_turev,
    misplaced="lie in another emotion's folder, such as {}; the emotion was taken from the name",
)

# nEMO: Polish, 9 actors, 90 sentences in 6 emotions, 4481 recordings (Christop, LREC-COLING 2024). Names are actor,
# emotion and sentence: samples/EB0_anger_76.wav. The counts are uneven.
_NEMO_WOMEN = ("EB0", "IC0", "KD0", "MK0")
_NEMO_WORDS = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
NEMO = NamedCorpus(
    title="nEMO",
    looks="SS0_emotion_N.wav (EB0_anger_76.wav)",
    pattern=re.compile(rf"(?P<speaker>[A-Z]{{2}}\d)_(?P<emotion>{'|'.join(_NEMO_WORDS)})_(?P<sentence>\d{{1,2}})"),
    emotions={word: canonical_emotion(word) for word in _NEMO_WORDS},
    expected={speaker: {} for speaker in (*_NEMO_WOMEN, "KS0", "MP0", "SM0", "TP0", "WR0")},
    women=_NEMO_WOMEN,
    columns=("sentence",),
)

# EmoTale: Danish and English, 18 speakers, 5 sentences in 5 emotions, 450 and 350 recordings (Hjuler et al., ASRU
# 2025). Names are language, speaker, the emotion's initial and sentence: DK_004_A_5.wav. The same people speak both
# languages. Their gender is in speaker_info.csv beside the audio, which is not read.
_EMOTALE_EMOTIONS = {"A": "angry", "B": "bored", "H": "happy", "N": "neutral", "S": "sad"}
_EMOTALE_SENTENCES = 5
_EMOTALE_SPEAKERS = {
    "DK": ("001", *(f"{speaker:03d}" for speaker in range(3, 20))),
    "EN": ("001", *(f"{speaker:03d}" for speaker in range(3, 14)), "016", "017"),
}
EMOTALE = NamedCorpus(
    title="EmoTale",
    looks="LL_SSS_E_N.wav (DK_004_A_5.wav, EN_004_A_5.wav)",
    pattern=re.compile(r"(?P<language>DK|EN)_(?P<speaker>\d{3})_(?P<emotion>[ABHNS])_(?P<sentence>[1-5])"),
    emotions=_EMOTALE_EMOTIONS,
    columns=("language", "sentence"),
)


def read_emotale(folder: Path) -> list[Recording]:
    """List the recordings of EmoTale, in both languages or one, with errors and warnings as `NamedCorpus.read`."""
    names = EMOTALE.names(folder)
    languages = sorted({said["language"] for said in names.values()})
    spoken = [speaker for language in languages for speaker in _EMOTALE_SPEAKERS[language]]
    expected = {
        speaker: dict.fromkeys(_EMOTALE_EMOTIONS.values(), _EMOTALE_SENTENCES * spoken.count(speaker))
        for speaker in spoken
    }
    # Whoever is expected is a man or a woman, and the names do not say which.
    recordings = replace(EMOTALE, expected=expected).recordings(names, folder)
    return [replace(recording, gender="") for recording in recordings]
