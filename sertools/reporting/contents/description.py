"""What is in a file: the words behind `info`, for stores, latents, models, results, logs and what is made of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sertools.config import FrontEnd
from sertools.corpora import licences
from sertools.errors import ModelError, SertoolsError, why_not
from sertools.presets import Preset, beside_paper
from sertools.reporting.contents.commands import commands_of, entry
from sertools.reporting.contents.printed import REPORT, SCORE, describe_document, document_kind
from sertools.scoring.results.result_file import read_result
from sertools.store.format import KINDS as STORES
from sertools.store.format import Contents
from sertools.store.identity import called
from sertools.store.lineage import Lineage
from sertools.store.reader import Store, hdf5_kind, open_store
from sertools.store.remarks import dead_bands, remarks
from sertools.training.log import HEAD, read_log

RESULT = "result"
LATENTS = "latents"
LOG = "training log"
_MODELS = tuple(field.name for field in dataclasses.fields(Preset))
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_UNALTERED = ("real", "copied", "generated", "borrowed")


def file_kind(path: Path) -> str:
    """Say what a file is: spectrograms, latents, result, score, report, training log, autoencoder, gan or classifier.

    Raises
    ------
    SertoolsError
        If it is missing, damaged, or was not made by sertools.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(128)
    except OSError as error:
        raise ModelError(f"{path}: {why_not(path, error)}") from error
    if head.startswith(_HDF5_MAGIC):
        kind = hdf5_kind(path)
        if kind not in (*STORES, LATENTS):
            raise ModelError(f"{path}: an HDF5 file, but not one of sertools")
        return kind
    if head.startswith(HEAD):
        return LOG
    if document := document_kind(head):
        return document
    if head.lstrip().startswith(b"{"):
        return RESULT
    if head[8:9] == b"{":
        from sertools.training.checkpoint import load_header  # noqa: PLC0415 - torch, which stores do not need

        return load_header(path).kind
    raise ModelError(f"{path}: not a file of sertools (expected a store, latents, model or result)")


def describe(path: Path, *, verify: bool = False) -> dict[str, Any]:
    """Describe a file in plain values, ready for JSON.

    Parameters
    ----------
    verify
        Compare every picture of a store, and its tables, with their digests.

    Raises
    ------
    SertoolsError
        If the file is damaged; with `verify`, also if a picture or a table has changed.
    """
    kind = file_kind(path)
    # Opened once, so that what is verified is what is described.
    store = open_store(path) if kind in STORES else None
    if store:
        found = _store(store)
    elif kind in (SCORE, REPORT):
        found = describe_document(path, kind)
    else:
        found = {LATENTS: _latents, RESULT: _result, LOG: _log}.get(kind, _model)(path)
    described = {"file": path.name, "kind": kind, **found}
    try:
        made = commands_of(described["history"], path.name, described.get("tags"))
        described["history"] = [entry(line) for line in described["history"]]
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: damaged history ({error}); make it again, or restore a copy") from error
    if made.steps:
        described |= {"commands": [step.line() for step in made.steps], "names": dict(made.files)}
    if verify and store is not None:
        described["verified"] = _verified(store)
    return described


def _verified(store: Store) -> bool | str:
    """Compare a store with its digests; say what there are digests of."""
    damaged = store.damaged_rows()
    if damaged:
        raise SertoolsError(
            f"{store.path}: {len(damaged)} of its pictures have changed since they were written, row {damaged[0]} "
            "the first; restore a copy, or make it again"
        )
    changed = store.tables_damaged()
    if changed:
        raise SertoolsError(
            f"{store.path}: its tables have changed since they were written; restore a copy, or make it again"
        )
    return "pictures only: the store has no digest of its tables" if changed is None else True


def _store(store: Store) -> dict[str, Any]:
    contents = store.contents
    utterances = contents.utterances
    emotion, origin = contents.emotion, contents.segments["origin"]
    of_utterance = contents.segments["utterance"]
    corpora = set(contents.of_utterances("corpus").tolist())
    return {
        "rows": len(store),
        "utterances": len(utterances),
        "hours": round(float(utterances["duration"].sum()) / 3600, 3),
        "classes": {
            name or "(no label)": {
                "utterances": len(np.unique(of_utterance[emotion == name])),
                **_by_origin(origin[emotion == name], set(origin.tolist())),
            }
            for name in sorted(set(emotion.tolist()))
        },
        "corpora": sorted(corpora - {""}),
        "licences": licences(corpora),
        "speakers": _names(contents, "speaker", len(corpora) > 1),
        "sessions": _names(contents, "session", len(corpora) > 1),
        "columns": utterances.known(),
        **_padding(contents),
        "front_end": dataclasses.asdict(contents.front_end),
        "remarks": [text for text in (dead_bands(contents.front_end), *remarks(contents)) if text],
        "audio_root": contents.audio_root,
        "shard": [contents.shard.k, contents.shard.n] if contents.shard else None,
        "virtual": [str(source.path) for source in store.row_map.sources if source.path != store.path],
        "rejected": [
            {"path": path, "reason": reason}
            for path, reason in zip(*(contents.rejected[name].tolist() for name in ("path", "reason")), strict=True)
        ],
        "digest": contents.digest(),
        **_ancestry(contents.lineage, contents.history),
    }


def _padding(contents: Contents) -> dict[str, float]:
    """Share of the columns of all pictures that are padding; vectors have none."""
    if not isinstance(contents.front_end, FrontEnd):
        return {}
    share = 1.0 - contents.segments["n_valid_frames"].mean() / contents.front_end.n_frames if len(contents) else 0.0
    return {"padded_share": round(float(share), 3)}


def _names(contents: Contents, column: str, apart: bool) -> list[str]:
    """List speakers or sessions; with their corpora, where there are several."""
    names = contents.full_names(column) if apart else contents.of_utterances(column)
    return sorted(called(name) for name in set(names.tolist()) - {""})


def _by_origin(origin: npt.NDArray[np.str_], kinds: set[str]) -> dict[str, int]:
    """Count one class's rows: real ones first, then those that a transform altered, as a whole and by transform."""
    counts = {kind: int((origin == kind).sum()) for kind in sorted(kinds, key=lambda kind: (kind != "real", kind))}
    altered = [kind for kind in kinds if kind not in _UNALTERED]
    if not altered:
        return counts
    total = sum(counts[kind] for kind in altered)
    return {"real": counts.pop("real", 0), "altered": total, **counts}


def _latents(path: Path) -> dict[str, Any]:
    from sertools.training.latents import load_latents  # noqa: PLC0415 - torch, which stores do not need

    latents = load_latents(path)
    gaussians = latents.gaussians
    return {
        "method": latents.method,
        "latent_size": gaussians.mean.shape[1],
        "classes": {
            name: {"rows": rows, "rank": rank, "condition": None if np.isinf(condition) else round(condition, 1)}
            for name, rows, rank, condition in zip(
                gaussians.classes, gaussians.n_rows, gaussians.rank, gaussians.condition, strict=True
            )
        },
        **latents.donors,
        "autoencoder": latents.autoencoder_digest,
        "front_end": dataclasses.asdict(latents.front_end),
        **_ancestry(latents.lineage, latents.history),
    }


def _model(path: Path) -> dict[str, Any]:
    from sertools.training.checkpoint import load_header  # noqa: PLC0415 - torch, which stores do not need

    header = load_header(path)
    if header.kind not in _MODELS:
        raise ModelError(f"{path}: is of the unknown kind {header.kind!r}; upgrade, or make it again")
    return {
        "config": dict(header.config),
        "differs_from_paper": beside_paper(header.kind, header.config),
        "classes": list(header.classes),
        "facts": {name: value for name, value in header.facts.items() if name != "informed"},
        **header.facts.get("informed", {}),
        "scaler": dataclasses.asdict(header.scaler),
        "front_end": dataclasses.asdict(header.front_end),
        **_ancestry(header.lineage, header.history),
    }


def _log(path: Path) -> dict[str, Any]:
    log = read_log(path)
    last = log.lines[-1]
    return {
        "verb": log.verb,
        "steps": log.n_steps,
        "done": last.step,
        "warnings": [{"step": line.step, "name": name} for line in log.lines for name in line.warnings],
        "last": {name: None if np.isnan(value) else value for name, value in last.values.items()},
        "history": [],
    }


def _result(path: Path) -> dict[str, Any]:
    result = read_result(path)
    return {
        "tags": dict(result.tags),
        "classes": list(result.classes),
        "vote": result.vote,
        "adjust": result.adjust,
        "allow_seen": result.allow_seen,
        "metrics": dict(result.metrics),
        "model": dict(result.model),
        "history": result.history,
    }


def _ancestry(lineage: Lineage, history: tuple[str, ...]) -> dict[str, Any]:
    return {"lineage": {name: len(seen) for name, seen in vars(lineage).items()}, "history": history}
