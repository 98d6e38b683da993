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
N_STEPS = 20
SMALL = ("--seconds", "1", "--mels", "64", "--frames", "64")
TINY = ("--preset", "smoke", "--width", "1/16")


def sertools(*arguments: str | Path) -> list[str]:
    return python("-m", "sertools", *map(str, arguments))


def say(verb: str, n_rows: int, command: list[str]) -> None:
    """Run a command and print its costs as a line of the table."""
    start = time.perf_counter()
    peak = peak_bytes(command)
    seconds = time.perf_counter() - start
    line = {
        "verb": verb,
        "rows": n_rows,
        "seconds": f"{seconds:.2f}",
        "seconds a 1000 rows": f"{1000 * seconds / n_rows:.2f}",
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
            say("extract", n_rows * times, sertools("extract", "-q", corpus, "-o", stores[times], *SMALL))
        for times, store in stores.items():
            command = sertools("select", "-q", store, "--fold", "1/5", "--by", "utterance", "-v", "-o", root / "s.h5")
            say("select", n_rows * times, command)
        for times, store in stores.items():
            out = root / f"ae{times}"
            command = sertools("pretrain-ae", "-q", store, "-o", out, *TINY, "--steps", str(N_STEPS))
            say(f"pretrain-ae, {N_STEPS} steps", n_rows * times, command)
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
            per_class = str(count // N_CLASSES)
            say("generate", count, sertools("generate", "-q", gan, "--per-class", per_class, "-o", root / "g.h5"))
        for times, store in stores.items():
            out = root / f"result{times}.json"
            say("evaluate", n_rows * times, sertools("evaluate", "-q", clf, store, "-o", out))
        for times in TIMES:
            results = copy_results(root / "result1.json", root, times)
            say(f"report, results of {n_rows} rows", n_rows * times, sertools("report", *results))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
