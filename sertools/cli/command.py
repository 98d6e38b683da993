"""What no command line may hold: empty values, of variables that nobody set, and options of earlier versions."""

import sys
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand

_EMPTY = "is empty; give a value, or leave it out (is a variable unset?)"
_NO_HELP = "it did not help (docs/generator.md); leave it out"
_NO_CHOICE = "no critic chose better rows (docs/pictures.md); leave it out"
# Verb → removed option → why, and what to do instead.
REMOVED_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "pretrain-ae": {"--class-loss": "it did harm (docs/generator.md); leave it out"},
    "finetune-gan": {
        **{"--diffaug": _NO_HELP, "--real-sampling": _NO_HELP, "--cond-ramp": _NO_HELP},
        "--betas": "it is two options now; give --beta1 and --beta2",
    },
    "generate": {"--critic": _NO_CHOICE, "--best-of": _NO_CHOICE},
    "train-clf": {"--init": "it did not help (docs/pictures.md); give all stores to one training"},
}


class Command(TyperCommand):
    """A command that refuses empty values, and names removed options as such, where others are only unknown."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        if not ctx.resilient_parsing:
            self._refuse_empty(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # typer has no public class for the error of an unknown option.
            option = getattr(error, "option_name", "")
            why = REMOVED_OPTIONS.get(self.name or "", {}).get(option)
            if why is None:
                raise
            self._refuse(option, f"was removed: {why}")

    def _refuse_empty(self, args: list[str]) -> None:
        """Refuse an empty option or argument, in whatever words, before it comes to mean all, or here."""
        valued = {name for each in self.params if not getattr(each, "is_flag", False) for name in each.opts}
        for before, word in pairwise(["", *args]):
            option, equals, value = word.partition("=")
            if equals and not value and option in valued:
                self._refuse(option, _EMPTY)
            if not word:
                self._refuse(before if before in valued else "an argument", _EMPTY)

    def _refuse(self, what: str, why: str) -> NoReturn:
        print(f"sertools {self.name}: {what}: {why}", file=sys.stderr)
        raise typer.Exit(2) from None
