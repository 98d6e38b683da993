"""A training log as an event file for TensorBoard.

PyTorch's SummaryWriter puts the clock and the host's name into the file, so TensorBoard's own record writer is used:
the same log gives the same bytes, and seconds stand for steps.
"""

from __future__ import annotations

from pathlib import Path

from sertools.errors import ModelError
from sertools.provenance import atomic_output, make_folder, refuse_clobber
from sertools.training.log import read_log

FILE = "events.out.tfevents.0.sertools"


def export_log(path: Path, folder: Path) -> int:
    """Write a training log as scalars by step; ``tensorboard --logdir`` takes the folder or the one above it.

    Parameters
    ----------
    folder
        Made if it is missing; the event file of an earlier export in it is replaced.

    Returns
    -------
    Records written.

    Raises
    ------
    ModelError
        If the file is no training log, or TensorBoard is not installed.
    """
    history = read_log(path)
    try:
        from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - an extra
        from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415
        from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            f"{path}: event files need TensorBoard: pip install 'sertools[tensorboard]', or draw the log by `plot`"
        ) from error
    make_folder(folder)
    output = folder / FILE
    refuse_clobber(output, [path])
    with atomic_output(output) as part, part.open("wb") as stream:
        writer = RecordWriter(stream)
        writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
        for line in history.lines:
            # A class may have any name; a dot parts a measure from its class, and a slash makes a group of it.
            values = [
                Summary.Value(tag=name.replace(".", "/", 1), simple_value=value)
                for name, value in line.values.items()
            ]
            event = Event(wall_time=float(line.step), step=line.step, summary=Summary(value=values))
            writer.write(event.SerializeToString())
        writer.flush()
    return len(history.lines)
