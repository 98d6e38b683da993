"""What a GAN file holds: the generator and its Gaussians, the encoder it started from, the discriminator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from sertools.errors import ModelError
from sertools.nets.autoencoders import build_decoder, build_encoder
from sertools.nets.conditional import ToldGenerator
from sertools.training.checkpoint import Header, load_model, rebuild
from sertools.training.gaussians import ClassGaussians, of_each

KIND = "gan"


def load_generator(path: Path) -> tuple[Header, nn.Module, ClassGaussians]:
    """Read the generator of a GAN file, in eval mode, and the Gaussians it is fed from.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    header, tensors = load_model(path, KIND)
    generator = rebuild(lambda: _build_generator(header), tensors, "generator.", path)
    try:
        mean, covariance = tensors["latents.mean"].numpy(), tensors["latents.covariance"].numpy()
        n_rows = tuple(int(n) for n in header.facts["latent_rows"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: lacks its latents; train it again, or restore a copy") from error
    try:
        gaussians = ClassGaussians(header.classes, mean, of_each(covariance, header.classes, mean), n_rows)
        fits = mean.shape[1] == header.net.latent_size
    except ValueError:
        fits = False
    if not fits or not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ModelError(f"{path}: its latents do not fit its classes; train it again, or restore a copy")
    return header, generator.eval(), gaussians


def _build_generator(header: Header) -> nn.Module:
    plain = build_decoder(header.shape, header.net)
    told = header.config.get("condition_g") == "batch-norm"
    return ToldGenerator(plain, len(header.classes)) if told else plain


def load_encoder(gan_path: Path, header: Header) -> nn.Module:
    """Read the encoder that a GAN started from.

    Raises
    ------
    ModelError
        If the GAN file is damaged.
    """
    _, tensors = load_model(gan_path, KIND)
    return rebuild(lambda: build_encoder(header.shape, header.net), tensors, "encoder.", gan_path).eval()
