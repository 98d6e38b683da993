"""Options that several verbs share; what every verb has, such as -q, is in `verbs`.

Index: ``output`` -o · ``Seed`` --seed · ``Device`` --device · ``Precision`` --precision · ``PresetName`` --preset ·
``Width`` --width · ``SaveEvery`` --save-every · ``Stores`` TRAIN.h5… · ``Val`` --val · ``Tags`` --tag.
"""

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.completion import choices
from sertools.config import PRECISIONS
from sertools.errors import UsageError
from sertools.presets import PRESETS


def parse_width(text: str) -> float:
    """Read a width, as a number or a fraction."""
    try:
        width = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        width = 0.0
    if not 0.0 < width <= 4.0:
        raise typer.BadParameter(f"{text!r} is not a width above 0 and up to 4, such as 1/8")
    return width


Stores = Annotated[list[Path], typer.Argument(metavar="TRAIN.h5", help="Training stores.", show_default=False)]
Val = Annotated[
    Path | None,
    typer.Option("--val", metavar="S.h5", help="Store to choose the best weights on; without it the last are kept."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Fixes everything that is drawn.")]
Device = Annotated[
    str, typer.Option("--device", help="auto, cpu or cuda.", autocompletion=choices(("auto", "cpu", "cuda")))
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="|".join(PRECISIONS),
        help="What nets compute in while they learn; auto is bf16 on a GPU that has it.",
        autocompletion=choices(PRECISIONS),
    ),
]
PresetName = Annotated[
    str,
    typer.Option(
        "--preset",
        help=f"Where all other numbers come from: {', '.join(PRESETS)}.",
        autocompletion=choices(PRESETS),
    ),
]
SaveEvery = Annotated[
    float,
    typer.Option(
        "--save-every", min=0.0, max=10_000.0, metavar="MINUTES", help="How often the state is saved in any case."
    ),
]
Width = Annotated[
    float | None,
    typer.Option("--width", parser=parse_width, metavar="W", help="Scales the filters, such as 1/8; 1 is the paper."),
]


def output(metavar: str, what: str) -> Any:
    """Make the -o option of a verb."""
    return typer.Option("-o", "--output", metavar=metavar, help=f"{what} Written when complete.", show_default=False)


Tags = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Place in the table: method, fold, reduced, seed. Repeatable."),
]


def read_tags(texts: list[str] | None) -> dict[str, str]:
    """Read the values of --tag."""
    tags = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UsageError(f"--tag {text!r}: expected KEY=VALUE, such as method=GAN")
        tags[key] = value
    return tags


def preset_default(stage: str, name: str) -> str:
    """Say in a help text what the presets hold."""
    values = {preset: getattr(getattr(numbers, stage), name) for preset, numbers in PRESETS.items()}
    texts = {preset: _text(value) for preset, value in values.items()}
    # The others' where it is not the paper's.
    bases = {preset: preset.partition("-")[0] for preset in texts}  # improved-cpu is as improved where it is not told
    others = [
        f"{preset}: {text}"
        for preset, text in texts.items()
        if text != (texts["paper"] if preset == bases[preset] else texts[bases[preset]])
    ]
    return f" [{', '.join([texts['paper'], *others])}]"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
