"""Any corpus that keeps each emotion in a folder of its own: ``angry/x.wav``, ``sad/y.wav``."""

from pathlib import Path

from sertools.corpora.table import AUDIO_SUFFIXES, Recording, canonical_emotion, find_audio
from sertools.errors import CorpusError


def read(folder: Path) -> list[Recording]:
    """List all audio below a folder; the emotion is the name of the folder a file lies in.

    The emotion stays empty for files directly in `folder`, and for all files if they lie in one folder,
    whose name then tells no classes apart. Speaker, session and gender are unknown.

    Raises
    ------
    CorpusError
        No such folder, or no audio in it.
    """
    paths = find_audio(folder)
    if not paths:
        known = " ".join(sorted(suffix[1:] for suffix in AUDIO_SUFFIXES))
        raise CorpusError(f"{folder}: no audio files ({known}) below it; check the path")
    parents = {path.parent for path in paths}
    if len(parents) == 1:
        return [Recording(str(path)) for path in paths]
    emotions = {parent: "" if parent == folder else canonical_emotion(parent.name) for parent in parents}
    return [Recording(str(path), emotions[path.parent]) for path in paths]
