"""Arguments and options of verbs: `parameters` makes what a verb shares with its function in Python.

What every verb has, such as -q, is in `verbs`.
"""

import inspect
import types
import typing
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.balance.strategies import STRATEGIES
from sertools.cli.completion import conditions, counts, shares
from sertools.errors import UsageError
from sertools.fields import REQUIRED, Keyword
from sertools.keywords import described
from sertools.spelling import spelled

_CHOICES = {"strategy": STRATEGIES}
_OFFERS = {"count": counts, "keep": shares, "where": conditions}


def parameters(known: Iterable[Keyword]) -> list[inspect.Parameter]:
    """Make options of keywords; their values are checked by whoever is called with them."""
    return [
        inspect.Parameter(
            keyword.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[_kind(keyword), _option(keyword)],
            default=inspect.Parameter.empty if keyword.default is REQUIRED else keyword.default,
        )
        for keyword in known
    ]


def _kind(keyword: Keyword) -> Any:
    """The type of an option: of several, the first; what has parts is given part by part."""
    kind = keyword.kind
    if isinstance(kind, types.UnionType):
        kind = typing.get_args(kind)[0]
    elif typing.get_args(kind):
        kind = list[Path] if Path in typing.get_args(kind) else list[str]
    return kind | None if keyword.default is None else kind


def _option(keyword: Keyword) -> Any:
    option = keyword.option
    # One that a preset may switch on can be switched off.
    off = f"/--no-{keyword.flag[2:]}" if keyword.kind is bool and keyword.default is None else ""
    return typer.Option(
        *filter(None, (option.also, keyword.flag + off)),
        metavar=option.metavar or "|".join(option.choices or _CHOICES.get(keyword.name, ())) or None,
        help=described(keyword),
        parser=_fraction if option.fraction else None,
        autocompletion=_OFFERS.get(keyword.name),
        show_default=keyword.default is not REQUIRED,
    )


def _fraction(text: str) -> float:
    """Read a number, or a fraction."""
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a number, such as 0.125 or 1/8") from None


def argument(metavar: str, what: str) -> Any:
    """Make an argument of a verb."""
    return typer.Argument(metavar=metavar, help=what, show_default=False)


Stores = Annotated[list[Path], argument("TRAIN.h5", "Training stores.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as into a pipe.")]


def output(metavar: str, what: str) -> Any:
    """Make the -o option of a verb."""
    return typer.Option("-o", "--output", metavar=metavar, help=f"{what} Written when complete.", show_default=False)


def read_relabel(texts: Iterable[str] | None) -> dict[str, str]:
    """Read the values of --relabel."""
    pairs: dict[str, str] = {}
    for text in texts or ():
        old, equals, new = text.partition("=")
        if not (equals and old and new):
            raise UsageError(f"--relabel {text!r}: expected OLD=NEW, such as calm=neutral")
        if pairs.setdefault(old, new) != new:
            raise UsageError(f"--relabel {old}={new}: {old!r} is also to be {pairs[old]!r}; leave one out")
    return pairs


def read_tags(texts: Iterable[str] | None) -> dict[str, str]:
    """Read the values of --tag."""
    tags: dict[str, str] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        key, value = spelled(key), spelled(value)
        if not (key and equals and value):
            raise UsageError(f"--tag {text!r}: expected KEY=VALUE, such as method=GAN")
        if key in tags:
            raise UsageError(f"--tag {text!r}: {key} is {tags[key]!r} before; leave one out")
        tags[key] = value
    return tags
