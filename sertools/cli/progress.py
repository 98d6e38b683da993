"""What a verb says while it works: a bar on a terminal, a plain line every 30 s in a log, nothing with -q."""

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from sertools.errors import printable
from sertools.presets import beside_paper
from sertools.provenance import flat

LOG_SECONDS = 30.0
VERBOSE_LOG_SECONDS = 5.0

Item = TypeVar("Item")
# A record → steps done, steps in all, and a few words.
Reading = tuple[int, int, str]


@dataclass
class Voice:
    """How much is said, and the end that a signal asked for where it came to nothing."""

    quiet: bool = False
    verbose: bool = False
    stopped: SystemExit | None = None

    def say(self, text: str) -> None:
        """Say one line on stderr, unless -q."""
        if not self.quiet:
            print(self.safe(text), file=sys.stderr)

    def detail(self, text: str) -> None:
        """Say one line on stderr with -v."""
        if self.verbose:
            self.say(text)

    @staticmethod
    def safe(text: str) -> str:
        """Escape what a terminal would obey; lines stay lines."""
        return "\n".join(printable(line) for line in text.split("\n"))


voice = Voice()


def showing(verb: str, read: Callable[[Item], Reading]) -> Callable[[Iterable[Item]], Iterator[Item]]:
    """Return a function that passes records on and shows how far they are."""

    def show(records: Iterable[Item]) -> Iterator[Item]:
        with closing(_until_stopped(records)) as heeded:
            if voice.quiet:
                yield from heeded
            elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
                yield from _with_bar(verb, heeded, read)
            else:
                yield from _with_lines(verb, heeded, read)

    return show


def _until_stopped(records: Iterable[Item]) -> Generator[Item, None, None]:
    """Pass records on; whatever ends this, closes their iterator, so that its temporary files go."""
    try:
        for record in records:
            if voice.stopped:
                raise voice.stopped
            yield record
    finally:
        if isinstance(records, Generator):
            records.close()


def _with_bar(verb: str, records: Iterable[Item], read: Callable[[Item], Reading]) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    last = TextColumn("{task.fields[words]}")
    columns = (TextColumn(verb), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), last)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(verb, total=None, words="")
        for record in records:
            done, total, words = read(record)
            bar.update(task, completed=done, total=total, words=words)
            yield record


def _with_lines(verb: str, records: Iterable[Item], read: Callable[[Item], Reading]) -> Iterator[Item]:
    said = time.monotonic()
    interval = VERBOSE_LOG_SECONDS if voice.verbose else LOG_SECONDS
    for record in records:
        if time.monotonic() - said >= interval:
            done, total, words = read(record)
            print(f"{verb}: {done}/{total} {words}".rstrip(), file=sys.stderr, flush=True)
            said = time.monotonic()
        yield record


def say_numbers(kind: str, config: Any) -> None:
    """Say in which numbers a training differs from `--preset paper`; with -v, all that it has."""
    numbers = dataclasses.asdict(config)
    if different := beside_paper(kind, numbers):
        voice.say(f"differs from --preset paper: {_pairs(different)}")
    voice.detail(f"all: {_pairs(flat(numbers))}")


def _pairs(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}={','.join(v) if isinstance(v, tuple) else v}" for name, v in values.items())


def read_training(record: object) -> Reading:
    """Read a training record."""
    values = getattr(record, "values", {})
    words = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
    return getattr(record, "step", 0), getattr(record, "total", 0), words
