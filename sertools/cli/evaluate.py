"""``sertools evaluate``: classifier and stores → result."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Device, Tags, read_tags
from sertools.cli.progress import voice
from sertools.cli.verbs import verb
from sertools.config import VOTES


@verb()
def evaluate(
    classifier: Annotated[Path, typer.Argument(metavar="CLF", help="From train-clf.", show_default=False)],
    stores: Annotated[list[Path], typer.Argument(metavar="TEST.h5", help="Test stores.", show_default=False)],
    out: Annotated[str, typer.Option("-o", "--output", metavar="R.json", help="The result; - is stdout.")] = "-",
    vote: Annotated[
        str, typer.Option(metavar="|".join(VOTES), help="How an utterance's segments are joined.")
    ] = "majority",
    tag: Tags = None,
    val: Annotated[
        Path | None,
        typer.Option(
            metavar="VAL.h5", help="Store to run on as well, so that `report` can choose an operating point on it."
        ),
    ] = None,
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Test on utterances that were trained on; the result is marked.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Test a classifier on utterances it has never seen.

    Every prediction is kept, so that no table needs a second run.

    \b
    Example:
      sertools evaluate clf.safetensors test.h5 --tag method=GAN -o result.json
    """
    from sertools import api

    result = api.evaluate(
        classifier,
        stores,
        None if out == "-" else out,
        vote=vote,
        tags=read_tags(tag),
        val=val,
        allow_seen=allow_seen,
        device=device,
    )
    if out == "-":
        from sertools.scoring.results.result_file import write_result

        write_result(result, sys.stdout)
    metrics = result.metrics
    recalls = ", ".join(f"{name} {_percent(value)}" for name, value in metrics["recall"].items())
    voice.say(f"UAR {_percent(metrics['uar'])} on {metrics['n_utterances']} utterances ({recalls})")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
