"""Options that several verbs share; what every verb has, such as -q, is in `verbs`.

Index: ``output`` -o · ``Seed`` --seed · ``Device`` --device · ``Jobs`` --jobs · ``Stores`` TRAIN.h5… ·
``Missing`` --missing · ``Synonyms`` --synonyms · ``Tags`` --tag. `parameters` makes what a verb shares with its
function in Python from `sertools.keywords`.
"""

import inspect
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.completion import counts
from sertools.errors import UsageError
from sertools.fields import REQUIRED, Keyword
from sertools.keywords import DEVICE, JOBS, MISSING_WORDS, SEED, SYNONYMS, described
from sertools.spelling import spelled

_OFFERS = {"count": counts}


def parameters(known: Iterable[Keyword]) -> list[inspect.Parameter]:
    """Make options of keywords; their values are checked by whoever is called with them."""
    return [
        inspect.Parameter(
            keyword.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[_kind(keyword), option_of(keyword)],
            default=inspect.Parameter.empty if keyword.default is REQUIRED else keyword.default,
        )
        for keyword in known
    ]


def _kind(keyword: Keyword) -> Any:
    kind = list[str] if keyword.kind == Mapping[str, int] else keyword.kind
    return kind | None if keyword.default is None else kind


def option_of(keyword: Keyword, *short: str) -> Any:
    """Make a keyword's option, also under a short flag."""
    option = keyword.option
    # One that a preset may switch on can be switched off.
    off = f"/--no-{keyword.flag[2:]}" if keyword.kind is bool and keyword.default is None else ""
    return typer.Option(
        *short,
        keyword.flag + off,
        metavar=option.metavar or "|".join(option.choices) or None,
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


Stores = Annotated[list[Path], typer.Argument(metavar="TRAIN.h5", help="Training stores.", show_default=False)]
Seed = Annotated[int, option_of(SEED)]
Device = Annotated[str, option_of(DEVICE)]
Jobs = Annotated[int, option_of(JOBS, "-j")]
Missing = Annotated[str | None, option_of(MISSING_WORDS)]
Synonyms = Annotated[str, option_of(SYNONYMS)]


def output(metavar: str, what: str) -> Any:
    """Make the -o option of a verb."""
    return typer.Option("-o", "--output", metavar=metavar, help=f"{what} Written when complete.", show_default=False)


Tags = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Place in the table: method, fold, reduced, seed. Repeatable."),
]


def read_tags(texts: list[str] | None) -> dict[str, str]:
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
