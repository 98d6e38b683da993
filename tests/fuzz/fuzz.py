"""Damage files in many ways and read them in every way: each ends in a clear error, or is read; nothing else.

Usage: python tests/fuzz/fuzz.py [--inputs 100000] [--minutes M] [--seed 0] [--jobs 2] [--kinds store,model,…]

The readers run in a forked child under a limit of memory. A child that dies, is silent for ten seconds, or meets an
exception that is no `SertoolsError` is a finding; the damaged file is kept in the folder that `--keep` names.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import random
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "torture"), str(ROOT / "tests")]

import people  # noqa: E402
import rivals  # noqa: E402
from bench import Bench, figures, side_by_side, warm  # noqa: E402

SECONDS = 10
MEMORY_BYTES = 3 << 30
_NUMBERS = (0, -1, 1, 2**31 - 1, -(2**31), 2**63, 1e308, -1e308, 1e-320, 0.5, float("nan"), float("inf"))
_WORDS = ("", "\x1b[31m", "\u202e", "a" * 10_000, "../../etc/passwd", "nan", "%s%n", "\ud800", "angry", "\0", "=1+1")
_CELLS = (*(str(number) for number in _NUMBERS), *_WORDS, '"', "\n", ",", ";")

Damage = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Change some bytes, more often near the head, where the structure is."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(changed)) if rng.random() < 0.5 else rng.randrange(min(len(changed), 4096))
        changed[place] = rng.choice((changed[place] ^ 1 << rng.randrange(8), 0, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data))]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Exchange two stretches, or repeat one."""
    n = rng.randrange(1, max(2, len(data) // 4))
    a, b = rng.randrange(len(data) - n + 1), rng.randrange(len(data) - n + 1)
    changed = bytearray(data)
    changed[a : a + n], changed[b : b + n] = data[b : b + n], data[a : a + n]
    return bytes(changed)


def huge(data: bytes, rng: random.Random) -> bytes:
    """Write a large number where one may stand for a length."""
    size, kind = rng.choice(((2, "<H"), (4, "<I"), (8, "<Q")))
    most = 1 << 8 * size
    number = rng.choice((most - 1, most >> 1, (most >> 1) - 1, len(data) + 1, len(data) * 1000)) % most
    place = rng.randrange(max(1, len(data) - size))
    return data[:place] + struct.pack(kind, number) + data[place + size :]


def json_values(data: bytes, rng: random.Random) -> bytes:
    """Replace, remove or wrap values of a JSON document."""
    document = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        document = _replaced(document, rng)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def safetensors_header(data: bytes, rng: random.Random) -> bytes:
    """Replace values in the header of a model file, or in the JSON that it carries, and mend its length."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    if rng.random() < 0.8:
        own = json.loads(header["__metadata__"]["sertools"])
        for _ in range(rng.choice((1, 1, 2))):
            own = _replaced(own, rng)
        header["__metadata__"]["sertools"] = json.dumps(own)
    else:
        header = _replaced(header, rng)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def cells(data: bytes, rng: random.Random) -> bytes:
    """Replace, remove or double cells and lines of a CSV."""
    lines = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(lines)) if rng.random() < 0.7 else 0
        line = lines[at]
        what = rng.randrange(4)
        if what == 0 and line:
            line[rng.randrange(len(line))] = rng.choice(_CELLS)
        elif what == 1 and line:
            del line[rng.randrange(len(line))]
        elif what == 2:
            lines.insert(at, list(line))
        elif len(lines) > 1:
            del lines[at]
    return "\n".join(",".join(line) for line in lines).encode("utf-8", "surrogatepass")


def _replaced(value: object, rng: random.Random) -> object:
    """Change one place of a document, deep or shallow."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(sorted(value))
        what = rng.random()
        if what < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if what < 0.15:
            return {**value, rng.choice(_WORDS): value[name]}
        return {**value, name: _replaced(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value[:at] + value[at + 1 :]
        return [*value[:at], _replaced(value[at], rng), *value[at + 1 :]]
    deep: object = 1
    for _ in range(rng.choice((2, 50, 2000)) if rng.random() < 0.05 else 0):
        deep = [deep]
    return rng.choice((None, True, [], {}, [1], {"a": 1}, deep, rng.choice(_NUMBERS), rng.choice(_WORDS)))


BYTES: tuple[Damage, ...] = (flip, flip, flip, truncate, swap, huge)


def read_store(path: Path, folder: Path) -> None:
    """All that reads stores."""
    from sertools.reporting.contents.description import describe
    from sertools.store.merge import merge_stores
    from sertools.store.reader import open_store
    from sertools.store.select import Selection, select_store
    from sertools.training.batches import open_rows

    json.dumps(describe(path, verify=True))
    for _ in open_store(path).blocks():
        pass
    open_rows([path]).fit_scaler()
    select_store(path, folder / "selected.h5", Selection(fold=(1, 2), by="utterance"), copy=True)
    merge_stores([path], folder / "merged.h5")


def read_latents(path: Path, folder: Path) -> None:
    """All that reads latents."""
    from sertools.reporting.contents.description import describe
    from sertools.training.latents import load_latents

    json.dumps(describe(path))
    load_latents(path)


def read_model(path: Path, folder: Path) -> None:
    """All that reads models, a step further into their use."""
    import torch

    from sertools.errors import ModelError
    from sertools.generation.rows import counts_per_class, generate
    from sertools.reporting.contents.description import describe
    from sertools.scoring.results.evaluation import evaluate
    from sertools.training.autoencoder import load_autoencoder
    from sertools.training.checkpoint import load_header

    json.dumps(describe(path))
    kind = load_header(path).kind
    if kind == "autoencoder":
        load_autoencoder(path)
    elif kind == "gan":
        for _ in generate(path, folder / "made.h5", counts_per_class(path, 2), device=torch.device("cpu")):
            pass
    elif kind == "classifier":
        evaluate(path, [folder / "test.h5"], device=torch.device("cpu"))
    else:
        raise ModelError(f"{path}: of the kind {kind!r}")


def read_result(path: Path, folder: Path) -> None:
    """All that reads results and rivals' predictions."""
    from sertools.reporting.reports.layouts import render
    from sertools.scoring.comparing.summary import summarise
    from sertools.scoring.results.rivals import read_results

    found = summarise(read_results([path]))
    for kind in ("text", "csv", "json"):
        shown = render(found, kind, "summary")
        if not shown.replace("\n", "").isprintable():
            raise AssertionError(f"unprintable characters in the {kind} table")


def read_labels(path: Path, folder: Path) -> None:
    """What reads a labels table."""
    from sertools.corpora.sources import list_recordings

    list_recordings([str(path)], None, io.StringIO())


def read_people(path: Path, folder: Path) -> None:
    """What reads a labels table, whose maker says who and what is in it."""
    from sertools.corpora import read_corpus
    from sertools.corpora.sources import list_recordings
    from sertools.errors import CorpusError

    told = people.stated(path.read_bytes())
    for read in (
        lambda: list_recordings([str(path)], None, io.StringIO()).recordings,
        lambda: read_corpus("nkululeko", path),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                recordings = read()
            except CorpusError as error:
                if any(row.bad for row in told):
                    continue
                raise AssertionError("a table was refused that is whole") from error
        people.judge(told, recordings, [str(warning.message) for warning in caught])
    if any(row.bad for row in told):
        raise CorpusError(f"{path}: refused, as it must be")


def read_rivals(path: Path, folder: Path) -> None:
    """What reads a rival's predictions, whose maker says who and what is in them, alone or beside ours."""
    from sertools.errors import ModelError
    from sertools.scoring.comparing.summary import summarise
    from sertools.scoring.results.rivals import read_results

    table, stated = rivals.parted(path.read_bytes())
    ours = rivals.write_ours(stated, folder)
    alone = folder / "stated-rival.csv"
    alone.write_bytes(table)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            report = summarise(read_results([*ours, alone]))
        except ModelError as error:
            if rivals.must_refuse(stated) or rivals.may_refuse(stated):
                raise
            raise AssertionError(f"a table was refused that is whole: {error}") from error
    if rivals.must_refuse(stated):
        raise AssertionError(f"a table was read that must be refused: {stated['flaw']}")
    rivals.judge(stated, report, [*(str(warning.message) for warning in caught), *report.cautions])


# Kind → its files on the bench, the ways to damage it, and what reads it.
KINDS: dict[str, tuple[tuple[str, ...], tuple[Damage, ...], Callable[[Path, Path], None]]] = {
    "store": (("specs.h5", "train.h5", "augmented.h5", "synth.h5"), BYTES, read_store),
    "latents": (("latents.h5",), BYTES, read_latents),
    "model": (
        ("ae.safetensors", "gan.safetensors", "clf.safetensors"),
        (*BYTES, *(safetensors_header,) * 6),
        read_model,
    ),
    "result": (("result.json",), (*BYTES, *(json_values,) * 12), read_result),
    "rival": (("rival.csv",), (*BYTES, *(cells,) * 12), read_result),
    "rivals": (("rival.csv",), (rivals.made,), read_rivals),
    "labels": (("corpus/labels.csv",), (*BYTES, *(cells,) * 12), read_labels),
    "people": (("corpus/labels.csv",), (people.made,), read_people),
}
# Readers of HDF5 fork a guard: they are slow, and have their share of the inputs all the same.
SHARES = {"store": 2, "latents": 1, "model": 3, "result": 6, "rival": 6, "rivals": 6, "labels": 6, "people": 6}
_BATCH = 100


def damaged(kind: str, number: int, seed: int, folder: Path) -> Path:
    """Write the input of a number, the same at every run."""
    rng = random.Random(f"{seed}:{kind}:{number}")
    files, damages, _ = KINDS[kind]
    source = folder / rng.choice(files)
    data = source.read_bytes()
    for _ in range(rng.choice((1, 1, 1, 2))):
        try:
            data = rng.choice(damages)(data, rng) or b"\0"
        except (ValueError, KeyError, IndexError, TypeError, struct.error, RecursionError):
            # What bytes did to it, the next damage cannot read.
            continue
    path = source.with_name(f"damaged-{kind}{source.suffix}")
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def batch(kind: str, numbers: range, seed: int, folder: Path, answer: int) -> None:
    """In a child: read one damaged file after the other; a byte each says that it ended well."""
    from sertools.errors import SertoolsError

    warnings.simplefilter("ignore")
    with open("/proc/self/statm") as statm:
        in_use = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in numbers:
        path = damaged(kind, number, seed, folder)
        said = b"r"
        try:
            KINDS[kind][2](path, folder)
        except SertoolsError as error:
            said = b"e" if "\n" not in str(error) else b"x" + _short(f"more than one line: {error}")
        except (OSError, MemoryError, RuntimeError) as error:
            # What the command line has a line for.
            told = isinstance(error, OSError) and error.strerror
            said = b"e" if told else b"x" + _short(traceback.format_exc())
        except BaseException:
            said = b"x" + _short(traceback.format_exc())
        os.write(answer, struct.pack("<I", len(said)) + said)
    os._exit(0)


def _short(text: str) -> bytes:
    return text.encode("utf-8", "replace")[-3000:]


def answers(kind: str, numbers: range, seed: int, folder: Path) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Run numbers in children; return how they ended, and the findings."""
    ends: Counter[str] = Counter()
    findings: list[tuple[int, str]] = []
    at = numbers.start
    while at < numbers.stop:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reads)
            # What libraries print is no concern here.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                batch(kind, range(at, numbers.stop), seed, folder, writes)
            finally:
                os._exit(1)
        os.close(writes)
        pending, died = b"", ""
        while at < numbers.stop and not died:
            # The guard's own patience is longer; ours is for silence without it.
            ready, _, _ = select.select([reads], [], [], SECONDS + (21 if kind in ("store", "latents") else 0))
            block = os.read(reads, 1 << 16) if ready else b""
            died = "" if block else "a crash" if ready else "a hang"
            pending += block
            while len(pending) >= 4 and len(pending) >= 4 + struct.unpack("<I", pending[:4])[0]:
                size = 4 + struct.unpack("<I", pending[:4])[0]
                said, pending = pending[4:size], pending[size:]
                ends[{"r": "read", "e": "refused", "x": "found"}[said[:1].decode()]] += 1
                if said[:1] == b"x":
                    findings.append((at, said[1:].decode("utf-8", "replace")))
                at += 1
        os.close(reads)
        os.kill(child, signal.SIGKILL) if died == "a hang" else None
        _, status = os.waitpid(child, 0)
        if died:
            ends["found"] += 1
            findings.append((at, f"{died} (status {status})"))
            at += 1
    return ends, findings


def make_inputs(folder: Path) -> Bench:
    """Make the whole files that are damaged."""
    bench = Bench(folder, ())
    bench.must("augment train.h5 -o augmented.h5 --strategy SARS --jobs 1")
    rows = ["method,fold,seed,id,emotion,predicted,speaker,p_angry,p_sad"]
    for number in range(20):
        truth, said = ("angry", "sad")[number % 2], ("angry", "sad")[number % 3 == 0]
        rows.append(
            f"rival,1,0,u{number},{truth},{said},{number % 4},{'0.75,0.25' if said == 'angry' else '0.25,0.75'}"
        )
    (folder / "rival.csv").write_text("\n".join(rows) + "\n")
    (folder / "corpus" / "people").mkdir()
    for name in people.files():
        (folder / "corpus" / name).touch()
    return bench


def batches(asked: argparse.Namespace) -> Iterator[tuple[str, range]]:
    """Share the inputs out among the kinds, a batch at a time: the same at every run, whatever `--jobs` is."""
    following = dict.fromkeys(asked.kinds.split(","), 0)
    for at in range(0, asked.inputs, _BATCH):
        kind = min(following, key=lambda name: following[name] / SHARES[name])
        numbers = range(following[kind], following[kind] + min(_BATCH, asked.inputs - at))
        following[kind] = numbers.stop
        yield kind, numbers


def fuzzed(folder: Path, asked: argparse.Namespace, first: int) -> tuple[dict[str, Counter[str]], int]:
    """Every `--jobs`-th batch from `first`: kind → how its inputs ended, and the number of different findings."""
    ends = {kind: Counter[str]() for kind in asked.kinds.split(",")}
    found: set[str] = set()
    deadline = time.monotonic() + 60 * asked.minutes
    for kind, numbers in itertools.islice(batches(asked), first, None, asked.jobs):
        if time.monotonic() > deadline:
            break
        counts, findings = answers(kind, numbers, asked.seed, folder)
        ends[kind] += counts
        for number, text in findings:
            what = f"{kind}: {text.strip().splitlines()[-1][:200]}"
            if what in found:
                continue
            found.add(what)
            print(f"FOUND {kind} --seed {asked.seed}, number {number}\n{text}", flush=True)
            if asked.keep:
                asked.keep.mkdir(exist_ok=True)
                path = damaged(kind, number, asked.seed, folder)
                shutil.copy(path, asked.keep / f"{kind}-{number}{path.suffix}")
    return ends, len(found)


def main() -> int:
    """Fuzz until the inputs or the time are spent, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=600.0, help="stop earlier after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="batches side by side")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings")
    asked = parser.parse_args()
    warm()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        bench = make_inputs(Path(place) / "bench")
        done = side_by_side(
            asked.jobs, lambda first: fuzzed(bench.copied(Path(place) / str(first)).folder, asked, first)
        )
    ends = {kind: sum((each[kind] for each, _ in done), Counter[str]()) for kind in asked.kinds.split(",")}
    total = sum(sum(counts.values()) for counts in ends.values())
    findings = sum(counts["found"] for counts in ends.values())
    figures(
        f"fuzz: seed {asked.seed}, {total} inputs, {findings} findings",
        {f"{kind} {how}": counts[how] for kind, counts in ends.items() for how in ("refused", "read")},
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
