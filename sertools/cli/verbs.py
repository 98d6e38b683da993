"""How every verb behaves: -q, -v, --debug, errors as one line on stderr and an exit code, remarks as a line each."""

import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from sertools.cli.completion import choices
from sertools.cli.options import parameters
from sertools.cli.progress import voice
from sertools.cli.signals import signals_unwind
from sertools.errors import Followed, SertoolsError, SertoolsWarning, lost_connection, out_of_memory
from sertools.keywords import flags
from sertools.processes import Processes, check_alone, processes
from sertools.rehearsal import rehearsal

Verb = Callable[..., None]
_DRY_RUN = (
    "dry_run",
    Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be done; write nothing.")],
)
_SHARED = (
    ("quiet", Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no remarks.")]),
    ("verbose", Annotated[bool, typer.Option("-v", "--verbose", help="More detail.")]),
    ("debug", Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", hidden=True)]),
)


def verb(*, dry_run: bool = False, distributed: bool = False) -> Callable[[Verb], Verb]:
    """Give a verb the shared options and manners; one that has its own -v keeps it.

    Parameters
    ----------
    dry_run
        Give it --dry-run: it calls `rehearsal.begin` where it begins to work.
    distributed
        Let several processes run it together, for it calls `training.distributed.join`; any other verb refuses them.
    """
    return lambda function: _mannered(function, dry_run, distributed)


def _mannered(function: Verb, dry_run: bool, distributed: bool) -> Verb:
    name = function.__name__.rstrip("_").replace("_", "-")

    def run(**options: Any) -> None:
        quiet, verbose, debug = (options.pop(name, False) for name, _ in _SHARED)
        voice.quiet, voice.verbose, voice.stopped = quiet, verbose, None
        here = Processes()
        try:
            here = processes()
            voice.quiet = quiet or not here.leads
            dry = options.pop("dry_run", False)
            if dry or not distributed:
                check_alone()
            with signals_unwind(), _remarks(name, debug):
                if dry:
                    print(rehearsal(lambda: function(**options)))
                else:
                    function(**options)
                sys.stdout.flush()
        except Followed:
            raise typer.Exit(0) from None
        except SertoolsError as error:
            if debug:
                traceback.print_exc()
            else:
                print(f"sertools {name}{here.name}: {voice.safe(str(error))}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            # The reader of a pipe (`| head`) has seen enough.
            _give_up_stdout()
            raise typer.Exit(0) from None
        except (OSError, MemoryError, RuntimeError) as error:
            # Click's own errors, and bugs.
            if isinstance(error, RuntimeError) and not (out_of_memory(error) or lost_connection(error)):
                raise
            if debug:
                traceback.print_exc()
            # The first process, or the one that knows why, reports that others are gone.
            if here.leads or not lost_connection(error):
                print(f"sertools {name}{here.name}: {_plainly(error)}", file=sys.stderr)
            _give_up_stdout()
            raise typer.Exit(1) from None

    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    if len(own) < len(signature.parameters):
        # Its **options are those of its function in Python; what stands behind a * comes after them.
        first = [each for each in own if each.kind is not inspect.Parameter.KEYWORD_ONLY]
        own = [*first, *parameters(flags(name).values()), *own[len(first) :]]
    _offer_choices(own)
    own_v = any(each.name == "invert" for each in own)  # grep's -v
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=False)
        for name, annotation in (*([_DRY_RUN] if dry_run else []), *_SHARED)
        if not (name == "verbose" and own_v)
    ]
    # What typer reads: the function's own parameters and the shared ones.
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
    run.__dict__["__signature__"] = signature.replace(parameters=[*own, *added])
    return run


def _offer_choices(parameters: Iterable[inspect.Parameter]) -> None:
    """Let a shell complete options whose help names their values, as in ``a|b``."""
    for parameter in parameters:
        for option in getattr(parameter.annotation, "__metadata__", ()):
            if option.autocompletion is None and "|" in (option.metavar or ""):
                option.autocompletion = choices(option.metavar.split("|"))


def _plainly(error: OSError | MemoryError | RuntimeError) -> str:
    if lost_connection(error):
        return "another process of this training has ended; the state that was saved last is kept"
    if not isinstance(error, OSError):
        where = (str(error).splitlines() or [""])[0]
        helps = "a lower --batch-size or --width, fewer --jobs, or --device cpu helps, where the verb has them"
        return f"not enough memory ({where}); {helps}"
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)


def _give_up_stdout() -> None:
    """Let what stdout has not taken go nowhere, so that it is not tried, and complained of, again at the exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _remarks(name: str, debug: bool) -> Iterator[None]:
    """Show our warnings as one line each; others' only with --debug."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, SertoolsWarning) and not voice.quiet:
            print(f"sertools {name}: warning: {voice.safe(str(message))}", file=sys.stderr)

    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", SertoolsWarning)
            warnings.showwarning = show
        yield
