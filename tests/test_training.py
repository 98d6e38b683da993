"""Runs that are interrupted, repeated, changed or fail: what is written, and that it is the same."""

import contextlib
import dataclasses
import itertools
import json
import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from chains import AE, CLF, GAN, classify, finetune, noise, pretrain, stop_after, write_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sertools.classifier_config import LOSSES, PICTURE_ARCHS
from sertools.errors import LineageError, ModelError, Stopped, TrainingError, UsageError
from sertools.nets.classifiers import build_classifier
from sertools.presets import PRESETS, override
from sertools.store.lineage import Lineage
from sertools.store.reader import open_store
from sertools.training.autoencoder import AutoencoderTrainer, load_autoencoder, reconstruction_mse
from sertools.training.batches import open_rows
from sertools.training.checkpoint import load_header, load_model, save_model, save_state
from sertools.training.classifier import (
    ClassifierTrainer,
    learning_rate,
    load_classifier,
    posteriors,
)
from sertools.training.loop import Run
from sertools.training.task import Task


@dataclass(frozen=True)
class Stage:
    """One of the trainings, with its inputs."""

    name: str
    config: object
    train: Callable[..., object]

    def __call__(self, output: Path, config: object = None, **run: object) -> object:
        return self.train(output, config or self.config, **run)


# Every rival that goes with the others, on the net with a memory.
RIVALS = dataclasses.replace(
    CLF, arch="crnn", loss="focal", sampling="balanced", spec_augment="strong", cut_paste=0.5, mixup=0.4
)


@pytest.fixture(
    params=[
        "autoencoder",
        "autoencoder with --val",
        "gan",
        "classifier",
        "classifier with --val",
        "classifier with rivals",
    ]
)
def stage(request, chain) -> Stage:
    val = chain.val if "--val" in request.param else None
    if "autoencoder" in request.param:
        return Stage(request.param, AE, lambda out, config, **run: pretrain([chain.train], out, config, val, **run))
    if "classifier" in request.param:
        stores = [chain.train, chain.synth]
        config = RIVALS if "rivals" in request.param else CLF
        return Stage(request.param, config, lambda out, config, **run: classify(stores, out, config, val, **run))
    return Stage(
        "gan", GAN, lambda out, config, **run: finetune(chain.ae, chain.latents, [chain.train], out, config, **run)
    )


def state_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.state")


def log_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.log.ndjson")


def test_an_interrupted_run_ends_with_the_bytes_of_an_unbroken_one(stage, tmp_path):
    config = dataclasses.replace(stage.config, steps=7)
    stage(tmp_path / "unbroken", config)
    output = tmp_path / "output"
    for n_more in (2, 1, 3):
        with pytest.raises(Stopped, match="the same command goes on") as stopped:
            stage(output, config, stop=stop_after(n_more))
        assert stopped.value.exit_code == 75
        assert state_of(output).is_file()
        assert not output.exists()
    records = stage(output, config)
    assert [record.step for record in records] == [7]
    assert output.read_bytes() == (tmp_path / "unbroken").read_bytes()
    assert log_of(output).read_bytes() == log_of(tmp_path / "unbroken").read_bytes()
    names = ["output", "output.log.ndjson", "unbroken", "unbroken.log.ndjson"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_the_state_is_saved_now_and_then_in_any_case(stage, tmp_path):
    """A run that is killed goes on from its last saved state."""
    config = dataclasses.replace(stage.config, steps=6)
    asked = iter(range(6))
    output = tmp_path / "output"

    def crash() -> bool:
        if next(asked) == 3:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        stage(output, config, stop=crash, save_every_minutes=0.0)
    assert state_of(output).is_file()
    (record,) = stage(output, config)
    assert record.step == 6
    stage(tmp_path / "unbroken", config)
    assert output.read_bytes() == (tmp_path / "unbroken").read_bytes()


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 11), min_size=1, max_size=3))
def test_a_run_may_be_stopped_at_any_steps(chain, tmp_path_factory, stops):
    """A classifier with every source of chance, and a validation that keeps the best weights."""
    config, folder = dataclasses.replace(RIVALS, steps=12, validate_every=3), tmp_path_factory.mktemp("stops")
    classify([chain.train], folder / "unbroken", config, chain.val)
    for n_more in stops:
        with contextlib.suppress(Stopped):
            classify([chain.train], folder / "broken", config, chain.val, stop=stop_after(n_more))
    classify([chain.train], folder / "broken", config, chain.val)
    assert (folder / "broken").read_bytes() == (folder / "unbroken").read_bytes()


@pytest.mark.parametrize("verb", ["pretrain-ae", "train-clf", "finetune-gan", "train-generator"])
def test_how_often_the_state_is_saved_is_an_option(verb, chain, call, monkeypatch, tmp_path):
    saved = []

    def noted(path, signature, step, tensors):
        saved.append(step)
        save_state(path, signature, step, tensors)

    monkeypatch.setattr("sertools.training.loop.save_state", noted)
    inputs = [chain.ae, chain.latents, chain.train] if verb == "finetune-gan" else [chain.train]
    kind = ["--kind", "cvae", "--width", "1/32"] if verb == "train-generator" else []
    line = [verb, *inputs, *kind, "-o", "net", "--preset", "smoke", "--steps", 3, "--batch-size", 8]
    assert call(*line).code == 0
    assert saved == []
    done = call(*line, "--save-every", 0)
    assert (done.code, saved) == (0, [1, 2]), done.err
    assert call(*line, "--save-every", -1).code == 2


@pytest.mark.parametrize("option", ["lr", "lr_g", "lr_d"])
def test_a_rate_beyond_float32_is_refused(option):
    with pytest.raises(UsageError, match=rf"--{option.replace('_', '-')} 1e\+39: expected a number up to 1e\+30"):
        override(GAN if "_" in option else AE, **{option: 1e39})


def test_the_seed_decides_the_bytes(stage, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        stage(tmp_path / name, seed=seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert any(not torch.equal(x, y) for x, y in zip(*(weights(tmp_path / name) for name in "ac"), strict=True))


def weights(path: Path) -> list[torch.Tensor]:
    _, tensors = load_model(path, load_header(path).kind)
    return [value for _, value in sorted(tensors.items()) if value.is_floating_point()]


def test_a_state_of_another_run_is_refused_and_the_difference_named(stage, tmp_path):
    output = tmp_path / "output"
    with pytest.raises(Stopped):
        stage(output, stop=stop_after(1))
    left = state_of(output).read_bytes()
    changes = {"steps": 9, "batch_size": 4, "lr_d" if stage.name == "gan" else "lr": 0.5}
    for name, value in changes.items():
        with pytest.raises(ModelError, match=rf"state of another run \(options\.{name} was .*, is {value}\)"):
            stage(output, dataclasses.replace(stage.config, **{name: value}))
    with pytest.raises(ModelError, match=r"\(seed was 0, is 3\)"):
        stage(output, seed=3)
    assert state_of(output).read_bytes() == left
    stage(output)


def test_other_inputs_and_threads_are_named_too(chain, tmp_path):
    with pytest.raises(Stopped):
        pretrain([chain.train], tmp_path / "ae", stop=stop_after(1))
    with pytest.raises(ModelError, match=r"\(inputs\.train was \[.*\], is \[.*\]\)"):
        pretrain([chain.val], tmp_path / "ae")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with pytest.raises(ModelError, match=rf"\(threads was {threads}, is {threads + 1}\)"):
            pretrain([chain.train], tmp_path / "ae")
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "damage", ["truncated", "noise", b"net.decoder.dense.0.bias", b"adam.3.exp_avg_sq", b"best_mse"]
)
def test_a_damaged_state_is_one_line(chain, tmp_path, damage):
    output = tmp_path / "ae"
    with pytest.raises(Stopped):
        pretrain([chain.train], output, stop=stop_after(1))
    state = state_of(output)
    if damage == "truncated":
        os.truncate(state, state.stat().st_size - 100)
    elif damage == "noise":
        state.write_bytes(b"no state at all")
    else:
        assert damage in state.read_bytes()
        state.write_bytes(state.read_bytes().replace(damage, damage[:-1] + b"x"))
    with pytest.raises(ModelError) as error:
        pretrain([chain.train], output)
    assert str(state) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_loss_that_is_not_finite_ends_the_run_and_writes_nothing(stage, tmp_path):
    rates = {"lr_g": 1e30, "lr_d": 1e30} if stage.name == "gan" else {"lr": 1e30}
    with pytest.raises(
        TrainingError, match=r"output: \w+ is (nan|inf) at step [123]; nothing was written; lower --lr"
    ):
        stage(tmp_path / "output", dataclasses.replace(stage.config, steps=30, **rates))
    assert os.listdir(tmp_path) == ["output.log.ndjson"]


def test_the_validation_keeps_the_best_weights(chain, tmp_path):
    config = dataclasses.replace(AE, steps=12, lr=0.05, validate_every=1)
    header, *_ = load_autoencoder(chain.ae)
    rows, val = open_rows([chain.train]), open_rows([chain.val])
    scores, nets = [], []
    record = AutoencoderTrainer.step

    def watched(trainer, step):
        losses = record(trainer, step)
        scores.append(float(losses["val_mse"]))
        nets.append([p.detach().clone() for p in trainer.net.encoder.parameters()])
        return losses

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AutoencoderTrainer, "step", watched)
        pretrain([chain.train], tmp_path / "ae", config, chain.val)
    best = int(np.argmin(scores))
    assert best < len(scores) - 1, "the last weights are the best: this shows nothing"
    kept, encoder, decoder = load_autoencoder(tmp_path / "ae")
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), nets[best], strict=True))
    assert kept.facts["val_mse"] == pytest.approx(scores[best], abs=1e-6)
    assert kept.scaler == header.scaler == rows.fit_scaler()
    net = torch.nn.Sequential(encoder, decoder)
    assert reconstruction_mse(net, val, kept.scaler, torch.device("cpu")) == pytest.approx(scores[best], rel=1e-4)


def test_the_classifier_keeps_the_weights_of_the_highest_uar(chain, tmp_path):
    config = dataclasses.replace(CLF, steps=12, lr=0.02, validate_every=1)
    scores = []
    do_step = ClassifierTrainer.step

    def watched(trainer, step):
        values = do_step(trainer, step)
        scores.append(float(values["val_uar"]))
        return values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassifierTrainer, "step", watched)
        classify([chain.train], tmp_path / "clf", config, chain.val)
    best = int(np.argmax(scores))
    assert min(scores) < scores[best], "all weights are the best: this shows nothing"
    assert best < len(scores) - 1, "the last weights are the best: this shows nothing"
    assert load_header(tmp_path / "clf").facts["val_uar"] == pytest.approx(scores[best], abs=1e-6)
    # At a constant rate, the first steps of twelve are a run of so many.
    classify([chain.train], tmp_path / "best", dataclasses.replace(config, steps=best + 1))
    classify([chain.train], tmp_path / "last", config)
    kept, best, last = (weights(tmp_path / name) for name in ("clf", "best", "last"))
    assert all(torch.equal(a, b) for a, b in zip(kept, best, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(kept, last, strict=True))


@pytest.mark.parametrize("train", [pretrain, classify])
def test_no_steps_write_the_untrained_net(chain, tmp_path, train):
    config = dataclasses.replace(AE if train is pretrain else CLF, steps=0)
    train([chain.train], tmp_path / "net", config, chain.val)
    header = load_header(tmp_path / "net")
    assert header.facts.get("updates") == 0
    assert not {"val_mse", "val_uar"} & header.facts.keys()


@pytest.mark.parametrize("train", [pretrain, classify])
def test_validation_rows_that_are_trained_on_are_refused_and_named(chain, tmp_path, train):
    ids = set(open_store(chain.train).contents.utterances["id"].tolist())
    with pytest.raises(LineageError, match=r"were trained on by .*, '(.+)' among them; validate on other") as error:
        train([chain.train], tmp_path / "net", val=chain.train)
    assert str(error.value).split("'")[1] in ids
    # Also if only an ancestor was trained on them.
    with pytest.raises(LineageError, match="were trained on"):
        train([chain.synth], tmp_path / "net", val=chain.train)
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("train", [pretrain, classify])
def test_lineage_of_rows_and_validation(chain, rng, tmp_path, train):
    made = Lineage(frozenset({"aa"}), frozenset({"bb"}))
    val = write_rows(tmp_path / "val.h5", noise(rng, 2), ["sad", "happy"], lineage=made)
    train([chain.train], tmp_path / "net", val=val)
    lineage = load_header(tmp_path / "net").lineage
    assert lineage.trained_on == set(open_store(chain.train).contents.utterances["digest"].tolist())
    assert lineage.selected_on == {"aa", "bb"} | set(open_store(val).contents.utterances["digest"].tolist())


def test_an_output_over_an_input_is_refused(stage, chain, tmp_path):
    specs = open_store(chain.train).row_map.sources[0].path
    before = {path: path.read_bytes() for path in (chain.train, specs, chain.val)}
    targets = [chain.train, specs, *([chain.val] if "--val" in stage.name else [])]
    for target in targets:
        with pytest.raises(UsageError, match="is read by this command"):
            stage(target)
    with pytest.raises(UsageError, match="there is no folder"):
        stage(tmp_path / "nowhere" / "net")
    assert {path: path.read_bytes() for path in before} == before


def test_copies_and_names_of_inputs_do_not_change_the_bytes(chain, tmp_path):
    copied = shutil.copy(chain.synth, tmp_path / "renamed.h5")
    classify([chain.train, copied], tmp_path / "clf")
    assert (tmp_path / "clf").read_bytes() == chain.clf.read_bytes()


@pytest.mark.parametrize(
    "options",
    [{"sampling": "balanced"}, {"loss": "weighted"}, {"loss": "logit-adjust"}, {"synthetic_share": 0.5}],
    ids=str,
)
def test_the_prior_that_a_classifier_keeps_is_of_its_draws_and_its_loss(chain, tmp_path, options):
    classify([chain.train, chain.synth], tmp_path / "clf", config=override(CLF, steps=1, **options))
    found = load_header(tmp_path / "clf").facts["prior"]
    emotion = open_store(chain.train).contents.emotion
    # Rows that stand in for recorded ones make no class larger.
    recorded = {name: float((emotion == name).mean()) for name in found}
    expected = recorded if "synthetic_share" in options else dict.fromkeys(found, 0.25)
    assert found == pytest.approx(expected)


def test_the_classifier_file(chain):
    header, net = load_classifier(chain.clf)
    assert header.classes == ("angry", "happy", "neutral", "sad")
    assert header.facts["n_train_rows"] == {"generated": 12, "real": len(open_store(chain.train))}
    # Both kinds of rows are drawn as they come.
    emotions = np.concatenate([open_store(path).contents.emotion for path in (chain.train, chain.synth)])
    shares = {name: float((emotions == name).mean()) for name in header.classes}
    assert header.facts["prior"] == pytest.approx(shares)
    assert header.facts["speakers"] == ["01", "02", "03", "04"]
    assert header.facts["updates"] == CLF.steps
    assert header.scaler == open_rows([chain.train]).fit_scaler()
    assert not net.training
    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("arch", PICTURE_ARCHS)
def test_every_net_is_read_as_it_was_written(arch, rng, tmp_path):
    store = write_rows(tmp_path / "s.h5", noise(rng, 8), ["sad", "angry"] * 4)
    classify([store], tmp_path / "clf", dataclasses.replace(CLF, arch=arch, width=1 / 16))
    _, read = load_classifier(tmp_path / "clf")
    _, tensors = load_model(tmp_path / "clf", "classifier")
    filled = build_classifier(arch, (32, 32), 2, 1 / 16)
    filled.load_state_dict(tensors)
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    torch.testing.assert_close(read(x), filled.eval()(x))
    assert read(x).std() > 0


def test_the_one_cycle_rises_and_falls():
    config = dataclasses.replace(CLF, schedule="one-cycle", steps=100, lr=1.0)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[30] == max(rates) == pytest.approx(1.0)
    assert rates[0] == pytest.approx(0.04)
    assert rates[99] < 0.01
    assert all(a < b for a, b in itertools.pairwise(rates[:31]))
    assert all(a > b for a, b in itertools.pairwise(rates[30:]))
    assert {learning_rate(step, CLF) for step in range(4)} == {CLF.lr}


@pytest.mark.parametrize(
    "option",
    [
        *({"loss": name} for name in LOSSES[1:]),
        {"loss": "focal", "focal_gamma": 0.5},
        {"loss": "logit-adjust", "logit_tau": 0.5},
        {"sampling": "balanced"},
        {"spec_augment": "weak"},
        {"spec_augment": "strong"},
        {"cut_paste": 0.5},
        {"mixup": 0.2},
        {"mixup": 2.0},
    ],
    ids=str,
)
def test_each_rival_changes_the_weights_and_is_written_down(option, rng, tmp_path):
    emotions = ["sad"] * 9 + ["angry"] * 4 + ["happy"] * 3
    store = write_rows(tmp_path / "s.h5", noise(rng, 16), emotions)
    classify([store], tmp_path / "plain")
    nearest = dataclasses.replace(CLF, loss=option["loss"]) if len(option) > 1 else CLF
    classify([store], tmp_path / "nearest", nearest)
    (record,) = classify([store], tmp_path / "clf", dataclasses.replace(CLF, **option))
    for other in ("plain", "nearest"):
        assert any(
            not torch.equal(a, b) for a, b in zip(weights(tmp_path / "clf"), weights(tmp_path / other), strict=True)
        ), other
    assert 0 <= record.values["accuracy"] <= 1
    header, _ = load_classifier(tmp_path / "clf")
    assert dataclasses.asdict(CLF) | option == header.config
    assert all(json.loads(header.history[-1])["options"][name] == value for name, value in option.items())


@pytest.mark.filterwarnings("ignore:.*louder than all others:sertools.errors.SertoolsWarning")
def test_a_balanced_batch_reaches_the_net_with_its_own_labels(rng, tmp_path):
    """Pictures of one level a class: what was drawn shows in them."""
    pictures = np.repeat([-60.0, -20.0], (30, 3))[:, None, None] + noise(rng, 33, -1.0, 1.0)
    store = write_rows(tmp_path / "s.h5", pictures.astype(np.float32), ["angry"] * 30 + ["sad"] * 3)
    rows, config = open_rows([store]), dataclasses.replace(CLF, sampling="balanced")
    net = build_classifier("cnn", rows.shape, 2, 1 / 16)
    trainer = ClassifierTrainer(net, Task("train-clf", {}, Run(tmp_path / "clf"), rows), config)
    for step in range(5):
        x, targets = trainer.batch(step)
        assert targets.sum(0).tolist() == [4, 4]
        assert torch.equal(targets[:, 1] == 1, x.mean((1, 2, 3)) > 0)


@pytest.mark.parametrize(
    "option", [{"loss": "weighted"}, {"loss": "logit-adjust"}, {"sampling": "balanced"}], ids=str
)
def test_what_corrects_class_sizes_finds_more_of_a_rare_class(option, rng, tmp_path):
    """Two classes whose levels overlap, 10 to 1: the plain loss gives the overlap to the large one."""

    def pictures(n_angry: int, n_sad: int) -> np.ndarray:
        levels = np.concatenate([rng.normal(-42, 6, n_angry), rng.normal(-36, 6, n_sad)])
        return (levels[:, None, None] + noise(rng, n_angry + n_sad, -0.1, 0.1)).astype(np.float32)

    train = write_rows(tmp_path / "train.h5", pictures(200, 20), ["angry"] * 200 + ["sad"] * 20)
    test = open_rows([write_rows(tmp_path / "test.h5", pictures(100, 100), ["angry"] * 100 + ["sad"] * 100)])
    recalls = []
    for choice in ({}, option):
        config = dataclasses.replace(
            CLF, width=1 / 16, steps=80, batch_size=32, lr=0.02, schedule="one-cycle", **choice
        )
        classify([train], tmp_path / "clf", config)
        header, net = load_classifier(tmp_path / "clf")
        chosen = posteriors(net, test, header.scaler, torch.device("cpu")).argmax(1)
        recalls.append([(chosen[:100] == 0).mean(), (chosen[100:] == 1).mean()])
    (plain_angry, plain_sad), (angry, sad) = recalls
    assert sad > plain_sad + 0.2
    assert angry < plain_angry
    assert angry + sad > plain_angry + plain_sad


def test_the_command_line_hands_the_rivals_on(chain, call, tmp_path):
    line = f"train-clf {chain.train} -o clf --preset smoke --steps 2 --batch-size 8 --arch crnn --width 1/16"
    done = call(*f"{line} --loss focal --sampling balanced --spec-augment weak --cut-paste 0.2 --mixup 0.3".split())
    assert done.code == 0, done.err
    config = load_header(tmp_path / "clf").config
    asked = {"arch": "crnn", "loss": "focal", "sampling": "balanced", "spec_augment": "weak"}
    asked |= {"cut_paste": 0.2, "mixup": 0.3}
    assert {name: config[name] for name in asked} == asked


@pytest.mark.parametrize("option", [{"spec_augment": "weak"}, {"mixup": 1.0}], ids=str)
def test_every_step_draws_its_own_changes(option, rng, tmp_path):
    """Eight times the same picture, each a class of its own: the order of the rows shows nowhere."""
    store = write_rows(tmp_path / "s.h5", noise(rng, 1).repeat(8, axis=0), list("abcdefgh"))
    rows, config = open_rows([store]), dataclasses.replace(CLF, **option)
    net = build_classifier("cnn", rows.shape, 8, 1 / 16)
    trainer = ClassifierTrainer(net, Task("train-clf", {}, Run(tmp_path / "clf"), rows), config)
    seen: list[torch.Tensor] = []
    if "mixup" in option:
        seen = [trainer.batch(step)[1].amax(1) for step in (0, 1, 0)]
    else:
        net.register_forward_pre_hook(lambda _net, inputs: seen.append(inputs[0].sum((1, 2, 3))))
        for step in (0, 1, 0):
            trainer.step(step)
    assert torch.equal(seen[0], seen[2])
    assert not torch.isclose(seen[0].sort()[0], seen[1].sort()[0])[:-1].any()


@pytest.mark.filterwarnings("ignore:.*lie below the scale:sertools.errors.SertoolsWarning")
def test_pasted_regions_are_of_the_rows_own_class_and_new_at_every_step(rng, tmp_path):
    """Each row has a level of its own, those of the classes far apart: a region that came from elsewhere shows."""
    levels = np.concatenate([rng.uniform(-70, -60, 8), rng.uniform(-20, -10, 8)])
    pictures = np.broadcast_to(levels[:, None, None], (16, 32, 32)).astype(np.float32)
    store = write_rows(tmp_path / "s.h5", pictures, ["angry"] * 8 + ["sad"] * 8)
    rows, config = open_rows([store]), dataclasses.replace(CLF, cut_paste=1.0, batch_size=16)
    net = build_classifier("cnn", rows.shape, 2, 1 / 16)
    trainer = ClassifierTrainer(net, Task("train-clf", {}, Run(tmp_path / "clf"), rows), config)
    kept = []
    for step in (0, 1, 0):
        x, targets = trainer.batch(step)
        assert ((x > 0).flatten(1).all(1) == targets[:, 1].bool()).all()
        assert ((x < 0).flatten(1).all(1) == targets[:, 0].bool()).all()
        kept.append((x == x.flatten(1).mode().values[:, None, None, None]).sum((1, 2, 3)).sort().values)
    assert torch.equal(kept[0], kept[2])
    assert not torch.equal(kept[0], kept[1])


def test_mixed_rows_keep_the_accuracy_meaningful(rng, tmp_path):
    """Two classes that a glance tells apart are learnt to 100 %, though no row is of one class alone."""
    pictures = np.repeat([-60.0, -20.0], 8)[:, None, None] + noise(rng, 16, -1.0, 1.0)
    store = write_rows(tmp_path / "s.h5", pictures.astype(np.float32), ["angry"] * 8 + ["sad"] * 8)
    config = dataclasses.replace(CLF, steps=60, batch_size=16, lr=0.01, mixup=0.1)
    *_, last = classify([store], tmp_path / "clf", config)
    assert last.values["accuracy"] > 0.9
    assert last.values["loss"] > 0.01


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"loss": "hinge"}, "--loss 'hinge': expected one of cross-entropy, weighted, focal, logit-adjust"),
        ({"sampling": "random"}, "--sampling 'random': expected one of shuffled, balanced"),
        ({"spec_augment": "on"}, "--spec-augment 'on': expected one of none, weak, strong"),
        ({"cut_paste": 1.5}, "--cut-paste 1.5: expected 0 to 1"),
        ({"cut_paste": -0.5}, "--cut-paste -0.5: expected 0 to 1"),
        ({"mixup": -0.1}, "--mixup -0.1: expected at least 0"),
        ({"mixup": math.inf}, "--mixup inf: expected a number up to 1e+30"),
        ({"mixup": math.nan}, "--mixup nan: expected at least 0"),
        ({"loss": "weighted", "sampling": "balanced"}, "--loss weighted: together with --sampling balanced"),
        ({"loss": "logit-adjust", "sampling": "balanced"}, "correct class sizes twice"),
    ],
    ids=str,
)
def test_rivals_that_make_no_sense_are_refused(option, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        override(CLF, **option)


def test_the_presets_have_no_rival_on_and_zero_turns_mixup_off():
    for name in ("paper", "cpu", "smoke"):
        config = PRESETS[name].classifier
        assert (config.loss, config.sampling, config.spec_augment, config.cut_paste, config.mixup) == (
            "cross-entropy",
            "shuffled",
            "weak" if name == "cpu" else "none",  # weak is every arm's there, and no rival
            0,
            0,
        )
    assert override(RIVALS, mixup=0.0).mixup == 0


def test_a_classifier_file_from_before_the_rivals_is_read(chain, tmp_path):
    header, tensors = load_model(chain.clf, "classifier")
    rivals = {"loss", "focal_gamma", "logit_tau", "sampling", "spec_augment", "cut_paste", "mixup"}
    before = {name: value for name, value in header.config.items() if name not in rivals}
    assert len(before) == len(header.config) - len(rivals)
    save_model(tmp_path / "clf", dataclasses.replace(header, config=before), tensors)
    found, net = load_classifier(tmp_path / "clf")
    assert found.config == before
    assert all(torch.equal(value, tensors[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("arch", ["vgg19", "vgg19-bn", "vgg16", "alexnet"])
def test_small_pictures_are_not_for_large_nets(arch, rng, tmp_path):
    from sertools.config import FrontEnd

    front_end = FrontEnd(segment_seconds=1.0, n_mels=16, n_frames=16)
    pictures = noise(rng, 4)[:, :16, :16]
    path = write_rows(tmp_path / "s.h5", pictures, ["a", "b"] * 2, front_end=front_end)
    with pytest.raises(UsageError, match=f"--arch {arch}: needs pictures of at least 32×32"):
        classify([path], tmp_path / "clf", dataclasses.replace(CLF, arch=arch))
