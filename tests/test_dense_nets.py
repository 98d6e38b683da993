"""Generators that are trained on vectors: dense nets, their numbers, and their files in the chain."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from chains import NET, stop_after, write_rows
from numpy.typing import NDArray

from sertools import evaluate, finetune_gan, fit_latents, generate, info, pretrain_ae, train_clf, train_generator
from sertools.config import GanConfig, NetConfig
from sertools.encoding import Encoding
from sertools.errors import Stopped, StoreError, TrainingError, UsageError
from sertools.generator_config import CvaeConfig, DiffusionConfig
from sertools.nets.cvae import Cvae
from sertools.nets.edm import Edm
from sertools.nets.folding import folded
from sertools.nets.gan import Autoencoder, batch_norms, discriminator_from, generator_from
from sertools.presets import PRESETS, VECTORS, numbers_of
from sertools.store.reader import open_store
from sertools.training.adversarial import r1_penalty
from sertools.training.checkpoint import load_header

D = 16
CLASSES = ("angry", "happy", "sad")
DENSE = dataclasses.replace(NET, width=1 / 16, latent="dense")
QUICK = {"steps": 60, "batch_size": 16}
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fewer than", "ignore:.*loses to PCA", "ignore:.*does not tell", "ignore:.*nothing moved",
    "ignore:.*learnt nothing", "ignore:.*rows are not real speech",
)  # fmt: skip


def store(path: Path, vectors: NDArray[np.float64], emotions: Sequence[str], speakers: Sequence[str]) -> Path:
    encoding = Encoding(encoder="e" * 32, family="hubert", layer=2, n_values=vectors.shape[1])
    return write_rows(path, vectors.astype(np.float32), emotions, speakers=speakers, front_end=encoding)


def planted(path: Path, seed: int, counts: Sequence[int] = (40, 40, 40), speaker: str = "") -> Path:
    """Three classes a few standard deviations apart; their vectors vary along four directions of sixteen."""
    rng = np.random.default_rng(seed)
    fixed = np.random.default_rng(0)
    means, mixing = 2.0 * fixed.standard_normal((3, D)), fixed.standard_normal((4, D))
    names = np.repeat(CLASSES, counts)
    numbers = np.repeat(np.arange(3), counts)
    noise = rng.standard_normal((len(names), 4)) @ mixing + 0.1 * rng.standard_normal((len(names), D))
    return store(path, means[numbers] + noise, names.tolist(), [speaker or f"s{seed}"] * len(names))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted(tmp_path_factory.mktemp("vectors") / "train.h5", 1)


def model(kind: str, train: Path, folder: Path, **options: object) -> Path:
    """A generator of each kind; options are of its last training."""
    output = folder / f"{kind}.m"
    if kind != "gan":
        train_generator(train, output, kind=kind, **QUICK | options)
        return output
    ae, latents = folder / "ae.m", folder / "latents.h5"
    if not ae.exists():
        pretrain_ae(train, ae, latent_size=8, **QUICK)
        fit_latents(ae, train, latents, cov="pooled")
    finetune_gan(ae, latents, train, output, **QUICK | options)
    return output


def rows_of(path: Path) -> NDArray[np.float32]:
    opened = open_store(path)
    return opened.rows(np.arange(len(opened)))


# ---- The nets ----


def test_each_side_has_two_hidden_layers_of_512_and_256_units() -> None:
    net = Autoencoder((512,), NetConfig(latent="dense", latent_size=64))
    sizes = [[layer.weight.shape for layer in half.modules() if isinstance(layer, torch.nn.Linear)] for half in
             (net.encoder, net.decoder)]  # fmt: skip
    assert sizes == [[(512, 512), (256, 512), (64, 256)], [(256, 64), (512, 256), (512, 512)]]
    # Weights, biases, and the scales and shifts of batch normalisation.
    assert sum(p.numel() for p in net.encoder.parameters()) == 512 * 513 + 513 * 256 + 257 * 64 + 2 * (512 + 256)
    assert sum(p.numel() for p in net.decoder.parameters()) == 65 * 256 + 257 * 512 + 513 * 512 + 2 * (512 + 256)
    x = 5.0 * torch.randn(3, 512)
    assert net(x).shape == (3, 512)
    assert len(batch_norms(net)) == 4
    assert Autoencoder((512,), dataclasses.replace(DENSE, width=1 / 4)).encoder.trunk.n_features == 64


def test_what_is_generated_has_no_bounds() -> None:
    net = Autoencoder((D,), DENSE).eval()
    assert net.decoder(1e3 * torch.randn(8, DENSE.latent_size)).abs().max() > 1
    torch.testing.assert_close(folded(net.decoder)(x := torch.randn(4, DENSE.latent_size)), net.decoder(x))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("spectral", [True, False])
def test_the_gan_starts_where_the_autoencoder_is(norm: bool, spectral: bool) -> None:
    torch.manual_seed(0)
    net, x = Autoencoder((D,), DENSE), torch.randn(32, D)
    for _ in range(5):
        net(x)
    net.eval()
    d = discriminator_from(net.encoder, (D,), 3, DENSE, norm=norm, spectral=spectral).eval()
    assert d(x).shape == (32, 4)
    # A singular value is known as well as one power iteration tells it.
    close = 0.05 if spectral else 1e-4
    torch.testing.assert_close(d.trunk(x), net.encoder.trunk(x), rtol=close, atol=close)
    z = torch.randn(4, DENSE.latent_size)
    torch.testing.assert_close(generator_from(net.decoder, (D,), DENSE).eval()(z), net.decoder(z))


def test_the_gradient_penalty_is_that_of_each_vector() -> None:
    x = torch.randn(5, D, requires_grad=True)
    weight = torch.randn(D)
    assert r1_penalty(x, x @ weight).item() == pytest.approx(0.5 * weight.square().sum().item(), rel=1e-5)


def test_the_denoiser_leaves_clean_vectors_and_answers_noise_with_the_mean() -> None:
    torch.manual_seed(0)
    net = Edm((D,), 3, DiffusionConfig(width=1 / 8))
    net.centre(torch.full((1, D), 0.25), torch.tensor(1.0))
    x, labels = torch.randn(2, D), torch.tensor([0, 1])
    torch.testing.assert_close(net(x, torch.full((2,), 1e-4), labels), x, atol=1e-3, rtol=0)
    assert net(80.0 * x, torch.full((2,), 80.0), labels).abs().max() < 0.1
    many = 0.25 + torch.randn(512, D)
    assert net.losses(many, torch.zeros(512, dtype=torch.long), 0.0)["loss"].item() == pytest.approx(1.0, abs=0.1)


def test_a_vae_of_vectors_is_told_the_class() -> None:
    net = Cvae((D,), 3, CvaeConfig(net=DENSE)).eval()
    z = torch.zeros(3, DENSE.latent_size)
    made = net.decoder(torch.cat([z, net.embedding(torch.arange(3))], dim=1))
    assert made.shape == (3, D)
    assert (made[0] - made[1]).abs().max() > 0


# ---- The numbers ----


@pytest.mark.parametrize("stage", VECTORS)
def test_all_presets_have_one_set_of_numbers_for_vectors(stage: str) -> None:
    for preset in PRESETS:
        config = numbers_of(preset, stage, vectors=True)
        for name, value in VECTORS[stage].items():
            assert getattr(config if hasattr(config, name) else config.net, name) == value
        assert numbers_of(preset, stage) == getattr(PRESETS[preset], stage)
    # What makes D better without changing its size stays.
    assert numbers_of("improved", "gan", vectors=True).r1 == PRESETS["improved"].gan.r1
    assert isinstance(numbers_of("paper", "gan", vectors=True), GanConfig)


# ---- The chain ----


@pytest.mark.parametrize("kind", ["gan", "cvae", "diffusion"])
def test_generated_and_moved_rows_are_of_their_class(kind: str, train: Path, tmp_path: Path) -> None:
    made = model(kind, train, tmp_path, steps=60 if kind == "gan" else 200)
    test = planted(tmp_path / "test.h5", 2)
    train_clf(test, tmp_path / "judge")
    generate(made, tmp_path / "drawn.h5", per_class=30)
    generate(made, tmp_path / "moved.h5", per_class=30, translate=train)
    for name in ("drawn", "moved"):
        result = evaluate(tmp_path / "judge", tmp_path / f"{name}.h5", tmp_path / f"{name}.json")
        assert result.metrics["uar"] > 0.8, name
    drawn, real = rows_of(tmp_path / "drawn.h5"), rows_of(train)
    assert 0.6 < drawn.std(axis=0).mean() / real.std(axis=0).mean() < 1.4
    assert load_header(made).config.get("augment") in (False, None)
    [*_, command] = info(made)["commands"]
    assert "no option" not in command


@pytest.mark.parametrize("kind", ["gan", "cvae", "diffusion", "cyclegan"])
def test_the_same_seed_gives_the_same_bytes_whether_interrupted_or_not(
    kind: str, train: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = model(kind, train, tmp_path / "a", steps=12).read_bytes()
    with pytest.raises(Stopped):
        model(kind, train, tmp_path / "b", steps=12, stop=stop_after(5))
    assert model(kind, train, tmp_path / "b", steps=12).read_bytes() == whole
    assert model(kind, train, tmp_path / "b", steps=12, seed=1).read_bytes() != whole


def test_how_well_d_tells_vectors_is_a_fact(train: Path, tmp_path: Path) -> None:
    facts = load_header(model("gan", train, tmp_path)).facts
    assert 0.0 <= facts["d_auc"] <= 1.0
    assert facts["probe_steps"] == 100


# ---- What is refused ----


def test_nets_are_those_of_the_rows(train: Path, tiny_store: Path, tmp_path: Path) -> None:
    for store_path, options, message in (
        (train, {"latent": "conv"}, r"--latent conv: the rows of .*train\.h5 are vectors; give --latent dense"),
        (tiny_store, {"latent": "dense"}, r"--latent dense: the rows of .* are pictures; give --latent conv"),
        (train, {"arch": "bagan"}, r"--up upsample, which --arch bagan has: .* are vectors; give --up transposed"),
    ):
        with pytest.raises(UsageError, match=message):
            pretrain_ae(store_path, tmp_path / "ae", **options)
    with pytest.raises(UsageError, match=r"--augment: .*train\.h5 are vectors; leave it out"):
        train_generator(train, tmp_path / "g", kind="cvae", augment=True)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("latent", ["pca", "identity"])
def test_what_was_not_trained_is_no_start_of_a_gan(latent: str, train: Path, tmp_path: Path) -> None:
    pretrain_ae(train, tmp_path / "ae", latent=latent, **({"latent_size": 4} if latent == "pca" else {}))
    fit_latents(tmp_path / "ae", train, tmp_path / "l.h5", cov="tied")
    with pytest.raises(UsageError, match=rf"--latent {latent}, which cannot be .*--steps 0, .*--latent dense"):
        finetune_gan(tmp_path / "ae", tmp_path / "l.h5", train, tmp_path / "gan")


def test_a_class_of_one_row_is_refused_by_what_learns_classes_and_two_are_enough(tmp_path: Path) -> None:
    one, two = (planted(tmp_path / f"{n}.h5", 3, (n, 20, 20)) for n in (1, 2))
    for kind in ("cvae", "diffusion"):
        with pytest.raises(StoreError, match="class 'angry' has 1 row, and a generator needs 2 at the least"):
            model(kind, one, tmp_path)
        model(kind, two, tmp_path, steps=4)
    pretrain_ae(one, tmp_path / "one.ae", latent_size=4, steps=4, batch_size=8)
    with pytest.raises(StoreError, match=r"class 'angry' has 1 row; a covariance needs at least two.*--cov tied"):
        fit_latents(tmp_path / "one.ae", one, tmp_path / "one.l.h5")
    fit_latents(tmp_path / "one.ae", one, tmp_path / "one.l.h5", cov="tied")
    made = tmp_path / "one.gan"
    finetune_gan(tmp_path / "one.ae", tmp_path / "one.l.h5", one, made, steps=4, batch_size=8)
    assert generate(made, tmp_path / "drawn.h5", balance=one) == {"angry": 19, "happy": 0, "sad": 0}


@pytest.mark.parametrize("kind", ["gan", "cvae", "diffusion"])
def test_what_diverges_says_so(kind: str, train: Path, tmp_path: Path) -> None:
    rates = {"lr_g": 1e25, "lr_d": 1e25} if kind == "gan" else {"lr": 1e25}
    with pytest.raises(TrainingError, match=r"is (inf|nan) at step .*lower --lr"):
        model(kind, train, tmp_path, **rates)
    assert not (tmp_path / f"{kind}.m").exists()
