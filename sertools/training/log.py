"""The log of a training: one line of JSON per record, beside the output, live while it runs and kept after.

A line holds ``verb``, ``step``, ``steps`` (in all), and every number of the record by name; ``warnings`` names what
was warned of there, and null stands for a number that is not finite. There is no clock in it, so the same run gives
the same bytes, however often it was interrupted: the resume state holds the log up to its step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sertools.errors import ModelError
from sertools.provenance import cannot_write

HEAD = b'{"verb":"'
_OWN = ("verb", "step", "steps", "warnings")


@dataclass(frozen=True)
class Line:
    """One record of a log.

    Attributes
    ----------
    step
        Steps done; 0 is the start.
    values
        Numbers by name; NaN where one was not finite.
    warnings
        Names of what was warned of at this step.
    """

    step: int
    values: Mapping[str, float]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """A log as read.

    Attributes
    ----------
    verb
        Who wrote it.
    n_steps
        Steps that the training has in all.
    lines
        Its records by rising step.
    """

    verb: str
    n_steps: int
    lines: tuple[Line, ...]


class TrainingLog:
    """A log that is written; what the file held before is gone.

    Parameters
    ----------
    content
        The lines up to the step that the training goes on from.

    Raises
    ------
    SertoolsError
        If the file cannot be written.
    """

    def __init__(self, path: Path, verb: str, n_steps: int, content: bytes = b"") -> None:
        self.path, self._verb, self._n_steps = path, verb, n_steps
        self.content = content
        self._write("wb", content)

    def add(self, step: int, values: Mapping[str, float], warnings: Iterable[str] = ()) -> None:
        """Write one line, at once."""
        line: dict[str, Any] = {"verb": self._verb, "step": step, "steps": self._n_steps}
        line |= {name: value if math.isfinite(value) else None for name, value in sorted(values.items())}
        if named := list(warnings):
            line["warnings"] = named
        # ASCII: a class may have any name, and a line is one line to every tool.
        text = json.dumps(line, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        self.content += text
        self._write("ab", text)

    def _write(self, mode: str, content: bytes) -> None:
        try:
            with self.path.open(mode) as stream:
                stream.write(content)
        except OSError as error:
            raise cannot_write(self.path, error) from error


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Round to the six digits that a log keeps, so that a log read again says what was seen."""
    return {name: float(f"{value:.6g}") for name, value in values.items()}


def read_log(path: Path) -> History:
    """Read a log; a last line that is still being written is left out.

    Raises
    ------
    ModelError
        Naming the first line that is not of a log.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    return parse_log(content, str(path))


def parse_log(content: bytes, source: str) -> History:
    """Read a log's bytes; see `read_log`."""
    *texts, _ = content.split(b"\n")
    verbs: set[str] = set()
    totals: set[int] = set()
    lines: list[Line] = []
    for number, text in enumerate(texts, 1):
        try:
            verb, total, line = _parse(text)
            verbs.add(verb)
            totals.add(total)
            if len(verbs) > 1 or len(totals) > 1 or (lines and line.step <= lines[-1].step) or line.step > total:
                raise ValueError("of another training than the lines before")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ModelError(
                f"{source}: line {number} is not of a training log ({reason}); restore a copy, or remove that line"
            ) from error
        lines.append(line)
    if not lines:
        raise ModelError(f"{source}: holds no record; a training writes its first after a few steps")
    return History(verbs.pop(), totals.pop(), tuple(lines))


def _parse(text: bytes) -> tuple[str, int, Line]:
    found = json.loads(text.decode("utf-8"), parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError("no object")
    verb, step, total, named = found["verb"], found["step"], found["steps"], found.get("warnings", [])
    if not isinstance(verb, str) or not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ValueError("verb or warnings are not words")
    if type(step) is not int or type(total) is not int or step < 0:
        raise ValueError("step or steps is not a count")
    values: dict[str, float] = {}
    for name, value in found.items():
        if name in _OWN:
            continue
        if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
            raise ValueError("a value is not a number")
        values[name] = math.nan if value is None else float(value)
    return verb, total, Line(step, values, tuple(named))


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
