"""``sertools evaluate``: classifier and stores → result."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from sertools.cli.options import Device, Tags, read_tags, verb
from sertools.cli.progress import voice
from sertools.config import VOTES, check_vote


@verb
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
        bool, typer.Option("--allow-seen", help="Test on utterances that were trained on; stamps the result.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Test a classifier on utterances it has never seen.

    Every prediction is kept, so that no table needs a second run.

    \b
    Example:
      sertools evaluate clf.safetensors test.h5 --tag method=GAN -o result.json
    """
    from sertools.provenance import atomic_output, refuse_clobber
    from sertools.scoring.evaluation import evaluate as run
    from sertools.scoring.result_file import write_result
    from sertools.training.batches import open_rows
    from sertools.training.runtime import pick_device

    check_vote(vote)
    tags = read_tags(tag)
    if out != "-":
        read = [classifier, *open_rows(stores).files, *(open_rows([val]).files if val else ())]
        refuse_clobber(Path(out), read)
    result = run(
        classifier, stores, rule=vote, tags=tags, val_path=val, allow_seen=allow_seen, device=pick_device(device)
    )
    text = io.StringIO()
    write_result(result, text)
    if out == "-":
        sys.stdout.write(text.getvalue())
    else:
        with atomic_output(Path(out)) as part:
            part.write_text(text.getvalue(), encoding="utf-8")
    metrics = result.metrics
    recalls = ", ".join(f"{name} {_percent(value)}" for name, value in metrics["recall"].items())
    voice.say(f"UAR {_percent(metrics['uar'])} on {metrics['n_utterances']} utterances ({recalls})")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
