"""What a reader holds against a corpus: strangers, copies of a recording, counts other than published.

Each finding is one `CorpusWarning`; the rows that are left stay usable.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from sertools.corpora.table import CorpusWarning, Recording
from sertools.errors import CorpusError, warn

Label = TypeVar("Label")
Name = TypeVar("Name")

# A warning stays one readable line.
_MAX_EXAMPLES = 4


def read_names(
    audio: Sequence[Path], folder: Path, parse: Callable[[Path], Name | None], corpus: str, expected: str
) -> dict[Path, Name]:
    """Read what the names of a corpus's audio files say.

    Parameters
    ----------
    audio : sequence of Path
        All that were found.
    folder : Path
        Named in messages.
    parse : callable
        Path → what its name says, None if it is not one of the corpus.
    corpus, expected : str
        The corpus, and how its files are named, for messages.

    Returns
    -------
    dict
        Path → what its name says, in the order of `audio`.

    Raises
    ------
    CorpusError
        No file is named so.

    Warns
    -----
    CorpusWarning
        Of strangers, which are left out.
    """
    names = {path: name for path in audio if (name := parse(path)) is not None}
    if not names:
        raise CorpusError(
            f"{folder}: none of {len(audio)} audio files is named as in {corpus}, {expected}; "
            "check the path, or use the reader 'folders' for a layout of your own"
        )
    warn_of_strangers([path for path in audio if path not in names], folder, expected)
    return names


def warn_of_strangers(paths: Sequence[Path], folder: Path, expected: str) -> None:
    """Warn of audio files left out because their names are not the corpus's."""
    if paths:
        warn(f"{folder}: left out {_files(paths)} not named like {expected}, such as {paths[0]}", CorpusWarning)


def without_duplicates(
    paths: Iterable[Path], folder: Path, name_of: Callable[[Path], Hashable] = attrgetter("stem")
) -> list[Path]:
    """Keep the first path of each name (the base name without suffix) and warn how many copies were left out."""
    first: dict[Hashable, Path] = {}
    copies: list[Path] = []
    for path in paths:
        if first.setdefault(name_of(path), path) is not path:
            copies.append(path)
    if copies:
        warn(
            f"{folder}: {len(first)} recordings expected, {len(first) + len(copies)} files found: left out "
            f"{_files(copies)} whose base names occur before, such as {copies[0]} "
            f"(kept: {first[name_of(copies[0])]})",
            CorpusWarning,
        )
    return list(first.values())


def compare_counts(recordings: Sequence[Recording], folder: Path, expected: Mapping[str, Mapping[str, int]]) -> None:
    """Warn where a speaker's number of recordings of an emotion is not the published one.

    Parameters
    ----------
    recordings : sequence of Recording
        What was found. Speakers who are missing altogether are no matter: a part of a corpus is usual.
    folder : Path
        Named in the warning.
    expected : mapping of str to mapping of str to int
        Published counts: speaker → emotion → number of recordings.
    """
    speakers = sorted({r.speaker for r in recordings})
    published = Counter({f"{s} {emotion}": n for s in speakers for emotion, n in expected.get(s, {}).items()})
    if differing := differences(Counter(f"{r.speaker} {r.emotion}" for r in recordings), published):
        warn(
            f"{folder}: {len(recordings)} recordings found, {published.total()} expected of "
            f"{len(speakers)} speaker{'s' * (len(speakers) != 1)}: speaker {differing}",
            CorpusWarning,
        )


def differences(found: Counter[str], published: Mapping[str, int]) -> str:
    """Say which counts are not the published ones, the first few by name; empty if all are equal."""
    expected = Counter(published)
    differing = sorted(cell for cell in found.keys() | expected.keys() if found[cell] != expected[cell])
    examples = [f"{cell} {found[cell]} instead of {expected[cell]}" for cell in differing[:_MAX_EXAMPLES]]
    if len(differing) > _MAX_EXAMPLES:
        examples.append(f"and {len(differing) - _MAX_EXAMPLES} more")
    return ", ".join(examples)


def match_labels(
    audio: Mapping[str, Path], labels: Mapping[str, Label], folder: Path
) -> list[tuple[str, Path, Label]]:
    """Join the audio files of a corpus to the labels that lie elsewhere in it.

    Parameters
    ----------
    audio : mapping of str to Path
        Audio by the name of its utterance.
    labels : mapping of str to anything
        What is known of each utterance, by the same names.
    folder : Path
        Named in messages.

    Returns
    -------
    list of tuple
        Utterance, path and label where both exist, in the order of `audio`.

    Raises
    ------
    CorpusError
        Nothing matches.

    Warns
    -----
    CorpusWarning
        Labels without audio and audio without a label, each counted in one line.
    """
    matched = [(name, path, labels[name]) for name, path in audio.items() if name in labels]
    silent = [name for name in labels if name not in audio]
    unlabelled = [path for name, path in audio.items() if name not in labels]
    if not matched:
        some = f"the first label is of {silent[0]}" if silent else "there are no labels"
        raise CorpusError(
            f"{folder}: none of {len(audio)} audio files has one of the {len(labels)} labels ({some}); "
            "check that audio and labels are of the same corpus and both unpacked"
        )
    if silent:
        warn(
            f"{folder}: {len(labels)} audio files expected, {len(matched)} found: left out "
            f"{len(silent)} label{'s' * (len(silent) != 1)} without audio, such as that of {silent[0]}",
            CorpusWarning,
        )
    if unlabelled:
        warn(f"{folder}: left out {_files(unlabelled)} without a label, such as {unlabelled[0]}", CorpusWarning)
    return matched


def _files(paths: Sequence[Path]) -> str:
    return f"{len(paths)} file{'s' * (len(paths) != 1)}"
