"""``sertools batch``: command lines → what each of them does, without the start of each."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sertools.batch.lines import CommandLine, malformed, read_lines
from sertools.batch.waiting import Files, in_order
from sertools.cli.options import argument
from sertools.cli.progress import voice
from sertools.cli.verbs import verb
from sertools.errors import UsageError, did_you_mean
from sertools.provenance import log_of

if TYPE_CHECKING:
    from socket import socket


@verb()
def batch(
    words: Annotated[
        list[str] | None,
        argument("FILE", "Command lines; - or nothing is stdin. With --around a command."),
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Lines side by side.")] = 1,
    keep_going: Annotated[
        bool, typer.Option("-k", "--keep-going", help="After a failure, still run the lines that do not wait for it.")
    ] = False,
    around: Annotated[
        bool,
        typer.Option("--around", help="Run a command instead; the lines of sertools that it starts share one start."),
    ] = False,
) -> None:
    """Run many command lines for the price of one start.

    A line is what you would type, without pipes and patterns; `> FILE` may end it,
    and # begins a comment. It waits for lines before it whose output it reads. The
    first that fails ends the batch, with its exit code; signals go to the lines
    that run. With -j, what a line prints is held until it ends.

    \b
    Example:
      sertools batch lines.txt -j 2
      sertools batch --around -- sh experiment.sh
    """
    from typer.main import get_command

    from sertools.batch.forks import need_forks
    from sertools.batch.imports import import_for
    from sertools.batch.scheduling import Batch
    from sertools.cli import app

    need_forks()
    if around and (keep_going or jobs > 1):
        raise UsageError("--around: one command is run; -j and -k are for lines")
    if around:
        _around(words or [])
    lines = _read(words or ["-"])
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    waits = in_order(lines, [_files_of(line, commands) for line in lines])
    import_for({line.words[0] for line in lines})
    Batch(lines, waits, _be, voice.detail, jobs=min(jobs, len(lines)), keep_going=keep_going).finish()


def _read(words: Sequence[str]) -> list[CommandLine]:
    name, *more = words
    if more:
        raise UsageError(f"{more[0]}: a batch is one file; for a command give --around")
    if name == "-":
        return read_lines(sys.stdin)
    with open(name, encoding="utf-8", errors="surrogateescape") as text:
        return read_lines(text)


def _files_of(line: CommandLine, commands: Mapping[str, Any]) -> Files:
    """Say which files a line names, by its verb's parameters; refuse a line that the verb does not take."""
    from typer._click.exceptions import UsageError as WrongWords  # typer has no other name for it

    name, *words = line.words
    if name not in commands:
        raise malformed(line.number, f"no verb {name!r}{did_you_mean(name, commands)}")
    if name == "batch":
        raise malformed(line.number, "it is a batch in a batch; put its lines here")
    try:
        given = commands[name].make_context(name, words, help_option_names=[]).params
    except WrongWords as error:
        raise malformed(line.number, error.format_message().rstrip(".")) from None
    except typer.Exit:
        # Of an option that was removed, which has been said.
        raise malformed(line.number, f"{name} does not take it any more") from None
    reads, writes = set(), {line.into}
    for parameter in commands[name].params:
        value = given.get(parameter.name)
        values = value if isinstance(value, (list, tuple)) else [value]
        # What a verb reads, it takes as a path or by its place.
        if parameter.name in ("out", "html"):
            writes |= {*values, *(str(log_of(Path(each))) for each in values if each)}
        elif parameter.type.name == "path" or parameter.param_type_name == "argument":
            reads |= {*values}
    return Files(_real(reads), _real(writes))


def _real(names: set[Any]) -> frozenset[Path]:
    paths = [Path(os.path.realpath(name)) for name in names if name and str(name) != "-"]
    # Nobody waits for /dev/null.
    return frozenset(path for path in paths if not path.is_char_device())


def _be(words: Sequence[str]) -> None:
    """Be the command line of these words."""
    from sertools.cli import main

    sys.argv[1:] = words
    main()


def _around(command: Sequence[str]) -> NoReturn:
    from sertools.batch.around import run_around
    from sertools.batch.imports import import_for
    from sertools.batch.serving import Server
    from sertools.cli import VERBS

    if not command:
        raise UsageError("--around: expected a command, such as sertools batch --around -- sh experiment.sh")

    def serve(listener: "socket", alive: int) -> None:
        server = Server(listener, _be)
        import_for(each.__name__ for each in VERBS if each is not batch)
        server.serve(alive)

    run_around(command, serve)
