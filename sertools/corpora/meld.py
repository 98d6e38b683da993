"""MELD: English, dialogues of the series Friends, 7 emotions (Poria et al., ACL 2019).

``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv`` label ``dia0_utt0``, the first utterance of
the first dialogue. The same names recur in each split, so a file belongs to the split that its folders name:
``train/train_splits/``, ``dev/dev_splits_complete/``, ``test/output_repeated_splits_test/``. The media are mp4;
libsndfile reads no sound of it, so convert them before.
"""

import io
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from sertools.corpora.checks import differences, match_labels, warn_of_strangers, without_duplicates
from sertools.corpora.files import find_audio, find_files
from sertools.corpora.table import CorpusWarning, Recording, canonical_emotion, read_rows
from sertools.errors import CorpusError, warn

_TABLE = re.compile(r"(train|dev|test)_sent_emo\.csv")
_COLUMNS = ("speaker", "emotion", "Dialogue_ID", "Utterance_ID")
_NAME = re.compile(r"dia(?P<dialogue>\d+)_utt(?P<utterance>\d+)")
_EXPECTED_NAMES = "dia0_utt0.wav in a folder of train, dev or test"
_SPLIT_FOLDER = re.compile(r"(?:.*[^a-z])?(train|dev|test)(?:[^a-z].*)?")

# Of the tables; train dia125_utt3 and dev dia110_utt7 were never published as media.
EXPECTED = {
    split: dict(zip(("neutral", "happy", "surprised", "angry", "sad", "disgust", "fearful"), counts, strict=True))
    for split, counts in {
        "train": (4710, 1743, 1205, 1109, 683, 271, 268),
        "dev": (470, 163, 150, 153, 111, 22, 40),
        "test": (1256, 402, 281, 345, 208, 68, 50),
    }.items()
}
_EMOTIONS = frozenset(EXPECTED["train"])


def read(folder: Path) -> list[Recording]:
    """List the labelled utterances of MELD; joy is "happy".

    The session is a split's dialogue, such as train_dia0: its number alone recurs. Speakers are named as in the
    series and recur in all splits. Further column: ``split`` (train, dev, test).

    Raises
    ------
    CorpusError
        No such folder, no table or no audio in it, only mp4 files, or a row that cannot be understood.

    Warns
    -----
    CorpusWarning
        Rows without audio; audio without a row, of no split or of another name (``final_videos_test…``); copies;
        a table that is missing or whose counts are not the published ones.
    """
    audio = find_audio(folder)
    tables = {match[1]: path for path in find_files(folder, {".csv"}) if (match := _TABLE.fullmatch(path.name))}
    if not tables:
        raise CorpusError(
            f"{folder}: no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv of MELD beside {len(audio)} "
            "audio files; name the folder that holds them and the media"
        )
    if not audio and (videos := find_files(folder, {".mp4"})):
        raise CorpusError(f"{folder}: no audio files but {len(videos)} mp4; convert them: {_conversion(folder)}")
    labels: dict[str, Mapping[str, str]] = {}
    for split, table in tables.items():
        labels |= _labels(table, split)
    _compare_counts(labels, tables, folder)

    lone_split = next(iter(tables)) if len(tables) == 1 else ""
    key_of = {path: _key(path, folder, lone_split) for path in audio}
    warn_of_strangers([path for path in audio if not key_of[path]], folder, _EXPECTED_NAMES)
    unique = without_duplicates((path for path in audio if key_of[path]), folder, lambda path: key_of[path])
    by_key = {key_of[path]: path for path in unique}
    return [_recording(path, row) for _, path, row in match_labels(by_key, labels, folder)]


def _conversion(folder: Path) -> str:
    """Shell command that puts a wav beside each mp4."""
    convert = 'ffmpeg -nostdin -i "$f" -vn -ac 1 -ar 16000 "${f%.mp4}.wav"'
    return f"find {shlex.quote(str(folder))} -name 'dia*.mp4' | while IFS= read -r f; do {convert}; done"


def _labels(table: Path, split: str) -> dict[str, Mapping[str, str]]:
    """Rows of a split's table, with the split itself, by split and name."""
    labels: dict[str, Mapping[str, str]] = {}
    try:
        data = table.read_bytes()
    except OSError as error:
        raise CorpusError(f"{table}: {error.strerror}") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # As copies that went through a spreadsheet: its quotes and accents are those of Windows.
        text = data.decode("cp1252", errors="replace")
    for number, row in read_rows(io.StringIO(text, newline=""), str(table), _COLUMNS):
        name = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
        if not _NAME.fullmatch(name) or canonical_emotion(row["emotion"]) not in _EMOTIONS:
            raise CorpusError(
                f"{table}:{number}: {name} with emotion {row['emotion']!r} is no row of MELD; "
                "take the file from its repository"
            )
        labels[f"{split}/{name}"] = {**row, "split": split}
    return labels


def _key(path: Path, folder: Path, lone_split: str) -> str:
    """Split and name of a media file; empty if it has none."""
    if not _NAME.fullmatch(path.stem):
        return ""
    above = reversed(path.relative_to(folder).parts[:-1])
    split = next((match[1] for part in above if (match := _SPLIT_FOLDER.fullmatch(part.lower()))), lone_split)
    return f"{split}/{path.stem}" if split else ""


def _recording(path: Path, row: Mapping[str, str]) -> Recording:
    session = f"{row['split']}_dia{row['Dialogue_ID']}"
    return Recording(
        str(path), canonical_emotion(row["emotion"]), row["speaker"], session, extra={"split": row["split"]}
    )


def _compare_counts(labels: Mapping[str, Mapping[str, str]], splits: Iterable[str], folder: Path) -> None:
    """Warn once of missing tables and of counts that are not the published ones."""
    found = Counter(f"{row['split']} {canonical_emotion(row['emotion'])}" for row in labels.values())
    published = {f"{split} {emotion}": n for split in splits for emotion, n in EXPECTED[split].items()}
    notes = [f"without {split}_sent_emo.csv" for split in EXPECTED if split not in splits]
    notes += [differing] if (differing := differences(found, published)) else []
    if notes:
        total = sum(published.values())
        warn(f"{folder}: {found.total()} labels found, {total} expected: {'; '.join(notes)}", CorpusWarning)
