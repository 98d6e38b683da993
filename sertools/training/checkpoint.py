"""Model files and resume states: safetensors, with one metadata key that holds JSON.

A model says what it is, rebuilds itself from its own sizes, and carries the front end, the scaler, its history
and its lineage. No pickle is ever read.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sertools.arrays import Shape
from sertools.config import FrontEnd, NetConfig
from sertools.encoding import Encoding, RowSource
from sertools.errors import ModelError, SertoolsError, TrainingError, UsageError, defect, short_of, why_not
from sertools.presets import REMOVED_FIELDS
from sertools.provenance import atomic_output, canonical_json, flat
from sertools.store.lineage import Lineage
from sertools.training.scaling import MinMax, Scaler, Standardiser

VERSION = 1
_KEY = "sertools"
_STATE = "state"
Net = TypeVar("Net", bound=nn.Module)
Described = TypeVar("Described", FrontEnd, Encoding, MinMax)


@dataclass(frozen=True)
class Header:
    """What a model file says about itself.

    Attributes
    ----------
    kind
        autoencoder, gan, cvae, diffusion, cyclegan, wavegan or classifier.
    config
        The sizes that rebuild the nets, and the numbers of the training.
    classes
        In the order of the outputs; empty for an autoencoder.
    facts
        What else is worth knowing: rows, updates, the validation score; in a file, also the lineage's speakers.
    """

    kind: str
    config: Mapping[str, Any]
    front_end: RowSource
    scaler: Scaler
    history: tuple[str, ...]
    lineage: Lineage
    classes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """Of a row."""
        return self.front_end.shape

    @property
    def net(self) -> NetConfig:
        """The sizes of the nets."""
        return NetConfig(**self.config["net"])


def save_model(path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
    """Write a model file; equal content gives equal bytes.

    Raises
    ------
    TrainingError
        If a weight is NaN or infinite: the last step's loss is that of the weights before it.
    """
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise TrainingError(f"{path}: {name} is not finite after the last step; nothing was written; lower --lr")
    described = {
        "kind": header.kind,
        "version": VERSION,
        "config": dict(header.config),
        "classes": list(header.classes),
        "front_end": dataclasses.asdict(header.front_end),
        "scaler": dataclasses.asdict(header.scaler),
        "history": list(header.history),
        "trained_on": sorted(header.lineage.trained_on),
        "selected_on": sorted(header.lineage.selected_on),
        # Where a classifier has always had them.
        "facts": {**header.facts, "speakers": sorted(header.lineage.speakers)},
    }
    _write(path, described, tensors)


def load_header(path: Path, *kinds: str) -> Header:
    """Read what a model file says about itself, without its weights.

    Parameters
    ----------
    kinds
        What it may be; anything, if none is given.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    described = _read_metadata(path)
    try:
        found = str(described["kind"])
        if kinds and found not in kinds:
            raise ModelError(f"{path}: is of the kind {found}; {' or '.join(kinds)} is wanted here")
        if found == _STATE:
            raise ModelError(f"{path}: is the resume state of an unfinished training; the model follows at its end")
        if described["version"] != VERSION:
            raise ModelError(f"{path}: format version {described['version']}; this sertools reads version {VERSION}")
        header = Header(
            kind=found,
            config=dict(described["config"]),
            front_end=_front_end(described["front_end"]),
            scaler=_scaler(described["scaler"]),
            history=_texts(described["history"]),
            lineage=Lineage(
                frozenset(_texts(described["trained_on"])),
                frozenset(_texts(described["selected_on"])),
                frozenset(_texts(described["facts"].get("speakers", []))),
            ),
            classes=_texts(described["classes"]),
            facts=dict(described["facts"]),
        )
        if not all(isinstance(json.loads(line), dict) for line in header.history):
            raise ValueError("the history is not JSON objects")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: damaged header ({error}); train it again, or restore a copy") from error
    except SertoolsError as error:
        raise (error if isinstance(error, ModelError) else ModelError(f"{path}: damaged header ({error})")) from error
    return header


def _front_end(values: Mapping[str, Any]) -> RowSource:
    return _typed(Encoding, values) if "encoder" in values else _typed(FrontEnd, values)


def _scaler(values: Mapping[str, Any]) -> Scaler:
    if "mean" not in values:
        scaler = _typed(MinMax, values)
        if not -math.inf < scaler.low_db < scaler.high_db < math.inf:
            raise ValueError("the scaler has no range")
        return scaler
    mean, sd = (tuple(map(float, values[name])) for name in ("mean", "sd"))
    if len(mean) != len(sd) or not all(each > 0 for each in sd) or not all(map(math.isfinite, (*mean, *sd))):
        raise ValueError("the scaler has no range")
    return Standardiser(mean, sd)


def _typed(kind: type[Described], values: Mapping[str, Any]) -> Described:
    """Make a flat dataclass of JSON values, each of the type that its annotation names."""
    for each in dataclasses.fields(kind):
        allowed = {"int": (int,), "float": (float, int), "str": (str,)}[str(each.type)]
        if each.name in values and type(values[each.name]) not in allowed:
            raise ValueError(f"{each.name} is not of type {each.type}")
    return kind(**values)


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("expected a list of texts")
    return tuple(values)


def load_model(path: Path, kind: str) -> tuple[Header, dict[str, Tensor]]:
    """Read a model file.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    return load_header(path, kind), _read_tensors(path)


def rebuild(build: Callable[[], Net], tensors: Mapping[str, Tensor], prefix: str, path: Path) -> Net:
    """Build a net and give it the tensors whose names start with `prefix`.

    Raises
    ------
    ModelError
        If the header's sizes make no net, or the tensors do not fit it.
    """
    own = under(tensors, prefix)
    try:
        with torch.device("meta"):
            net = build()
        kinds = {name: value.dtype for name, value in net.state_dict().items()}
        if kinds != {name: value.dtype for name, value in own.items()}:
            raise ValueError("other tensors than the net has")
        net.load_state_dict(own, assign=True)
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError, UsageError) as error:
        raise ModelError(
            f"{path}: its weights do not fit its own sizes; train it again, or restore a copy"
        ) from error
    # Weights read from a file are plain tensors; training goes on from them.
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    return net


def prefixed(net: nn.Module, prefix: str) -> dict[str, Tensor]:
    """All of a net's tensors under `prefix`, on the CPU."""
    return {prefix + name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those of some tensors whose names start with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def save_state(path: Path, signature: Mapping[str, Any], step: int, tensors: Mapping[str, Tensor]) -> None:
    """Write a resume state."""
    _write(path, {"kind": _STATE, "version": VERSION, "step": step, "signature": dict(signature)}, tensors)


def load_state(path: Path, signature: Mapping[str, Any]) -> tuple[int, dict[str, Tensor]]:
    """Read a resume state, if it is of the very same run.

    Raises
    ------
    ModelError
        Naming what differs from the run that left the state.
    """
    described = _read_metadata(path)
    try:
        left, step = dict(described["signature"]), int(described["step"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: damaged resume state; remove it to start again") from error
    left = dict(pair for pair in flat(left).items() if pair not in flat({"options": REMOVED_FIELDS}).items())
    wanted = flat(json.loads(canonical_json(dict(signature))))
    differing = sorted(name for name in {*left, *wanted} if left.get(name) != wanted.get(name))
    if differing:
        shown = "; ".join(f"{name} was {_short(left.get(name))}, is {_short(wanted.get(name))}" for name in differing)
        raise ModelError(
            f"{path}: state of another run ({shown}); repeat that command, or remove the file to start again"
        )
    return step, _read_tensors(path)


def _short(value: Any) -> str:
    text = canonical_json(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _write(path: Path, described: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    content = save({name: value.contiguous() for name, value in tensors.items()}, {_KEY: canonical_json(described)})
    with atomic_output(path) as part:
        part.write_bytes(content)


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            if stream.read(4) == b"\x89HDF":
                raise ModelError(f"{path}: not a model file (it holds spectrograms or latents)")
    except OSError as error:
        raise ModelError(f"{path}: {why_not(path, error)}") from error
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        described = json.loads(metadata[_KEY])
        # Neither NaN nor half characters: what is read here is written again into other files.
        canonical_json(described).encode("utf-8")
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: a safetensors file, but not one of sertools") from error
    except (SafetensorError, OSError, RuntimeError) as error:
        why = f"{path}: not a model file ({str(error).splitlines()[0]})"
        raise ModelError(defect(path, error, "model") if short_of(error) else why) from error
    if not isinstance(described, dict):
        raise ModelError(f"{path}: damaged header; train it again, or restore a copy")
    return described


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelError(defect(path, error, "weights")) from error
