"""§2.4 as data: the paper's four modifications of BAGAN, each a switch, and the two architectures they make.

Values are fields of `config.NetConfig`, whose defaults are the paper. The original is that of Mariani et al. 2018
(BAGAN, arXiv 1803.09655), as its published builder makes it.
"""

from collections.abc import Mapping

LATENTS = ("conv", "dense", "pca", "identity")
UPSAMPLINGS = ("transposed", "upsample")  # (a)
ACTIVATIONS = ("leaky", "relu")  # (b) in the generator: the original's trunk was leaky already
FAKE_BATCHES = ("separate", "mixed")  # (d)

# What an architecture sets beside the defaults. `norm` is (c): batch normalisation in both nets, and dropout in the
# generator; the original's trunk had dropout, of 0.3, and its generator no biases.
GAN_ARCHS: Mapping[str, Mapping[str, str | bool | float]] = {
    "paper": {},
    "bagan": {
        "up": "upsample",
        "activation": "relu",
        "norm": False,
        "batches": "mixed",
        "bias": False,
        "dropout": 0.3,
    },
}
