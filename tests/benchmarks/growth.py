"""How the cost of verbs grows: seconds and peak memory of whole commands at 1, 10 and 100 times the rows."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from extraction import make_corpus
from pairs import peak_bytes, python

N_CLASSES, TIMES, SR = 4, (1, 10, 100), 16_000
FEW, MANY = 2, 42  # steps
SMALL = ("--seconds", "1", "--mels", "64", "--frames", "64")
TINY = ("--preset", "smoke", "--width", "1/16")


def sertools(*arguments: str | Path) -> list[str]:
    return python("-m", "sertools", *map(str, arguments))


def costs(command: list[str]) -> tuple[float, int]:
    """Run a command to its end; its seconds and the most bytes it held."""
    start = time.perf_counter()
    peak = peak_bytes(command)
    return time.perf_counter() - start, peak


def say(verb: str, n_rows: int, seconds: float, peak: int) -> None:
    """Print a line of the table."""
    line = {
        "verb": verb,
        "rows": n_rows,
        "seconds": f"{seconds:.3g}",
        "seconds a 1000 rows": f"{1000 * seconds / n_rows:.3g}",
        "peak MB": f"{peak / 1e6:.0f}",
    }
    print(json.dumps(line), flush=True)


def copy_results(result: Path, folder: Path, count: int) -> list[Path]:
    """Write a result many times, as folds of two methods."""
    document = json.loads(result.read_text(encoding="utf-8"))
    paths = []
    for number in range(count):
        document["tags"] = {"method": ("imbalanced", "GAN")[number % 2], "fold": str(number // 2)}
        paths.append(folder / f"result{number}.json")
        paths[-1].write_text(json.dumps(document), encoding="utf-8")
    return paths


def main(n_rows: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        small, ae, latents, gan, clf = (root / name for name in ("small.h5", "ae", "latents.h5", "gan", "clf"))
        make_corpus(root / "small", n_rows, SR, 1.0)
        stores = {}
        for times in TIMES:
            corpus, stores[times] = root / f"x{times}", root / f"x{times}.h5"
            # Other sound than that of the models, which are tested on it.
            make_corpus(corpus, n_rows * times, SR, 0.9)
            command = sertools("extract", "-q", corpus, "-o", stores[times], *SMALL)
            say("extract", n_rows * times, *costs(command))
        for times, store in stores.items():
            command = sertools("select", "-q", store, "--fold", "1/5", "--by", "utterance", "-v", "-o", root / "s.h5")
            say("select", n_rows * times, *costs(command))
        steps = []
        for times, store in stores.items():
            train = [*sertools("pretrain-ae", "-q", store, *TINY), "--steps"]
            few, many = (costs([*train, str(n), "-o", str(root / f"{n}-{times}")]) for n in (FEW, MANY))
            say(f"pretrain-ae, {FEW} steps", n_rows * times, *few)
            steps.append((n_rows * times, (many[0] - few[0]) / (MANY - FEW), many[1]))
        for step in steps:
            say("a further step of it", *step)
        for command in (
            sertools("extract", "-q", root / "small", "-o", small, *SMALL),
            sertools("pretrain-ae", "-q", small, "-o", ae, *TINY, "--steps", "2"),
            sertools("fit-latents", "-q", ae, small, "-o", latents),
            sertools("finetune-gan", "-q", ae, latents, small, "-o", gan, "--preset", "smoke", "--steps", "2"),
            sertools("train-clf", "-q", small, "-o", clf, "--preset", "smoke", "--steps", "2"),
        ):
            peak_bytes(command)
        for times in TIMES:
            count = n_rows * times
            command = sertools("generate", "-q", gan, "--per-class", str(count // N_CLASSES), "-o", root / "g.h5")
            say("generate", count, *costs(command))
        for times, store in stores.items():
            command = sertools("evaluate", "-q", clf, store, "-o", root / f"result{times}.json")
            say("evaluate", n_rows * times, *costs(command))
        for times in TIMES:
            results = copy_results(root / "result1.json", root, times)
            say(f"report, results of {n_rows} rows", n_rows * times, *costs(sertools("report", *results)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
