"""Small lines by `sertools batch`, and by a shell below `batch --around`, against the same lines by a shell alone."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from functools import partial
from pathlib import Path

from extraction import make_corpus
from pairs import compare, python, wall_seconds

N_CELLS, N_ROWS, SR = 4, 40, 16_000
TOOL = python("-m", "sertools")
# What no line can do without: one start of Python, and of what trainings import.
START = python("-c", "import sertools.cli, sertools.training.classifier")
GOAL = 0.3


def cell(number: int) -> list[str]:
    """Lines of a cell: a reduced store, its classifier, the result."""
    return [
        f"select train.h5 --keep sad=0.5 --seed {number} -o {number}.h5 -q",
        f"train-clf {number}.h5 -o {number}.clf --preset smoke --steps 10 -q",
        f"evaluate {number}.clf test.h5 -o {number}.json -q",
    ]


def main(pairs: int) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        make_corpus(Path("corpus"), N_ROWS, SR, 1.0)
        wall_seconds([*TOOL, *shlex.split("extract corpus -o all.h5 --seconds 1 --mels 64 --frames 64 -q")])
        for name, words in (("train", "-v"), ("test", "")):
            wall_seconds([*TOOL, *f"select all.h5 --fold 1/2 --by utterance {words} -o {name}.h5 -q".split()])
        lines = [line for number in range(N_CELLS) for line in cell(number)]
        Path("lines.txt").write_text("\n".join(lines), encoding="utf-8")
        Path("lines.sh").write_text("\n".join(f"{shlex.join(TOOL)} {line}" for line in lines), encoding="utf-8")
        shell = ["sh", "-e", "lines.sh"]
        for what, ours in (
            ("`sertools batch`", [*TOOL, "batch", "lines.txt"]),
            ("a shell below `batch --around`", [*TOOL, "batch", "--around", "--", *shell]),
        ):
            compare(
                partial(wall_seconds, ours), partial(wall_seconds, shell), pairs=pairs, what=what,
                against="the same lines by `sh`", unit="time", goal=GOAL,
                size=f"{len(lines)} lines: select, train-clf of 10 steps, evaluate",
                floor="one start and its imports", bound=partial(wall_seconds, START),
            ).say()  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
