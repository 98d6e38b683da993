"""What `extract` is given, turned into recordings: files, folders, labels tables, or standard input.

Nothing is decoded here. A labels table may be a source itself, or sit beside sources by ``--labels``; then it
says what the files are, and a file it does not mention is an error rather than an unlabelled row.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from sertools.corpora import folders
from sertools.corpora.table import AUDIO_SUFFIXES, Recording, looks_like_labels, read_labels
from sertools.errors import CorpusError


@dataclass(frozen=True)
class Listing:
    """All recordings of one extraction.

    Attributes
    ----------
    recordings : list of Recording
        With `file` as a path that can be opened from the working folder.
    root : Path
        The deepest folder above all of them: the corpus root.
    """

    recordings: list[Recording]
    root: Path


def list_recordings(sources: Sequence[str], labels: Path | None, stdin: TextIO) -> Listing:
    """Find every recording that `sources` mean.

    Parameters
    ----------
    sources : sequence of str
        Audio files, folders, labels CSVs, or ``-`` for paths or a CSV on `stdin`.
    labels : Path or None
        A labels CSV that says what the audio of `sources` is.

    Raises
    ------
    CorpusError
        A source is missing or holds no audio, or `labels` does not mention a file.
    """
    found: list[Recording] = []
    for source in sources:
        found += _from_stdin(stdin) if source == "-" else _from_path(Path(source))
    if labels is not None:
        found = _labelled(found, labels)
    unique = list({(os.path.realpath(r.file), r.start, r.end): r for r in found}.values())
    if not unique:
        raise CorpusError(f"{', '.join(sources)}: no audio found; name files, folders, a labels CSV or -")
    lone_folder = Path(sources[0]) if len(sources) == 1 and Path(sources[0]).is_dir() else None
    root = lone_folder or Path(os.path.commonpath([os.path.dirname(os.path.abspath(r.file)) for r in unique]))
    return Listing(unique, root)


def _from_path(path: Path) -> list[Recording]:
    if path.is_dir():
        return folders.read(path)
    if path.suffix.lower() == ".csv":
        return _read_table(path)
    if not path.exists() and path.suffix.lower() not in AUDIO_SUFFIXES:
        raise CorpusError(f"{path}: no such file or folder")
    # An audio file that is missing or broken is the decoder's to report, with all the others.
    return [Recording(file=str(path))]


def _from_stdin(stdin: TextIO) -> list[Recording]:
    lines = stdin.read().splitlines(keepends=True)
    if lines and looks_like_labels(lines[0]):
        return _resolved(read_labels(lines, "standard input"), None, "standard input")
    return [Recording(file=line.rstrip("\r\n")) for line in lines if line.strip()]


def _read_table(path: Path) -> list[Recording]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return _resolved(read_labels(stream, str(path)), path.parent, str(path))
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error


def _resolved(recordings: Iterable[Recording], folder: Path | None, name: str) -> list[Recording]:
    """Find each relative file in the CSV's folder or the working folder; it must be in one, not in both."""
    resolved, missing = [], []
    for recording in recordings:
        candidates = [Path(recording.file)]
        if folder is not None and not candidates[0].is_absolute():
            candidates.append(folder / recording.file)
        existing = [c for c in candidates if c.exists()]
        if len(existing) == 2 and not existing[0].samefile(existing[1]):
            raise CorpusError(
                f"{name}: {recording.file!r} is both in the working folder and in {folder}; run from another folder"
            )
        if not existing:
            missing.append(recording.file)
        else:
            resolved.append(replace(recording, file=str(existing[0])))
    if missing:
        where = "the working folder" if folder is None else f"{folder} or the working folder"
        raise CorpusError(
            f"{name}: {len(missing)} of its files are not in {where}, {missing[0]!r} the first; "
            "correct the paths or run from the folder they start in"
        )
    return resolved


def _labelled(found: list[Recording], labels: Path) -> list[Recording]:
    rows: dict[str, list[Recording]] = {}
    for row in _read_table(labels):
        rows.setdefault(os.path.realpath(row.file), []).append(row)
    unknown = [r.file for r in found if os.path.realpath(r.file) not in rows]
    if unknown:
        raise CorpusError(
            f"{labels}: does not mention {len(unknown)} of the {len(found)} audio files, {unknown[0]!r} the first; "
            "add them to it, or name it as the source in place of the folder"
        )
    return [row for recording in found for row in rows[os.path.realpath(recording.file)]]
