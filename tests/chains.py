"""Tiny files for the tests of the method: stores from arrays, and one file of each kind in a chain."""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sertools.classifier_config import ClassifierConfig
from sertools.config import AutoencoderConfig, FrontEnd, GanConfig, NetConfig
from sertools.errors import SertoolsWarning
from sertools.generation.rows import generate
from sertools.provenance import history
from sertools.store.conditions import Condition
from sertools.store.format import SEGMENT_COLUMNS, UTTERANCE_COLUMNS, Contents, make_table, picture_digest
from sertools.store.lineage import Lineage
from sertools.store.select import Selection, select_store
from sertools.store.writer import write_store
from sertools.training.adversarial import finetune_gan
from sertools.training.autoencoder import pretrain_autoencoder
from sertools.training.classifier import train_classifier
from sertools.training.latents import fit_latents
from sertools.training.loop import Record, Run

# The same bytes on every machine, and no fight for cores.
torch.set_num_threads(1)

CPU = torch.device("cpu")
FRONT_END = FrontEnd(segment_seconds=1.0, n_mels=32, n_frames=32)
NET = NetConfig(width=1 / 32, latent_size=12, bn_momentum=0.1)
AE = AutoencoderConfig(net=NET, steps=4, batch_size=8, lr=1e-3, validate_every=2)
GAN = GanConfig(steps=3, batch_size=8, lr_g=1e-3, lr_d=2e-3, calibration_batches=2)
CLF = ClassifierConfig(arch="cnn", width=1 / 4, steps=4, batch_size=8, lr=1e-3, validate_every=2)


@dataclass(frozen=True)
class Chain:
    """Splits of the tiny store by speaker, and what was made from them; copy a file before changing it."""

    folder: Path
    train: Path
    val: Path
    test: Path
    ae: Path
    latents: Path
    gan: Path
    synth: Path
    clf: Path


def make_chain(specs: Path, folder: Path) -> Chain:
    """Speakers 01 to 04 train, 05 validates, 06 tests; 3 generated rows a class."""
    names = [f.name for f in dataclasses.fields(Chain)][1:]
    chain = Chain(folder, *(folder / (f"{n}.h5" if n not in ("ae", "gan", "clf") else n) for n in names))
    for path, speakers in ((chain.train, ("01", "02", "03", "04")), (chain.val, ("05",)), (chain.test, ("06",))):
        select_store(specs, path, Selection(where=(Condition("speaker", speakers),)))
    pretrain([chain.train], chain.ae)
    fit_latents(chain.ae, [chain.train], chain.latents, "empirical", CPU)
    finetune(chain.ae, chain.latents, [chain.train], chain.gan)
    synthesise(chain.gan, chain.synth, dict.fromkeys(("angry", "happy", "neutral", "sad"), 3))
    classify([chain.train, chain.synth], chain.clf)
    return chain


def pretrain(
    stores: Sequence[Path], output: Path, config: AutoencoderConfig = AE, val: Path | None = None, **run: object
) -> list[Record]:
    """Train an autoencoder to its end."""
    return list(pretrain_autoencoder(stores, Run(output, **run), config, val))


def finetune(
    ae: Path,
    latents: Path,
    stores: Sequence[Path],
    output: Path,
    config: GanConfig = GAN,
    val: Path | None = None,
    **run: object,
) -> list[Record]:
    """Train a GAN to its end; a few steps of tiny nets move and teach little, which is not said."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*(nothing moved|discriminator does not tell)", SertoolsWarning)
        return list(finetune_gan(ae, latents, stores, Run(output, **run), config, val))


def classify(
    stores: Sequence[Path], output: Path, config: ClassifierConfig = CLF, val: Path | None = None, **run: object
) -> list[Record]:
    """Train a classifier to its end."""
    return list(train_classifier(stores, Run(output, **run), config, val_path=val))


def synthesise(gan: Path, output: Path, counts: dict[str, int], seed: int = 0) -> Path:
    """Generate rows."""
    for _ in generate(gan, output, counts, seed=seed, device=CPU):
        pass
    return output


def write_rows(
    path: Path,
    pictures: np.ndarray,
    emotions: Sequence[str],
    *,
    owner: Sequence[int] | None = None,
    origin: str = "real",
    speakers: Sequence[str] | None = None,
    lineage: Lineage | None = None,
    front_end: FrontEnd = FRONT_END,
    corpus: str = "",
) -> Path:
    """Write a store of pictures in dB; `emotions` and `speakers` are the utterances', one a row without `owner`."""
    digests = [picture_digest(picture) for picture in pictures]
    owner = range(len(pictures)) if owner is None else owner
    first_row = [list(owner).index(number) for number in range(len(emotions))]
    contents = Contents(
        front_end=front_end,
        segments=make_table(
            SEGMENT_COLUMNS,
            [
                {"utterance": u, "start": 0.0, "n_valid_frames": front_end.n_frames, "origin": origin, "digest": d}
                for u, d in zip(owner, digests, strict=True)
            ],
        ),
        utterances=make_table(
            UTTERANCE_COLUMNS,
            [
                {
                    "id": f"{path.stem}/{number}",
                    "path": f"{path.stem}/{number}.wav" if origin == "real" else "",
                    "start": 0.0,
                    "duration": front_end.segment_seconds,
                    "emotion": emotion,
                    "speaker": speakers[number] if speakers else "",
                    "corpus": corpus,
                    "digest": digests[first_row[number]],
                }
                for number, emotion in enumerate(emotions)
            ],
        ),
        history=history("extract", {}),
        lineage=lineage or Lineage(),
    )
    write_store(path, contents, [pictures])
    return path


def noise(rng: np.random.Generator, n: int, low: float = -70.0, high: float = -10.0) -> np.ndarray:
    """Pictures in dB [shape=(n, 32, 32)]."""
    return rng.uniform(low, high, (n, FRONT_END.n_mels, FRONT_END.n_frames)).astype(np.float32)


def stop_after(n: int) -> Callable[[], bool]:
    """Say stop from the n-th step on."""
    asked = iter(range(1, 1_000_000))
    return lambda: next(asked) >= n


def assert_one_adam_step(before: torch.nn.Module, after: torch.nn.Module, lr: float) -> None:
    """Check the gradients found by hand, which `before` holds, and the one step of Adam that `after` took."""
    for (name, ours), theirs in zip(after.named_parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6, msg=name)
        theirs.grad = ours.grad.clone()  # Adam's first step blows rounding up to whole steps
    # The betas cancel out in the first step.
    torch.optim.Adam(before.parameters(), lr=lr).step()
    for (name, ours), theirs in zip(after.named_parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7, msg=name)
