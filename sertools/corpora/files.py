"""The search for a corpus's files."""

import os
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable
from pathlib import Path

from sertools.errors import CorpusError, warn

# What libsndfile reads. Not sound without a header (.raw), whose rate nobody knows, nor .mat, which rarely is sound.
AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
        *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".sph"),
    }
)
_MOST_SUFFIXES = 6


def find_audio(folder: Path) -> list[Path]:
    """List the audio files below a folder, as `find_files` does.

    Raises
    ------
    CorpusError
        The folder does not exist, is a file, or cannot be listed.
    """
    return find_files(folder, AUDIO_SUFFIXES, regular=False)


def find_only_audio(folder: Path, remedy: str) -> list[Path]:
    """List the audio files below a folder that holds nothing else but a table, and say what it holds beside them.

    Parameters
    ----------
    folder : Path
        Where to look.
    remedy : str
        What helps where there is none, for the message.

    Raises
    ------
    CorpusError
        As `find_audio`, or there is none.

    Warns
    -----
    SertoolsWarning
        Of the other files, counted by suffix.
    """
    paths = find_files(folder, None)
    audio = [path for path in paths if path.suffix.lower() in AUDIO_SUFFIXES]
    suffixes = Counter(path.suffix.lower() for path in paths)
    others = {suffix or "without one": n for suffix, n in suffixes.items() if suffix not in {*AUDIO_SUFFIXES, ".csv"}}
    counts = [f"{n} {suffix}" for suffix, n in sorted(others.items(), key=lambda other: (-other[1], other[0]))]
    told = ", ".join(counts[:_MOST_SUFFIXES]) + ", …" * (len(counts) > _MOST_SUFFIXES)
    if not audio:
        raise CorpusError(f"{folder}: no audio files below it; {remedy}" + f" (found: {told})" * bool(others))
    if others:
        warn(
            f"{folder}: left out {sum(others.values())} of {len(paths)} files, whose suffix is none of audio: "
            f"{told}; convert those that are"
        )
    return audio


def find_files(folder: Path, suffixes: Container[str] | None, *, regular: bool = True) -> list[Path]:
    """List the files below a folder whose suffix in lower case is one of some, sorted, named as ``find`` would.

    Names that start with a dot and ``__MACOSX`` are skipped. Links to folders are followed, but every
    real folder is listed once, so neither a loop nor a second link doubles the corpus. Broken links are
    listed: that a file is missing must come to light. So are pipes and devices unless `regular`: who asks for
    them must not wait for what nobody writes. Without `suffixes` everything is listed.

    Raises
    ------
    CorpusError
        The folder does not exist, is a file, or cannot be listed.
    """
    require_folder(folder)
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    folders = [folder]
    links: list[Path] = []
    while folders or links:
        # Real folders first: their own names win over those of links to them.
        here = folders.pop() if folders else links.pop(0)
        try:
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            for entry in sorted(os.scandir(here), key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                path = here / entry.name
                if path.is_dir():
                    (links if entry.is_symlink() else folders).append(path)
                elif suffixes is None or (
                    path.suffix.lower() in suffixes and (path.is_file() or not (regular and path.exists()))
                ):
                    found.append(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CorpusError(f"{here}: cannot be listed ({reason}); check its permissions") from error
    return sorted(found, key=lambda path: path.parts)


def on_disk(file: str) -> str:
    """Give a path as the disk spells it, where a letter with its accent is one character here and two there.

    A path that exists, or of which no other form does, is returned as it is.
    """
    if file.isascii() or os.path.exists(file):
        return file
    path = Path(file)
    found = Path(path.anchor)
    for part in path.parts[bool(path.anchor) :]:
        forms = [found / form for form in (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))]
        found = next((form for form in forms if os.path.lexists(form)), forms[0])
    return str(found) if os.path.exists(found) else file


def check_inside(audio_root: Path, files: Iterable[str | Path], named_by: str) -> None:
    """Refuse audio that lies outside a folder once all links and ``..`` are followed.

    Parameters
    ----------
    audio_root : Path
        The folder, which may be a link itself.
    files : iterable of str or Path
        What somebody else's table or store leads to.
    named_by : str
        That table or store, for the message.

    Raises
    ------
    CorpusError
        `audio_root` is no folder, or a file lies outside.
    """
    require_folder(audio_root)
    root = Path(os.path.realpath(audio_root))
    for file in files:
        real = os.path.realpath(file)
        if not Path(real).is_relative_to(root):
            raise CorpusError(
                f"{named_by}: {str(file)!r} leads to {real}, outside --audio-root {audio_root}; correct the path, "
                "or leave --audio-root out if you trust it"
            )


def require_folder(folder: Path) -> None:
    """Raise `CorpusError` unless there is a folder of that name."""
    if not folder.is_dir():
        if folder.exists():
            raise CorpusError(f"{folder}: is a file, not a folder; unpack it and name the folder")
        raise CorpusError(f"{folder}: no such folder; check the path")
