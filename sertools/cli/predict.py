"""``sertools predict``: classifier and recordings → labels."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from sertools.cli.options import argument
from sertools.cli.progress import Reading, showing, voice
from sertools.cli.sources import standard_input
from sertools.cli.verbs import verb
from sertools.errors import one_of

if TYPE_CHECKING:
    from sertools.scoring.results.predicting import Predicted

_FORMATS = ("csv", "ndjson")


@verb(dry_run=True)
def predict(
    classifier: Annotated[Path, argument("CLF", "From train-clf.")],
    sources: Annotated[
        list[str],
        argument("SRC", "Audio files, folders, a CSV of files and spans, - for either on stdin, or stores."),
    ],
    out: Annotated[str, typer.Option("-o", "--output", metavar="LABELS", help="The labels; - is stdout.")] = "-",
    form: Annotated[
        str, typer.Option("--format", metavar="|".join(_FORMATS), help="A line a recording, in either.")
    ] = "csv",
    **options: Any,
) -> None:
    """Label new recordings, with a posterior for every class.

    Rows are made as the classifier's own were; no label is looked at. With --val the
    posteriors are calibrated, and what is predicted weighs all classes alike. On stdout
    each line comes as soon as its recording is read.

    \b
    Example:
      sertools predict clf.safetensors wavs/ -o labels.csv
      sertools corpus ravdess RAVDESS/ | sertools predict clf.safetensors - --format ndjson
    """
    from sertools import api
    from sertools.scoring.results.label_file import write_predictions

    one_of("--format", form, _FORMATS)
    found = api.predict(classifier, sources, stdin=standard_input(), **options)
    if found.calibration:
        voice.say(f"{options['val']}: {found.calibration}")

    def place(numbered: tuple[int, "Predicted"]) -> Reading:
        return numbered[0], len(found), ""

    # On a terminal the lines themselves show how far it is.
    show = iter if out == "-" and sys.stdout.isatty() else showing("predict", place)
    with _opened(out, found.files) as stream:
        count = write_predictions(found, (one for _, one in show(enumerate(found, 1))), stream, form)
    skipped = f", {len(found) - count} skipped" if count < len(found) else ""
    voice.say(f"{'' if out == '-' else f'{out}: '}{count} recordings{skipped}")


@contextmanager
def _opened(out: str, read: list[Path]) -> Iterator[TextIO]:
    """Open the output: a file that is put in place when it is complete, or stdout."""
    from sertools.api.running import path_of, writing
    from sertools.provenance import atomic_output, refuse_clobber

    if out == "-":
        yield sys.stdout
        return
    path = path_of(out)
    with writing(path):
        refuse_clobber(path, read)
        with (
            atomic_output(path) as part,
            part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
        ):
            yield stream
