"""Run the benchmarks and write their tables: ratios in pairs against a named rival, each beside its goal.

    python tests/benchmarks/table.py docs/performance.md [SCRIPT…]

With names of scripts, only those run, and the other tables stay. So does all that is written by hand around them; why
a goal is missed is told there, under a heading that is the name of the figure.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import torch
from pairs import python

HERE = Path(__file__).parent
SCRIPTS = (
    "startup",
    "batch",
    "extraction",
    "embedding",
    "inversion",
    "store_reading",
    "training_steps",
    "generation",
    "growth",
    "gpu",
)
START, END = "<!-- table -->", "<!-- end -->"
HEAD = ("figure", "rival", "ratio (range of pairs)", "goal", "floor", "size")


def measure(script: str) -> list[dict[str, Any]]:
    lines = []
    with subprocess.Popen(python(str(HERE / f"{script}.py")), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(json.loads(line))
    if process.returncode:
        sys.exit(f"{script} failed")
    return lines


def table(lines: list[dict[str, Any]], by_hand: str) -> str:
    """Write figures as rows beside their goals, and other lines as they are."""
    figures = "ratio" in lines[0]
    rows = [figure_row(line, by_hand) if figures else [str(value) for value in line.values()] for line in lines]
    head = HEAD if figures else tuple(lines[0])
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])


def figure_row(figure: dict[str, Any], by_hand: str) -> list[str]:
    ratio, unit, goal, what = figure["ratio"], figure["unit"], figure["goal"], figure["what"]
    aim = "–"
    if goal is not None:
        higher = unit in ("speed", "peak")
        aim = f"{'≥' if higher else '≤'} {goal:g}"
        if ratio < goal if higher else ratio > goal:
            told = f"### {what}\n" in by_hand
            aim += f", **short** ([why](#{anchor(what)}))" if told else ", **short**"
    measured = f"{ratio:.2f}× the {unit} ({figure['low']:.2f} to {figure['high']:.2f})"
    return [what, figure["rival"], measured, aim, figure["floor"] or "–", figure["size"]]


def anchor(heading: str) -> str:
    """Return what a link to a heading ends in."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def updated(page: str, script: str, lines: list[dict[str, Any]], surroundings: str) -> str:
    """Put a script's table into a page, in place of its last one."""
    before, _, rest = page.partition(START)
    old, _, after = rest.partition(END)
    sections = {part.split("\n", 1)[0]: part for part in old.split("### ")[1:]}
    sections[script] = f"{script}\n\n{surroundings}\n\n{table(lines, after)}\n"
    tables = "".join(f"### {sections[name]}" for name in SCRIPTS if name in sections)
    return f"{before}{START}\n\n{tables}{END}{after}"


def main(page: Path, scripts: list[str]) -> None:
    surroundings = (
        f"torch {torch.__version__}, numpy {numpy.__version__}, {platform.machine()}, {platform.system()}, "
        f"{torch.get_num_threads()} threads."
    )
    for script in scripts or SCRIPTS:
        # None of the GPU where there is none: the last table stays.
        if lines := measure(script):
            text = updated(page.read_text(encoding="utf-8"), script, lines, surroundings)
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
