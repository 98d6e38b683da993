"""Run all torture tests at full length, and print one table of what they tried and lost.

Usage: python tests/torture/everything.py [--moments 200] [--inputs 100000] [--seed 0] [--jobs 2]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(script: str, *options: object) -> tuple[bool, str]:
    """Run one script, pass on what it prints, and make a row of the table of its figures."""
    path = HERE.parent / script
    command = " ".join(map(str, (path.relative_to(HERE.parents[1]), *options)))
    print(f"\n$ {command}", flush=True)
    begun = time.monotonic()
    with subprocess.Popen(
        [sys.executable, path, *map(str, options)], stdout=subprocess.PIPE, text=True, errors="replace"
    ) as child:
        assert child.stdout is not None
        lines = []
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    kind = f"{path.stem}: "
    heads = [at for at, line in enumerate(lines) if line.startswith(kind)]
    # What was lost is the last of a headline.
    tried, _, lost = lines[heads[-1]].removeprefix(kind).rpartition(", ") if heads else ("no figures", "", "all")
    details = ", ".join(line.strip() for line in lines[heads[-1] + 1 :]) if heads else ""
    minutes = (time.monotonic() - begun) / 60
    return child.returncode == 0, f"| {path.stem} | `{command}` | {tried}: {details} | {lost} | {minutes:.1f} |"


def main() -> int:
    """Run them all, also after one that lost something."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    rows = [
        run("torture/kill.py", "--moments", asked.moments, "--seed", asked.seed, "--jobs", asked.jobs),
        run("torture/disk.py"),
        run("torture/crowd.py"),
        run("fuzz/fuzz.py", "--inputs", asked.inputs, "--seed", asked.seed, "--jobs", asked.jobs),
    ]
    print("\n| what | command | tried | lost | minutes |\n|---|---|---|---|---|")
    print("\n".join(row for _, row in rows))
    return 0 if all(well for well, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
