"""What a reader holds against a corpus: copies of a recording, strangers, counts other than published.

Each finding is one `CorpusWarning`; the rows that are left stay usable.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sertools.corpora.table import CorpusWarning, Recording

# A warning stays one readable line.
_MAX_EXAMPLES = 4


def _stem(path: Path) -> str:
    return path.stem


def without_duplicates(paths: Iterable[Path], folder: Path, name_of: Callable[[Path], str] = _stem) -> list[Path]:
    """Keep the first path of each name (the base name without suffix) and warn how many copies were left out."""
    first: dict[str, Path] = {}
    copies: list[Path] = []
    for path in paths:
        if first.setdefault(name_of(path), path) is not path:
            copies.append(path)
    if copies:
        warnings.warn(
            f"{folder}: {len(first)} recordings expected, {len(first) + len(copies)} files found: left out "
            f"{_files(len(copies))} whose base names occur before, such as {copies[0]} "
            f"(kept: {first[name_of(copies[0])]})",
            CorpusWarning,
            stacklevel=3,
        )
    return list(first.values())


def warn_of_strangers(paths: list[Path], folder: Path, expected: str) -> None:
    """Warn of audio files left out because their names are not the corpus's."""
    if paths:
        warnings.warn(
            f"{folder}: left out {_files(len(paths))} not named like {expected}, such as {paths[0]}",
            CorpusWarning,
            stacklevel=3,
        )


def compare_counts(recordings: Iterable[Recording], folder: Path, expected: Mapping[str, Mapping[str, int]]) -> None:
    """Warn where a speaker's number of recordings of an emotion is not the published one.

    Parameters
    ----------
    recordings : iterable of Recording
        What was found. Speakers who are missing altogether are no matter: a part of a corpus is usual.
    folder : Path
        Named in the warning.
    expected : mapping of str to mapping of str to int
        Published counts: speaker → emotion → number of recordings.
    """
    found = Counter((r.speaker, r.emotion) for r in recordings)
    speakers = sorted({speaker for speaker, _ in found})
    published = Counter({(s, e): n for s in speakers for e, n in expected.get(s, {}).items()})
    differing = sorted(cell for cell in found.keys() | published.keys() if found[cell] != published[cell])
    if not differing:
        return
    examples = [f"{s} {e} {found[s, e]} instead of {published[s, e]}" for s, e in differing[:_MAX_EXAMPLES]]
    if len(differing) > _MAX_EXAMPLES:
        examples.append(f"and {len(differing) - _MAX_EXAMPLES} more")
    warnings.warn(
        f"{folder}: {found.total()} recordings found, {published.total()} expected of "
        f"{len(speakers)} speaker{'s' * (len(speakers) != 1)}: speaker {', '.join(examples)}",
        CorpusWarning,
        stacklevel=3,
    )


def _files(number: int) -> str:
    return f"{number} file{'s' * (number != 1)}"
