"""The paper's method on vectors: class Gaussians of the vectors themselves, and rows drawn from them or moved."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from chains import write_rows
from conftest import Outcome
from numpy.typing import NDArray

from sertools import evaluate, finetune_gan, fit_latents, generate, pretrain_ae, select, train_clf
from sertools.config import AutoencoderConfig, NetConfig
from sertools.encoding import Encoding
from sertools.errors import LineageError, StoreError, UsageError
from sertools.store.reader import open_store
from sertools.training.autoencoder import pretrain_autoencoder
from sertools.training.checkpoint import load_header, load_model
from sertools.training.gaussians import fit_gaussians
from sertools.training.latents import load_latents
from sertools.training.loop import Run

Vectors = NDArray[np.float32]
D = 6
ENCODING = Encoding(encoder="e" * 32, family="hubert", layer=2, n_values=D)
MEANS = {"angry": np.full(D, 3.0), "happy": np.arange(D, dtype=float), "sad": -np.arange(D, dtype=float)}


def store(
    path: Path,
    vectors: NDArray[np.float64],
    emotions: Sequence[str],
    speakers: Sequence[str] | None = None,
    corpus: str = "",
) -> Path:
    encoding = dataclasses.replace(ENCODING, n_values=vectors.shape[1])
    return write_rows(
        path, vectors.astype(np.float32), emotions, speakers=speakers, front_end=encoding, corpus=corpus
    )


def rows_of(path: Path) -> Vectors:
    opened = open_store(path)
    return opened.rows(np.arange(len(opened)))


def gan(train: Path, cov: str = "tied", **options: object) -> Path:
    """The chain from a store to a generator without an adversarial step."""
    ae, latents, made = (train.with_suffix(suffix) for suffix in (".ae", ".latents.h5", ".gan"))
    pretrain_ae(train, ae, **{"latent": "identity", **options})
    fit_latents(ae, train, latents, cov=cov)
    finetune_gan(ae, latents, train, made, steps=0)
    return made


@pytest.fixture
def planted(rng: np.random.Generator, tmp_path: Path) -> tuple[Path, NDArray[np.float64]]:
    """Three classes about `MEANS` that share a covariance; and that covariance."""
    mixing = rng.standard_normal((D, D))
    names = np.repeat(list(MEANS), (6, 1500, 1500))
    vectors = np.stack([MEANS[name] for name in names]) + rng.standard_normal((len(names), D)) @ mixing.T
    order = rng.permutation(len(names))
    return store(tmp_path / "train.h5", vectors[order], names[order].tolist()), mixing @ mixing.T


def test_gaussians_of_known_means_and_covariances_are_recovered(
    planted: tuple[Path, NDArray[np.float64]], tmp_path: Path
) -> None:
    train, covariance = planted
    model = gan(train)
    scaler = load_header(model).scaler
    found = load_latents(train.with_suffix(".latents.h5")).gaussians
    sd = np.array(scaler.sd)
    np.testing.assert_allclose(found.mean[1:] * sd + scaler.mean, [MEANS["happy"], MEANS["sad"]], atol=0.4)
    for own in found.covariance:
        np.testing.assert_allclose(own * np.outer(sd, sd), covariance, atol=0.1 * np.abs(covariance).max())
    # As they were found, so are they drawn: as vectors of the encoder, none of them cut at the ends of any scale.
    generate(model, tmp_path / "drawn.h5", per_class=3000)
    drawn, emotion = rows_of(tmp_path / "drawn.h5"), open_store(tmp_path / "drawn.h5").contents.emotion
    for number, name in enumerate(found.classes):
        own_rows = drawn[emotion == name]
        np.testing.assert_allclose(own_rows.mean(axis=0), found.mean[number] * sd + scaler.mean, atol=0.3)
        np.testing.assert_allclose(np.cov(own_rows.T), covariance, atol=0.2 * np.abs(covariance).max())
    assert np.abs(scaler.scale(drawn)).max() > 2


def test_a_tied_covariance_is_that_within_all_classes_and_stands_in_the_file_once(
    planted: tuple[Path, NDArray[np.float64]],
) -> None:
    import h5py

    train, _ = planted
    model = gan(train)
    with h5py.File(train.with_suffix(".latents.h5")) as file:
        assert file["covariance"].shape == (1, D, D)
        assert file["rank"][:].tolist() == [D, D, D]
    header, tensors = load_model(model, "gan")
    assert tensors["latents.covariance"].shape == (1, D, D)
    assert set(tensors) == {"latents.mean", "latents.covariance"}  # nothing was learnt that would have to be kept
    opened = open_store(train)
    x, names = header.scaler.scale(rows_of(train)).astype(np.float64), opened.contents.emotion
    centred = x - np.stack([x[names == name].mean(axis=0) for name in names])
    wanted = centred.T @ centred / (len(x) - 3)
    for covariance in load_latents(train.with_suffix(".latents.h5")).gaussians.covariance:
        np.testing.assert_allclose(covariance, wanted, atol=1e-6)


def test_a_moved_row_is_its_source_and_the_difference_of_the_means(rng: np.random.Generator, tmp_path: Path) -> None:
    names = ["angry"] * 2 + ["happy"] * 9 + ["sad"] * 7
    vectors = 5 + 3 * rng.standard_normal((len(names), D))
    train = store(tmp_path / "train.h5", vectors, names)
    generate(gan(train), tmp_path / "moved.h5", balance=train, translate=train)
    real, moved = open_store(train), open_store(tmp_path / "moved.h5")
    assert moved.contents.emotion.tolist() == ["angry"] * 7 + ["sad"] * 2
    row_of = {digest: row for row, digest in enumerate(real.contents.segments["digest"].tolist())}
    x, labels = rows_of(train), np.array(names)
    for row, parent in enumerate(moved.contents.segments["parent"].tolist()):
        source, wanted = row_of[parent], moved.contents.emotion[row]
        shift = x[labels == wanted].mean(axis=0) - x[labels == labels[source]].mean(axis=0)
        np.testing.assert_allclose(rows_of(tmp_path / "moved.h5")[row], x[source] + shift, atol=1e-4)
    assert set(moved.contents.segments["n_valid_frames"].tolist()) == {1}


def test_within_speakers_what_few_of_them_say_is_not_taken_for_the_class(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    """One speaker far off says all of the wanted class; what he adds is told by his other rows."""
    offsets = {"a": np.zeros(D), "b": np.full(D, -1.0), "far": np.full(D, 20.0)}
    pairs = [(name, speaker) for name in ("happy", "sad") for speaker in offsets for _ in range(4)]
    pairs += [("angry", "far")] * 2
    vectors = np.stack([MEANS[name] + offsets[speaker] for name, speaker in pairs])
    vectors += 1e-3 * rng.standard_normal(vectors.shape)
    train = store(tmp_path / "train.h5", vectors, [name for name, _ in pairs], [speaker for _, speaker in pairs])
    model = gan(train)
    misses = {}
    for within in (False, True):
        path = tmp_path / f"{within}.h5"
        generate(model, path, count={"angry": 12}, translate=train, within_speaker=within)
        parents = open_store(path).contents.segments["parent"].tolist()
        row_of = {digest: row for row, digest in enumerate(open_store(train).contents.segments["digest"].tolist())}
        wanted = np.stack([MEANS["angry"] + offsets[pairs[row_of[parent]][1]] for parent in parents])
        misses[within] = np.abs(rows_of(path) - wanted).max()
    assert misses[True] < 0.02
    assert misses[False] > 5


def test_principal_components_of_vectors(rng: np.random.Generator, tmp_path: Path) -> None:
    """What few components leave out stays in a row that is moved between them."""
    names = ["angry"] * 12 + ["sad"] * 12
    train = store(tmp_path / "train.h5", rng.standard_normal((24, 30)), names)
    model = gan(train, "pooled", latent="pca", latent_size=3)
    generate(model, tmp_path / "drawn.h5", per_class=5)
    scaler = load_header(model).scaler
    assert np.linalg.matrix_rank(scaler.scale(rows_of(tmp_path / "drawn.h5")), tol=1e-3) == 3
    generate(model, tmp_path / "moved.h5", count={"angry": 5}, translate=train)
    assert np.linalg.matrix_rank(scaler.scale(rows_of(tmp_path / "moved.h5")), tol=1e-3) == 5


def test_from_a_store_to_a_result(rng: np.random.Generator, call, tmp_path: Path) -> None:
    names = ["angry", "happy", "sad"] * 24
    vectors = np.stack([MEANS[name] for name in names]) + rng.standard_normal((72, D))
    store(tmp_path / "all.h5", vectors, names, [f"{number // 12}" for number in range(72)])
    select(tmp_path / "all.h5", tmp_path / "test.h5", fold="1/3")
    select(tmp_path / "all.h5", tmp_path / "rest.h5", fold="1/3", invert=True)
    select(tmp_path / "rest.h5", tmp_path / "train.h5", keep={"angry": 0.2})

    def said(*words: object) -> Outcome:
        done = call(*words)
        assert done.code == 0, done.err
        return done

    said("pretrain-ae", "train.h5", "-o", "ae", "--latent", "identity")
    net = load_header(tmp_path / "ae", "autoencoder").net
    assert (net.latent, net.latent_size) == ("identity", D)
    said("fit-latents", "ae", "train.h5", "-o", "l.h5", "--cov", "tied")
    said("finetune-gan", "ae", "l.h5", "train.h5", "-o", "gan", "--steps", "0")
    ways = {
        "gauss": (),
        "smote": ("--smote", "train.h5"),
        "moved": ("--translate", "train.h5"),
        "within": ("--translate", "train.h5", "--within-speaker"),
    }
    for name, way in ways.items():
        said("generate", "gan", "--balance", "train.h5", *way, "-o", f"{name}.h5")
        said("generate", "gan", "--balance", "train.h5", *way, "-o", "again.h5")
        assert (tmp_path / f"{name}.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()
        assert not open_store(tmp_path / f"{name}.h5").contents.utterances["duration"].any()
        said("train-clf", "train.h5", f"{name}.h5", "-o", f"{name}.clf")
        said("evaluate", f"{name}.clf", "test.h5", "-o", f"{name}.json")
        assert json.loads((tmp_path / f"{name}.json").read_text())["metrics"]["uar"] > 0.8
    assert len({(tmp_path / f"{name}.h5").read_bytes() for name in ways}) == len(ways)
    for path in ("ae", "l.h5", "gan", "moved.h5"):
        told = said("info", path, "--json").out
        assert "pictures" not in told
    said("plot", "ae", "l.h5", "train.h5", "-o", "map.png")


def test_what_made_the_rows_may_not_be_tested_on(rng: np.random.Generator, tmp_path: Path) -> None:
    names = ["angry"] * 5 + ["sad"] * 9
    train = store(tmp_path / "train.h5", rng.standard_normal((14, D)), names)
    generate(gan(train), tmp_path / "moved.h5", per_class=5, translate=train)
    train_clf(tmp_path / "moved.h5", tmp_path / "clf")
    with pytest.raises(LineageError, match=r"14 of its 14 utterances were trained on by .*clf"):
        evaluate(tmp_path / "clf", train)


def test_classes_of_one_and_two_rows(rng: np.random.Generator, tmp_path: Path) -> None:
    names = ["angry"] + ["happy"] * 2 + ["sad"] * 15
    train = store(tmp_path / "train.h5", rng.standard_normal((18, D)), names, ["x"] * 3 + ["x", "y", "z"] * 5)
    model = gan(train)
    for way in ({}, {"translate": train}, {"translate": train, "within_speaker": True}):
        assert sum(generate(model, tmp_path / "s.h5", count={"angry": 4, "happy": 2}, **way).values()) == 6
    generate(model, tmp_path / "s.h5", count={"happy": 9}, smote=train)
    own = rows_of(train)[1:3].astype(np.float64)
    between = (rows_of(tmp_path / "s.h5") - own[0]) @ (own[1] - own[0]) / np.square(own[1] - own[0]).sum()
    np.testing.assert_allclose(rows_of(tmp_path / "s.h5"), own[0] + np.outer(between, own[1] - own[0]), atol=1e-5)
    with pytest.raises(StoreError, match="class 'angry' has 1 row, and SMOTE draws between two at the least"):
        generate(model, tmp_path / "t.h5", count={"angry": 2}, smote=train)
    with pytest.raises(StoreError, match=r"class 'angry' has 1 row; .* --cov tied or --cov pooled"):
        fit_latents(train.with_suffix(".ae"), train, tmp_path / "l.h5", cov="empirical")
    with pytest.raises(StoreError, match="class 'a' has 1 row; a covariance needs at least two: leave it out"):
        fit_gaussians(np.eye(2), ["a", "b"], "tied")
    assert not (tmp_path / "t.h5").exists()


def test_what_has_no_meaning_for_vectors_is_refused(
    rng: np.random.Generator, tiny_store: Path, call, tmp_path: Path
) -> None:
    train = store(tmp_path / "train.h5", rng.standard_normal((8, D)), ["angry", "sad"] * 4)
    model = gan(train)
    with pytest.raises(UsageError, match=r"--paste: pastes regions of pictures, and the rows of .*gan are vectors"):
        generate(model, tmp_path / "s.h5", per_class=2, translate=train, paste=True)
    with pytest.raises(UsageError, match="is of --latent identity, which cannot be trained; give --steps 0"):
        finetune_gan(train.with_suffix(".ae"), train.with_suffix(".latents.h5"), train, tmp_path / "g", steps=2)
    for option in ("--steps", "--latent-size", "--width"):
        done = call("pretrain-ae", "train.h5", "-o", "x", "--latent", "identity", option, "2")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"{option}: nothing is trained with --latent identity; leave it out" in done.err
    done = call("pretrain-ae", tiny_store, "-o", "x", "--latent", "identity")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "vectors of up to 4,096 values, and its rows are pictures, 1,024 each; give --latent pca" in done.err
    other = write_rows(
        tmp_path / "other.h5", rng.standard_normal((4, D)).astype(np.float32), ["angry", "sad"] * 2,
        front_end=dataclasses.replace(ENCODING, family="whisper", encoder="f" * 32),
    )  # fmt: skip
    for attempt in (
        lambda: fit_latents(train.with_suffix(".ae"), other, tmp_path / "l.h5", cov="tied"),
        lambda: generate(model, tmp_path / "s.h5", per_class=2, translate=other),
        lambda: generate(model, tmp_path / "s.h5", balance=other),
    ):
        with pytest.raises(StoreError, match=r"other\.h5: its front end differs .*family 'whisper' instead of"):
            attempt()
    wide = store(tmp_path / "wide.h5", rng.standard_normal((4, 5000)), ["angry", "sad"] * 2)
    with pytest.raises(StoreError, match="and its rows are 5,000 each; give --latent pca"):
        list(pretrain_autoencoder([wide], Run(tmp_path / "x"), AutoencoderConfig(net=NetConfig(latent="identity"))))
    assert not (tmp_path / "s.h5").exists()
