"""Small Unix-style tools against class imbalance in speech emotion recognition.

The rooms, in the order the data flows; each imports only from those before it:

``corpora``     folders on disk → rows of a labels table
``sound``       audio files → log-mel segments
``encoders``    a recording → a vector of a frozen pretrained network
``store``       the spectrogram store: write, read, select, merge, trace
``balance``     augmentation strategies and balancing plans
``experiment``  methods, cells and settings as data; the rules of `make` that follow from them
``nets``        the networks of the paper
``training``    autoencoder, class Gaussians, GAN, other generators, classifier
``generation``  rows from a trained generator: drawn, or moved
``scoring``     results → comparing → synthetic: what is computed
``reporting``   contents → plots → reports → exports: what is shown
``api``         one function per verb, for Python
``batch``       command lines as forks of one process
``cli``         one thin file per verb, which calls that function

``from sertools import extract, train_clf`` and so on: names are loaded when they are asked for, so that importing
the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sertools.version import __version__

if TYPE_CHECKING:
    from sertools.api import (
        augment,
        borrow,
        corpus,
        embed,
        evaluate,
        export,
        extract,
        finetune_gan,
        fit_latents,
        generate,
        info,
        merge,
        plot,
        predict,
        pretrain_ae,
        rehearse,
        report,
        score,
        select,
        to_wav,
        train_clf,
        train_generator,
    )
    from sertools.balance.strategies import STRATEGIES
    from sertools.config import FrontEnd
    from sertools.corpora import READERS
    from sertools.errors import SertoolsError, SertoolsWarning
    from sertools.presets import PRESETS
    from sertools.scoring.results.result_file import read_result
    from sertools.store.reader import open_store

# Where what stands above lives.
_HOMES = {
    "STRATEGIES": "balance.strategies",
    "PRESETS": "presets",
    "FrontEnd": "config",
    "READERS": "corpora",
    "SertoolsError": "errors",
    "SertoolsWarning": "errors",
    "read_result": "scoring.results.result_file",
    "open_store": "store.reader",
}

__all__ = [
    "PRESETS",
    "READERS",
    "STRATEGIES",
    "FrontEnd",
    "SertoolsError",
    "SertoolsWarning",
    "__version__",
    "augment",
    "borrow",
    "corpus",
    "embed",
    "evaluate",
    "export",
    "extract",
    "finetune_gan",
    "fit_latents",
    "generate",
    "info",
    "merge",
    "open_store",
    "plot",
    "predict",
    "pretrain_ae",
    "read_result",
    "rehearse",
    "report",
    "score",
    "select",
    "to_wav",
    "train_clf",
    "train_generator",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'sertools' has no attribute {name!r}")
    return getattr(import_module(f"sertools.{_HOMES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
