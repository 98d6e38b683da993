"""How near to real speech of new speakers a WaveGAN's sound is, and noise: the figures of docs/generator.md.

`python tests/made_speech.py CORPUS FOLDER ENCODER [FOLD [PRESET [SEED ...]]]` trains once for every seed, minutes
each, and prints the spectral distance in dB and the Fréchet distance of the encoder's third layer.
"""

import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from speech_shaped import SAMPLES, frechet, pieces, shaped_noise

import sertools
from sertools.config import FrontEnd
from sertools.encoders.encoder import FrozenEncoder, open_encoder
from sertools.errors import SertoolsWarning
from sertools.sound.spectra import Spectra
from sertools.store.reader import open_store

EMOTIONS = ("angry", "happy", "neutral", "sad")
LAYER = 3
_FRONT_END = FrontEnd(n_mels=64, n_frames=64, trim_db=35.0)


@dataclass(frozen=True)
class Speech:
    """A corpus in two parts, by speakers.

    Attributes
    ----------
    train
        The store to learn from.
    heard, heldout
        A second of every recording of its speakers, and of the others [shape=(n, SAMPLES)].
    n_classes
        Emotions of `EMOTIONS` that the corpus has.
    """

    train: Path
    heard: np.ndarray
    heldout: np.ndarray
    n_classes: int

    @classmethod
    def of(cls, corpus: str, files: Path, folder: Path, fold: str) -> "Speech":
        """Extract a corpus into `folder` and hold a fold out."""
        chosen = [each for each in sertools.corpus(corpus, files) if each.emotion in EMOTIONS]
        sertools.extract(chosen, folder / "all.h5", front_end=_FRONT_END)
        sertools.select(folder / "all.h5", folder / "test.h5", fold=fold)
        sertools.select(folder / "all.h5", folder / "train.h5", fold=fold, invert=True)
        rng = np.random.default_rng(0)
        heldout, heard = (
            pieces([store.audio_path(n) for n in range(len(store.contents.utterances))], rng)
            for store in map(open_store, (folder / "test.h5", folder / "train.h5"))
        )
        return cls(folder / "train.h5", heard, heldout, len({each.emotion for each in chosen}))

    def noise(self, seed: int) -> np.ndarray:
        """Noise of the heard speakers' spectrum, as many as are held out, each with the envelope of one sound."""
        rng = np.random.default_rng([0, seed])
        return shaped_noise(self.heard[rng.permutation(len(self.heard))[: len(self.heldout)]], rng)

    def made(self, folder: Path, preset: str, seed: int) -> np.ndarray:
        """Sounds of a WaveGAN that learns here, about as many as are held out, all classes alike."""
        model, wavs = folder / f"wavegan-{seed}", folder / f"wavs-{seed}"
        sertools.train_generator(self.train, model, kind="wavegan", preset=preset, seed=seed)
        sertools.generate(model, folder / f"{seed}.h5", per_class=len(self.heldout) // self.n_classes, wavs=wavs)
        sounds = [soundfile.read(path, dtype="float32")[0] for path in sorted(wavs.rglob("*.wav"))]
        assert {len(y) for y in sounds} == {SAMPLES}
        return np.stack(sounds)


def vectors(encoder: FrozenEncoder, sounds: np.ndarray) -> np.ndarray:
    """Rows of one layer of an encoder [shape=(n, width)]."""
    return np.stack([row[LAYER] for row in encoder.rows_of(list(sounds))])


def main(corpus: str, files: str, model: str, fold: str = "1/3", preset: str = "cpu", *seeds: str) -> None:
    """Print the distances of what was heard, and of noise and made sound for every seed."""
    encoder = open_encoder(model, layers=[LAYER])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", SertoolsWarning)
        speech = Speech.of(corpus, Path(files), Path(folder), fold)
        spectra, real = Spectra.of(speech.heldout), vectors(encoder, speech.heldout)

        def tell(what: str, sounds: np.ndarray) -> None:
            distance = frechet(real, vectors(encoder, sounds))
            print(f"{what}: {spectra.distance(sounds):.2f} dB, Fréchet {distance:.2f}", flush=True)

        print(
            f"{corpus} {fold}: {speech.n_classes} classes, {len(speech.heard)} heard, {len(speech.heldout)} held out"
        )
        tell("heard", speech.heard)
        for seed in map(int, seeds or "012"):
            tell(f"seed {seed}: noise", speech.noise(seed))
            tell(f"seed {seed}: made", speech.made(Path(folder), preset, seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
