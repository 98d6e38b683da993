"""Principal components in place of an autoencoder: exact, fixed, refused where rows are too few, beside others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from chains import AE, CPU, FRONT_END, GAN, NET, finetune, noise, pretrain, synthesise, write_rows

from sertools.config import AutoencoderConfig
from sertools.errors import StoreError, UsageError
from sertools.store.reader import open_store
from sertools.training import pca
from sertools.training.autoencoder import encode, load_autoencoder
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_header, load_model
from sertools.training.gan_file import load_generator
from sertools.training.latents import fit_latents
from sertools.training.pca import principal_components


def config(size: int) -> AutoencoderConfig:
    return dataclasses.replace(AE, net=dataclasses.replace(NET, latent="pca", latent_size=size))


def components(rows: np.ndarray, size: int):
    """Of rows that come in blocks of 7."""
    return principal_components(lambda: np.split(rows, range(7, len(rows), 7)), len(rows), rows.shape[1], size)


@pytest.mark.parametrize("n_rows", [12, 90])
def test_components_are_those_of_a_singular_value_decomposition(rng, n_rows):
    rows = rng.standard_normal((n_rows, 40)) * np.linspace(5, 1, 40) + 3
    found = components(rows, 6)
    _, _, basis = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.mean, rows.mean(axis=0))
    np.testing.assert_allclose(np.abs(found.basis @ basis[:6].T), np.eye(6), atol=1e-9)
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(6), atol=1e-12)
    assert (found.basis[np.arange(6), np.abs(found.basis).argmax(axis=1)] > 0).all()


def test_many_rows_are_passed_over_block_by_block_to_the_same_end(rng, monkeypatch):
    rows = rng.standard_normal((200, 60)) * 0.8 ** np.arange(60)
    exact = components(rows, 5)
    monkeypatch.setattr(pca, "EXACT_VALUES", 100)
    passed = components(rows, 5)
    np.testing.assert_allclose(passed.basis, exact.basis, atol=1e-6)
    np.testing.assert_array_equal(passed.basis, components(rows, 5).basis)


@pytest.mark.parametrize("exact", [True, False])
def test_no_more_components_than_the_rows_span(rng, monkeypatch, exact):
    if not exact:
        monkeypatch.setattr(pca, "EXACT_VALUES", 0)
    assert components(np.repeat(rng.standard_normal((4, 30)), 3, axis=0), 8).basis.shape == (3, 30)
    assert components(np.ones((5, 30)), 8).basis.shape == (0, 30)


def test_the_file_is_an_autoencoder_whose_latents_are_the_coordinates_of_real_rows(chain, tmp_path):
    assert pretrain([chain.train], tmp_path / "pca", config(9)) == []
    header, encoder, decoder = load_autoencoder(tmp_path / "pca")
    rows = open_rows([chain.train])
    scaled = header.scaler.scale(rows.pictures(np.arange(len(rows)))).reshape(len(rows), -1).astype(float)
    latents = encode(encoder, rows, header.scaler, CPU)
    np.testing.assert_allclose(latents.mean(axis=0), 0, atol=1e-4)
    values = np.linalg.svd(scaled - scaled.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.square(latents).sum(axis=0), np.square(values[:9]), rtol=1e-4)
    made = decoder(torch.from_numpy(latents).float()).detach().numpy().reshape(len(rows), -1)
    left = np.square(values[9:]).sum() / scaled.size
    assert np.square(made - scaled).mean() == pytest.approx(left, rel=1e-4)
    assert header.facts == {
        "n_rows": len(rows),
        "mse_rows": "training",
        "mse": pytest.approx(left, abs=1e-6),
        "speakers": ["01", "02", "03", "04"],
    }


def test_altered_rows_do_not_turn_the_components(chain, rng, tmp_path):
    strange = write_rows(tmp_path / "s.h5", noise(rng, 40), ["sad"] * 40, origin="generated")
    pretrain([chain.train], tmp_path / "a", config(9))
    pretrain([chain.train, strange], tmp_path / "b", config(9))
    a, b = (load_model(tmp_path / name, "autoencoder")[1] for name in "ab")
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, rtol=0, atol=0)


def test_the_seed_is_of_no_account(chain, tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        pretrain([chain.train], tmp_path / name, config(9), seed=seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.filterwarnings("ignore:.*become constant pictures:sertools.errors.SertoolsWarning")
def test_too_few_rows_are_refused_with_the_size_that_would_do(rng, tmp_path):
    path = write_rows(tmp_path / "s.h5", noise(rng, 6), ["sad", "angry"] * 3)
    with pytest.raises(
        StoreError, match=r"6 real rows span 5 directions, but 9 components .* --latent-size 5 or less"
    ):
        pretrain([path], tmp_path / "pca", config(9))
    pretrain([path], tmp_path / "pca", config(5))
    flat = write_rows(tmp_path / "f.h5", np.full((3, 32, 32), -20, dtype=np.float32), ["sad"] * 3)
    with pytest.raises(StoreError, match="they are all alike"):
        pretrain([flat], tmp_path / "flat", config(2))
    assert not (tmp_path / "flat").exists()


def test_a_validation_store_only_measures(chain, tmp_path):
    pretrain([chain.train], tmp_path / "a", config(9))
    pretrain([chain.train], tmp_path / "b", config(9), val=chain.val)
    a, b = load_header(tmp_path / "a"), load_header(tmp_path / "b")
    assert b.facts["mse_rows"] == "validation"
    assert b.facts["mse"] > a.facts["mse"]
    assert a.lineage == b.lineage


def test_an_autoencoder_is_measured_beside_as_many_components(chain, tmp_path):
    pretrain([chain.train], tmp_path / "pca", config(NET.latent_size), val=chain.val)
    pretrain([chain.train], tmp_path / "ae", val=chain.val)
    facts = load_header(tmp_path / "ae").facts
    assert facts["pca_mse"] == pytest.approx(load_header(tmp_path / "pca").facts["mse"], abs=1e-6)
    assert facts["mse"] == pytest.approx(facts["val_mse"], abs=1e-6)
    assert (facts["mse_rows"], facts["pca_size"]) == ("validation", NET.latent_size)
    # As many as there are, where the latent has more numbers than the rows span directions.
    few = write_rows(tmp_path / "s.h5", noise(np.random.default_rng(0), 6), ["sad", "angry"] * 3)
    pretrain([few], tmp_path / "few", val=chain.val)
    assert load_header(tmp_path / "few").facts["pca_size"] == 5


def test_components_that_know_the_rows_by_heart_are_no_measure(chain, tmp_path):
    few = write_rows(tmp_path / "s.h5", noise(np.random.default_rng(0), n := 2 * NET.latent_size - 1), ["sad"] * n)
    pretrain([few], tmp_path / "few")
    facts = load_header(tmp_path / "few").facts
    assert facts["mse_rows"] == "training"
    assert "pca_mse" not in facts
    enough = write_rows(tmp_path / "e.h5", noise(np.random.default_rng(0), n + 1), ["sad"] * (n + 1))
    pretrain([enough], tmp_path / "enough")
    assert "pca_mse" in load_header(tmp_path / "enough").facts


@pytest.fixture(scope="module")
def linear(chain, tmp_path_factory) -> Path:
    """A folder with pca, latents.h5 and gan, all linear."""
    folder = tmp_path_factory.mktemp("linear")
    pretrain([chain.train], folder / "pca", config(9))
    fit_latents(folder / "pca", [chain.train], folder / "latents.h5", "empirical", CPU)
    finetune(folder / "pca", folder / "latents.h5", [chain.train], folder / "gan", dataclasses.replace(GAN, steps=0))
    return folder


def test_the_chain_goes_on_without_a_discriminator(linear, tmp_path):
    _, tensors = load_model(linear / "gan", "gan")
    assert {name.partition(".")[0] for name in tensors} == {"generator", "encoder", "latents"}
    header, _, gaussians = load_generator(linear / "gan")
    assert gaussians.mean.shape == (4, 9)
    store = open_store(synthesise(linear / "gan", tmp_path / "s.h5", {"angry": 70}))
    pictures = store.rows(np.arange(70))
    assert pictures.min() >= header.scaler.low_db - 1e-3
    assert pictures.max() <= header.scaler.high_db + 1e-3
    assert store.contents.front_end == FRONT_END


def test_components_cannot_be_trained(chain, linear, tmp_path):
    with pytest.raises(
        UsageError, match=r"is of --latent pca, which cannot be trained; give --steps 0, or .* --latent conv"
    ):
        finetune(linear / "pca", linear / "latents.h5", [chain.train], tmp_path / "gan")


@pytest.mark.parametrize("option", ["--steps", "--batch-size", "--lr", "--width"])
def test_options_of_a_training_are_refused(chain, call, option):
    done = call("pretrain-ae", chain.train, "-o", "x", "--latent", "pca", option, "2")
    assert done.code == 2
    assert f"{option}: nothing is trained with --latent pca" in done.err


def test_an_autoencoder_that_loses_is_said_so(chain, tmp_path, call):
    options = ("--preset", "smoke", "--steps", "2", "--latent-size", "8")
    done = call("pretrain-ae", chain.train, "--val", chain.val, "-o", "ae", *options)
    assert done.code == 0
    assert "reconstruction error on validation rows" in done.err
    assert "that of 8 principal components" in done.err
    assert "warning: ae: loses to PCA; give --latent pca --latent-size 8, or more --steps" in done.err
    best = call("pretrain-ae", chain.train, "-o", "pca", "--latent", "pca", "--latent-size", "8")
    assert best.code == 0
    assert "warning" not in best.err
    assert call("pretrain-ae", chain.train, "-o", "x", "--latent", "ica").code == 2
