"""One function per verb: the same reach as the command line, which calls these and nothing else.

Paths may be strings or `os.PathLike`; outputs are written when complete; the same arguments give the same bytes.
Errors are `SertoolsError` and name the file, the bad value and the remedy; remarks are `SertoolsWarning`.
"""

from collections.abc import Callable
from typing import ParamSpec

from sertools.api.recordings import corpus, embed, extract
from sertools.api.scores import evaluate, predict, score
from sertools.api.showing import export, info, plot, report
from sertools.api.stores import augment, merge, select, to_wav
from sertools.api.synthesis import borrow, fit_latents, generate
from sertools.api.training import finetune_gan, pretrain_ae, train_clf, train_generator
from sertools.errors import UsageError
from sertools.rehearsal import Plan, rehearsal

__all__ = [
    "LONG_STEPS",
    "augment",
    "borrow",
    "corpus",
    "embed",
    "evaluate",
    "export",
    "extract",
    "finetune_gan",
    "fit_latents",
    "generate",
    "info",
    "merge",
    "plot",
    "predict",
    "pretrain_ae",
    "rehearse",
    "report",
    "score",
    "select",
    "to_wav",
    "train_clf",
    "train_generator",
]

Arguments = ParamSpec("Arguments")
# Those that say what they would do before they begin.
LONG_STEPS: tuple[Callable[..., object], ...] = (
    extract,
    embed,
    pretrain_ae,
    finetune_gan,
    train_generator,
    generate,
    augment,
    train_clf,
    predict,
)


def rehearse(step: Callable[Arguments, object], *args: Arguments.args, **options: Arguments.kwargs) -> Plan:
    """Say what a long step would do; nothing is written.

    Inputs and options are checked as the step itself checks them before it begins.

    Parameters
    ----------
    step : callable
        `extract`, `embed`, `pretrain_ae`, `finetune_gan`, `train_generator`, `generate`, `augment`, `train_clf` or
        `predict`.
    *args, **options
        Its arguments.

    Returns
    -------
    Plan
        Inputs, rows, output, time and memory; printed, it is a few lines.

    Raises
    ------
    SertoolsError
        Whatever the step would raise before it begins.
    """
    name = getattr(step, "__name__", str(step))
    if step not in LONG_STEPS:
        known = ", ".join(each.__name__ for each in LONG_STEPS)
        raise UsageError(f"{name}: is not a long step; rehearse one of {known}, or run it")
    plan = rehearsal(lambda: step(*args, **options))
    if plan is None:
        raise UsageError(f"{name}: has nothing to rehearse here")
    return plan
