"""How a verb that trains runs its function: with signals, progress and its last numbers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sertools.cli.progress import read_training, say_numbers, showing, voice
from sertools.cli.signals import stop_on_signals

Result = TypeVar("Result")


def follow_training(step: Callable[..., Result], *files: Any, **options: Any) -> Result:
    """Run a training that is stopped by signals, shows how far it is, and says its last numbers.

    Parameters
    ----------
    step
        A function of the API.
    *files, **options
        Its arguments, the last file its output.
    """
    last: Any = None

    def show(records: Iterable[Any]) -> Iterator[Any]:
        nonlocal last
        for record in showing(step.__name__.replace("_", "-"), read_training)(records):
            last = record
            yield record

    with stop_on_signals() as stop:
        result = step(*files, **options, stop=stop, tell=say_numbers, progress=show)
    if last is not None:
        voice.say(f"{files[-1]}: {read_training(last)[2]} after {last.step} steps")
    return result
