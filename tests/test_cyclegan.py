"""The CycleGAN that is told the class: its nets, its losses, what it learns of a planted shift, and its files."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from chains import CPU, noise, stop_after, write_rows
from test_dense_nets import planted, rows_of

from sertools import evaluate, generate, train_clf, train_generator
from sertools.errors import LineageError, SertoolsWarning, Stopped, StoreError, TrainingError, UsageError
from sertools.generator_config import CycleGanConfig
from sertools.nets.cyclegan import CycleGan, RowCritic, RowTranslator, picture_critic, picture_generator
from sertools.store.reader import open_store
from sertools.training.checkpoint import load_header
from sertools.training.cycle import CycleTrainer, load_translator, train_cyclegan
from sertools.training.health import CycleWatch
from sertools.training.loop import Run
from sertools.training.task import open_task

TINY = CycleGanConfig(width=1 / 32, steps=4, batch_size=4, lr=1e-3, ema=0.5)
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fewer than 30 rows",
    "ignore:.*critic does not tell",
    "ignore:.*nothing moved",
    "ignore:.*come from",
    "ignore:.*rows are not real speech",
)


def n_weights(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_the_nets_of_pictures_have_the_sizes_of_the_original():
    """On pictures of three colours: 7.8 million parameters with six blocks, 2.8 million before patches of 70×70."""
    assert n_weights(picture_generator(3, 3, 1.0)) == 7_837_699
    assert n_weights(picture_critic(3, 1.0)) == 2_764_737
    assert picture_critic(3, 1 / 16)(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)


@pytest.mark.parametrize("shape", [(128, 128), (64, 64), (16, 16), (32, 128), (24,)])
def test_rows_keep_their_shape_and_are_as_they_were_at_first(shape):
    x = torch.randn(3, *((1, *shape) if len(shape) > 1 else shape))
    labels = torch.tensor([0, 2, 1])
    assert torch.equal(RowTranslator(shape, 3, 1 / 32)(x, labels), x)
    scores = RowCritic(shape, 3, 1 / 32)(x, labels)
    assert scores.dim() == 2
    assert scores.isfinite().all()


def test_the_losses_by_hand():
    torch.manual_seed(0)
    net = CycleGan((6,), 2, TINY)
    for each in (net.generator, net.back):
        torch.nn.init.normal_(each.change[-1].weight)
    x, y, labels = torch.randn(5, 6), torch.randn(5, 6), torch.tensor([0, 1, 1, 0, 1])
    losses, made_y, made_x = net.generator_losses(x, y, labels)
    assert torch.equal(made_y, net.generator(x, labels))
    assert torch.equal(made_x, net.back(y, labels))
    g = (net.critic(made_y, labels) - 1).square().mean() + (net.back_critic(made_x, labels) - 1).square().mean()
    cycle = (net.back(made_y, labels) - x).abs().mean() + (net.generator(made_x, labels) - y).abs().mean()
    identity = (net.generator(y, labels) - y).abs().mean() + (net.back(x, labels) - x).abs().mean()
    for name, wanted in (("g", g), ("cycle", cycle), ("identity", identity), ("loss", g + 10 * cycle + 5 * identity)):
        assert losses[name].item() == pytest.approx(wanted.item(), rel=1e-5), name
    judged = net.critic_losses(x, y, made_y, made_x, labels)
    by_hand = 0.5 * ((net.critic(y, labels) - 1).square().mean() + net.critic(made_y, labels).square().mean())
    assert judged["d"].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_batch_holds_rows_of_the_wanted_class_and_of_the_others(chain, tmp_path):
    task = open_task("train-generator", {"steps": 4}, Run(tmp_path / "g"), [chain.train])
    config = dataclasses.replace(TINY, batch_size=64)
    trainer = CycleTrainer(CycleGan((32, 32), 4, config), task, config)
    wanted, others = trainer._drawn(3)
    assert np.bincount(trainer.labels[wanted]).tolist() == [16] * 4
    assert (trainer.labels[wanted] != trainer.labels[others]).all()
    assert np.unique(trainer.labels[others]).tolist() == [0, 1, 2, 3]
    rates = []
    for step in range(4):
        trainer._slow_down(step)
        rates.append(trainer.adam_g.param_groups[0]["lr"] / config.lr)
    assert rates == [1.0, 1.0, 1.0, 0.5]


# ---- What it learns ----


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("cycle") / "train.h5", 1, (10, 40, 40))


def test_moved_rows_land_on_the_distribution_of_the_class(train, tmp_path):
    """Three Gaussians, of which the shifts are known: of ten rows, and of none that is moved."""
    made = tmp_path / "cyclegan"
    last = train_generator(train, made, kind="cyclegan", steps=200, width=1 / 2)
    generate(made, tmp_path / "moved.h5", per_class=40, translate=train)
    test = planted(tmp_path / "test.h5", 2)
    train_clf(test, tmp_path / "judge")
    result = evaluate(tmp_path / "judge", tmp_path / "moved.h5", tmp_path / "r.json")
    assert result.metrics["uar"] > 0.8
    moved, real = rows_of(tmp_path / "moved.h5")[:40], rows_of(test)[:40]
    sources = rows_of(train)[10:]
    off, before = (np.abs(each.mean(0) - real.mean(0)).mean() for each in (moved, sources))
    assert off < 0.5 * before
    assert 0.6 < moved.std(0).mean() / real.std(0).mean() < 1.4
    log = [line for line in made.with_name("cyclegan.log.ndjson").read_text().splitlines() if '"cycle"' in line]
    assert all(f'"{name}"' in log[0] for name in ("g", "d", "d_back", "identity"))
    assert last is not None
    facts = load_header(made).facts
    assert facts["d_auc"] > 0.9
    assert facts["d_auc_now"] < facts["d_auc"]
    assert facts["d_auc_rows"] == "training"


def test_cycle_and_identity_losses_fall(train, tmp_path):
    """From generators that change rows at random: where nothing but these losses counts, they go to nothing."""
    config = CycleGanConfig(width=1 / 4, batch_size=32, lr=3e-3, augment=False)
    task = open_task("train-generator", {"steps": 60}, Run(tmp_path / "g"), [train], vectors=True)
    torch.manual_seed(0)
    net = CycleGan((16,), 3, config)
    for each in (net.generator, net.back):
        torch.nn.init.normal_(each.change[-1].weight, 0.0, 0.2)
    trainer = CycleTrainer(net, task, dataclasses.replace(config, steps=60))
    losses = [trainer.step(step) for step in range(60)]
    for name in ("cycle", "identity"):
        assert losses[-1][name] < 0.5 * losses[0][name], name


def test_two_rows_are_enough_and_one_is_refused(tmp_path):
    one, two = (planted(tmp_path / f"{n}.h5", 3, (n, 20, 20)) for n in (1, 2))
    with pytest.raises(StoreError, match="class 'angry' has 1 row, and a generator needs 2 at the least"):
        train_generator(one, tmp_path / "g", kind="cyclegan")
    train_generator(two, tmp_path / "g", kind="cyclegan", steps=4, batch_size=4)
    assert generate(tmp_path / "g", tmp_path / "m.h5", balance=two, translate=two) == {
        "angry": 18, "happy": 0, "sad": 0
    }  # fmt: skip
    alone = write_rows(tmp_path / "alone.h5", noise(np.random.default_rng(0), 4), ["sad"] * 4)
    with pytest.raises(StoreError, match="holds 1 class"):
        train_generator(alone, tmp_path / "g2", kind="cyclegan")


def test_what_diverges_says_so(train, tmp_path):
    with pytest.raises(TrainingError, match=r"is (inf|nan) at step .*lower --lr"):
        train_generator(train, tmp_path / "g", kind="cyclegan", lr=1e25)
    assert not (tmp_path / "g").exists()


# ---- Files ----


@pytest.fixture(scope="module")
def made(chain, tmp_path_factory):
    """Of pictures."""
    path = tmp_path_factory.mktemp("pictures") / "cyclegan"
    list(train_cyclegan([chain.train], Run(path), TINY))
    return path


def test_a_broken_run_ends_with_the_bytes_of_an_unbroken_one(made, chain, tmp_path):
    path = tmp_path / "broken"
    with pytest.raises(Stopped):
        list(train_cyclegan([chain.train], Run(path, stop=stop_after(3)), TINY))
    assert not path.exists()
    list(train_cyclegan([chain.train], Run(path), TINY))
    assert path.read_bytes() == made.read_bytes()
    list(train_cyclegan([chain.train], Run(path, seed=1), TINY))
    assert path.read_bytes() != made.read_bytes()


def test_a_file_holds_the_running_average(made, chain, tmp_path):
    """Which no step depends on: without it the same training ends in other weights."""
    list(train_cyclegan([chain.train], Run(tmp_path / "last"), dataclasses.replace(TINY, ema=0.0)))
    logs = [path.with_name(f"{path.name}.log.ndjson").read_text().splitlines() for path in (made, tmp_path / "last")]
    assert all('"cycle"' in log[-1] for log in logs)
    losses = [{name: json.loads(log[-1])[name] for name in ("g", "d", "cycle", "identity")} for log in logs]
    assert losses[0] == losses[1]
    kept, last = (load_translator(path)[1].change[-1].weight for path in (made, tmp_path / "last"))
    assert not torch.equal(kept, last)


def test_rows_are_what_the_net_says_and_name_their_source(made, chain, tmp_path):
    with pytest.warns(
        SertoolsWarning, match=r"'angry' change by 0\.00\d+ .* still other classes' rows, called 'angry'"
    ):
        generate(made, tmp_path / "m.h5", count={"angry": 6}, translate=chain.train)
    store, train = open_store(tmp_path / "m.h5"), open_store(chain.train)
    header, net = load_translator(made)
    row_of = {digest: row for row, digest in enumerate(train.contents.segments["digest"].tolist())}
    sources = [row_of[digest] for digest in store.contents.segments["parent"].tolist()]
    assert "angry" not in train.contents.emotion[sources].tolist()
    x = torch.from_numpy(header.scaler.scale(train.rows(sources)))[:, None]
    with torch.inference_mode():
        wanted = net(x, torch.zeros(6, dtype=torch.long))[:, 0].numpy()
    np.testing.assert_allclose(
        store.rows(np.arange(6)), header.scaler.unscale(np.clip(wanted, -1, 1)), atol=5e-3
    )  # fmt: skip
    assert store.contents.lineage.trained_on >= set(train.contents.utterances["digest"].tolist())
    train_clf([chain.train, tmp_path / "m.h5"], tmp_path / "clf", preset="smoke", steps=2)
    with pytest.raises(LineageError):
        evaluate(tmp_path / "clf", chain.train, tmp_path / "r.json")


def test_what_it_cannot_do_is_refused(made, chain, train, tmp_path):
    with pytest.raises(UsageError, match=r"moves rows and draws none; give --translate TRAIN\.h5"):
        generate(made, tmp_path / "m.h5", per_class=1)
    with pytest.raises(UsageError, match=r"--strength: belongs to a diffusion model, and .* is a cyclegan file"):
        generate(made, tmp_path / "m.h5", per_class=1, translate=chain.train, strength=0.5)
    with pytest.raises(StoreError, match=r"its rows are embeddings, those of .* are spectrograms"):
        generate(made, tmp_path / "m.h5", per_class=1, translate=train)
    with pytest.raises(LineageError, match="trained on"):
        list(train_cyclegan([chain.train], Run(tmp_path / "g"), TINY, chain.train))
    with pytest.raises(UsageError, match=r"--augment: .* are vectors; leave it out"):
        train_generator(train, tmp_path / "g", kind="cyclegan", augment=True)


def test_the_critic_is_measured_on_validation_rows(chain, tmp_path):
    list(train_cyclegan([chain.train], Run(tmp_path / "g", device=CPU), TINY, chain.val))
    header = load_header(tmp_path / "g")
    assert header.facts["d_auc_rows"] == "validation"
    assert header.lineage.selected_on


def test_the_watch_tells_of_ways_that_do_not_lead_back_and_of_a_blind_critic():
    watch = CycleWatch()
    assert watch.notice(0, 20, {"pairwise_real": 0.5, "d_auc": 0.5, "moved": 0.0}) == []
    (found,) = watch.notice(10, 20, {"cycle": 1.2, "d_auc": 0.9, "moved": 0.1})
    assert (found.name, "differs by 0.6 per scaled value" in found.text) == ("diverged", True)
    names = [found.name for found in watch.notice(20, 20, {"cycle": 1.2, "d_auc": 0.6, "moved": 0.0})]
    assert names == ["blind-discriminator", "nothing-moved"]
