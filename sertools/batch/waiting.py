"""Which line of a batch waits for which: a line that reads a file waits for the line that writes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sertools.batch.lines import CommandLine, malformed


@dataclass(frozen=True)
class Files:
    """The files and folders that a line reads, and those that it writes, by their real paths."""

    reads: frozenset[Path]
    writes: frozenset[Path]


def in_order(lines: Sequence[CommandLine], files: Sequence[Files]) -> list[frozenset[int]]:
    """Return for each line the indices of those that it waits for, all of them before it.

    Who reads a folder reads all that is in it, and who writes a folder writes all of it.

    Raises
    ------
    UsageError
        If two lines write one file, or a line writes what it or a line before it reads.
    """
    waits = []
    readers: dict[Path, CommandLine] = {}
    writers: dict[Path, int] = {}
    writers_below: defaultdict[Path, set[int]] = defaultdict(set)
    for index, (line, own) in enumerate(zip(lines, files, strict=True)):
        for path in sorted(own.writes):
            if path in own.reads:
                raise malformed(line.number, f"it reads and writes {path}")
            if path in writers:
                raise malformed(line.number, f"it writes {path}, and so does line {lines[writers[path]].number}")
            if path in readers:
                raise malformed(line.number, f"it writes {path}, which line {readers[path].number} before it reads")
        sources = {writers[place] for path in own.reads for place in (path, *path.parents) if place in writers}
        waits.append(frozenset(sources.union(*(writers_below.get(path, ()) for path in own.reads))))
        for path in own.reads:
            readers.setdefault(path, line)
        for path in own.writes:
            writers[path] = index
            for folder in path.parents:
                writers_below[folder].add(index)
    return waits
