"""IEMOCAP: English, 10 actors in 5 sessions, scripted and improvised (Busso et al., LREV 42(4), 2008).

An utterance is named by its dialog and its turn: ``Ses03M_impro05a_F012`` is the thirteenth turn of the
woman in ``Ses03M_impro05a``. The letter at the front says who wore the markers, **not who speaks**: that
is the last letter. Labels are the lines that begin with ``[`` in the text files directly in
``Session3/dialog/EmoEvaluation/``, its subfolders hold the votes of single raters; the audio is
``Session3/sentences/wav/Ses03M_impro05a/Ses03M_impro05a_F012.wav``.

The paper's four classes (§3.1) count excitement as happiness, and so does `read_corpus` unless it keeps synonyms
apart; the column ``original`` keeps the corpus's own code.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from sertools.corpora.checks import differences, match_labels, without_duplicates
from sertools.corpora.files import find_audio, require_folder
from sertools.corpora.table import CorpusWarning, Recording, canonical_emotion
from sertools.errors import CorpusError, warn

_SESSIONS = range(1, 6)
_RELEASE = "IEMOCAP_full_release"

_DIALOG = r"Ses(?P<session>0[1-5])[FM]_(?P<type>impro|script)\w*"
# Dialogs may end in a letter of their own (impro05a, script01_1b): the turn is what follows the last "_".
_UTTERANCE = re.compile(rf"{_DIALOG}_(?P<letter>[FM])[0-9X]+")
_LABEL_FILE = re.compile(rf"{_DIALOG}\.txt", re.IGNORECASE)
_LABEL = re.compile(r"\[[^\]]*\]\s+(\w+)\s+([a-z]+)\s+\[([^,\]]*),([^,\]]*),([^,\]]*)\]\s*")
# What stands there after the utterance.
_COLUMNS = ("original", "valence", "activation", "dominance")
_LABEL_LOOKS = "[start - end] utterance emotion [valence, activation, dominance]"

_CODES = ("ang", "hap", "exc", "sad", "neu", "fru", "sur", "fea", "dis", "oth", "xxx")
_EMOTIONS = {code: canonical_emotion(code) for code in _CODES} | {
    "exc": "excited",
    "fru": "frustrated",
    "oth": "other",
}
COUNTED_AS = {"excited": "happy"}
_TYPES = {"impro": "improvised", "script": "scripted"}
_GENDERS = {"F": "female", "M": "male"}

# The paper's four classes, 5531 utterances, by session.
EXPECTED = {
    session: dict(zip(("angry", "happy", "neutral", "sad"), counts, strict=True))
    for session, counts in {
        "01": (229, 278, 384, 194),
        "02": (137, 327, 362, 197),
        "03": (240, 286, 320, 305),
        "04": (327, 303, 258, 143),
        "05": (170, 442, 384, 245),
    }.items()
}
# Of all sessions, by the corpus's own codes: 10039 utterances.
EXPECTED_CODES = dict(zip(_CODES, (1103, 595, 1041, 1084, 1708, 1849, 107, 40, 2, 3, 2507), strict=True))

# The columns of a label by name.
_Label = Mapping[str, str]


def read(folder: Path) -> list[Recording]:
    """List the labelled utterances of IEMOCAP.

    Excitement (``exc``) is "excited", which counts as "happy" by `COUNTED_AS`; utterances without agreement (``xxx``)
    are "ambiguous". A speaker is a session and a letter, such as Ses01F. Further columns: ``dialog_type``
    (improvised, scripted), ``original`` (the corpus's code of the emotion), and the mean ``valence``,
    ``activation`` and ``dominance`` as the corpus writes them (1 to 5).

    Parameters
    ----------
    folder : Path
        What holds Session1 to Session5, or the folder around its IEMOCAP_full_release.

    Raises
    ------
    CorpusError
        No such folder, no session in it, a label file that cannot be read, or no utterance with both a
        label and audio.

    Warns
    -----
    CorpusWarning
        Labels without audio and audio without a label; counts that are not the published ones.
    """
    root = _root(folder)
    sessions = [root / f"Session{number}" for number in _SESSIONS]
    labels: dict[str, _Label] = {}
    audio: list[Path] = []
    for session in sessions:
        for file in _label_files(session):
            for utterance, label in _labels(file):
                known = labels.setdefault(utterance, label)
                if known != label:
                    raise CorpusError(
                        f"{file}: {utterance} is {label['original']!r} here and {known['original']!r} before, or its "
                        "dimensions differ; take the file from the release"
                    )
        sentences = session / "sentences" / "wav"
        audio += find_audio(sentences) if sentences.is_dir() else []
    by_name = {path.stem: path for path in without_duplicates(audio, root)}
    recordings = [_recording(name, path, label) for name, path, label in match_labels(by_name, labels, root)]
    _compare_counts(recordings, root)
    return recordings


def _root(folder: Path) -> Path:
    require_folder(folder)
    for root in (folder, folder / _RELEASE):
        if any((root / f"Session{number}").is_dir() for number in _SESSIONS):
            return root
    raise CorpusError(
        f"{folder}: holds none of Session1 to Session5, with labels in Session1/dialog/EmoEvaluation and audio files "
        f"in Session1/sentences/wav; name the folder {_RELEASE}"
    )


def _label_files(session: Path) -> list[Path]:
    folder = session / "dialog" / "EmoEvaluation"
    if not folder.is_dir():
        return []
    try:
        # Not below it: Attribute/, Categorical/ and Self-evaluation/ hold other text files of the same dialogs.
        # The pattern leaves out the ._Ses… files that macOS adds.
        return sorted(path for path in folder.iterdir() if _LABEL_FILE.fullmatch(path.name))
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error


def _labels(file: Path) -> Iterator[tuple[str, _Label]]:
    """Utterances of a label file; the other lines are votes of single raters and comments."""
    try:
        # Bytes that are not UTF-8 occur in raters' comments only.
        with file.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                if line.startswith("[") and not line.startswith("[START_TIME"):
                    yield _label(line, f"{file}:{number}")
    except OSError as error:
        raise CorpusError(f"{file}: {error.strerror}; check the copy") from error


def _label(line: str, where: str) -> tuple[str, _Label]:
    match = _LABEL.fullmatch(line)
    if match is None:
        raise CorpusError(
            f"{where}: {line.rstrip()[:80]!r} is not of the form {_LABEL_LOOKS}; take the file from the release"
        )
    utterance, code, *dimensions = (group.strip() for group in match.groups())
    if not _UTTERANCE.fullmatch(utterance):
        raise CorpusError(f"{where}: {utterance!r} is not an utterance of IEMOCAP; take the file from the release")
    if code not in _EMOTIONS:
        raise CorpusError(
            f"{where}: emotion is {code!r}, known are {' '.join(_EMOTIONS)}; take the file from the release"
        )
    return utterance, dict(zip(_COLUMNS, (code, *dimensions), strict=True))


def _recording(utterance: str, path: Path, label: _Label) -> Recording:
    name = _UTTERANCE.fullmatch(utterance)
    assert name is not None  # as checked with its label
    return Recording(
        file=str(path),
        emotion=_EMOTIONS[label["original"]],
        speaker=f"Ses{name['session']}{name['letter']}",
        session=name["session"],
        gender=_GENDERS[name["letter"]],
        extra={"dialog_type": _TYPES[name["type"]], **label},
    )


def _compare_counts(recordings: list[Recording], root: Path) -> None:
    """Warn once of counts that are not the published ones of the sessions found."""
    sessions = sorted({r.session for r in recordings})
    cells = [(r.session, COUNTED_AS.get(r.emotion, r.emotion)) for r in recordings]
    cells = [(session, emotion) for session, emotion in cells if emotion in EXPECTED["01"]]
    found = Counter(f"session {session} {emotion}" for session, emotion in cells)
    published = {f"session {s} {emotion}": n for s in sessions for emotion, n in EXPECTED[s].items()}
    total = sum(published.values())
    notes = []
    if missing := sorted(EXPECTED.keys() - sessions):
        whole = sum(n for counts in EXPECTED.values() for n in counts.values())
        notes = [f"without session {', '.join(missing)} ({whole} in all)"]
    else:
        found += Counter(r.extra["original"] for r in recordings)
        published |= EXPECTED_CODES
    notes += [differing] if (differing := differences(found, published)) else []
    if notes:
        warn(
            f"{root}: {len(cells)} utterances of angry, happy, neutral and sad found, {total} expected: "
            f"{'; '.join(notes)}",
            CorpusWarning,
        )
