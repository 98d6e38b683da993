"""Any corpus that keeps each emotion in a folder of its own: ``angry/x.wav``, ``sad/y.wav``."""

from pathlib import Path

from sertools.corpora.files import AUDIO_SUFFIXES, find_only_audio
from sertools.corpora.table import Recording


def read(folder: Path) -> list[Recording]:
    """List all audio below a folder; the emotion is the name of the folder a file lies in, as it is.

    The emotion stays empty for files directly in `folder`, and for all files if they lie in one folder,
    whose name then tells no classes apart. Speaker, session and gender are unknown.

    Raises
    ------
    CorpusError
        No such folder, or no audio in it.

    Warns
    -----
    SertoolsWarning
        Of files that are no audio.
    """
    known = " ".join(sorted(suffix[1:] for suffix in AUDIO_SUFFIXES))
    paths = find_only_audio(folder, f"check the path, or convert them to one of {known}")
    parents = {path.parent for path in paths}
    if len(parents) == 1:
        return [Recording(str(path)) for path in paths]
    return [Recording(str(path), "" if path.parent == folder else path.parent.name) for path in paths]
