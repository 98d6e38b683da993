"""``python3 -m sertools.experiment``: rules of the experiment, printed or written for make; its settings, seeds."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sertools.errors import SertoolsError, one_of, printable
from sertools.experiment.choosing import best_classifier
from sertools.experiment.closing import closing
from sertools.experiment.fragment import fragment, write
from sertools.experiment.guide import guide
from sertools.experiment.mine import GOALS, own_settings, unlisted
from sertools.experiment.preview import preview
from sertools.experiment.seeds import PURPOSES, derived_seed
from sertools.experiment.settings import are_parts, resolve
from sertools.experiment.speakers import folds_of_speakers
from sertools.experiment.steps import shell_lines


def main(words: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python3 -m sertools.experiment",
        description="Prints the experiment's rules for make. Settings that are not given come from the environment.",
    )
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE|GOAL", help="settings, and goals of make")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write the rules into OUT, and print where they are")
    what.add_argument("--steps", action="store_true", help="print the commands of one cell of one method instead")
    what.add_argument(
        "--seed",
        nargs=4,
        metavar=("BASE", "FOLD", "CLASS", "PURPOSE"),
        help=f"print the seed of a purpose in one cell instead ({', '.join(PURPOSES)}); FOLD and CLASS may be empty",
    )
    what.add_argument("--settings", action="store_true", help="print every setting with its value instead")
    what.add_argument(
        "--speakers", action="store_true", help="write a fold for each speaker of what info --json says"
    )
    what.add_argument(
        "--best", nargs="+", metavar="RESULT", help="print the classifier of the best of several results instead"
    )
    what.add_argument("--plan", action="store_true", help="check an own corpus, and say what make mine will do")
    what.add_argument("--answer", action="store_true", help="say what make mine found, and what to type for it")
    asked = parser.parse_args(words)
    given = {**os.environ, **dict(word.split("=", 1) for word in asked.words if "=" in word)}
    goals = [word for word in asked.words if "=" not in word]
    try:
        text = _said(asked, given, goals)
    except SertoolsError as error:
        print(f"{parser.prog}: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    sys.stdout.buffer.write(os.fsencode(text))
    return 0


def _said(asked: argparse.Namespace, given: Mapping[str, str], goals: Sequence[str]) -> str:
    if asked.settings:
        return guide(given)
    if asked.seed:
        one_of("PURPOSE", asked.seed[-1], PURPOSES)
        return f"{derived_seed(*asked.seed)}\n"
    if asked.steps:
        return shell_lines(given)
    if asked.best:
        return best_classifier(asked.best)
    if asked.speakers:
        return folds_of_speakers(sys.stdin.read())
    if asked.plan:
        return preview(own_settings(given), jobs=_jobs(given))
    if asked.answer:
        return closing(own_settings(given), f"{given.get('VENV') or '.venv'}/bin/sertools")
    rules = fragment(given, goals)
    settings = unlisted(given).settings if {*GOALS} & {*goals} else resolve(given)
    return f"{write(rules, Path(settings['OUT']))}\n" if asked.write else rules


def _jobs(given: Mapping[str, str]) -> int:
    own = given.get("JOBS", "")
    return int(own) if are_parts(own) else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
