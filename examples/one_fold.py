"""One fold of the experiment in Python, to see whether a GAN makes up for a class that was cut down.

``python examples/one_fold.py LABELS.csv OUT_DIR`` tests on a third of the speakers, cuts one class of the others
down to a fifth, and compares three training sets: as it is, with copies, with generated rows. Small pictures and
nets, a few minutes on a CPU; ``--steps 4`` only shows that it runs. `examples/one_fold.ipynb` goes the same way with
pictures.
"""

import argparse
from pathlib import Path

import sertools


def one_fold(labels: Path, out: Path, reduced: str, steps: int | None) -> str:
    """Run the fold; return the table."""
    out.mkdir(parents=True, exist_ok=True)
    small = sertools.FrontEnd(n_mels=64, n_frames=64, tail="overlap")
    sertools.extract(labels, out / "specs.h5", front_end=small)
    sertools.select(out / "specs.h5", out / "test.h5", fold="1/3")
    sertools.select(out / "specs.h5", out / "full.h5", fold="1/3", invert=True)
    train = out / "train.h5"
    sertools.select(out / "full.h5", train, keep={reduced: 0.2})

    sertools.augment(train, out / "copies.h5", strategy="CP")

    autoencoder, latents, gan = out / "ae", out / "latents.h5", out / "gan"
    sertools.pretrain_ae(train, autoencoder, preset="smoke", steps=steps)
    sertools.fit_latents(autoencoder, train, latents, cov="pooled")
    sertools.finetune_gan(autoencoder, latents, train, gan, preset="smoke", steps=steps)
    sertools.generate(gan, out / "synth.h5", balance=train)

    results = []
    for method, stores in {
        "imbalanced": [train],
        "CP": [out / "copies.h5"],
        "GAN": [train, out / "synth.h5"],
    }.items():
        sertools.train_clf(stores, out / method, preset="smoke", steps=steps)
        results.append(out / f"{method}.json")
        tags = {"method": method, "fold": "1", "reduced": reduced}
        sertools.evaluate(out / method, out / "test.h5", results[-1], tags=tags)
    return sertools.report(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("labels", type=Path, metavar="LABELS.csv", help="file, emotion, speaker")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--reduced", default="angry", metavar="CLASS", help="which class is cut down [angry]")
    parser.add_argument("--steps", type=int, help="of every training, in place of the preset's")
    given = parser.parse_args()
    print(one_fold(given.labels, given.out, given.reduced, given.steps), end="")


if __name__ == "__main__":
    main()
