"""The audio that a store's rows come from, found and read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sertools.config import FrontEnd
from sertools.corpora.files import check_inside, on_disk
from sertools.encoding import RowSource
from sertools.errors import AudioError, StoreError
from sertools.sound.audio import UtteranceAudio, read_utterance
from sertools.store.reader import Store


@dataclass(frozen=True)
class Recorded:
    """Where the audio of an utterance lies, and the digest that it has to have; times are seconds."""

    path: Path
    start: float
    duration: float
    digest: str


def recorded(store: Store, utterances: Iterable[int], audio_root: Path | None) -> list[Recorded]:
    """Say where the audio of some rows of ``/utterance`` lies, below `audio_root` or where the store says."""
    table = store.contents.utterances
    return [
        Recorded(
            Path(on_disk(str(store.audio_path(number, audio_root)))),
            float(table["start"][number]),
            float(table["duration"][number]),
            str(table["digest"][number]),
        )
        for number in utterances
    ]


def check_there(found: Sequence[Recorded], store: Path, audio_root: Path | None, purpose: str) -> None:
    """Refuse audio that is missing, or that lies outside `audio_root`.

    Parameters
    ----------
    purpose
        What is done to the recordings, for the message, such as ``to be altered``.

    Raises
    ------
    CorpusError
        If a path leads out of `audio_root`.
    StoreError
        If a file is missing; says how many are.
    """
    if audio_root is not None:
        check_inside(audio_root, (each.path for each in found), str(store))
    missing = {each.path for each in found if not each.path.is_file()}
    if missing:
        raise StoreError(
            f"{store}: {len(missing)} recordings that are {purpose} are missing, {min(missing)} among them; "
            "say where the corpus lies by --audio-root DIR"
        )


def read_again(found: Recorded, front_end: RowSource, sr: int) -> UtteranceAudio:
    """Decode what a store was extracted from, at any rate, and make sure that it is that.

    Raises
    ------
    StoreError
        If the audio cannot be read, or is not what the store was made from.
    """
    why = "its samples differ"
    try:
        utterance = read_utterance(found.path, sr, found.start, found.start + found.duration)
        if utterance.digest == found.digest:
            return utterance
    except AudioError as error:
        # What `extract` would advise does not help here.
        why = str(error).removeprefix(f"{found.path}: ").partition(";")[0]
    verb = "extract" if isinstance(front_end, FrontEnd) else "embed"
    raise StoreError(
        f"{found.path}: is not the audio that the store was extracted from ({why}); "
        f"give the folder of that by --audio-root, or {verb} again"
    )
