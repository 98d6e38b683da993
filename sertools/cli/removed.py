"""Options that earlier versions had: whoever gives one is told what became of it."""

import sys
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand

_NO_HELP = "it did not help (docs/generator.md); leave it out"
_NO_CHOICE = "no critic chose better rows (docs/results.md); leave it out"
# Verb → removed option → why, and what to do instead.
REMOVED_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "pretrain-ae": {"--class-loss": "it did harm (docs/generator.md); leave it out"},
    "finetune-gan": {
        **{"--diffaug": _NO_HELP, "--real-sampling": _NO_HELP, "--cond-ramp": _NO_HELP},
        "--betas": "it is two options now; give --beta1 and --beta2",
    },
    "generate": {"--critic": _NO_CHOICE, "--best-of": _NO_CHOICE},
    "train-clf": {"--init": "it did not help (docs/results.md); give all stores to one training"},
}


class Command(TyperCommand):
    """A command that names removed options as such, where others are only unknown."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # typer has no public class for the error of an unknown option.
            option = getattr(error, "option_name", "")
            why = REMOVED_OPTIONS.get(self.name or "", {}).get(option)
            if why is None:
                raise
            print(f"sertools {self.name}: {option}: was removed: {why}", file=sys.stderr)
            raise typer.Exit(2) from None
