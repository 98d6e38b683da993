"""``sertools evaluate``: classifier and stores → result."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.options import argument, read_tags
from sertools.cli.progress import voice
from sertools.cli.verbs import verb


@verb()
def evaluate(
    classifier: Annotated[Path, argument("CLF", "From train-clf.")],
    stores: Annotated[list[Path], argument("TEST.h5", "Test stores.")],
    out: Annotated[str, typer.Option("-o", "--output", metavar="R.json", help="The result; - is stdout.")] = "-",
    **options: Any,
) -> None:
    """Test a classifier, or several together, on utterances they have never seen.

    Every prediction is kept, so that no table needs a second run.

    \b
    Example:
      sertools evaluate clf.safetensors test.h5 --tag method=GAN -o result.json
    """
    from sertools import api

    options["tags"] = read_tags(options["tags"])
    result = api.evaluate(classifier, stores, None if out == "-" else out, **options)
    if out == "-":
        from sertools.scoring.results.result_file import write_result

        write_result(result, sys.stdout)
    metrics = result.metrics
    recalls = ", ".join(f"{name} {_percent(value)}" for name, value in metrics["recall"].items())
    voice.say(f"UAR {_percent(metrics['uar'])} on {metrics['n_utterances']} utterances ({recalls})")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
