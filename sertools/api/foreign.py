"""Files for other tools."""

from __future__ import annotations

from pathlib import Path

from sertools.api.running import AnyPath, maybe, writing
from sertools.config import EXPORTS
from sertools.errors import UsageError, one_of


def export(file: AnyPath, output: AnyPath, *, format: str | None = None, audio_root: AnyPath | None = None) -> int:
    """Write a store, a result or a training log for other tools.

    Parameters
    ----------
    file : path
        A store, a result of `evaluate`, or the log of a training.
    output : path
        npz and arrow: a file; npy, audformat and tensorboard: a folder, made if it is missing.
    format : {"npz", "npy", "arrow", "audformat", "tensorboard"}, optional
        Of a store: npz (the default), npy or arrow; of a result: audformat; of a log: tensorboard.
    audio_root : path, optional
        The corpus of a result, to complete the names of its files by their suffix.

    Returns
    -------
    int
        Rows, utterances or records written.

    Raises
    ------
    SertoolsError
        If the file is of another kind, the format is not of its kind, or needs a package that is not installed.
    """
    from sertools.reporting.contents.description import LOG, RESULT, file_kind
    from sertools.reporting.exports.predictions import export_result
    from sertools.reporting.exports.store import export_store
    from sertools.reporting.exports.tensorboard import export_log
    from sertools.store.format import KIND as STORE

    file, output = Path(file), Path(output)
    kinds = {STORE: EXPORTS[:3], RESULT: EXPORTS[3:4], LOG: EXPORTS[4:]}
    if format is not None:
        one_of("--format", format, EXPORTS)
    kind = file_kind(file)
    if kind not in kinds:
        raise UsageError(f"{file}: is {kind}; give a store, a result or a training log")
    form = format or kinds[kind][0]
    if form not in kinds[kind]:
        raise UsageError(f"--format {form}: {file} is {kind}; give {' or '.join(kinds[kind])}")
    if audio_root is not None and kind != RESULT:
        raise UsageError(f"--audio-root: {file} is {kind}, which does not need it; leave it out")
    with writing(output):
        if kind == RESULT:
            return export_result(file, output, maybe(audio_root))
        return export_log(file, output) if kind == LOG else export_store(file, output, form)
