"""Corpora whose file names say everything, as data: RAVDESS, EMO-DB, TESS, SAVEE and ESD.

A pattern reads a name; its groups are the speaker, the code of the emotion, further columns, and what else tells one
recording from another. What a pattern cannot say is a function's to mend.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from sertools.corpora.checks import compare_counts, read_names, without_duplicates
from sertools.corpora.table import CorpusWarning, Recording, canonical_emotion, find_audio
from sertools.errors import CorpusError, warn

# What a name says, by group.
_Said = dict[str, str]
_Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class NamedCorpus:
    """A corpus whose files are named by one pattern.

    Attributes
    ----------
    title, looks : str
        What it is called, and how its files are named, for messages.
    pattern : re.Pattern
        Of the whole name without its suffix.
    emotions : mapping of str to str
        Code in the group ``emotion`` → the emotion.
    expected : mapping of str to mapping of str to int
        Published counts: speaker → emotion → number of recordings; of no emotion where none are published.
    women : collection of str
        Those speakers of `expected` who are not men.
    columns : tuple of str
        Groups that become further columns; one that is empty in all names is left out.
    mend : callable
        From a path and what its name says to what that means, None if it is no name of the corpus. As ``place`` it
        may give the speaker or the emotion that the folder says.
    misplaced : str
        What to say of files whose folder says another, between their number and the first of them, and at the end.
    """

    title: str
    looks: str
    pattern: re.Pattern[str]
    emotions: Mapping[str, str]
    expected: _Counts = field(default_factory=dict)
    women: Collection[str] = ()
    columns: tuple[str, ...] = ()
    mend: Callable[[Path, _Said], _Said | None] = lambda path, said: said
    misplaced: str = ""

    def read(self, folder: Path) -> list[Recording]:
        """List the recordings of the corpus.

        Raises
        ------
        CorpusError
            No such folder, or no file in it that is named as in the corpus.

        Warns
        -----
        CorpusWarning
            Copies and strangers left out; files in the folder of another speaker or emotion than their name says;
            counts that are not the published ones of the speakers found.
        """
        return self.recordings(self.names(folder), folder)

    def names(self, folder: Path) -> dict[Path, _Said]:
        """Read what the names of all audio files say, with the errors and warnings of `read_names`."""
        return read_names(find_audio(folder), folder, self._parse, self.title, self.looks)

    def _parse(self, path: Path) -> _Said | None:
        name = self.pattern.fullmatch(path.stem)
        return self.mend(path, name.groupdict("")) if name else None

    def recordings(self, names: Mapping[Path, _Said], folder: Path) -> list[Recording]:
        """Make recordings of names, each once, with the other warnings of `read`."""
        columns = [column for column in self.columns if any(said[column] for said in names.values())]
        identity = itemgetter(*self.pattern.groupindex)
        recordings, misplaced = [], []
        for path in without_duplicates(names, folder, lambda path: identity(names[path])):
            said = names[path]
            speaker, emotion = said["speaker"], self.emotions[said["emotion"]]
            gender = "female" if speaker in self.women else "male" if speaker in self.expected else ""
            extra = {column: said[column] for column in columns}
            recordings.append(Recording(str(path), emotion, speaker, gender=gender, extra=extra))
            if said.get("place", speaker) not in (speaker, emotion):
                misplaced.append(path)
        if misplaced:
            warn(f"{folder}: {len(misplaced)} files {self.misplaced.format(misplaced[0])}", CorpusWarning)
        if any(self.expected.values()):
            compare_counts(recordings, folder, self.expected)
        return recordings


def _counts(speakers: Iterable[str], emotions: Iterable[str], usual: int, neutral: int) -> _Counts:
    """Counts of a corpus whose speakers all said the same."""
    of_each = {emotion: neutral if emotion == "neutral" else usual for emotion in emotions}
    return dict.fromkeys(speakers, of_each)


# RAVDESS, speech: English, 24 actors, 8 emotions (Livingstone and Russo, PLoS ONE 13(5), 2018). Names are
# modality-channel-emotion-intensity-statement-repetition-actor: 03-01-05-02-01-01-07.wav is audio only, speech,
# angry, strong, first statement, first repetition, actor 07. An actor says two statements, each twice in each of two
# intensities, but no strong neutral. The download holds every file twice, in Actor_NN/ and
# audio_speech_actors_01-24/Actor_NN/.
_RAVDESS_EMOTIONS = {
    f"{number:02d}": emotion
    for number, emotion in enumerate(
        ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"), start=1
    )
}


def _mended_ravdess(path: Path, said: _Said) -> _Said:
    place = re.fullmatch(r"actor_(\d\d)", path.parent.name, re.IGNORECASE)
    intensity = {"01": "normal", "02": "strong"}[said["intensity"]]
    return said | {"intensity": intensity, "place": place[1] if place else said["speaker"]}


RAVDESS = NamedCorpus(
    title="RAVDESS",
    looks="03-01-EE-II-SS-RR-AA.wav (03-01-05-02-01-01-07.wav)",
    pattern=re.compile(
        r"03-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])"
        r"-(?P<repetition>0[12])-(?P<speaker>0[1-9]|1\d|2[0-4])"
    ),
    emotions=_RAVDESS_EMOTIONS,
    expected=_counts([f"{actor:02d}" for actor in range(1, 25)], _RAVDESS_EMOTIONS.values(), 8, neutral=4),
    women=[f"{actor:02d}" for actor in range(2, 25, 2)],
    columns=("intensity", "statement", "repetition"),
    mend=_mended_ravdess,
    misplaced="lie in another actor's folder, such as {}; the speaker was taken from the name",
)


def read_ravdess(folder: Path) -> list[Recording]:
    """List the speech recordings of RAVDESS; those sung (channel 02) are left out.

    Raises
    ------
    CorpusError
        As `NamedCorpus.read`, or songs alone.

    Warns
    -----
    CorpusWarning
        As `NamedCorpus.read`, and of songs.
    """
    names = RAVDESS.names(folder)
    speech = {path: said for path, said in names.items() if said["channel"] == "01"}
    if not speech:
        raise CorpusError(f"{folder}: holds songs alone (channel 02), no speech; unpack the speech archives as well")
    if n_songs := len(names) - len(speech):
        warn(f"{folder}: left out {n_songs} songs (channel 02)", CorpusWarning)
    return RAVDESS.recordings(speech, folder)


# EMO-DB: German, 10 actors, 7 emotions, 535 utterances (Burkhardt et al., Interspeech 2005). Names are speaker, text,
# the emotion's German initial (Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral) and version: 03a01Fa.wav is
# speaker 03, text a01, Freude, first version. Takes that listeners did not recognise were never published, so the
# counts are uneven, and speaker 08 has no disgust.
_EMODB_EMOTIONS = dict(
    zip("WLEAFTN", ("angry", "bored", "disgust", "fearful", "happy", "sad", "neutral"), strict=True)
)
EMODB = NamedCorpus(
    title="EMO-DB",
    looks="SStttEv.wav (03a01Fa.wav)",
    pattern=re.compile(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z])"),
    emotions=_EMODB_EMOTIONS,
    expected={
        speaker: dict(zip(_EMODB_EMOTIONS.values(), counts, strict=True))
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
    },
    women=("08", "09", "13", "14", "16"),
    columns=("text",),
)

# TESS: English, 2 actresses, 7 emotions, 2800 recordings (Pichora-Fuller and Dupuis, Toronto, 2010). Names are
# actress (OAF is 64 years old, YAF 26), word and emotion: YAF_bean_ps.wav is "Say the word bean", pleasant surprise.
# Each says 200 words in each emotion. The folders are named unevenly, and some copies hold the whole set a second
# time, so only the names count. One file was published as OA_bite_neutral.wav.
_TESS_WORDS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
_TESS_EMOTIONS = {word: canonical_emotion(word) for word in _TESS_WORDS}


def _mended_tess(_: Path, said: _Said) -> _Said:
    speaker = "YAF" if said["speaker"].upper() == "YAF" else "OAF"
    return {"speaker": speaker, "word": said["word"].lower(), "emotion": said["emotion"].lower()}


TESS = NamedCorpus(
    title="TESS",
    looks="OAF_word_emotion.wav (YAF_bean_ps.wav)",
    pattern=re.compile(
        rf"(?P<speaker>OAF?|YAF)_(?P<word>[a-z]+)_(?P<emotion>{'|'.join(_TESS_WORDS)})", re.IGNORECASE
    ),
    emotions=_TESS_EMOTIONS,
    expected=_counts(("OAF", "YAF"), _TESS_EMOTIONS.values(), 200, neutral=200),
    women=("OAF", "YAF"),
    columns=("word",),
    mend=_mended_tess,
)

# SAVEE: English, 4 actors, 7 emotions, 480 recordings (Haq and Jackson, AVSP 2009). Names are the emotion's initials
# and a number: DC/sa01.wav is actor DC, sadness, the first of 15 sentences, of 30 if neutral. In the folders of the
# authors the actor is the folder; flat copies put him before the name: DC_sa01.wav.
_SAVEE_ACTORS = ("DC", "JE", "JK", "KL")
_SAVEE_EMOTIONS = dict(
    zip(
        ("a", "d", "f", "h", "n", "sa", "su"),
        ("angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised"),
        strict=True,
    )
)


def _mended_savee(path: Path, said: _Said) -> _Said | None:
    speaker = (said["speaker"] or path.absolute().parent.name).upper()
    return said | {"speaker": speaker, "emotion": said["emotion"].lower()} if speaker in _SAVEE_ACTORS else None


SAVEE = NamedCorpus(
    title="SAVEE",
    looks="DC/a01.wav or DC_a01.wav (actors DC, JE, JK, KL)",
    pattern=re.compile(r"(?:(?P<speaker>DC|JE|JK|KL)_)?(?P<emotion>sa|su|a|d|f|h|n)(?P<number>\d\d)", re.IGNORECASE),
    emotions=_SAVEE_EMOTIONS,
    expected=_counts(_SAVEE_ACTORS, _SAVEE_EMOTIONS.values(), 15, neutral=30),
    women=(),
    mend=_mended_savee,
)

# ESD: Mandarin and English, 10 speakers each, 5 emotions, 35000 utterances (Zhou et al., ICASSP 2021). Names are
# speaker and number: 0011_000351.wav. The number tells the emotion, in runs of 350, and the sentence: a speaker says
# the same 350 in each emotion, and all speakers of a language do. The folders are 0011/Angry/, in some copies with
# train, test and evaluation below.
_ESD_SENTENCES = 350
_ESD_SPEAKERS = [f"{speaker:04d}" for speaker in range(1, 21)]
_ESD_EMOTIONS = {"0": "neutral", "1": "angry", "2": "happy", "3": "sad", "4": "surprised"}


def _mended_esd(path: Path, said: _Said) -> _Said | None:
    run, sentence = divmod(int(said["number"]) - 1, _ESD_SENTENCES)
    if said["speaker"] not in _ESD_SPEAKERS or str(run) not in _ESD_EMOTIONS:
        return None
    split = path.parent.name.lower()
    split = split if split in ("train", "test", "evaluation") else ""
    place = canonical_emotion((path.parent.parent if split else path.parent).name)
    return said | {
        "emotion": str(run),
        "language": "mandarin" if said["speaker"] <= "0010" else "english",
        "sentence": f"{sentence + 1:03d}",
        "split": split,
        "place": place if place in _ESD_EMOTIONS.values() else said["speaker"],
    }


ESD = NamedCorpus(
    title="ESD",
    looks="SSSS_NNNNNN.wav (0011_000351.wav), speakers 0001 to 0020, numbers 000001 to 001750",
    pattern=re.compile(r"(?P<speaker>\d{4})_(?P<number>\d{6})"),
    emotions=_ESD_EMOTIONS,
    expected=_counts(_ESD_SPEAKERS, _ESD_EMOTIONS.values(), _ESD_SENTENCES, neutral=_ESD_SENTENCES),
    women=("0001", "0002", "0003", "0007", "0009", "0015", "0016", "0017", "0018", "0019"),
    columns=("language", "sentence", "split"),
    mend=_mended_esd,
    misplaced="lie in another emotion's folder, such as {}; the emotion was taken from the number",
)
