"""What a store remembers of its encoder, and that encoder opened again, to make rows that go with the store's."""

from __future__ import annotations

import json

import torch

from sertools.encoders.encoder import FrozenEncoder, open_encoder
from sertools.encoders.hub import PREFIX, fetch
from sertools.encoding import Encoding
from sertools.errors import ModelError, UsageError
from sertools.provenance import canonical_json


def encoding_of(encoder: FrozenEncoder, layer: int, seconds: float, trim_db: float) -> Encoding:
    """Say what makes the rows of one layer, for their store."""
    identity = encoder.identity
    return Encoding(
        encoder=identity.digest,
        family=identity.family,
        name=identity.hub,
        layer=layer,
        n_values=encoder.dim,
        sr=encoder.sr,
        numbers=canonical_json(dict(identity.front_end)),
        pool=identity.pool,
        segment_seconds=seconds,
        trim_db=trim_db,
    )


def encoder_of(
    encoding: Encoding, store: str, where: str | None, device: torch.device, precision: str
) -> FrozenEncoder:
    """Open the encoder that made a store's rows.

    Parameters
    ----------
    encoding, store
        What made them, and what the store is called.
    where
        As of `open_encoder`; if None, what was downloaded by the name that the store remembers. Nothing is requested
        for a name that only the store says.
    device, precision
        As of `open_encoder`.

    Raises
    ------
    ModelError
        If another encoder is there, or none that can be read.
    UsageError
        If `where` is None, and the store's encoder had no name or was not downloaded.
    """
    folder = _cached(encoding, store) if where is None else where
    numbers = json.loads(encoding.numbers)
    try:
        encoder = open_encoder(
            folder,
            layers=[encoding.layer],
            pool=encoding.pool,
            device=device,
            precision=precision,
            # A network of transformers knows its own rate.
            sr=encoding.sr if encoding.family == "onnx" else None,
            padded=bool(numbers.get("padded")),
        )
    except UsageError as error:
        # Of options that nobody gave: they are the store's.
        raise ModelError(f"{folder}: another encoder than that of {store} ({_named(encoding)}): {error}") from error
    found = encoding_of(encoder, encoding.layer, encoding.segment_seconds, encoding.trim_db)
    if found.encoder != encoding.encoder:
        raise ModelError(
            f"{folder}: another encoder ({_named(found)}) than that of {store} ({_named(encoding)}); "
            "give the one that made its rows"
        )
    if found != encoding:
        raise ModelError(
            f"{folder}: the encoder of {store} with another front end ({found.numbers} instead of "
            f"{encoding.numbers}); copy its preprocessor_config.json again"
        )
    return encoder


def _cached(encoding: Encoding, store: str) -> str:
    wanted = f"{store}: audio is encoded anew, and the file does not say where its encoder lies"
    if not encoding.name:
        raise UsageError(f"{wanted}; give --encoder DIR ({_named(encoding)})")
    try:
        folder, _ = fetch(f"{PREFIX}{encoding.name}", cached=True)
    except ModelError as error:
        raise UsageError(f"{wanted}; give --encoder {PREFIX}{encoding.name}, or its folder") from error
    return str(folder)


def _named(encoding: Encoding) -> str:
    return f"{encoding.family}, digest {encoding.encoder[:8]}"
