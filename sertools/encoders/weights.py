"""The files of a pretrained encoder: JSON and safetensors. No pickle is ever read.

The layout is that of Hugging Face transformers: ``config.json``, ``preprocessor_config.json`` (or
``processor_config.json``, which holds it) and ``model.safetensors``, whole or in shards with an index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sertools.errors import ModelError, defect, why_not
from sertools.provenance import canonical_json, digest_each

CONFIG = "config.json"
FRONT_ENDS = ("preprocessor_config.json", "processor_config.json")
WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARDS = "model-*-of-*.safetensors"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_MOST_NAMED = 3
# As files of old call the two halves of a normalised weight, and as torch does now.
_RENAMED = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}


def read_config(folder: Path) -> dict[str, Any]:
    """Return what a folder says of its model.

    Raises
    ------
    ModelError
        If there is no such folder, or no model in it.
    """
    if not folder.is_dir():
        named = f"; on the hub it is hf:{folder}" if len(folder.parts) == 2 and not folder.is_absolute() else ""
        raise ModelError(
            f"{folder}: {'no folder, and no .onnx file' if folder.exists() else f'no such folder{named}'}"
        )
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder}: holds no model that transformers saved ({CONFIG} is missing)")
    return _json(folder / CONFIG)


def read_extractor(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the numbers of the front end, and the file that they stand in.

    Raises
    ------
    ModelError
        If it does not say them.
    """
    for name in FRONT_ENDS:
        path = folder / name
        if path.is_file():
            values = _json(path)
            nested = values.get("feature_extractor", values)
            if isinstance(nested, dict):
                return path, nested
    raise ModelError(f"{folder}: {FRONT_ENDS[0]} is missing: sampling rate and front end are unknown; copy it there")


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: {why_not(path, error)}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON ({error}); copy it again") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path}: holds no JSON object; copy it again")
    return values


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a folder.

    Raises
    ------
    ModelError
        If there is none, or one of several is missing.
    """
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if (folder / INDEX).is_file():
        found = _json(folder / INDEX).get("weight_map")
        names = {str(name) for name in found.values()} if isinstance(found, dict) else set()
        if not names or any(Path(name).name != name for name in names):
            raise ModelError(f"{folder / INDEX}: names no files beside it; copy it again")
        for name in sorted(names):
            if not (folder / name).is_file():
                raise ModelError(f"{folder / name}: is missing, and holds some of the weights; copy it there")
        return [folder / name for name in sorted(names)]
    pickles = sorted(each.name for each in folder.iterdir() if each.suffix in _PICKLES)
    if pickles:
        raise ModelError(
            f"{folder}: has its weights as a pickle alone ({pickles[0]}), which can run code and is never read; "
            "convert it to safetensors"
        )
    raise ModelError(f"{folder}: {WHOLE} is missing; copy it there")


def read_weights(
    files: Iterable[Path], wanted: Mapping[str, torch.Size], prefixes: Iterable[str], folder: Path
) -> dict[str, Tensor]:
    """Read the weights of an encoder, as float32.

    Parameters
    ----------
    files
        Safetensors.
    wanted
        Name → shape, of all that the encoder has. What files hold beside these, such as heads, is left out.
    prefixes
        What may stand before these names, where the encoder is a part of something larger.

    Raises
    ------
    ModelError
        If a weight is missing, has another shape, or is no floating-point number: nothing is ever made up.
    """
    places = {name: path for path in files for name in _names(path)}
    own = {prefix: _under(places, prefix) for prefix in prefixes}
    names = max(own.values(), key=lambda found: len(wanted.keys() & found.keys()))
    if missing := sorted(wanted.keys() - names.keys()):
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        listed = ", ".join(missing[:_MOST_NAMED]) + more
        raise ModelError(f"{folder}: lacks weights of the encoder: {listed}; copy or convert it again")
    found: dict[str, Tensor] = {}
    for path in dict.fromkeys(places.values()):
        try:
            with safe_open(path, framework="pt") as file:
                for name in wanted:
                    if places[names[name]] == path:
                        found[name] = file.get_tensor(names[name])
        except (SafetensorError, OSError, RuntimeError) as error:
            raise ModelError(defect(path, error, "weights", "copy it again")) from error
    for name, value in found.items():
        if value.shape != wanted[name]:
            raise ModelError(
                f"{folder}: {name} is {_sides(value.shape)}, and {_sides(wanted[name])} by {CONFIG}; copy both again"
            )
        if not value.is_floating_point():
            raise ModelError(f"{folder}: {name} is {value.dtype}: quantised weights are not read; take the original")
        found[name] = value.float()
    return found


def _names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelError(defect(path, error, "weights", "copy it again")) from error


def _under(places: Iterable[str], prefix: str) -> dict[str, str]:
    """Return, by torch's name for it within the encoder, each weight's name in the file."""
    found = {}
    for name in places:
        if name.startswith(prefix):
            inner = name.removeprefix(prefix)
            for old, new in _RENAMED.items():
                if inner.endswith(old):
                    inner = inner.removesuffix(old) + new
            found[inner] = name
    return found


def _sides(shape: torch.Size) -> str:
    return " × ".join(str(side) for side in shape) or "a number"


def digest_weights(weights: Mapping[str, Tensor], joined_by: Mapping[str, Any]) -> str:
    """Digest weights by name, shape and value, and the numbers that join them; the order of a file does not count."""

    def parts() -> Iterator[bytes | memoryview]:
        yield canonical_json(joined_by).encode()
        for name in sorted(weights):
            yield canonical_json([name, list(weights[name].shape)]).encode()
            yield weights[name].contiguous().numpy().data.cast("B")

    return digest_each(parts())
