"""Kill every writing verb at random moments; see that nothing is lost, and that the same line goes on.

Usage: python tests/torture/kill.py [--moments 200] [--seed 0] [--minutes M] [--jobs 2]

After each blow there is the old complete file, or the new complete file, or none where there was none; a stopped
training exits 75 and leaves its state; the same line then ends with the bytes of an unbroken run and leaves nothing
beside its output. A second run with the same output is told.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench import LINES, TRAININGS, Bench, figures, one_line, side_by_side, warm

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
OLD = b"the older file, complete"


def blow(bench: Bench, verb: str, number: signal.Signals, rng: random.Random, counts: Counter[str]) -> None:
    """Run a verb, send a signal at a random moment, look at what is left, run it again."""
    output, line = bench.output(verb), bench.line(verb)
    old = rng.choice((b"", OLD))
    if old:
        output.write_bytes(old)
    # Often saved states, so that a killed training has one to go on from.
    if verb in TRAININGS:
        line += " --save-every 0" if rng.random() < 0.5 else ""
    child = bench.start(line)
    delay = rng.uniform(0, 1.1 * bench.seconds[verb])
    time.sleep(delay)
    os.kill(child, number)
    end = bench.wait(child)
    where = f"{verb}, {number.name} after {delay:.3f} s: exit {end.code}; left {bench.left()}; said {end.said!r}"
    found = output.read_bytes() if output.exists() else b""
    assert found in (old, bench.reference[verb]), f"a file that is neither old nor new: {where}"
    assert "Traceback" not in end.said or number == signal.SIGINT, where
    state = output.with_name(f".{output.name}.state")
    if end.code == 75:
        assert verb in TRAININGS, where
        assert state.exists(), where
        counts["stopped with exit 75"] += 1
    elif end.code == 0:
        assert found == bench.reference[verb], where
        counts["had ended before"] += 1
    else:
        assert end.code in (-number, 128 + number), where
        counts["killed"] += 1
    if end.code == 75 or end.code == 128 + number:
        beside = {*bench.outputs(verb), state.name} if verb in TRAININGS else {output.name}
        assert set(bench.left()) <= beside, f"litter: {where}"
    resumed = state.exists()
    again = bench.run(line)
    assert again.code == 0, f"{where}; then exit {again.code}: {again.said}"
    assert output.read_bytes() == bench.reference[verb], f"other bytes than an unbroken run: {where}"
    assert bench.left() == bench.outputs(verb), f"litter after the next run: {where}: {bench.left()}"
    counts["resumed from a state to the same bytes" if resumed else "run again to the same bytes"] += 1
    bench.clear()


def collide(bench: Bench, verb: str) -> None:
    """Start the same line twice: the second is told, the first ends well."""
    output = bench.output(verb)
    first = bench.start(bench.line(verb))
    bench.hold(verb)
    second = bench.run(bench.line(verb))
    os.kill(first, signal.SIGCONT)
    end = bench.wait(first)
    assert end.code == 0, end.said
    assert second.code == 1, second.said
    assert one_line(second.said), second.said
    assert "another sertools is writing it" in second.said, second.said
    assert output.read_bytes() == bench.reference[verb]
    assert bench.left() == bench.outputs(verb), bench.left()
    bench.clear()


def shelled(bench: Bench, asked: argparse.Namespace, first: int) -> tuple[int, int, Counter[str]]:
    """Every `--jobs`-th moment from `first`: how many, how many of them lost something, and how they ended."""
    counts: Counter[str] = Counter()
    done = lost = 0
    verbs, deadline = list(LINES), time.monotonic() + 60 * asked.minutes
    for moment in range(first, asked.moments, asked.jobs):
        if time.monotonic() > deadline:
            break
        done += 1
        rng = random.Random(f"{asked.seed}:{moment}")
        # Trainings twice as often: they have states to lose.
        verb = rng.choice([*verbs, *TRAININGS])
        try:
            blow(bench, verb, rng.choice(SIGNALS), rng, counts)
        except AssertionError as error:
            lost += 1
            bench.clear()
            print(f"LOST at --seed {asked.seed}, moment {moment}: {error}", flush=True)
    return done, lost, counts


def main() -> int:
    """Run the trials and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600.0, help="stop earlier after so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="moments side by side")
    asked = parser.parse_args()
    warm()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        bench = Bench(Path(folder) / "bench")
        ends = side_by_side(asked.jobs, lambda first: shelled(bench.copied(Path(folder) / str(first)), asked, first))
        twice = TRAININGS if asked.moments >= len(LINES) else TRAININGS[:1]
        for verb in twice:
            collide(bench, verb)
    done, lost = (sum(end[at] for end in ends) for at in (0, 1))
    counts = sum((end[2] for end in ends), Counter({"second runs told": len(twice)}))
    figures(f"kill: seed {asked.seed}, {done} moments over {len(LINES)} verbs, {lost} lost", counts)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
