"""Let the disk fail under every writing verb: full, over quota, broken, read-only, limited; inputs and handles gone.

Usage: python tests/torture/disk.py [--verbs extract,merge,…] [--most-calls 30]

Each run must end in one line and exit 1, leave no litter, and leave the older output as it was. Writes of temporary
files are made to fail by a small library (faults.c) that needs a C compiler; without one those faults are left out.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench import LINES, Bench, End, figures, one_line, warm

OLD = b"the older file, complete"
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


def compiled(folder: Path) -> Path | None:
    """Build the library of faults, where there is a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def checked(bench: Bench, verb: str, what: str, end: End, problems: list[str]) -> None:
    """Look at the end of a run that could not write."""
    output = bench.output(verb)
    wrong = []
    if end.code != 1:
        wrong.append(f"exit {end.code}")
    if not one_line(end.said):
        wrong.append("not one line")
    if not output.exists() or output.read_bytes() != OLD:
        wrong.append("the old output has gone")
    if set(bench.left()) - set(bench.outputs(verb)):
        wrong.append(f"litter {bench.left()}")
    if wrong:
        problems.append(f"{verb}, {what}: {', '.join(wrong)}: {end.said[-1500:]}")


def attempt(bench: Bench, verb: str, prepare: Callable[[], None], line: str | None = None) -> End:
    """Run a verb over an older output under a fault."""
    bench.clear()
    bench.output(verb).write_bytes(OLD)
    return bench.run(line or bench.line(verb), prepare)


def limit(kind: int, most: int) -> Callable[[], None]:
    """Make a function that sets a soft and hard limit."""
    return lambda: resource.setrlimit(kind, (most, most))


def few_handles(more: int) -> None:
    """Leave a process room for so many more open files."""
    most = max(int(name) for name in os.listdir("/dev/fd")) + more
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def try_verb(bench: Bench, verb: str, most_calls: int, faults: bool, counts: Counter[str]) -> list[str]:
    """Run one verb under every fault."""
    problems: list[str] = []
    size = len(bench.reference[verb])
    for most in (0, size // 2, size - 1):
        checked(
            bench, verb, f"files of {most} bytes", attempt(bench, verb, limit(resource.RLIMIT_FSIZE, most)), problems
        )
        counts["file-size limits"] += 1
    line = bench.line(verb)
    for word in line.split()[1:]:
        path = bench.folder / word
        if path.is_file() and "trial/" not in word:
            path.rename(path.with_suffix(".gone"))
            checked(bench, verb, f"{word} gone", attempt(bench, verb, lambda: None), problems)
            path.with_suffix(".gone").rename(path)
            counts["vanished inputs"] += 1
    # chmod stops nobody who is root; nor does /sys let root make files.
    name = bench.output(verb).name
    if os.geteuid() == 0:
        end = bench.run(line.replace(f"trial/{name}", f"/sys/kernel/{name}"))
    else:
        bench.trial.chmod(0o555)
        end = bench.run(line)
        bench.trial.chmod(0o755)
    if end.code != 1 or not one_line(end.said):
        problems.append(f"{verb}, read-only folder: exit {end.code}: {end.said[-1500:]}")
    counts["read-only folders"] += 1
    for more in (0, 1, 2, 3, 5):
        end = attempt(bench, verb, lambda more=more: few_handles(more))
        if end.code == 0 and bench.output(verb).read_bytes() == bench.reference[verb]:
            continue
        checked(bench, verb, f"{more} more open files", end, problems)
        counts["limits of open files"] += 1
    for error in ERRORS if faults else ():
        for call in range(1, most_calls + 1):
            end = attempt(bench, verb, lambda call=call, error=error: ctypes.CDLL(None).fail_at(call, error))
            if end.code == 0 and bench.output(verb).read_bytes() == bench.reference[verb]:
                break
            checked(bench, verb, f"{errno.errorcode[error]} at call {call}", end, problems)
            counts[f"{errno.errorcode[error]} in mid-write"] += 1
    bench.clear()
    return problems


def main() -> int:
    """Run the trials and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--verbs", default=",".join(LINES))
    parser.add_argument("--most-calls", type=int, default=30)
    asked = parser.parse_args()
    verbs = asked.verbs.split(",")
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        if "faults.so" not in os.environ.get("LD_PRELOAD", ""):
            library = compiled(Path(folder))
            if library is not None:
                command = [sys.executable, __file__, *sys.argv[1:]]
                return subprocess.run(command, env={**os.environ, "LD_PRELOAD": str(library)}, check=False).returncode
            print("no C compiler: writes are not made to fail")
        faults = hasattr(ctypes.CDLL(None), "fail_at")
        warm()
        counts: Counter[str] = Counter()
        bench = Bench(Path(folder) / "bench", verbs)
        problems = []
        for verb in verbs:
            found = try_verb(bench, verb, asked.most_calls, faults, counts)
            for problem in found:
                print(f"PROBLEM {problem}", flush=True)
            problems += found
    figures(f"disk: {sum(counts.values())} faults in {len(verbs)} verbs, {len(problems)} problems", counts)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
