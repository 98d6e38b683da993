"""Latents files: the class Gaussians of stores in an autoencoder's latent space, and what they were made from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch

from sertools.config import COVARIANCES
from sertools.errors import ModelError, SertoolsError, StoreError, UsageError, defect, one_of
from sertools.provenance import canonical_json
from sertools.store.guard import check_hdf5
from sertools.store.image import hdf5_output
from sertools.store.parsing import (
    check_file_kind,
    decode_text,
    read_front_end,
    read_history,
    read_lineage,
    read_text,
)
from sertools.store.writer import text_column, text_scalar, write_header
from sertools.training.autoencoder import encode, load_autoencoder
from sertools.training.gaussians import ClassGaussians, Latents, fit_gaussians, of_each
from sertools.training.informed import Told, check_donors, informed_means
from sertools.training.loop import Run
from sertools.training.task import open_task

KIND = "latents"
VERSION = 1


def fit_latents(
    autoencoder_path: Path,
    train_paths: Sequence[Path],
    output: Path,
    method: str,
    device: torch.device,
    donor_paths: Sequence[Path] = (),
    relabel: Mapping[str, str] | None = None,
) -> ClassGaussians:
    """Encode the rows of stores and write one Gaussian a class.

    Parameters
    ----------
    donor_paths
        Stores of other corpora, whose class means ours are shrunk towards; see `informed`.
    relabel
        Word of donors for an emotion → the one that it counts as.

    Raises
    ------
    UsageError
        If the method is unknown, or no donor has a word of `relabel`.
    StoreError
        If the front ends differ, a class has one row, and cannot take its covariance from the others, or no donor
        tells of any class.
    LineageError
        If a donor shares utterances with the stores, or with another donor.
    """
    one_of("--cov", method, COVARIANCES)
    header, encoder, _ = load_autoencoder(autoencoder_path)
    parents = {"autoencoder": (autoencoder_path, header)}
    renamed = dict(relabel or {})
    if renamed and not donor_paths:
        raise UsageError("--relabel: is of the words of donors; give --donor D.h5 too")
    options = {"cov": method, **({"relabel": renamed} if renamed else {})}
    run = Run(output, device=device)
    task = open_task("fit-latents", options, run, train_paths, None, parents, donor_paths, vectors=True)
    rows = task.rows
    rows.classes()
    check_donors(rows, task.donors, renamed)
    for each in (rows, *task.donors):
        each.check_scale(header.scaler, autoencoder_path)
    latents = encode(encoder.to(device), rows, header.scaler, device)
    try:
        gaussians = fit_gaussians(latents, rows.emotion.tolist(), method)
    except StoreError as error:
        raise StoreError(f"{rows.name}: {error}") from error
    told: Told = {}
    if task.donors:
        read = partial(encode, encoder, scaler=header.scaler, device=device)
        mean, told = informed_means(rows, latents, task.donors, renamed, lambda rows, index: read(rows, index=index))
        gaussians = dataclasses.replace(gaussians, mean=mean)
    digest = task.inputs["autoencoder"]
    _write(output, Latents(gaussians, method, digest, header.front_end, task.history, task.lineage, told))
    return gaussians


def _write(path: Path, latents: Latents) -> None:
    gaussians = latents.gaussians
    with hdf5_output(path) as file:
        write_header(file, KIND, VERSION, latents.front_end, latents.lineage, latents.history)
        file.attrs.create("method", **text_scalar(latents.method))
        file.attrs.create("autoencoder", **text_scalar(latents.autoencoder_digest))
        if latents.donors:
            file.attrs.create("donors", **text_scalar(canonical_json(latents.donors)))
        file.create_dataset("classes", **text_column(list(gaussians.classes)), track_times=False)
        for name, values in (
            ("mean", gaussians.mean),
            ("covariance", gaussians.distinct),
            ("n_rows", np.array(gaussians.n_rows, dtype="<i8")),
            ("rank", np.array(gaussians.rank, dtype="<i8")),
            ("condition", np.array(gaussians.condition)),
        ):
            file.create_dataset(name, data=values, track_times=False)


def load_latents(path: Path) -> Latents:
    """Read a latents file.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another kind.
    """
    check_hdf5(path, ModelError)
    try:
        with h5py.File(path, "r", locking=False) as file:
            check_file_kind(file, path, [KIND], VERSION)
            classes = tuple(decode_text(file["classes"][:]).tolist())
            mean, covariance = file["mean"][:].astype(np.float64), file["covariance"][:].astype(np.float64)
            n_rows = tuple(int(n) for n in file["n_rows"][:])
            gaussians = ClassGaussians(classes, mean, of_each(covariance, classes, mean), n_rows)
            if not (np.isfinite(gaussians.mean).all() and np.isfinite(gaussians.covariance).all()):
                raise ValueError("NaN or infinite values")
            return Latents(
                gaussians,
                read_text(file, "method"),
                read_text(file, "autoencoder"),
                read_front_end(file["front_end"]),
                read_history(file),
                read_lineage(file["lineage"]),
                dict(json.loads(read_text(file, "donors"))) if "donors" in file.attrs else {},
            )
    except StoreError as error:
        raise ModelError(str(error)) from error
    except (SertoolsError, KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
        raise ModelError(defect(path, error, "latents", "fit them again")) from error
