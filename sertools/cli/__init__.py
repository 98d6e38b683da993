"""The command line: one thin file per verb, options and one call into the library."""

import os
from typing import Annotated

import typer

from sertools.cli.augment import augment
from sertools.cli.batch import batch
from sertools.cli.borrow import borrow
from sertools.cli.command import Command
from sertools.cli.corpus import corpus
from sertools.cli.embed import embed
from sertools.cli.evaluate import evaluate
from sertools.cli.export import export
from sertools.cli.extract import extract
from sertools.cli.finetune_gan import finetune_gan
from sertools.cli.fit_latents import fit_latents
from sertools.cli.generate import generate
from sertools.cli.info import info
from sertools.cli.merge import merge
from sertools.cli.plot import plot
from sertools.cli.predict import predict
from sertools.cli.pretrain_ae import pretrain_ae
from sertools.cli.report import report
from sertools.cli.score import score
from sertools.cli.select import select
from sertools.cli.streams import let_all_text_pass
from sertools.cli.to_wav import to_wav
from sertools.cli.train_clf import train_clf
from sertools.cli.train_generator import train_generator
from sertools.version import __version__

# In the order of the flow, which is the order of `sertools --help`.
VERBS = (
    corpus,
    extract,
    embed,
    select,
    merge,
    pretrain_ae,
    fit_latents,
    finetune_gan,
    train_generator,
    generate,
    borrow,
    score,
    augment,
    train_clf,
    evaluate,
    predict,
    report,
    plot,
    to_wav,
    export,
    info,
    batch,
)

app = typer.Typer(
    name="sertools",
    no_args_is_help=True,
    # Plain help starts in half the time, and reads the same in a log.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for each in VERBS:
    app.command(each.__name__.replace("_", "-"), cls=Command)(each)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"sertools {__version__}")
        raise typer.Exit


@app.callback()
def sertools(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Small Unix-style tools against class imbalance in speech emotion recognition.

    \b
    Example:
      sertools corpus ravdess RAVDESS/ | sertools extract - -o specs.h5
      sertools info specs.h5
    """


def main() -> None:
    """Run the command line."""
    # Set before HDF5 reads it, which obeys it, not h5py's arguments. Files are replaced whole, never written in
    # place: HDF5's locks protect nothing here, and fail on file systems that have none.
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    let_all_text_pass()
    app()
