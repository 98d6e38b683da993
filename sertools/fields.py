"""What a field of a config says of itself: words, flag, choices and bounds, each of them once.

The command line makes its options from it, Python its keywords and checks, `docs/commands.md` its text and `report`
its recipes.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sertools.errors import UsageError, one_of

_KEY = "option"
_HIGHEST = 1e30  # nets compute in float32, which ends at 3e38, and Adam's first step is ten times its rate


@dataclass(frozen=True)
class Bounds:
    """What a number may be.

    Attributes
    ----------
    low, high
        The least and the most; infinite where there is none.
    above, below
        Whether `low`, or `high`, is itself too little, or too much.
    why
        What the limit comes from, or its unit; stands behind it in a message.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    why: str = ""

    def __contains__(self, value: float) -> bool:
        return (self.low < value if self.above else self.low <= value) and (
            value < self.high if self.below else value <= self.high
        )

    def __str__(self) -> str:
        low = f"{'above ' if self.above else ''}{self.low:g}"
        high = f"{'below ' if self.below else ''}{self.high:g}"
        if math.isinf(self.high):
            words = low if self.above else f"at least {low}"
        else:
            words = f"{low} and up to {high}" if self.above and not self.below else f"{low} to {high}"
        return words + self.why


POSITIVE = Bounds(0, above=True)
NOT_NEGATIVE = Bounds(0)


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name, type and default.

    Attributes
    ----------
    help
        A sentence; its default, and two finite bounds, are put behind it.
    metavar
        What stands for its value in a help text; the choices, or the type, where it is empty.
    choices
        Its values, if they are words.
    bounds
        Its values, if they are numbers.
    flag
        On the command line, where that is not the name with dashes, such as ``--mels``.
    also
        Another name for it there, such as ``-j``.
    unset
        What holds where it is not given and no preset has it, such as ``of --arch``.
    fraction
        Whether the command line takes ``1/8``.
    """

    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    bounds: Bounds | None = None
    flag: str = ""
    also: str = ""
    unset: str = ""
    fraction: bool = False


@dataclass(frozen=True)
class Keyword:
    """An option with its name, its type and its default.

    Attributes
    ----------
    name
        In Python, and in a config or history.
    kind
        Its type, without None.
    default
        Where it is not given: None is nothing, or the preset's; `REQUIRED` is an error.
    option
        What else is known.
    stages
        Those of `presets.Preset` that have it, if it is one of their numbers.
    """

    name: str
    kind: Any
    default: Any
    option: Option
    stages: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return self.option.flag or flag_of(self.name)

    @property
    def kind_name(self) -> str:
        """Its type as an annotation."""
        # Without modules: a Sequence[Path].
        return re.sub(r"\w+\.", "", str(self.kind)) if typing.get_args(self.kind) else str(self.kind.__name__)

    def check(self, value: Any) -> None:
        """Refuse a value that is none of the choices, out of bounds, or a path that is empty.

        Raises
        ------
        UsageError
            Naming the option, the value and what is expected.
        """
        if value is None:
            return
        if "Path" in self.kind_name:
            for path in (value,) if isinstance(value, str | os.PathLike) else value:
                name_of(path)
        if self.option.choices:
            one_of(self.flag, value, self.option.choices)
        if type(value) not in (int, float):
            return
        if self.option.bounds is not None and value not in self.option.bounds:
            raise UsageError(f"{self.flag} {value:g}: expected {self.option.bounds}")
        if not abs(value) <= _HIGHEST:
            raise UsageError(f"{self.flag} {value:g}: expected a number up to {_HIGHEST:g}")


REQUIRED = object()


def name_of(given: str | os.PathLike[str]) -> str:
    """Write a path as it was given.

    Raises
    ------
    UsageError
        If it is empty: `Path` would make the working folder of it.
    """
    if not os.fspath(given):
        raise UsageError("a path is empty; name a file or folder (is a variable unset?)")
    return os.fspath(given)


def flag_of(name: str) -> str:
    """Name an option on the command line."""
    return f"--{name.replace('_', '-')}"


def option(default: Any, words: Option | str, metavar: str = "", **known: Any) -> Any:
    """Make a dataclass field that is an option, by its words and, where it is no `Option` yet, what else is known."""
    return dataclasses.field(
        default=default, metadata={_KEY: words if isinstance(words, Option) else Option(words, metavar, **known)}
    )


def keywords_of(config: type) -> Mapping[str, Keyword]:
    """Return the options among a config's fields, by name and in their order."""
    kinds = typing.get_type_hints(config)
    return {
        field.name: Keyword(field.name, _without_none(kinds[field.name]), field.default, field.metadata[_KEY])
        for field in dataclasses.fields(config)
        if _KEY in field.metadata
    }


def check_fields(config: Any) -> None:
    """Refuse a config one of whose fields is none of its choices, or out of its bounds.

    Raises
    ------
    UsageError
        Naming the option, the value and what is expected.
    """
    for name, keyword in keywords_of(type(config)).items():
        keyword.check(getattr(config, name))


def _without_none(kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        return functools.reduce(operator.or_, (each for each in typing.get_args(kind) if each is not type(None)))
    return kind
