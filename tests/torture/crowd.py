"""Many at once: readers beside a writer, racing runs, `make -j16`, locks of all kinds, first starts side by side.

Usage: python tests/torture/crowd.py [--readers 16] [--reads 20] [--races 5] [--jobs 16] [--parts readers,races,…]

Every reader must find the old or the new whole store; of racing runs one wins and the others are told; a grid made by
sixteen jobs has the bytes of one job's.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import PATIENCE_SECONDS, ROOT, Bench, figures, one_line, side_by_side, warm
from disk import compiled
from warm_shell import WarmShell

# Two stores that share no picture.
SIDES = ("01,02,03", "04,05,06")
_GRID = (
    "EMOTIONS='angry sad' CLASSES=angry KEEP=0.5 FOLDS=2 PROFILE=smoke METHODS='full imbalanced CP smote gauss gan' "
    "WIDTH=1/32 DEVICE=cpu JOBS=1 FRONT_END='--mels 32 --frames 32 --seconds 1' AE_OPTS='--steps 6 --batch-size 8' "
    "GAN_OPTS='--steps 4 --batch-size 8' CLF_OPTS='--steps 6 --batch-size 8'"
)


def reads(bench: Bench, number: int, n: int) -> tuple[Counter[str], list[str]]:
    """Read the store that is being replaced, in each way in turn; name the sides seen, and what went wrong."""
    from sertools.reporting.contents.description import describe
    from sertools.store.reader import open_store
    from sertools.store.select import Selection, select_store
    from sertools.training.batches import open_rows

    store, own = bench.folder / "shared.h5", bench.folder / f"read{number}.h5"

    def speakers(column: Iterable[str]) -> str:
        return ",".join(sorted(set(column)))

    def info() -> str:
        return ",".join(describe(store, verify=True)["speakers"])

    def selection() -> str:
        select_store(store, own, Selection(), copy=True)
        copy = open_store(own)
        assert copy.damaged_rows() == []
        return speakers(copy.contents.utterances["speaker"])

    def training() -> str:
        rows = open_rows([store])
        rows.fit_scaler()
        rows.classes()
        return speakers(rows.utterance_column("speaker"))

    def slowly() -> str:
        opened = open_store(store)
        time.sleep(0.05)
        assert opened.damaged_rows() == []
        return speakers(opened.contents.utterances["speaker"])

    ways: tuple[Callable[[], str], ...] = (info, selection, training, slowly)
    seen: Counter[str] = Counter()
    wrong = []
    for turn in range(n):
        way = ways[(number + turn) % len(ways)]
        try:
            side = way()
            if side not in SIDES:
                wrong.append(f"reader {number}, {way.__name__}: a mix: {side}")
            seen[side] += 1
        except Exception as error:
            wrong.append(f"reader {number}, {way.__name__}: {type(error).__name__}: {error}")
    return seen, wrong


def try_readers(bench: Bench, asked: argparse.Namespace, counts: Counter[str]) -> list[str]:
    """Let all read a store while it is replaced again and again."""
    for side in SIDES:
        bench.must(f"select specs.h5 -o {side}.h5 --where speaker={side} --copy")
    bench.must(f"select {SIDES[0]}.h5 -o shared.h5 --copy")
    readers = os.fork()
    if readers == 0:
        found = side_by_side(asked.readers, lambda number: reads(bench, number, asked.reads))
        seen = sum((each for each, _ in found), Counter[str]())
        wrong = [line for _, lines in found for line in lines]
        (bench.folder / "found").write_text("\n".join([" ".join(str(seen[side]) for side in SIDES), *wrong]))
        sys.stdout.flush()
        os._exit(0)
    problems, replaced = [], 0
    while not os.waitpid(readers, os.WNOHANG)[0]:
        replaced += 1
        end = bench.run(f"select {SIDES[replaced % 2]}.h5 -o shared.h5 --copy")
        if end.code != 0:
            problems.append(f"writer: exit {end.code}: {end.said}")
    head, *wrong = (bench.folder / "found").read_text().splitlines()
    counts["replacements of a store"] += replaced
    counts[f"reads of it by {asked.readers} readers"] += sum(map(int, head.split())) + len(wrong)
    if "0" in head.split():
        problems.append(f"the readers saw one side only: {head}")
    return problems + wrong


def try_races(bench: Bench, asked: argparse.Namespace, counts: Counter[str]) -> list[str]:
    """Start many runs of one line at once: one has the output, which is held until all others have been told."""
    problems = []
    verb = "pretrain-ae"
    for _ in range(asked.races):
        go, ready = os.pipe()

        def wait_for_go(go: int = go, ready: int = ready) -> None:
            os.close(ready)
            os.read(go, 1)

        runs = [bench.start(bench.line(verb), wait_for_go) for _ in range(asked.readers)]
        os.close(go)
        os.close(ready)
        winner = bench.hold(verb)
        for run in runs:
            if run == winner:
                continue
            end = bench.wait(run)
            if end.code != 1 or not one_line(end.said) or "another sertools is writing it" not in end.said:
                problems.append(f"race: exit {end.code}: {end.said}")
            counts["racing runs told"] += 1
        os.kill(winner, signal.SIGCONT)
        end = bench.wait(winner)
        if end.code != 0 or bench.output(verb).read_bytes() != bench.reference[verb]:
            problems.append(f"race: the winner's exit {end.code}: {end.said}")
        if bench.left() != bench.outputs(verb):
            problems.append(f"race: litter {bench.left()}")
        counts["races won by one"] += 1
        bench.clear()
    return problems


def try_make(bench: Bench, asked: argparse.Namespace, counts: Counter[str]) -> list[str]:
    """Make a small grid by one job and by many."""
    made = {}
    with WarmShell({}) as shell:
        for jobs in (1, asked.jobs):
            place = bench.folder / f"grid{jobs}"
            shutil.copytree(bench.folder / "corpus", place / "grid")
            # An environment of which only the tools' start is another: forks of a process that has imported all.
            (place / "env").mkdir()
            (place / "env/bin").symlink_to(shell.folder)
            (place / "env/.ready").touch()
            make = f"make -f {ROOT / 'Makefile'} -j{jobs} VENV=env OUT=grid {_GRID} grid/table2.txt"
            shell.run(
                f"ln -s {ROOT / 'pyproject.toml'} {ROOT / 'examples'} . && OMP_NUM_THREADS=1 {make}", place, 3600
            )
            made[jobs] = {
                str(path.relative_to(place)): path.read_bytes()
                for path in sorted((place / "grid").rglob("*"))
                if path.is_file()
            }
    one, many = made[1], made[asked.jobs]
    counts[f"files of a grid by {asked.jobs} jobs"] += len(many)
    problems = [f"make -j{asked.jobs}: {name} differs" for name in one if many.get(name) != one[name]]
    return problems + [f"make -j{asked.jobs}: {name} is left over" for name in many if name not in one]


def sertools(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start the tool itself: HDF5 looks at its variables once in a process."""
    return subprocess.run(
        [sys.executable, "-m", "sertools", *line.split()],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file as libhdf5 does when it writes."""
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def try_locks(bench: Bench, asked: argparse.Namespace, counts: Counter[str]) -> list[str]:
    """Read and write under each way of HDF5 to lock, beside a program that locks the store, and without locks."""
    problems = []
    line = bench.line("select --copy")

    def check(what: str, warned: bool, **environment: str) -> None:
        end = sertools(line, bench.folder, **environment)
        output = bench.output("select --copy")
        if end.returncode != 0 or output.read_bytes() != bench.reference["select --copy"]:
            problems.append(f"{what}: exit {end.returncode}: {end.stderr[-1500:]}")
        if ("has no locks" in end.stderr) != warned or (warned and "warning" not in end.stderr):
            problems.append(f"{what}: said {end.stderr[-1500:]!r}")
        if bench.left() != [output.name]:
            problems.append(f"{what}: litter {bench.left()}")
        counts["runs under another way to lock"] += 1
        bench.clear()

    with locked(bench.folder / "specs.h5"):
        for way in ("TRUE", "FALSE", "BEST_EFFORT"):
            check(f"HDF5_USE_FILE_LOCKING={way}", warned=False, HDF5_USE_FILE_LOCKING=way)
    library = compiled(bench.folder)
    for number in (errno.ENOLCK, errno.ENOSYS) if library else ():
        for way in ("TRUE", "BEST_EFFORT"):
            check(
                f"locks fail with {errno.errorcode[number]}, HDF5_USE_FILE_LOCKING={way}",
                warned=True,
                LD_PRELOAD=str(library),
                TORTURE_LOCKS=str(number),
                HDF5_USE_FILE_LOCKING=way,
            )
    return problems


def try_starts(bench: Bench, asked: argparse.Namespace, counts: Counter[str]) -> list[str]:
    """Start a fresh installation many times at once, with nothing cached."""
    fresh = bench.folder / "fresh"
    shutil.copytree(ROOT / "sertools", fresh / "sertools", ignore=shutil.ignore_patterns("__pycache__"))
    empty = {name: str(fresh / name) for name in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")}
    for folder in empty.values():
        Path(folder).mkdir()
    environment = {**os.environ, **empty, "PYTHONPATH": str(fresh)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    lines = ("plot train.h5 -n 1 -o {}.png", "augment train.h5 --strategy SARS --jobs 1 -o {}.h5")
    runs = []
    for number in range(asked.starts):
        command = [sys.executable, "-m", "sertools", *lines[number % 2].format(f"start{number}").split()]
        runs.append(
            subprocess.Popen(
                command,
                cwd=bench.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    problems = []
    for number, run in enumerate(runs):
        said, _ = run.communicate(timeout=10 * PATIENCE_SECONDS)
        verb = lines[number % 2].split()[0]
        # The first of each line is what the others must equal.
        suffix = lines[number % 2].rpartition(".")[2]
        paths = [bench.folder / f"start{n}.{suffix}" for n in (number % 2, number)]
        if run.returncode != 0 or paths[0].read_bytes() != paths[1].read_bytes():
            problems.append(f"first start {number}, {verb}: exit {run.returncode}: {said[-1500:]}")
        counts["first starts side by side"] += 1
    return problems


PARTS = {"readers": try_readers, "races": try_races, "make": try_make, "locks": try_locks, "starts": try_starts}


def main() -> int:
    """Run the trials and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--reads", type=int, default=40, help="of each reader")
    parser.add_argument("--races", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=16, help="of make")
    parser.add_argument("--starts", type=int, default=16, help="first starts side by side")
    parser.add_argument("--parts", default=",".join(PARTS))
    asked = parser.parse_args()
    warm()
    counts: Counter[str] = Counter()
    problems = []
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        bench = Bench(Path(folder) / "bench", ("pretrain-ae", "select --copy"))
        for part in asked.parts.split(","):
            found = PARTS[part](bench, asked, counts)
            for problem in found:
                print(f"PROBLEM {part}: {problem}", flush=True)
            problems += found
    figures(f"crowd: {asked.readers} at once, {len(problems)} problems", counts)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
