"""Whether nets learn as well by the fast path as by the plain one: the same trainings, seed for seed.

    python tests/benchmarks/curves.py LABELS.csv [SEEDS]

*naive* is torch's own dropout, Adam and memory layout in float32, in our trainers; *float32* and *bf16* are what
``--precision`` means on a CPU. Prints a Markdown table: means over seeds, and differences from naive with a 95 % t
interval over the seeds. Speaker-disjoint, a third of the speakers held out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from scipy import stats
from torch import nn

import sertools
from sertools.nets.dropout import Dropout
from sertools.training import adversarial, autoencoder, classifier
from sertools.training.log import History, read_log

SIDES = ("naive", "float32", "bf16")
SMALL = sertools.FrontEnd(n_mels=64, n_frames=64, tail="overlap", trim_db=35)


@contextmanager
def naive_parts() -> Iterator[None]:
    """Put torch's own parts into the trainers."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(Dropout, "forward", nn.Dropout.forward))
        for module in (autoencoder, classifier, adversarial):
            patches.enter_context(patch.object(module, "place", lambda net, device: net.to(device)))
        for module in (autoencoder, adversarial):
            patches.enter_context(patch.object(module, "Adam", torch.optim.Adam))
        patches.enter_context(patch.object(classifier, "AdamW", torch.optim.AdamW))
        yield


def at(log: History, name: str, share: float) -> float:
    """Return the last value of a number up to this share of the steps."""
    found = [line.values[name] for line in log.lines if name in line.values and line.step <= share * log.n_steps]
    return found[-1]


def tail(log: History, prefix: str) -> float:
    """Return the mean of a number, or of those that begin with `prefix` and its dot, over the last third."""
    late = [line.values for line in log.lines if line.step > log.n_steps * 2 / 3]
    return float(
        np.mean(
            [
                value
                for values in late
                for name, value in values.items()
                if name == prefix or (prefix.endswith(".") and name.startswith(prefix))
            ]
        )
    )


def learn(folder: Path, side: str, seed: int) -> dict[str, float]:
    """Train an autoencoder, a GAN from it, and a classifier; return what they came to."""
    train, val = folder / "train.h5", folder / "val.h5"
    ae, latents, net, clf = (folder / f"{side}-{seed}.{name}" for name in ("ae", "latents.h5", "gan", "clf"))
    precision = "bf16" if side == "bf16" else "float32"
    with naive_parts() if side == "naive" else nullcontext():
        sertools.pretrain_ae(train, ae, val=val, preset="cpu", width=1 / 8, seed=seed, precision=precision)
        sertools.fit_latents(ae, train, latents, cov="pooled")
        sertools.finetune_gan(ae, latents, train, net, preset="cpu", seed=seed, precision=precision)
        sertools.train_clf(train, clf, val=val, preset="cpu", seed=seed, precision=precision)
    learnt, fought, told = (read_log(path.with_name(f"{path.name}.log.ndjson")) for path in (ae, net, clf))
    held_out = {f"autoencoder, held-out MSE at {share:.0%} of the steps": share for share in (0.35, 0.7, 1.0)}
    return {name: at(learnt, "val_mse", share) for name, share in held_out.items()} | {
        "GAN, D's loss on real rows, last third": tail(fought, "d_real"),
        "GAN, D's loss on generated rows, last third": tail(fought, "d_fake"),
        "GAN, G's loss, last third": tail(fought, "g"),
        "GAN, distance within a class, last third": tail(fought, "pairwise."),
        "classifier, training loss, last third": tail(told, "loss"),
        "classifier, best held-out UAR": max(
            line.values["val_uar"] for line in told.lines if "val_uar" in line.values
        ),
    }


def difference(ours: np.ndarray, naive: np.ndarray) -> str:
    """Say the mean paired difference with its interval."""
    apart = ours - naive
    half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
    return f"{apart.mean():+.4f} [{apart.mean() - half:+.4f}, {apart.mean() + half:+.4f}]"


def table(found: Mapping[str, list[dict[str, float]]]) -> str:
    lines = ["| | naive | float32 − naive | bf16 − naive |", "|---|---|---|---|"]
    for name in found["naive"][0]:
        naive, fast, half = (np.array([one[name] for one in found[side]]) for side in SIDES)
        lines.append(
            f"| {name} | {naive.mean():.4f} ± {naive.std(ddof=1):.4f} "
            f"| {difference(fast, naive)} | {difference(half, naive)} |"
        )
    return "\n".join(lines)


def main(labels: Path, n_seeds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sertools.extract(labels, folder / "specs.h5", front_end=SMALL)
        sertools.select(folder / "specs.h5", folder / "val.h5", fold="1/3")
        sertools.select(folder / "specs.h5", folder / "train.h5", fold="1/3", invert=True)
        for seed in range(n_seeds):
            for side in SIDES:
                found[side].append(learn(folder, side, seed))
                print(f"seed {seed}, {side}: {found[side][-1]}", file=sys.stderr)
    print(table(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
