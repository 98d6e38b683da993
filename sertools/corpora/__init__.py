"""Corpora: one reader each, from folders of audio to the rows of the labels table.

>>> from pathlib import Path
>>> from sertools.corpora import READERS, read_corpus
>>> list(READERS)[:3]
['folders', 'ravdess', 'emodb']
>>> recordings = read_corpus("ravdess", Path("RAVDESS"))  # doctest: +SKIP
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sertools.corpora import (
    audformat,
    crema_d,
    folders,
    iemocap,
    meld,
    msp_podcast,
    named,
    named_since_2019,
    nkululeko,
)
from sertools.corpora.table import Recording
from sertools.corpora.vocabulary import USUAL, Vocabulary, settle
from sertools.errors import CorpusError, UsageError, did_you_mean


@dataclass(frozen=True)
class Reader:
    """A corpus that can be read.

    Attributes
    ----------
    name : str
        As on the command line.
    title : str
        One line: which corpus.
    read : callable
        From the corpus's folder to its recordings, with words as the corpus writes them or settled; of audformat and
        nkululeko also from a table's path.
    licence : str
        Of the corpus, in a few words; empty where a reader is for any.
    counted_as : mapping of str to str
        Emotions that the corpus's users count as another.
    """

    name: str
    title: str
    read: Callable[[Path], list[Recording]]
    licence: str = ""
    counted_as: Mapping[str, str] = field(default_factory=dict, hash=False)


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader("folders", "any corpus with one folder per emotion", folders.read),
        Reader("ravdess", "RAVDESS speech: English, 24 actors, 8 emotions", named.read_ravdess, "CC BY-NC-SA 4.0"),
        Reader("emodb", "EMO-DB: German, 10 actors, 7 emotions", named.EMODB.read, "CC0 1.0, version 2 CC BY 4.0"),
        Reader(
            "iemocap",
            "IEMOCAP: English, 10 actors in 5 sessions",
            iemocap.read,
            "research only, by agreement",
            iemocap.COUNTED_AS,
        ),
        Reader("crema-d", "CREMA-D: English, 91 actors, 6 intended emotions", crema_d.read, "ODbL 1.0"),
        Reader("crema-d-voice", "CREMA-D as listeners heard it: 6 emotions and ties", crema_d.read_voice, "ODbL 1.0"),
        Reader(
            "msp-podcast",
            "MSP-Podcast: English podcasts, 8 emotions",
            msp_podcast.read,
            "research only, by agreement",
        ),
        Reader("meld", "MELD: English, the series Friends, 7 emotions", meld.read, "repository GPL 3, TV material"),
        Reader("tess", "TESS: English, 2 actresses, 7 emotions", named.TESS.read, "CC BY-NC-ND 4.0"),
        Reader("savee", "SAVEE: English, 4 actors, 7 emotions", named.SAVEE.read, "research, on registration"),
        Reader("esd", "ESD: Mandarin and English, 20 speakers, 5 emotions", named.ESD.read, "research only"),
        Reader("nemo", "nEMO: Polish, 9 actors, 6 emotions", named_since_2019.NEMO.read, "CC BY-NC-SA 4.0"),
        Reader(
            "iesc",
            "IESC: commands of Indian speakers, in rooms and on roads, 4 emotions",
            named_since_2019.read_iesc,
            "CC BY-NC-SA 4.0",
        ),
        Reader(
            "emotale",
            "EmoTale: Danish and English, 18 speakers, 5 emotions",
            named_since_2019.read_emotale,
            "licence in its datasheet",
        ),
        Reader(
            "turev-db",
            "TurEV-DB: Turkish words, 6 speakers, 4 emotions",
            named_since_2019.TUREV_DB.read,
            "CC BY-NC-ND 4.0",
        ),
        Reader(
            "audformat", "a database of audformat, saved or in audb's cache: db.yaml, tables, audio", audformat.read
        ),
        Reader(
            "nkululeko", "a CSV of nkululeko, or a folder with one per split: _train, _dev, _test", nkululeko.read
        ),
    )
}
# What recordings are said to be of, where it is not the reader's name: readers of any corpus leave it to the tables.
_CORPORA = {"folders": "", "audformat": "", "nkululeko": "", "crema-d-voice": "crema-d"}


def licences(corpora: Iterable[str]) -> dict[str, str]:
    """Say under which licence each corpus is, as far as it is known here.

    Parameters
    ----------
    corpora
        Names as recordings carry them, such as ``"emodb"``.
    """
    return {name: READERS[name].licence for name in sorted(set(corpora)) if name in READERS and READERS[name].licence}


def read_corpus(
    name: str,
    folder: Path,
    *,
    ambiguous: str = "keep",
    relabel: Mapping[str, str] | None = None,
    vocabulary: Vocabulary = USUAL,
) -> list[Recording]:
    """List the recordings of a corpus.

    Parameters
    ----------
    name : str
        A key of `READERS`.
    folder : Path
        Where the corpus lies; files are named below it as ``find`` would. For nkululeko a CSV too, for audformat
        one table of the database.
    ambiguous : {"keep", "drop"}
        What to do with recordings on whose emotion the annotators did not agree.
    relabel : mapping of str to str
        Emotions that count as another, such as ``{"calm": "neutral"}``.
    vocabulary : Vocabulary
        How words are read.

    Returns
    -------
    list of Recording
        Sorted by path.

    Raises
    ------
    CorpusError
        No such reader, no such folder, or nothing of that corpus in it.
    UsageError
        `ambiguous` is neither "keep" nor "drop", no recording has an emotion of `relabel`, or that has one twice.

    Warns
    -----
    SertoolsWarning
        As `settle`, beside what the reader warns of.
    """
    if name not in READERS:
        hint = did_you_mean(name, READERS) or ";"
        raise CorpusError(f"{name!r}: no such reader{hint} known are {', '.join(READERS)}")
    if ambiguous not in ("keep", "drop"):
        raise UsageError(f"ambiguous is {ambiguous!r}; choose keep or drop")
    reader = READERS[name]
    recordings = settle(reader.read(folder), str(folder), vocabulary, reader.counted_as)
    renamed = _renamed(recordings, relabel or {}, vocabulary)
    return [
        replace(
            recording,
            emotion=renamed.get(recording.emotion, recording.emotion),
            corpus=recording.corpus or _CORPORA.get(name, name),
        )
        for recording in recordings
        if ambiguous == "keep" or recording.emotion != "ambiguous"
    ]


def _renamed(recordings: Sequence[Recording], relabel: Mapping[str, str], vocabulary: Vocabulary) -> dict[str, str]:
    """Class → the one that it counts as."""
    classes = {recording.emotion for recording in recordings} - {""}
    renamed: dict[str, str] = {}
    for old, new in relabel.items():
        emotion = vocabulary.emotion(old)
        if emotion not in classes:
            raise UsageError(f"--relabel {old}=…: no recording is {old!r}; they are {', '.join(sorted(classes))}")
        if renamed.setdefault(emotion, vocabulary.emotion(new)) != vocabulary.emotion(new):
            raise UsageError(f"--relabel {old}={new}: {emotion!r} is also to be {renamed[emotion]!r}; leave one out")
    return renamed
