"""How the cost of verbs grows: seconds and peak memory of whole commands at 1, 10 and 100 times the rows.

``growth.py --large [N]`` runs every verb on a tenth of N (240,000) utterances and on all of them, each a picture of
16×16: what a verb does for each utterance, and not for each pixel, is what shows there.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from extraction import make_corpus
from pairs import peak_bytes, python

N_CLASSES, TIMES, SR = 4, (1, 10, 100), 16_000
FEW, MANY = 2, 42  # steps
SMALL = ("--seconds", "1", "--mels", "64", "--frames", "64")
# A thousand utterances a file, and a picture of 16×16 each.
UTTERANCES_A_SPEAKER, SPANS_A_FILE, SPAN_SR, SPAN_SAMPLES = 200, 1000, 8_000, 800
SPANS = ("--sr", "8000", "--seconds", "0.1", "--mels", "16", "--frames", "16")
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


def make_spans(folder: Path, n_utterances: int) -> Path:
    """Write a corpus of spans of a tenth of a second, a thousand a file, and return its labels."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "emotion", "speaker", "session", "gender", "start", "end", "sentence"])
        for first in range(0, n_utterances, SPANS_A_FILE):
            count = min(SPANS_A_FILE, n_utterances - first)
            t = np.arange(count * SPAN_SAMPLES) / SPAN_SR
            pitch = np.repeat(120 + 30 * (np.arange(count) % N_CLASSES), SPAN_SAMPLES)
            y = 0.2 * np.sin(2 * np.pi * pitch * t) + 0.02 * rng.standard_normal(len(t))
            soundfile.write(folder / f"{first:07d}.wav", y, SPAN_SR, subtype="PCM_16")
            for each in range(count):
                number, start = (first + each) // UTTERANCES_A_SPEAKER, each * SPAN_SAMPLES / SPAN_SR
                emotion = ("angry", "happy", "sad", "neutral")[each % N_CLASSES]
                known = [emotion, f"s{number:04d}", f"{number // 2}", ("female", "male")[number % 2]]
                table.writerow([f"{first:07d}.wav", *known, start, start + SPAN_SAMPLES / SPAN_SR, f"t{each % 40}"])
    return folder / "labels.csv"


def every_verb(n_utterances: int) -> None:
    """Run every verb; steps of a training are few, for they cost the same whatever the store."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        labels = make_spans(root / "corpus", n_utterances)
        few, thin = ("--preset", "smoke", "--steps", "2"), ("--width", "1/16")
        plain, gan = root / "imbalanced.json", root / "GAN.json"
        lines: tuple[tuple[str | Path, ...], ...] = (
            ("corpus", "nkululeko", labels),
            ("extract", labels, "-o", root / "all.h5", *SPANS),
            ("extract", labels, "-o", root / "1.h5", *SPANS, "--shard", "1/2"),
            ("extract", labels, "-o", root / "2.h5", *SPANS, "--shard", "2/2"),
            ("merge", root / "1.h5", root / "2.h5", "-o", root / "merged.h5"),
            ("select", root / "all.h5", "--fold", "1/2", "-o", root / "test.h5"),
            ("select", root / "all.h5", "--fold", "1/2", "-v", "-o", root / "train.h5"),
            ("select", root / "all.h5", "--fold", "1/5", "--by", "utterance", "-o", root / "fifth.h5"),
            ("select", root / "train.h5", "--keep", "angry=0.2", "-o", root / "few.h5"),
            ("select", root / "all.h5", "--where", "sentence=t1,t2,t3", "--copy", "-o", root / "some.h5"),
            ("info", root / "all.h5", "--verify"),
            ("pretrain-ae", root / "train.h5", "-o", root / "ae", *few, *thin),
            ("fit-latents", root / "ae", root / "train.h5", "-o", root / "latents.h5"),
            ("finetune-gan", root / "ae", root / "latents.h5", root / "train.h5", "-o", root / "gan", *few),
            ("train-generator", root / "train.h5", "-o", root / "cvae", "--kind", "cvae", *few, *thin),
            ("generate", root / "gan", "--balance", root / "few.h5", "-o", root / "synth.h5"),
            (
                "generate",
                root / "gan",
                "--count",
                "angry=1000",
                "--translate",
                root / "few.h5",
                "-o",
                root / "moved.h5",
            ),
            ("score", root / "train.h5", root / "synth.h5", "--heldout", root / "test.h5"),
            ("augment", root / "few.h5", "-o", root / "copied.h5"),
            ("augment", root / "few.h5", "-o", root / "removed.h5", "--strategy", "RS0.4"),
            ("train-clf", root / "few.h5", root / "synth.h5", "-o", root / "clf", *few),
            ("evaluate", root / "clf", root / "test.h5", "-o", plain, "--tag", "method=imbalanced"),
            ("evaluate", root / "clf", root / "test.h5", "-o", gan, "--tag", "method=GAN"),
            ("report", plain, gan, "--html", root / "page.html"),
            ("plot", root / "all.h5", "-o", root / "balance.png", "--kind", "balance"),
            ("plot", plain, "-o", root / "confusion.png"),
            ("to-wav", root / "all.h5", "-o", root / "wavs", "--per-class", "2"),
            ("export", root / "all.h5", "-o", root / "all.npz"),
            ("export", root / "all.h5", "-o", root / "arrays", "--format", "npy"),
        )
        unsaid = {"-o", *SPANS, *few, *thin}
        for verb, *words in lines:
            shown = [str(word) for word in (verb, *words) if not isinstance(word, Path) and word not in unsaid]
            say(" ".join(shown), n_utterances, *costs(sertools(str(verb), "-q", *words)))


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
    if sys.argv[1:2] == ["--large"]:
        most = int(sys.argv[2]) if len(sys.argv) > 2 else 240_000
        for n_utterances in (most // 10, most):
            every_verb(n_utterances)
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
