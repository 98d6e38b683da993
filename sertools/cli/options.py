"""Options that several verbs share, and how every verb behaves.

Index: ``output`` -o · ``Seed`` --seed · ``Device`` --device · ``PresetName`` --preset · ``Width`` --width ·
``SaveEvery`` --save-every · ``Stores`` TRAIN.h5… · ``Val`` --val. Every verb has -q, -v and --debug by the `verb`
decorator, which also turns errors into one line on stderr and an exit code; those of `long_verb` have --dry-run too.
"""

import inspect
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.claim import clear_claims
from sertools.cli.completion import choices
from sertools.cli.progress import voice
from sertools.config import PRECISIONS
from sertools.errors import Followed, SertoolsError, SertoolsWarning, UsageError, lost_connection, out_of_memory
from sertools.presets import PRESETS
from sertools.processes import Processes, processes
from sertools.rehearsal import rehearsal


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
    if isinstance(value, (bool, tuple)):
        return ("on" if value else "off") if isinstance(value, bool) else ",".join(value) or "none"
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and say what would be done; write nothing.")
]
_SHARED = (
    ("quiet", Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no remarks.")]),
    ("verbose", Annotated[bool, typer.Option("-v", "--verbose", help="More detail.")]),
    ("debug", Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", hidden=True)]),
)


def long_verb(function: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the manners of `verb`, and --dry-run."""
    return verb(function, ("dry_run", DryRun))


def verb(function: Callable[..., None], *more: tuple[str, Any]) -> Callable[..., None]:
    """Give a verb the shared options, `more` of them, and manners; a verb that has its own -v keeps it."""

    def run(**options: Any) -> None:
        quiet, verbose, debug = (options.pop(name, False) for name, _ in _SHARED)
        voice.quiet, voice.verbose, voice.stopped = quiet, verbose, None
        name, here = function.__name__.rstrip("_").replace("_", "-"), Processes()
        try:
            here = processes()
            voice.quiet = quiet or not here.leads
            dry = options.pop("dry_run", False)
            if here.size > 1 and (dry or not trains):
                raise UsageError("runs in one process; start it without torchrun, or unset RANK and WORLD_SIZE")
            with _signals_unwind(), _remarks(name, debug):
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
            # That others are gone is the first process's to tell, or that of the one that knows why.
            if here.leads or not lost_connection(error):
                print(f"sertools {name}{here.name}: {_plainly(error)}", file=sys.stderr)
            _give_up_stdout()
            raise typer.Exit(1) from None

    signature = inspect.signature(function)
    _offer_choices(signature)
    taken = {p.name for p in signature.parameters.values()}
    trains, own_v = "save_every" in taken, "invert" in taken  # grep's -v
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=False)
        for name, annotation in (*more, *_SHARED)
        if not (name == "verbose" and own_v)
    ]
    # What typer reads: the function's own parameters and the shared ones.
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__annotations__ = {**function.__annotations__, **{p.name: p.annotation for p in added}}
    run.__dict__["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), *added])
    return run


def _offer_choices(signature: inspect.Signature) -> None:
    """Let a shell complete options whose help names their values, as in ``a|b``."""
    for parameter in signature.parameters.values():
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
def _signals_unwind() -> Iterator[None]:
    """Let signals that end a process unwind the stack, so that temporary files go; then exit as a shell expects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received = 0

    def unwind(number: int, _frame: object) -> None:
        nonlocal received
        received = number
        raise SystemExit(128 + number)

    def note(lost: Any) -> None:
        # An exception in a finalizer is dropped; `drain` raises it again.
        if isinstance(lost.exc_value, SystemExit):
            voice.stopped = lost.exc_value
        else:
            hook(lost)

    hook, sys.unraisablehook = sys.unraisablehook, note
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        # What is ignored stays so: under nohup, or in the background of a script.
        if handler is not signal.SIG_IGN:
            signal.signal(number, unwind)
    try:
        yield
    except Exception:
        if received:
            # Compiled code that the signal found makes an error of its own out of the exit.
            raise SystemExit(128 + received) from None
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            clear_claims()


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
