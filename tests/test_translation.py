"""Translation: the map carries mean and covariance and no more, rows take turns, residuals and regions are kept."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from chains import AE, CPU, FRONT_END, GAN, NET, finetune, noise, pretrain, write_rows

from sertools.errors import SertoolsWarning, StoreError, UsageError
from sertools.generation.opening import Ways
from sertools.generation.rows import generate
from sertools.generation.translation import Translation
from sertools.generation.transport import speaker_offsets, transport_matrix
from sertools.store.conditions import Condition
from sertools.store.merge import merge_stores
from sertools.store.reader import open_store
from sertools.store.select import Selection, select_store
from sertools.training.gan_file import load_encoder, load_generator
from sertools.training.gaussians import pooled
from sertools.training.latents import fit_latents

CLASSES = ("angry", "happy", "neutral", "sad")


@pytest.fixture(scope="module")
def gan(chain, tmp_path_factory) -> Path:
    """Principal components of the tiny training set, as a GAN file."""
    folder = tmp_path_factory.mktemp("pca-gan")
    net = dataclasses.replace(NET, latent="pca", latent_size=9)
    pretrain([chain.train], folder / "pca", dataclasses.replace(AE, net=net))
    fit_latents(folder / "pca", [chain.train], folder / "latents.h5", "empirical", CPU)
    finetune(folder / "pca", folder / "latents.h5", [chain.train], folder / "gan", dataclasses.replace(GAN, steps=0))
    return folder / "gan"


def translate(gan: Path, output: Path, train: Path, counts: dict[str, int], seed: int = 0, **how: bool):
    for _ in generate(gan, output, counts, Ways(translation=Translation(train, **how)), seed=seed, device=CPU):
        pass
    return open_store(output)


def covariance(rng: np.random.Generator, size: int, rank: int) -> np.ndarray:
    factor = rng.standard_normal((size, rank))
    return factor @ factor.T


def params(store) -> list[dict[str, object]]:
    return [json.loads(text) for text in store.contents.segments["params"].tolist()]


@pytest.mark.parametrize(("source", "target"), [(8, 8), (8, 3), (3, 8), (3, 5)])
def test_the_map_is_symmetric_and_carries_the_covariance(rng, source, target):
    s, t = covariance(rng, 8, source), covariance(rng, 8, target)
    a = transport_matrix(s, t)
    np.testing.assert_array_equal(a, a.T)
    assert np.linalg.eigvalsh(a).min() > -1e-9
    # Along the source's own directions, for it has no others.
    along = np.linalg.svd(s)[0][:, :source]
    np.testing.assert_allclose(along.T @ a @ s @ a @ along, along.T @ t @ along, atol=1e-7 * np.abs(t).max())
    still = np.linalg.svd(s)[0][:, source:]
    np.testing.assert_allclose(a @ still, still, atol=1e-8)


def test_samples_of_one_class_become_samples_of_the_other(rng):
    s, t = covariance(rng, 5, 5), covariance(rng, 5, 5)
    drawn = rng.multivariate_normal(np.zeros(5), s, 50_000)
    moved = drawn @ transport_matrix(s, t)
    np.testing.assert_allclose(np.cov(moved.T), t, atol=0.05 * np.abs(t).max())
    # The least of all maps that do: no rotation on top of it is nearer.
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    root = np.linalg.cholesky(t)
    other = drawn @ np.linalg.inv(np.linalg.cholesky(s)).T @ rotation @ root.T
    assert np.square(moved - drawn).sum() < np.square(other - drawn).sum()


@pytest.mark.parametrize("rank", [6, 2])
def test_equal_classes_are_left_alone(rng, rank):
    s = covariance(rng, 6, rank)
    np.testing.assert_allclose(transport_matrix(s, s), np.eye(6), atol=1e-7)
    np.testing.assert_allclose(transport_matrix(s, 4 * s) @ s, 2 * s, atol=1e-6)


def test_no_variance_at_all_moves_nothing():
    np.testing.assert_array_equal(transport_matrix(np.zeros((3, 3)), np.eye(3)), np.eye(3))


def test_an_offset_is_the_speakers_alone():
    means, offsets = np.array([10.0, -4.0, 7.0]), np.array([1.0, -1.0, 5.0])
    pairs = np.array([(c, s) for c in (0, 1) for s in (0, 1) for _ in range(3)] + [(2, 0)] * 2 + [(2, 2)])
    labels, speakers = pairs.T
    latents = (means[labels] + offsets[speakers])[:, None]
    # What the wanted class holds is of no account, and of a speaker who says nothing else nothing is known.
    latents[labels == 2] += 100
    found = speaker_offsets(latents, labels, speakers, 2)
    np.testing.assert_allclose(found[:, 0], np.array([1.0, -1.0, 0.0])[speakers], atol=1e-12)


def test_rows_are_the_source_plus_the_change_of_the_decoded_latents(chain, gan, tmp_path):
    store = translate(gan, tmp_path / "t.h5", chain.train, {"angry": 30, "sad": 2})
    header, decoder, gaussians = load_generator(gan)
    gaussians = pooled(gaussians)
    encoder = load_encoder(gan, header)
    train = open_store(chain.train)
    row_of = {digest: row for row, digest in enumerate(train.contents.segments["digest"].tolist())}
    sources = [row_of[digest] for digest in store.contents.segments["parent"].tolist()]
    x = header.scaler.scale(train.rows(sources))
    z = encoder(torch.from_numpy(x[:, None]))
    for row, (picture, source) in enumerate(zip(store.rows(np.arange(len(store))), sources, strict=True)):
        emotion, own = str(store.contents.emotion[row]), str(train.contents.emotion[source])
        assert params(store)[row] == {"transform": "translate", "source": own}
        c, s = CLASSES.index(emotion), CLASSES.index(own)
        assert c != s
        matrix = transport_matrix(gaussians.covariance[s], gaussians.covariance[c])
        at = z[row].double().numpy()
        moved = gaussians.mean[c] + matrix @ (at - gaussians.mean[s])
        change = (decoder(torch.from_numpy(moved[None]).float()) - decoder(z[row : row + 1])).numpy()[0, 0]
        wanted = header.scaler.unscale(np.clip(x[row] + change, -1, 1))
        np.testing.assert_allclose(picture, wanted, atol=2e-3)


def test_all_classes_and_rows_take_turns(chain, gan, tmp_path):
    store = translate(gan, tmp_path / "t.h5", chain.train, {"angry": 25})
    assert sorted(Counter(p["source"] for p in params(store)).values()) == [8, 8, 9]
    train = open_store(chain.train)
    parents = Counter(store.contents.segments["parent"].tolist())
    assert max(parents.values()) == 1
    assert set(parents) <= set(train.contents.segments["digest"].tolist())
    assert store.contents.lineage.trained_on >= set(train.contents.utterances["digest"].tolist())
    utterances = store.contents.utterances
    assert set(store.contents.segments["origin"].tolist()) == {"generated"}
    assert set(utterances["speaker"].tolist()) == set(utterances["path"].tolist()) == {""}
    assert all("/translated-" in name for name in utterances["id"].tolist())
    assert store.damaged_rows() == []


def test_each_class_and_seed_is_by_itself(chain, gan, tmp_path):
    """The first rows of a class do not depend on how many there are of it, nor of another."""
    few = translate(gan, tmp_path / "a.h5", chain.train, {"angry": 3, "sad": 3}, paste=True)
    many = translate(gan, tmp_path / "b.h5", chain.train, {"angry": 70, "sad": 3}, paste=True)
    np.testing.assert_allclose(few.rows([0, 1, 2]), many.rows([0, 1, 2]), atol=1e-3)
    np.testing.assert_array_equal(few.rows([3, 4, 5]), many.rows([70, 71, 72]))
    translate(gan, tmp_path / "c.h5", chain.train, {"angry": 3, "sad": 3}, paste=True)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "c.h5").read_bytes()
    other = translate(gan, tmp_path / "d.h5", chain.train, {"angry": 3, "sad": 3}, paste=True, seed=1)
    assert set(other.contents.utterances["id"].tolist()).isdisjoint(few.contents.utterances["id"].tolist())
    assert not np.array_equal(other.rows(np.arange(6)), few.rows(np.arange(6)))


def test_a_region_of_a_real_row_of_the_class_is_pasted(chain, gan, tmp_path):
    plain = translate(gan, tmp_path / "a.h5", chain.train, {"angry": 20})
    store = translate(gan, tmp_path / "b.h5", chain.train, {"angry": 20}, paste=True)
    header, *_ = load_generator(gan)
    train = open_store(chain.train)
    row_of = {digest: row for row, digest in enumerate(train.contents.segments["digest"].tolist())}
    axes, donors = Counter(), Counter()
    for row, made in enumerate(params(store)):
        donor = row_of[made["pasted"]]
        assert train.contents.emotion[donor] == "angry"
        inside = np.zeros((32, 32), dtype=bool)
        span = slice(made["first"], made["stop"])
        inside[(slice(None), span) if made["axis"] == "time" else (span, slice(None))] = True
        assert 0.25 <= inside.mean() <= 0.5
        real = header.scaler.unscale(header.scaler.scale(train.rows([donor])))[0]
        picture = store.rows([row])[0]
        np.testing.assert_allclose(picture[inside], real[inside], atol=1e-3)
        np.testing.assert_allclose(picture[~inside], plain.rows([row])[0][~inside], atol=1e-3)
        axes[made["axis"]] += 1
        donors[donor] += 1
    assert set(axes) == {"time", "frequency"}
    assert max(donors.values()) - min(donors.values()) <= 1
    assert len(donors) == int((train.contents.emotion == "angry").sum())


def test_within_a_speaker_his_offset_stays(chain, gan, tmp_path):
    plain = translate(gan, tmp_path / "a.h5", chain.train, {"angry": 12})
    within = translate(gan, tmp_path / "b.h5", chain.train, {"angry": 12}, within_speaker=True)
    assert within.contents.segments["parent"].tolist() == plain.contents.segments["parent"].tolist()
    assert np.abs(within.rows(np.arange(12)) - plain.rows(np.arange(12))).max() > 0.1
    assert all("translated-within-speaker" in name for name in within.contents.utterances["id"].tolist())


def test_altered_rows_are_neither_moved_nor_pasted(chain, gan, rng, tmp_path):
    real = write_rows(tmp_path / "r.h5", noise(rng, 8), [*["sad"] * 5, *["angry"] * 3])
    fake = write_rows(tmp_path / "f.h5", noise(rng, 8), [*["sad"] * 5, *["angry"] * 3], origin="generated")
    merge_stores([real, fake], tmp_path / "both.h5")
    store = translate(gan, tmp_path / "t.h5", tmp_path / "both.h5", {"angry": 9}, paste=True)
    known = set(open_store(real).contents.segments["digest"].tolist())
    assert set(store.contents.segments["parent"].tolist()) <= known
    assert {p["pasted"] for p in params(store)} <= known


def test_rows_that_must_come_twice_are_told(chain, gan, rng, tmp_path):
    few = write_rows(tmp_path / "r.h5", noise(rng, 5), [*["sad"] * 3, *["angry"] * 2])
    with pytest.warns(
        SertoolsWarning, match=r"5 rows of 'angry' come from 3 of other classes, some more than once; .* --paste"
    ):
        translate(gan, tmp_path / "t.h5", few, {"angry": 5})


@pytest.mark.parametrize(
    ("emotions", "speakers", "how", "words"),
    [
        (["angry"] * 3, None, {}, "no real row of another class than 'angry' to translate"),
        (["sad"] * 3, None, {"paste": True}, "no real row of 'angry' to paste from; leave out --paste"),
        (["sad", "sad", "angry"], None, {"within_speaker": True}, "3 real rows have no speaker"),
        (["sad", "sad", "angry"], "xyx", {"within_speaker": True}, "no real row of 'happy', which --within-speaker"),
        ([*CLASSES], "xyxy", {"within_speaker": True}, "class 'angry' has 1 row"),
        (["bored", "sad", "angry"], None, {}, "the emotion 'bored'"),
    ],
)
def test_what_cannot_be_translated(gan, rng, tmp_path, emotions, speakers, how, words):
    train = write_rows(tmp_path / "r.h5", noise(rng, len(emotions)), emotions, speakers=speakers)
    with pytest.raises(StoreError) as error:
        translate(gan, tmp_path / "t.h5", train, {"angry": 2}, **how)
    assert words in str(error.value)
    assert not (tmp_path / "t.h5").exists()


def test_a_convolutional_gan_translates_too(chain, tmp_path):
    store = translate(chain.gan, tmp_path / "t.h5", chain.train, {"happy": 4}, paste=True)
    header, *_ = load_generator(chain.gan)
    pictures = store.rows(np.arange(4))
    assert pictures.min() >= header.scaler.low_db - 1e-3
    assert pictures.max() <= header.scaler.high_db + 1e-3
    assert store.contents.front_end == FRONT_END


def test_no_input_is_written_over_and_smote_is_another_way(chain, gan, tmp_path):
    select_store(chain.train, tmp_path / "own.h5", Selection(where=(Condition("speaker", ("01",)),)), copy=True)
    before = (tmp_path / "own.h5").read_bytes()
    with pytest.raises(UsageError, match="is read by this command"):
        translate(gan, tmp_path / "own.h5", tmp_path / "own.h5", {"angry": 1})
    assert (tmp_path / "own.h5").read_bytes() == before
    with pytest.raises(UsageError, match="--smote and --translate: give one"):
        list(
            generate(
                gan,
                tmp_path / "x.h5",
                {"angry": 1},
                Ways(smote=chain.train, translation=Translation(chain.train)),
                device=CPU,
            )
        )


def test_the_command(chain, gan, tmp_path, call):
    done = call("generate", gan, "--balance", chain.train, "--translate", chain.train, "--paste", "-o", "t.h5")
    assert done.code == 0
    total = Counter(open_store(chain.train).contents.emotion.tolist())
    added = open_store(tmp_path / "t.h5").contents
    assert set((total + Counter(added.emotion.tolist())).values()) == {max(total.values())}
    line = json.loads(added.history[-1])
    assert line["options"]["paste"] is True
    assert "translate" in line["inputs"]
    for option in ("--paste", "--within-speaker"):
        wrong = call("generate", gan, "--per-class", "1", option, "-o", "x.h5")
        assert wrong.code == 2
        assert f"{option}: belongs to --translate" in wrong.err
