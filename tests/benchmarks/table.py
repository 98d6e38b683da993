"""Run the benchmarks and write their table: ratios in pairs against a named rival, each beside its goal.

    python tests/benchmarks/table.py docs/performance.md [SCRIPT…]

With names of scripts, only those run, and the other lines of the table stay.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import torch
from pairs import python

HERE = Path(__file__).parent
SCRIPTS = ("extraction", "inversion", "store_reading", "training_steps", "generation")
START, END = "<!-- table -->", "<!-- end -->"
HEAD = "| what | rival | ratio | range of pairs | goal | size |\n|---|---|---|---|---|---|"


def measure(script: str) -> list[dict[str, Any]]:
    figures = []
    with subprocess.Popen(python(str(HERE / f"{script}.py")), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            figures.append(json.loads(line))
    if process.returncode:
        sys.exit(f"{script} failed")
    return figures


def row(figure: dict[str, Any]) -> str:
    ratio, goal, sign = figure["ratio"], figure["goal"], "≥" if figure["unit"] == "speed" else "≤"
    short = "**short** " if (ratio < goal if sign == "≥" else ratio > goal) else ""
    return (
        f"| {figure['what']} | {figure['rival']} | {short}{ratio:.2f}× the {figure['unit']} "
        f"| {figure['low']:.2f} to {figure['high']:.2f} | {sign} {goal:g} | {figure['size']} |"
    )


def main(page: Path, scripts: list[str]) -> None:
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    old, _, after = rest.partition(END)
    sections = {part.split("\n", 1)[0]: part for part in old.split("### ")[1:]}
    surroundings = f"torch {torch.__version__}, numpy {numpy.__version__}, {platform.machine()}, {platform.system()}"
    for script in scripts or SCRIPTS:
        rows = "\n".join(row(figure) for figure in measure(script))
        sections[script] = f"{script}\n\n{surroundings}, {torch.get_num_threads()} threads.\n\n{HEAD}\n{rows}\n\n"
    table = "".join(f"### {sections[script]}" for script in SCRIPTS if script in sections)
    page.write_text(f"{before}{START}\n\n{table}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
