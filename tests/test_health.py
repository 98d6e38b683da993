"""The health of a training: what its log holds, what is warned of, and the curves."""

import dataclasses
import importlib
import json
import re
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from chains import AE, CLF, FRONT_END, GAN, NET, classify, finetune, noise, pretrain, stop_after, write_rows

from sertools.errors import ModelError, SertoolsWarning, Stopped, TrainingError
from sertools.nets.gan import Autoencoder, batch_norms, clamp_dropout, discriminator_from
from sertools.reporting.contents.description import describe, file_kind
from sertools.reporting.plots.pictures import draw
from sertools.training import adversarial
from sertools.training.adversarial import GanTrainer, finetune_gan
from sertools.training.health import COLLAPSED_SPREAD, DEAD_RECORDS, GanWatch, Watch
from sertools.training.log import read_log
from sertools.training.loop import Health, Run, train
from sertools.training.vitals import GanVitals

CLASSES = ("angry", "happy", "neutral", "sad")
LONG = dataclasses.replace(GAN, steps=25)
MEASURED = {"grad_norm_g", "grad_norm_d", "weight_change_g", "weight_change_d", "drift", "d_auc"}
MEASURED |= {f"{what}.{name}" for what in ("pairwise", "fake_rate") for name in CLASSES}


def log_of(output):
    return output.with_name(f"{output.name}.log.ndjson")


def by_step(output):
    return {line.step: line for line in read_log(log_of(output)).lines}


@pytest.fixture
def fine(chain):
    """Fine-tune the chain's autoencoder: ``fine(output, config, **run)``."""
    return partial(_fine, chain)


def _fine(chain, output, config=LONG, **run):
    return list(finetune_gan(chain.ae, chain.latents, [chain.train], Run(output, **run), config))


@pytest.fixture(scope="module")
def trained(chain, tmp_path_factory):
    """A GAN of 25 steps with its log."""
    output = tmp_path_factory.mktemp("trained") / "gan"
    finetune(chain.ae, chain.latents, [chain.train], output, LONG)
    return output


def test_the_gans_log_has_losses_every_ten_steps_and_its_vitals_every_twenty(trained):
    lines = by_step(trained)
    assert list(lines) == [0, 10, 20, 25]
    losses = {"d_real", "d_fake", "d_accuracy_real", "d_accuracy_fake", "g"}
    assert lines[10].values.keys() == losses
    assert lines[20].values.keys() == lines[25].values.keys() == losses | MEASURED
    at_start = {f"{what}.{name}" for what in ("pairwise", "pairwise_real", "fake_rate") for name in CLASSES}
    assert lines[0].values.keys() == at_start | {"drift_bn", "d_auc"}
    assert all(value > 0 for name, value in lines[25].values.items() if not name.startswith(("fake", "d_acc")))
    for text in log_of(trained).read_text("ascii").splitlines():
        assert list(json.loads(text))[:3] == ["verb", "step", "steps"]


@pytest.mark.parametrize(
    ("train_one", "config", "names"), [(pretrain, AE, {"mse"}), (classify, CLF, {"loss", "accuracy"})]
)
def test_the_other_trainings_log_what_they_return(chain, tmp_path, train_one, config, names):
    records = train_one([chain.train], tmp_path / "net", dataclasses.replace(config, steps=12))
    lines = by_step(tmp_path / "net")
    assert list(lines) == [10, 12]
    assert lines[12].values.keys() == names
    assert [line.values for line in lines.values()] == [pytest.approx(dict(r.values), rel=1e-5) for r in records]


def test_watching_changes_no_byte_of_the_model(chain, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(adversarial, "_health", lambda *_: Health())
    finetune(chain.ae, chain.latents, [chain.train], tmp_path / "gan", LONG)
    assert (tmp_path / "gan").read_bytes() == trained.read_bytes()


def test_a_broken_run_leaves_the_log_of_an_unbroken_one(chain, trained, tmp_path):
    output = tmp_path / "gan"
    for n_more in (7, 5, 9):
        with pytest.raises(Stopped):
            finetune(chain.ae, chain.latents, [chain.train], output, LONG, stop=stop_after(n_more))
        # What a killed run wrote past its state, or a user did to the file, does not stay.
        with log_of(output).open("ab") as stream:
            stream.write(b'{"verb":"finetune-gan","step":24}\nnonsense')
    log_of(output).unlink()
    finetune(chain.ae, chain.latents, [chain.train], output, LONG)
    assert log_of(output).read_bytes() == log_of(trained).read_bytes()
    assert output.read_bytes() == trained.read_bytes()


def test_a_log_of_an_earlier_run_does_not_stay(chain, tmp_path):
    log_of(tmp_path / "ae").write_text("old")
    pretrain([chain.train], tmp_path / "ae")
    assert list(by_step(tmp_path / "ae")) == [4]


def test_at_the_papers_rate_nothing_moved_and_that_is_said_once(fine, tmp_path):
    config = dataclasses.replace(LONG, lr_g=1e-6, lr_d=1e-6)
    with pytest.warns(SertoolsWarning) as said:
        fine(tmp_path / "gan", config)
    assert len(said) == 2
    assert re.search(r"gan: step 25: nothing moved: .* try --lr-g 1e-4 .* --steps 0", str(said[0].message))
    assert re.search(r"gan: step 25: the discriminator does not tell .* raise --lr-d", str(said[1].message))
    lines = by_step(tmp_path / "gan")
    assert lines[25].warnings == ("nothing-moved", "blind-discriminator")
    assert 0 < lines[25].values["drift"] < lines[0].values["drift_bn"]


def test_without_steps_there_is_nothing_to_say(fine, tmp_path):
    fine(tmp_path / "gan", dataclasses.replace(GAN, steps=0))
    assert list(by_step(tmp_path / "gan")) == [0]


@pytest.fixture
def collapsing(monkeypatch):
    """From step 12 on, the generator gives one picture for all latents."""
    step = GanTrainer.step

    def collapse(trainer, number):
        losses = step(trainer, number)
        if number == 12:
            with torch.no_grad():
                trainer.generator.dense[0].weight.zero_()
        return losses

    monkeypatch.setattr(GanTrainer, "step", collapse)


@pytest.mark.filterwarnings("ignore:.*nothing moved")
@pytest.mark.usefixtures("collapsing")
def test_a_collapse_is_said_once(fine, tmp_path):
    with pytest.warns(
        SertoolsWarning, match=r"gan: step 20: collapse: generated rows of '\w+' .* lower --lr-g"
    ) as said:
        fine(tmp_path / "gan", dataclasses.replace(LONG, steps=45))
    assert len([w for w in said if ": collapse: " in str(w.message)]) == 1
    lines = by_step(tmp_path / "gan")
    assert [step for step, line in lines.items() if "collapse" in line.warnings] == [20]
    assert lines[40].values["pairwise.sad"] < COLLAPSED_SPREAD * lines[0].values["pairwise.sad"]


@pytest.mark.filterwarnings("ignore:.*nothing moved")
@pytest.mark.usefixtures("collapsing")
def test_a_collapse_ends_the_run_if_wanted_and_the_state_goes_on(chain, call, fine, tmp_path):
    output = tmp_path / "gan"
    output.write_bytes(b"the one before")
    for _ in range(2):  # the second time at once, from the state
        with pytest.raises(
            TrainingError, match=r"collapse: .* stopped after step 20, nothing .* --on-collapse warn goes on"
        ):
            fine(output, stop_at_collapse=True)
        assert output.read_bytes() == b"the one before"
        assert (tmp_path / ".gan.state").is_file()
        assert by_step(output)[20].warnings == ("collapse",)
    fine(output)  # it is not said again: a warning would be an error here
    with pytest.warns(SertoolsWarning, match="collapse"):
        fine(tmp_path / "unbroken")
    for suffix in ("", ".log.ndjson"):
        assert (tmp_path / f"gan{suffix}").read_bytes() == (tmp_path / f"unbroken{suffix}").read_bytes()
    few = ["--preset", "smoke", "--batch-size", 8, "--steps", 25]
    line = ["finetune-gan", chain.ae, chain.latents, chain.train, *few]
    done = call(*line, "-o", "stopped", "--on-collapse", "stop")
    assert done.code == 1
    assert re.search(r"stopped: collapse: .*; stopped after step 20, nothing was written", done.err)
    assert call(*line, "-o", "x", "--on-collapse", "perhaps").code == 2


RECORD = {"d_accuracy_real": 1.0, "d_accuracy_fake": 1.0, "g": 1.0}


def notices(watch, records):
    watch.notice(0, 10_000, {"drift_bn": 0.1})
    return [found for step, record in enumerate(records, 1) for found in watch.notice(10 * step, 10_000, record)]


def test_a_discriminator_that_sees_through_all_is_said_once_where_g_gets_worse():
    worse = [RECORD | {"g": 0.1 * i} for i in range(3 * DEAD_RECORDS)]
    (found,) = notices(GanWatch(), worse)
    assert found.name == "dead-discriminator"
    assert "lower --lr-d" in found.text
    assert notices(GanWatch(), worse[: DEAD_RECORDS - 1]) == []
    # Not where G gets better, and not where D errs now and then.
    assert notices(GanWatch(), worse[::-1]) == []
    errs = [record | ({"d_accuracy_fake": 0.9} if i % DEAD_RECORDS == 0 else {}) for i, record in enumerate(worse)]
    assert notices(GanWatch(), errs) == []


def test_a_gradient_that_vanishes_is_said():
    sound = RECORD | {"d_accuracy_real": 0.5}
    norms = [sound | {"grad_norm_g": norm} for norm in (2.0, 1.0, 0.021, 0.019, 0.0)]
    (found,) = notices(GanWatch(), norms)
    assert "gradient has vanished (0.019, 2 at first)" in found.text
    assert notices(GanWatch(), norms[:3]) == []


class Breaking:
    """A trainer whose loss is NaN from a step on."""

    def __init__(self, at):
        self.at = at

    def step(self, step):
        return {"fine": torch.ones(()), "loss": torch.tensor(torch.nan if step >= self.at else 1.0)}

    def state(self):
        return {}

    def restore(self, tensors):
        assert tensors


def test_a_loss_that_is_no_number_is_named_with_its_step(tmp_path):
    output = tmp_path / "x"
    output.write_bytes(b"the one before")
    with pytest.raises(TrainingError, match=r"x: loss is nan at step 17; nothing was written; lower --lr, or"):
        list(train(Breaking(16), 30, Run(output), {"verb": "break"}))
    lines = by_step(output)
    assert list(lines) == [10, 20]
    assert np.isnan(lines[20].values["loss"])
    assert lines[20].values["fine"] == 1.0
    assert b'"loss":null' in log_of(output).read_bytes()
    assert output.read_bytes() == b"the one before"
    assert not (tmp_path / ".x.state").exists()


def test_a_state_is_not_saved_over_a_loss_that_is_no_number(tmp_path):
    run = Run(tmp_path / "x", stop=stop_after(1))
    with pytest.raises(Stopped):
        list(train(Breaking(4), 30, run, {"verb": "break"}))
    before = (tmp_path / ".x.state").read_bytes()
    with pytest.raises(TrainingError, match=r"loss is nan at step 5; .* lower --lr and remove .*\.x\.state"):
        list(train(Breaking(4), 30, Run(tmp_path / "x", save_every_minutes=0.0), {"verb": "break"}))
    assert (tmp_path / ".x.state").read_bytes() != before  # steps 2 to 4 are safe


def test_gan_says_its_own_rates(fine, tmp_path):
    with pytest.raises(TrainingError, match=r"(g|d_real|d_fake) is (nan|inf) at step \d+; .*lower --lr-g and --lr-d"):
        fine(tmp_path / "gan", dataclasses.replace(LONG, lr_g=1e30, lr_d=1e30))
    assert Watch().notice(1, 1, {"loss": np.nan}) == []


@pytest.fixture
def nets():
    """A generator, a discriminator of three classes, and two latents a class."""
    torch.manual_seed(0)
    shape = (FRONT_END.n_mels, FRONT_END.n_frames)
    net = Autoencoder(shape, NET)
    return SimpleNamespace(
        g=net.decoder, d=discriminator_from(net.encoder, shape, 3, NET), z=torch.randn(6, NET.latent_size)
    )


def test_the_vitals_by_hand(nets):
    vitals = GanVitals(nets.g, nets.d, nets.z, "abc", lambda net: None)
    statistics = [norm.running_mean.clone() for net in (nets.g, nets.d) for norm in batch_norms(net)]

    def plain(net, x):
        net.train()
        clamp_dropout(net, False)
        with torch.no_grad():
            return net(x)

    for net in (nets.g, nets.d):
        for p in net.parameters():
            p.grad = torch.full_like(p, 2.0)
    before = vitals.measure()
    assert before["drift"] == before["weight_change_g"] == 0
    assert before["grad_norm_d"] == pytest.approx(2 * sum(p.numel() for p in nets.d.parameters()) ** 0.5, rel=1e-5)
    after = [norm.running_mean for net in (nets.g, nets.d) for norm in batch_norms(net)]
    assert all(torch.equal(a, b) for a, b in zip(statistics, after, strict=True))

    was = plain(nets.g, nets.z)
    with torch.no_grad():
        for p in nets.g.parameters():
            p.mul_(1.1)
    state = torch.get_rng_state()
    found = vitals.measure()
    assert torch.equal(torch.get_rng_state(), state)
    now = plain(nets.g, nets.z)
    assert found["weight_change_g"] == pytest.approx(0.1, rel=1e-4)
    assert found["weight_change_d"] == 0
    assert found["drift"] == pytest.approx(float((now - was).abs().mean()), rel=1e-4)
    assert found["pairwise.b"] == pytest.approx(float((now[2] - now[3]).abs().mean()), rel=1e-4)
    called = plain(nets.d, now).argmax(1) == 3
    assert found["fake_rate.c"] == pytest.approx(float(called[4:].float().mean()))


@pytest.mark.parametrize("train_one", [pretrain, classify])
def test_a_last_batch_of_one_row_does_no_harm(rng, tmp_path, train_one):
    """17 rows in batches of 8: the one left over goes into the next epoch's first batch."""
    store = write_rows(tmp_path / "s.h5", noise(rng, 17), ["a", "b"] * 8 + ["a"])
    config = dataclasses.replace(AE if train_one is pretrain else CLF, steps=7)
    seen = []
    module = "autoencoder" if train_one is pretrain else "classifier"
    home = importlib.import_module(f"sertools.training.{module}")
    with pytest.MonkeyPatch.context() as patch:
        inner = home.batch_indices
        patch.setattr(home, "batch_indices", lambda *a, **k: seen.append(inner(*a, **k)) or seen[-1])
        # One row alone to validate on is harmless too: nets are in eval mode there.
        val = write_rows(tmp_path / "v.h5", noise(rng, 1), ["a"])
        train_one([store], tmp_path / "net", config, val)
    assert [len(batch) for batch in seen] == [8] * 7
    assert sorted(np.concatenate(seen)[:17]) == list(range(17))


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_logs_are_drawn_as_curves(chain, trained, call, tmp_path, suffix):
    for name in ("one", "two"):
        done = call("plot", log_of(chain.ae), log_of(trained), "-o", f"{name}.{suffix}", "--title", "A $title")
        assert (done.code, done.out, done.err) == (0, "", "")
    content = (tmp_path / f"one.{suffix}").read_bytes()
    assert len(content) > 5000
    assert (tmp_path / f"two.{suffix}").read_bytes() == content


def test_the_curves_are_those_of_the_log(trained):
    figure = draw([log_of(trained)])
    panels = {axes.get_ylabel().partition("\n")[0]: axes for axes in figure.axes}
    assert list(panels)[:2] == ["loss", "accuracy"]
    assert {"gradient norm", "weight change", "drift per value", "called fake", "distance in class"} < set(panels)
    lines = by_step(trained)
    curves = {line.get_label(): line for line in panels["distance in class"].get_lines()}
    assert list(curves["sad"].get_xdata()) == [0, 20, 25]
    assert list(curves["sad"].get_ydata()) == [lines[step].values["pairwise.sad"] for step in (0, 20, 25)]
    # Twice as many lines: the real rows' stand beside them.
    n_warned = sum(bool(line.warnings) for line in lines.values())
    assert len(panels["distance in class"].get_lines()) == 2 * len(CLASSES) + n_warned
    assert "drift of batch statistics alone" in {line.get_label() for line in panels["drift per value"].get_lines()}


def test_what_is_said_of_a_log(trained, chain, call):
    path = log_of(trained)
    assert file_kind(path) == "training log"
    found = describe(path)
    assert (found["verb"], found["done"], found["steps"]) == ("finetune-gan", 25, 25)
    assert found["last"]["drift"] == by_step(trained)[25].values["drift"]
    assert json.loads(call("info", path).out)["kind"] == "training log"
    done = call("plot", path, chain.train, "-o", "p.png")
    assert done.code == 2
    assert "is training log" in done.err


GOOD = '{"verb":"v","step":10,"steps":30,"g":1.5}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"verb":"v"', "holds no record"),
        (GOOD + "nonsense\n", "line 2 is not of a training log"),
        (GOOD + "\n", "line 2 is not"),
        (GOOD + GOOD, "line 2 .*of another training"),
        (GOOD + GOOD.replace("10", "20").replace("30", "40"), "line 2 .*of another training"),
        (GOOD + GOOD.replace("10", "31"), "line 2 .*of another training"),
        (GOOD.replace("1.5", "NaN"), "line 1 .*NaN is not JSON"),
        (GOOD.replace("1.5", "1e999"), "line 1 .*a value is not a number"),
        (GOOD.replace("1.5", '"x"'), "line 1 .*a value is not a number"),
        (GOOD.replace("10", "true"), "line 1 .*not a count"),
        (GOOD.replace('"step":10,', ""), "line 1 .*no 'step'"),
        (GOOD.replace("}", ',"warnings":[1]}'), "line 1 .*not words"),
        (GOOD + "[]\n", "line 2 .*no object"),
        (GOOD + '{"a":' * 5000 + "\n", "line 2 is not"),
        (GOOD + "\xff\n", "line 2 is not"),
    ],
)
def test_a_damaged_log_is_one_clear_line(call, tmp_path, text, words):
    path = tmp_path / "x.log.ndjson"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=words):
        read_log(path)
    done = call("plot", path, "-o", "p.png")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert str(path) in done.err


def test_a_line_that_is_still_being_written_is_left_out(tmp_path):
    path = tmp_path / "x.log.ndjson"
    path.write_text(GOOD + '{"verb":"v","st')
    assert [line.step for line in read_log(path).lines] == [10]


def test_a_log_that_is_an_input_is_not_written_over(chain, call, tmp_path):
    source = tmp_path / "ae.log.ndjson"
    source.write_bytes(chain.synth.read_bytes())
    done = call("pretrain-ae", source, "-o", "ae", "--preset", "smoke")
    assert done.code == 2
    assert "ae.log.ndjson: is read by this command" in done.err
