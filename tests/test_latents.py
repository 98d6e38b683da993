"""Class Gaussians: the estimators against numpy and scikit-learn, drawing from them, and their file."""

import dataclasses
import os
import shutil

import h5py
import numpy as np
import pytest
import sklearn.covariance
import torch
from chains import AE, CPU, finetune, noise, pretrain, write_rows

from sertools.config import COVARIANCES
from sertools.errors import ModelError, StoreError, UsageError
from sertools.training.autoencoder import load_autoencoder
from sertools.training.batches import open_rows
from sertools.training.calibration import LatentSampler
from sertools.training.gaussians import ClassGaussians, fit_gaussians
from sertools.training.latents import fit_latents, load_latents


@pytest.fixture
def cloud(rng):
    """Latents of three classes in 6 dimensions, shuffled: 40, 15 and 4 rows."""
    labels = np.array(["happy"] * 40 + ["sad"] * 15 + ["angry"] * 4)
    mixing = rng.standard_normal((6, 6))
    latents = rng.standard_normal((59, 6)) @ mixing + 3 * (labels == "sad")[:, None]
    order = rng.permutation(59)
    return latents[order], labels[order]


def test_the_empirical_estimate_is_numpys(cloud):
    latents, labels = cloud
    gaussians = fit_gaussians(latents, labels.tolist(), "empirical")
    assert gaussians.classes == ("angry", "happy", "sad")
    assert gaussians.n_rows == (4, 40, 15)
    for number, name in enumerate(gaussians.classes):
        members = latents[labels == name]
        np.testing.assert_allclose(gaussians.mean[number], members.mean(axis=0))
        centred = members - members.mean(axis=0)
        np.testing.assert_allclose(gaussians.covariance[number], centred.T @ centred / (len(members) - 1))


@pytest.mark.parametrize(
    ("method", "estimate"),
    [
        ("ledoit-wolf", lambda x: sklearn.covariance.LedoitWolf().fit(x).covariance_),
        ("oas", lambda x: sklearn.covariance.OAS().fit(x).covariance_),
        ("diagonal", lambda x: np.diag(x.var(axis=0, ddof=1))),
    ],
)
def test_the_other_estimates(cloud, method, estimate):
    latents, labels = cloud
    gaussians = fit_gaussians(latents, labels.tolist(), method)
    for number, name in enumerate(gaussians.classes):
        members = latents[labels == name]
        np.testing.assert_allclose(gaussians.covariance[number], estimate(members))
        np.testing.assert_allclose(gaussians.mean[number], members.mean(axis=0))


def test_pooled_weighs_a_class_by_its_rows_over_rows_plus_50(cloud):
    latents, labels = cloud
    gaussians = fit_gaussians(latents, labels.tolist(), "pooled")
    own = {name: np.cov(latents[labels == name].T) for name in gaussians.classes}
    within = (3 * own["angry"] + 39 * own["happy"] + 14 * own["sad"]) / 56
    np.testing.assert_allclose(gaussians.covariance[0], 4 / 54 * own["angry"] + 50 / 54 * within)
    np.testing.assert_allclose(gaussians.covariance[1], 40 / 90 * own["happy"] + 50 / 90 * within)
    np.testing.assert_allclose(gaussians.covariance[2], 15 / 65 * own["sad"] + 50 / 65 * within)


def test_few_rows_span_one_direction_less_and_that_is_reported(cloud):
    latents, labels = cloud
    empirical = fit_gaussians(latents, labels.tolist(), "empirical")
    assert empirical.rank == (3, 6, 6)
    assert empirical.condition[0] == np.inf
    values = np.linalg.eigvalsh(empirical.covariance[1])
    assert empirical.condition[1] == pytest.approx(values[-1] / values[0])
    assert fit_gaussians(latents, labels.tolist(), "pooled").rank == (6, 6, 6)


def test_factors_give_back_the_covariance(cloud):
    for method in COVARIANCES:
        gaussians = fit_gaussians(*cloud, method)
        factors = gaussians.factors
        np.testing.assert_allclose(factors @ factors.transpose(0, 2, 1), gaussians.covariance, atol=1e-9)


def assert_drawn_from(drawn: np.ndarray, gaussians: ClassGaussians, number: int) -> None:
    n, sd = len(drawn), np.sqrt(np.diag(gaussians.covariance[number]))
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - gaussians.mean[number]), 5 * sd / np.sqrt(n))
    np.testing.assert_allclose(np.cov(drawn.T), gaussians.covariance[number], atol=0.05 * np.max(sd) ** 2)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_draws_have_the_moments_of_their_class(cloud, number, rng):
    gaussians = fit_gaussians(*cloud, "empirical")
    drawn = gaussians.sample(number, 40_000, rng)
    assert_drawn_from(drawn, gaussians, number)
    # A singular covariance keeps its draws in the span of its rows.
    assert np.linalg.matrix_rank(drawn - drawn.mean(axis=0), tol=1e-3) == gaussians.rank[number]
    torch.manual_seed(0)
    sampler = LatentSampler(gaussians, CPU)
    assert_drawn_from(sampler.latents(torch.full((40_000,), number)).double().numpy(), gaussians, number)


def test_labels_of_the_sampler_are_uniform_over_the_real_classes(cloud):
    torch.manual_seed(0)
    sampler = LatentSampler(fit_gaussians(*cloud, "empirical"), CPU)
    counts = torch.bincount(sampler.uniform_labels(30_000))
    assert len(counts) == 3  # the fourth output of D is "fake": never asked for
    assert ((counts - 10_000).abs() < 400).all()


def test_a_class_of_one_row_and_an_unknown_method_are_refused(cloud, tmp_path):
    latents, labels = cloud
    for method in ("empirical", "ledoit-wolf", "oas", "diagonal"):
        with pytest.raises(
            StoreError, match=r"class 'fear' has 1 row; .* --cov pooled, or .* --where emotion!=fear`"
        ):
            fit_gaussians(latents, ["fear", *["sad"] * 58], method)
    with pytest.raises(
        StoreError, match="class 'fear' has 1 row; a covariance needs at least two: leave it out with"
    ):
        fit_gaussians(latents[:2], ["fear", "sad"], "pooled")
    for attempt in (
        lambda: fit_gaussians(latents, labels.tolist(), "full"),
        # Before anything is read.
        lambda: fit_latents(tmp_path / "no.ae", [tmp_path / "no.h5"], tmp_path / "l.h5", "full", CPU),
    ):
        with pytest.raises(
            UsageError, match="'full': expected one of empirical, ledoit-wolf, oas, pooled, tied, diagonal"
        ):
            attempt()


def test_a_class_of_one_row_takes_the_pooled_covariance_of_the_others(cloud):
    latents, _ = cloud
    labels = ["fear", *["sad"] * 30, *["happy"] * 28]
    found = fit_gaussians(latents, labels, "pooled")
    assert (found.classes, found.n_rows) == (("fear", "happy", "sad"), (1, 28, 30))
    np.testing.assert_array_equal(found.mean[0], latents[0])
    within = (27 * np.cov(latents[31:].T) + 29 * np.cov(latents[1:31].T)) / 56
    np.testing.assert_allclose(found.covariance[0], within)
    # The others are what they are without it.
    without = fit_gaussians(latents[1:], labels[1:], "pooled")
    np.testing.assert_allclose(found.covariance[1:], without.covariance)


def test_the_file_holds_the_gaussians_of_the_encoded_rows(chain, tmp_path):
    header, encoder, _ = load_autoencoder(chain.ae)
    rows = open_rows([chain.train])
    with torch.no_grad():
        latents = encoder.eval()(rows.tensor(np.arange(len(rows)), header.scaler, CPU)).double().numpy()
    wanted = fit_gaussians(latents, rows.emotion.tolist(), "pooled")
    returned = fit_latents(chain.ae, [chain.train], tmp_path / "l.h5", "pooled", CPU)
    found = load_latents(tmp_path / "l.h5")
    assert found.gaussians.classes == returned.classes == wanted.classes
    assert found.gaussians.n_rows == wanted.n_rows
    assert found.method == "pooled"
    assert found.front_end == rows.front_end
    np.testing.assert_allclose(found.gaussians.mean, wanted.mean, atol=1e-5)
    np.testing.assert_allclose(found.gaussians.covariance, wanted.covariance, atol=1e-5)
    np.testing.assert_array_equal(found.gaussians.covariance, returned.covariance)
    digests = set(rows.utterance_column("digest").tolist())
    assert found.lineage.trained_on == digests
    assert [line.split('"verb":')[1].split('"')[1] for line in found.history] == [
        "extract",
        "select",
        "pretrain-ae",
        "fit-latents",
    ]
    again = tmp_path / "again.h5"
    fit_latents(chain.ae, [chain.train], again, "pooled", CPU)
    assert again.read_bytes() == (tmp_path / "l.h5").read_bytes()


def test_rows_that_do_not_fit_are_refused(chain, rng, tmp_path):
    header, _, _ = load_autoencoder(chain.ae)
    front_end = dataclasses.replace(header.front_end, tail="overlap")
    strange = write_rows(tmp_path / "s.h5", noise(rng, 4), ["a", "a", "b", "b"], front_end=front_end)
    with pytest.raises(StoreError, match="tail 'overlap' instead of 'pad'"):
        fit_latents(chain.ae, [strange], tmp_path / "l.h5", "empirical", CPU)
    lone = write_rows(tmp_path / "lone.h5", noise(rng, 3), ["a", "a", "b"], front_end=header.front_end)
    with pytest.raises(StoreError, match=r"lone\.h5: class 'b' has 1 row"):
        fit_latents(chain.ae, [lone], tmp_path / "l.h5", "empirical", CPU)
    assert not (tmp_path / "l.h5").exists()
    fit_latents(chain.ae, [lone], tmp_path / "l.h5", "pooled", CPU)
    drawn = load_latents(tmp_path / "l.h5").gaussians.sample(1, 50, rng)
    assert (drawn.std(axis=0) > 0).all()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f["mean"].write_direct(np.full(f["mean"].shape, np.nan)), "NaN or infinite"),
        (lambda f: f.__delitem__("covariance"), "damaged latents"),
        (lambda f: (f.__delitem__("classes"), f.create_dataset("classes", data=[b"a"])), "differ in size"),
        (lambda f: f.attrs.__setitem__("sertools_version", 2), "format version 2"),
        (lambda f: f["front_end"].attrs.__setitem__("n_mels", 33), "damaged latents"),
        (lambda f: f.__delitem__("lineage"), "damaged latents"),
    ],
)
def test_damaged_latents_are_one_model_error(chain, tmp_path, damage, words):
    path = shutil.copy(chain.latents, tmp_path / "l.h5")
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(ModelError, match=words) as error:
        load_latents(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(("kind", "words"), [("train", "holds spectrograms, but latents"), ("ae", "not an HDF5")])
def test_another_kind_is_named(chain, kind, words):
    with pytest.raises(ModelError, match=words):
        load_latents(getattr(chain, kind))


def test_a_truncated_file_is_refused(chain, tmp_path):
    path = shutil.copy(chain.latents, tmp_path / "l.h5")
    os.truncate(path, path.stat().st_size * 2 // 3)
    with pytest.raises(ModelError):
        load_latents(path)


def test_latents_of_another_autoencoder_are_refused(chain, tmp_path):
    pretrain([chain.train], tmp_path / "other", dataclasses.replace(AE, steps=2))
    with pytest.raises(ModelError, match=r"was fitted with another autoencoder than .*other; fit it again"):
        finetune(tmp_path / "other", chain.latents, [chain.train], tmp_path / "gan")
    assert not (tmp_path / "gan").exists()
